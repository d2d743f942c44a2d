package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Limits of the control socket. One line is one JSON object.
const (
	maxRequest = 4 << 10 // bytes; a request is a command and a name
	maxReply   = 1 << 20 // bytes; a status names every resident
	maxConns   = 32      // more than a person and a few scripts means a leak somewhere

	idleTimeout    = 5 * time.Minute  // between two requests on one connection
	requestTimeout = 10 * time.Second // for the station to carry one out
	writeTimeout   = 5 * time.Second  // a client that does not read is gone
)

// request is one line from a client.
type request struct {
	Cmd  string `json:"cmd"`
	Name string `json:"name,omitempty"` // of the button to press
	Keys string `json:"keys,omitempty"` // to type
	// Phone is what a phone that is paired is called.
	Phone string `json:"phone,omitempty"`
}

// The commands.
const (
	cmdPress  = "press"
	cmdType   = "type"
	cmdHangUp = "hangup"
	cmdStatus = "status"
	cmdEvents = "events"
	cmdSnap   = "snapshot"
	cmdPair   = "pair"
	cmdRotate = "rotate"
	cmdRevoke = "revoke"
	cmdKeys   = "keys"
)

// reply is one line back: OK or Error. After the OK to "events" come events.
type reply struct {
	OK     bool    `json:"ok,omitempty"`
	Error  string  `json:"error,omitempty"`
	Status *Status `json:"status,omitempty"`
	JPEG   []byte  `json:"jpeg,omitempty"`

	Pairing *Pairing `json:"pairing,omitempty"`
	Keys    []Key    `json:"keys,omitempty"`
}

// parseRequest reads one line strictly: a field it does not know is an error, as it would
// otherwise be a wish that is silently not granted.
func parseRequest(line []byte) (request, error) {
	var r request
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		if errors.Is(err, io.EOF) {
			return request{}, errors.New(`empty request; try {"cmd":"status"}`)
		}
		return request{}, fmt.Errorf("malformed request: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return request{}, errors.New("malformed request: one JSON object a line")
	}
	if r.Keys != "" && r.Cmd != cmdType {
		return request{}, fmt.Errorf(`%.40s: takes no "keys"`, r.Cmd)
	}
	if r.Phone != "" && r.Cmd != cmdPair {
		return request{}, fmt.Errorf(`%.40s: takes no "phone"`, r.Cmd)
	}
	switch r.Cmd {
	case cmdPair, cmdRotate, cmdRevoke:
		if r.Name == "" {
			return request{}, fmt.Errorf(`%s: the "name" is missing: a resident's, or a key's id`, r.Cmd)
		}
		return r, nil
	case cmdType:
		if r.Keys == "" || r.Name != "" {
			return request{}, errors.New(`type: takes "keys" and nothing else`)
		}
		return r, nil
	case cmdPress:
		if r.Name == "" {
			return request{}, errors.New(`press: the button's "name" is missing`)
		}
		return r, nil
	case cmdHangUp, cmdStatus, cmdEvents, cmdSnap, cmdKeys:
		if r.Name != "" {
			return request{}, fmt.Errorf(`%s: takes no "name"`, r.Cmd)
		}
		return r, nil
	}
	return request{}, fmt.Errorf("unknown command %.40q; known are press, type, hangup, status, snapshot, events, pair, keys, revoke, rotate", r.Cmd)
}

// writeLine writes v as one line, within the write timeout.
func writeLine(c net.Conn, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err = c.Write(append(b, '\n'))
	return err
}
