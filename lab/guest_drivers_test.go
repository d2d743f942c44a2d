//go:build e2e && lab

package lab

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"intercom/lab/vm"
)

// driverPackages have tests for real drivers, behind the tag guest.
var driverPackages = []string{"hw/cdev", "hw/evdev", "capture/v4l2", "capture/alsa", "capture/m2m"}

// TestGuestDrivers runs the contracts of the packages that talk to drivers where the drivers
// are: lines on a simulated chip, keys of made-up keypads, pictures of vivid, a virtual codec, sound on a loopback card.
func TestGuestDrivers(t *testing.T) {
	dir := t.TempDir()
	built := make(chan driverTests, len(driverPackages)) // each while the one before runs
	var builds sync.WaitGroup
	defer builds.Wait()
	builds.Go(func() {
		for _, p := range driverPackages {
			built <- buildTests(t.Context(), dir, p)
		}
	})
	g := newGuest(t)
	for _, p := range driverPackages {
		t.Run(filepath.Base(p), func(t *testing.T) {
			var tests driverTests
			for tests = range built {
				if tests.pkg == p {
					break // -run may have left out others
				}
			}
			must(t, tests.err)
			path := "/tmp/" + filepath.Base(tests.program)
			must(t, g.PutFile(t.Context(), path, tests.program))
			log, err := os.Create(filepath.Join(g.out, filepath.Base(p)+".log"))
			must(t, err)
			defer log.Close()
			test, err := g.Start(t.Context(), vm.Command{Args: []string{path, "-test.v", "-test.timeout=150s"}, Stdout: log, Stderr: log})
			must(t, err)
			if err := test.Wait(3 * time.Minute); err != nil {
				t.Error(err)
			}
			count(t, log.Name())
		})
	}
}

// driverTests is the test program of a package.
type driverTests struct {
	pkg, program string
	err          error
}

func buildTests(ctx context.Context, dir, pkg string) driverTests {
	program := filepath.Join(dir, filepath.Base(pkg)+".test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-tags", "guest", "-o", program, "intercom/"+pkg)
	build.Dir, build.Stderr = lab.root, os.Stderr
	return driverTests{pkg, program, build.Run()}
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
