package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/net/websocket"
)

// bidi is a connection by WebDriver BiDi (W3C): commands, answers and events are JSON objects,
// one in a message of a WebSocket. https://www.w3.org/TR/webdriver-bidi/ names them.
type bidi struct {
	*calls
	conn  *websocket.Conn
	event func(method string, params json.RawMessage)
}

// origin is what we say we are: a browser refuses what a web page of others asks of it.
const origin = "http://localhost"

// dialBiDi connects to a browser that listens at an address, host:port.
func dialBiDi(ctx context.Context, address string, event func(method string, params json.RawMessage)) (*bidi, error) {
	config, err := websocket.NewConfig((&url.URL{Scheme: "ws", Host: address, Path: "/session"}).String(), origin)
	if err != nil {
		return nil, err
	}
	conn, err := config.DialContext(ctx)
	if err != nil {
		return nil, err
	}
	conn.MaxPayloadBytes = 64 << 20
	b := &bidi{calls: newCalls(), conn: conn, event: event}
	go b.read()
	return b, nil
}

// read delivers what the browser says until the connection ends.
func (b *bidi) read() {
	defer close(b.ended)
	for {
		var m struct {
			Type, Method   string
			ID             int
			Params, Result json.RawMessage
			Error, Message string
		}
		if err := websocket.JSON.Receive(b.conn, &m); err != nil {
			return
		}
		switch m.Type {
		case "event":
			b.event(m.Method, m.Params)
		case "error":
			b.answer(m.ID, reply{err: fmt.Errorf("%s: %s", m.Error, m.Message)})
		default:
			b.answer(m.ID, reply{result: m.Result})
		}
	}
}

// do sends a command and waits for its result, for at most limit.
func (b *bidi) do(ctx context.Context, limit time.Duration, method string, params, result any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return b.calls.do(ctx, method, func(id int) error {
		return websocket.JSON.Send(b.conn, map[string]any{"id": id, "method": method, "params": params})
	}, result)
}
