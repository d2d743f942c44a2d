//go:build e2e && lab

package lab

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intercom/lab/vm"
)

// driverPackages have tests for real drivers, behind the tag guest and named TestGuest. Each has
// devices of its own.
var driverPackages = []string{"hw/evdev", "hw/cdev", "capture/alsa", "capture/v4l2", "capture/m2m"}

// TestGuestDrivers runs the contracts of the packages that talk to drivers where the drivers
// are: lines on a simulated chip, keys of made-up keypads, pictures of vivid, a virtual codec, sound on a loopback card.
func TestGuestDrivers(t *testing.T) {
	t.Parallel() // beside other scenarios that mostly wait, and have other devices
	g := newGuest(t)
	for _, p := range driverPackages {
		t.Run(filepath.Base(p), func(t *testing.T) {
			t.Parallel()
			name := filepath.Base(p) + ".test"
			program := filepath.Join(t.TempDir(), name)
			build := exec.CommandContext(t.Context(), "go", "test", "-c", "-tags", "guest", "-o", program, "intercom/"+p)
			build.Dir, build.Stderr = lab.root, os.Stderr
			must(t, build.Run())
			path := "/tmp/" + name
			must(t, g.PutFile(t.Context(), path, program))
			log, err := os.Create(filepath.Join(g.out, filepath.Base(p)+".log"))
			must(t, err)
			defer log.Close()
			test, err := g.Start(t.Context(), vm.Command{Args: []string{path, "-test.v", "-test.run=^TestGuest", "-test.timeout=150s"}, Stdout: log, Stderr: log})
			must(t, err)
			if err := test.Wait(3 * time.Minute); err != nil {
				t.Error(err)
			}
			count(t, log.Name())
		})
	}
}

// count reports the tests of a log. Each is one of this suite: a skipped one is counted, and
// a package whose tests have gone fails.
func count(t *testing.T, path string) {
	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	passed := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		switch line := strings.TrimSpace(lines.Text()); {
		case strings.HasPrefix(line, "--- PASS: "):
			passed++
		case strings.HasPrefix(line, "--- FAIL: "), strings.HasPrefix(line, "--- SKIP: "):
			t.Error(line)
		}
	}
	if passed == 0 {
		t.Errorf("no test has passed; see %s", path)
	}
	t.Logf("%d tests passed in the guest", passed)
}
