package xmpp

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"mellium.im/xmpp/stream"
)

// ErrDown is returned, wrapped with the reason, for what cannot be sent because there is
// no connection now. The link is being repaired meanwhile.
var ErrDown = errors.New("chat link is down")

// Reasons we end a connection for.
var (
	errClosed   = errors.New("closed by the server")
	errNoAnswer = errors.New("no answer in time")
	errFlood    = errors.New("the server sent more than a stanza may hold")
	errNoLogin  = errors.New("the server wants no login; refused, it may be another machine")
	errNoOffer  = errors.New("the server offers no login here; it may want TLS")
	errNoBind   = errors.New("the server gave us no address")
	errStopped  = errors.New("link is stopped")
)

// LinkError says at which step a connection failed. It is worth another attempt.
type LinkError struct {
	Step    string // such as "connect", "negotiate" or "keep"
	Address string // as configured
	Err     error
}

func (e *LinkError) Error() string { return e.Step + " " + e.Address + ": " + plain(e.Err) }

func (e *LinkError) Unwrap() error { return e.Err }

// AuthError says that the server refused our credentials. Another attempt makes sense
// with others, or after a person has acted.
type AuthError struct {
	JID       string
	Address   string
	Condition string // RFC 6120 section 6.5, such as "not-authorized"
	Text      string // the server's explanation, often empty
}

func (e *AuthError) Error() string {
	s := "log in as " + e.JID + " at " + e.Address + ": " + e.Condition
	if e.Text != "" {
		s += " (" + e.Text + ")"
	}
	return s
}

// plain returns what happened in the words of whoever knows best, without the layers
// that name sockets and Go packages.
func plain(err error) string {
	var (
		errno  syscall.Errno
		dns    *net.DNSError
		broken *xml.SyntaxError
		closed stream.Error
	)
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &dns):
		return "look up " + dns.Name + ": " + dns.Err
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return errNoAnswer.Error()
	case errors.As(err, &broken) && broken.Msg == "unexpected EOF",
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		return errClosed.Error()
	case errors.As(err, &closed):
		return "closed by the server: " + closed.Error()
	}
	return err.Error()
}
