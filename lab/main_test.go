//go:build e2e

package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"intercom/lab/browser"
)

// lab is what the tests of one run share. TestMain fills it and ends what is in it.
var lab suite

type suite struct {
	root    string // the repository's
	out     string // this run's folder in lab/out
	browser *browser.Browser
	firefox func() (*browser.Browser, error)
	hidden  func() (*browser.Browser, error) // a Firefox that hides addresses
	pages   *httptest.Server                 // phone.html and the SDK
	prosody func() (*prosody, error)
	coturn  func() (*coturn, error)
	demo    func() (*demo, error)
	homes   func() (*house, error)
	times   table

	mu    sync.Mutex
	notes []string // shown at the end
	ended []func() error
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	code := 1
	committed, err := readRatios()
	err = errors.Join(err, lab.start())
	if err == nil {
		code = m.Run()
		lab.times.print(os.Stdout, committed)
		for _, n := range lab.notes {
			fmt.Println(n)
		}
	}
	if err := errors.Join(err, lab.end(code == 0)); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	return code
}

// start starts what every test needs. Servers start with the first test that needs them.
func (s *suite) start() error {
	var err error
	if s.root, err = filepath.Abs(".."); err != nil {
		return err
	}
	s.out = filepath.Join(s.root, "lab", "out", time.Now().Format("20060102-150405"))
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	if err := os.Setenv(runMark, s.out); err != nil {
		return err
	}
	sdk := filepath.Join(s.root, "build", "sdk")
	if _, err := os.Stat(filepath.Join(sdk, "quickblox.min.js")); err != nil {
		return fmt.Errorf("%w: run scripts/sdk.sh", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir("browser")))
	mux.Handle("GET /sdk/", http.StripPrefix("/sdk/", http.FileServer(http.Dir(sdk))))
	s.pages = httptest.NewServer(mux)
	s.atEnd(func() error { s.pages.Close(); return nil })

	s.prosody = sync.OnceValues(startProsody)
	s.coturn = sync.OnceValues(startCoturn)
	s.times = table{}
	s.homes = sync.OnceValues(startHouse)
	s.demo = sync.OnceValues(func() (*demo, error) { return startDemo("demo", "") })
	s.firefox = sync.OnceValues(func() (*browser.Browser, error) {
		return s.startBrowser("firefox", browser.StartFirefox, browser.Config{})
	})
	s.hidden = sync.OnceValues(func() (*browser.Browser, error) {
		return s.startBrowser("firefox-hidden", browser.StartFirefox, browser.Config{Preferences: map[string]any{
			"media.peerconnection.ice.obfuscate_host_addresses": true,
			"media.peerconnection.ice.loopback":                 true, // else it believes no STUN or TURN server there
		}})
	})
	s.browser, err = s.newBrowser("browser", browser.Config{})
	return err
}

// newBrowser starts a Chromium, which the end of the run ends.
func (s *suite) newBrowser(name string, c browser.Config) (*browser.Browser, error) {
	return s.startBrowser(name, browser.Start, c)
}

// startBrowser starts a browser of some kind, which the end of the run ends.
func (s *suite) startBrowser(name string, start func(context.Context, browser.Config) (*browser.Browser, error), c browser.Config) (*browser.Browser, error) {
	log, err := os.Create(filepath.Join(s.out, name+".log"))
	if err != nil {
		return nil, err
	}
	s.atEnd(log.Close)
	c.Root, c.Log = s.root, log
	b, err := start(context.Background(), c)
	if err != nil {
		return nil, err
	}
	s.atEnd(b.Close)
	return b, nil
}

// atEnd has f called when the run ends, before those that were added earlier.
func (s *suite) atEnd(f func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, f)
}

// note has a line shown at the end of the run, whether its tests pass or not.
func (s *suite) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// end ends everything. The logs of a run in which all passed go too, unless LAB_KEEP is
// set.
func (s *suite) end(passed bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	for i := len(s.ended) - 1; i >= 0; i-- {
		all = append(all, s.ended[i]())
	}
	all = append(all, s.leftovers())
	switch {
	case passed && os.Getenv("LAB_KEEP") == "":
		all = append(all, os.RemoveAll(s.out))
	case s.out != "":
		fmt.Fprintln(os.Stderr, "lab: logs are in", s.out)
	}
	return errors.Join(all...)
}

// runMark is in the environment of everything that a run starts.
const runMark = "LAB_RUN"

// leftovers is an error if something that the run has started still runs after its end, by
// whomever it was started: a browser's helper, a lock's guard, a machine.
func (s *suite) leftovers() error {
	var left []string
	for late := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) { // of others' children nobody is told
		left = nil
		environments, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is right
		for _, file := range environments {
			text, err := os.ReadFile(file)
			pid := filepath.Base(filepath.Dir(file))
			if err != nil || pid == strconv.Itoa(os.Getpid()) || !strings.Contains(string(text), runMark+"="+s.out+"\x00") {
				continue // it has ended, is another user's, or is no matter of ours
			}
			command, _ := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
			left = append(left, pid+" "+strings.ReplaceAll(string(command), "\x00", " "))
		}
		if left == nil || time.Now().After(late) {
			break
		}
	}
	if left != nil {
		return fmt.Errorf("%d processes of the run still run: %q", len(left), left)
	}
	return nil
}

// door gives the demo's door to a test.
func (s *suite) door(t *testing.T) *demo {
	t.Helper()
	d, err := s.demo()
	must(t, err)
	d.begin(t)
	return d
}
