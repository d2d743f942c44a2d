package callcore

import "time"

// Left counts what a client still knows of calls. It is called while nothing happens in the
// bubble, or after Run.
func (c *Client) Left() map[string]int {
	l := c.loop
	l.ended.expire(time.Now())
	l.forgetFarewells(time.Now())
	return map[string]int{
		"sessions": len(l.sessions), "peers": len(l.peers), "ended": len(l.ended.calls), "events": len(l.pending),
		"unsent": len(l.unsent), "farewells": len(l.farewells), "steps": len(l.todo), "outbox": len(l.outbox),
	}
}
