package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// errEnded is the answer to whatever is asked of a browser that has ended.
var errEnded = errors.New("the browser has ended")

// calls are requests that were sent and wait for their answers, by number.
type calls struct {
	ended chan struct{} // closed when no more answers come

	mu      sync.Mutex // guards what follows, and sending
	next    int
	waiting map[int]chan reply
}

type reply struct {
	result json.RawMessage
	err    error
}

func newCalls() *calls {
	return &calls{ended: make(chan struct{}), waiting: map[int]chan reply{}}
}

// do has send send a request under the number that it is given, and puts the answer, when it
// comes, where result points, unless that is nil. Only one request is being sent at a time.
func (c *calls) do(ctx context.Context, what string, send func(id int) error, result any) error {
	answer := make(chan reply, 1)
	c.mu.Lock()
	c.next++
	id := c.next
	c.waiting[id] = answer
	err := send(id)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
	}()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	select {
	case r := <-answer:
		if r.err != nil || result == nil {
			return r.err
		}
		if err := json.Unmarshal(r.result, result); err != nil {
			return fmt.Errorf("%s: read %.200s: %w", what, r.result, err)
		}
		return nil
	case <-c.ended:
		return fmt.Errorf("%s: %w", what, errEnded)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
}

// answer delivers an answer, unless nobody waits for it any more.
func (c *calls) answer(id int, r reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer := c.waiting[id]; answer != nil {
		delete(c.waiting, id) // what came twice would block
		answer <- r
	}
}
