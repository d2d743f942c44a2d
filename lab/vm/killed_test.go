//go:build lab

package vm

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childOf says in the environment that the test binary is to start a machine and wait.
const childOf = "LAB_MACHINE_CHILD"

// TestMachineOfKilledProcess kills a process that has a machine; the machine must go too,
// and its turn with it.
func TestMachineOfKilledProcess(t *testing.T) {
	c := Config{Guest: filepath.Join("..", "..", "build", "lab", "guest"), Out: t.TempDir()}
	if missing := Missing(c); len(missing) > 0 {
		t.Skip(strings.Join(missing, "; "))
	}
	if out := os.Getenv(childOf); out != "" {
		c.Out = out
		m, err := Start(t.Context(), c)
		must(t, err)
		fmt.Println("machine", m.cmd.Process.Pid)
		<-m.Ended()
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^TestMachineOfKilledProcess$")
	child.Env = append(os.Environ(), childOf+"="+c.Out)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	defer child.Wait()
	defer child.Process.Kill()
	machine := 0
	for lines := bufio.NewScanner(out); machine == 0 && lines.Scan(); {
		fmt.Sscanf(lines.Text(), "machine %d", &machine)
	}
	if machine == 0 {
		t.Fatal("the child has not started a machine")
	}
	must(t, child.Process.Kill())
	for late := time.Now().Add(closeLimit); runs(machine); {
		if time.Now().After(late) {
			syscall.Kill(machine, syscall.SIGKILL)
			t.Fatal("the machine has outlived its process")
		}
		time.Sleep(10 * time.Millisecond) // another's child: nothing to wait on
	}
	turn, err := takeTurn(t.Context(), filepath.Join(filepath.Dir(c.Guest), "machine.lock"))
	must(t, err)
	turn.Close()
}

// runs says whether a process does; one that has ended may be there until its parent, by
// now another, has taken notice.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
