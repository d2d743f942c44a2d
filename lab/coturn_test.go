//go:build e2e

package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// coturn is a TURN server on loopback, which relays to loopback.
type coturn struct {
	*process
	address     string // for UDP and TCP
	tls         string // for TLS
	certificate string // file of the one it shows; nobody but a test trusts it
}

// turnUser is a user of coturn's, by whose name its log tells the ends of a call apart.
type turnUser struct{ name, password string }

var (
	turnDoor  = turnUser{"turn-door", "door-secret"}
	turnPhone = turnUser{"turn-phone", "phone-secret"}
)

const coturnConfig = `# Written by the end-to-end tests, for one run.
listening-ip=127.0.0.1
relay-ip=127.0.0.1
allow-loopback-peers
listening-port=%[2]d
tls-listening-port=%[3]d
cert=%[1]s/cert.pem
pkey=%[1]s/key.pem
no-dtls
no-cli
no-rfc5780
realm=lab.localhost
lt-cred-mech
user=%[4]s:%[5]s
user=%[6]s:%[7]s
userdb=%[1]s/turndb
pidfile=%[1]s/turnserver.pid
log-file=stdout
simple-log
verbose
`

func startCoturn() (*coturn, error) {
	dir := filepath.Join(lab.out, "coturn")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	host := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	c := &coturn{address: host(ports[0]), tls: host(ports[1]), certificate: filepath.Join(dir, "cert.pem")}
	config := filepath.Join(dir, "turnserver.conf")
	text := fmt.Sprintf(coturnConfig, dir, ports[0], ports[1], turnDoor.name, turnDoor.password, turnPhone.name, turnPhone.password)
	err = errors.Join(writeCertificate(c.certificate, filepath.Join(dir, "key.pem")), os.WriteFile(config, []byte(text), 0o600))
	if err != nil {
		return nil, err
	}
	if c.process, err = startProcess("coturn", exec.Command("turnserver", "-c", config)); err != nil {
		return nil, err
	}
	if err := c.await(30*time.Second, func() error { return errors.Join(answers(c.address), answers(c.tls)) }); err != nil {
		return nil, err
	}
	return c, nil
}

// writeCertificate makes a certificate for 127.0.0.1, signed by itself.
func writeCertificate(certificate, key string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "coturn of the end-to-end tests"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public}), 0o644),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600),
	)
}

// usage matches what coturn logs of a session that has ended, about packets exchanged with
// the other end of a call: session, user, received, sent.
var usage = regexp.MustCompile(`session (\d+): peer usage: realm=<[^>]*>, username=<([^>]*)>, rp=(\d+), rb=\d+, sp=(\d+),`)

// carried is what coturn logged of one user.
type carried struct {
	allocated, released int      // sessions
	busy                int      // of those released, with at least 50 packets each way
	via                 []string // coturn's addresses that the busy ones came to
}

// seen returns how many lines coturn has logged.
func (c *coturn) seen() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lines)
}

// carried returns what coturn has logged of a user since it had logged that many lines.
func (c *coturn) carried(u turnUser, from int) carried {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sum carried
	user := "<" + u.name + ">"
	for i, l := range c.lines[from:] {
		switch {
		case !strings.Contains(l, user):
		case strings.Contains(l, ": new, "):
			sum.allocated++
		case strings.Contains(l, ": delete: "):
			sum.released++
		}
		m := usage.FindStringSubmatch(l)
		if m == nil || m[2] != u.name {
			continue
		}
		received, _ := strconv.Atoi(m[3]) // digits
		sent, _ := strconv.Atoi(m[4])
		if received < 50 || sent < 50 {
			continue
		}
		sum.busy++
		for _, closed := range c.lines[from+i:] {
			if _, rest, ok := strings.Cut(closed, "session "+m[1]+": closed "); ok {
				_, local, _ := strings.Cut(rest, "local ")
				local, _, _ = strings.Cut(local, ",")
				sum.via = append(sum.via, local)
				break
			}
		}
	}
	return sum
}

// expect waits until a user has given back all that coturn allocated for it since a line,
// and asserts that this many of its sessions were busy, at that address of coturn's.
func (c *coturn) expect(t *testing.T, u turnUser, from, busy int, via string) {
	t.Helper()
	var got carried
	if err := c.await(soon, func() error {
		if got = c.carried(u, from); got.allocated == 0 || got.released != got.allocated {
			return fmt.Errorf("%s has %d allocations and gave %d back", u.name, got.allocated, got.released)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got.busy != busy || len(got.via) != busy || slices.ContainsFunc(got.via, func(a string) bool { return a != via }) {
		t.Errorf("coturn's log about %s: got %+v, want %d busy sessions at %s", u.name, got, busy, via)
	}
}
