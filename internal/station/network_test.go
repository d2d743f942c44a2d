package station

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/transport/v4/vnet"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
)

// TestNetworkChanged: a visitor's call goes on at once when the station gets another
// address.
func TestNetworkChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var host *vnet.Net
		changes := make(chan func(), 1)
		r := newRig(t, func(c *Config) {
			host = c.Net.(*vnet.Net)
			c.WatchNetwork = func(ctx context.Context, changed func()) error {
				changes <- changed
				<-ctx.Done()
				return ctx.Err()
			}
		})
		defer r.end()
		phone := r.world.Phone(callcoretest.Spec{User: anna})
		r.press("call")
		in := callcoretest.Await[callcore.Incoming](phone)
		if err := in.Session.Accept(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		callcoretest.Await[callcore.MediaStarted](phone)
		phone.Idle(5 * time.Second)
		r.world.Move(host, "10.0.0.99")
		start := time.Now()
		(<-changes)()
		callcoretest.AwaitWhere(phone, func(e callcore.Reconnect) bool { return e.State == callcore.Reconnected })
		if took := time.Since(start); took > time.Second {
			t.Errorf("connected again after %v", took)
		}
	})
}
