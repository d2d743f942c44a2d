package vm

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Device is one that comes and goes as a USB device does: a program that uses it when it
// is unplugged gets ENODEV, and its nodes in /dev vanish.
type Device int

const (
	// Camera is the webcam, /dev/video0.
	Camera Device = iota
	// Card is the sound card "Loop".
	Card
)

// at returns the folder of the device's driver and its name there.
func (d Device) at() (driver, name string) {
	switch d {
	case Camera:
		return "/sys/bus/platform/drivers/vivid", "vivid.0"
	case Card:
		return "/sys/bus/platform/drivers/snd_aloop", "snd_aloop.0"
	}
	panic(fmt.Sprintf("vm: no device %d", int(d)))
}

// Unplug takes a device away.
func (m *Machine) Unplug(ctx context.Context, d Device) error {
	driver, name := d.at()
	return m.Put(ctx, driver+"/unbind", 0o200, []byte(name))
}

// Replug brings a device back.
func (m *Machine) Replug(ctx context.Context, d Device) error {
	driver, name := d.at()
	return m.Put(ctx, driver+"/bind", 0o200, []byte(name))
}

// The far end of the sound card: what is played there is what the door's microphone
// hears, and what the door plays can be recorded there.
const farEnd = "plughw:Loop,1,0"

// farTries is how often the far end is taken into use. The two ends of the card have one format:
// when the door opens its end at the same time, with another, the program at the far end fails.
const farTries = 4

// Play plays a WAV file into the door's microphone, and returns when it can be heard there. It
// goes on until the sound is over or ctx ends: Wait for the Process.
func (m *Machine) Play(ctx context.Context, wav []byte) (*Process, error) {
	for try := 1; ; try++ {
		p, err := m.Start(ctx, Command{Args: []string{"aplay", "-q", "-D", farEnd, "-"}, Stdin: wav})
		if err != nil {
			return nil, err
		}
		_, err = m.Shell(ctx, fmt.Sprintf("while kill -0 %d; do ! grep -q RUNNING /proc/asound/Loop/pcm1p/sub0/status || exit 0; sleep 0.1; done; exit 1", p.pid))
		if err == nil || ctx.Err() != nil {
			return p, ctx.Err()
		}
		if err = p.Wait(stepLimit); err == nil {
			return p, nil // it was so short
		}
		if try == farTries {
			return nil, err
		}
	}
}

// Record records what the door's loudspeaker plays, as a WAV file: 16 bit, mono, 48 kHz.
// Where nothing is played there are zeros.
func (m *Machine) Record(ctx context.Context, d time.Duration) (wav []byte, err error) {
	for range farTries {
		var e *ExitError
		if wav, err = m.record(ctx, d); !errors.As(err, &e) {
			break
		}
	}
	return wav, err
}

func (m *Machine) record(ctx context.Context, d time.Duration) ([]byte, error) {
	const file = "/tmp/record.wav"
	samples := strconv.Itoa(int(d.Seconds() * recordRate))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // which ends a program that does not
	p, err := m.Start(ctx, Command{
		Args: []string{"arecord", "-q", "-D", farEnd, "-f", "S16_LE", "-c", "1", "-r", strconv.Itoa(recordRate), "--samples", samples, file},
	})
	if err != nil {
		return nil, err
	}
	if err := p.Wait(stepLimit + 2*d); err != nil {
		return nil, err
	}
	return m.Get(ctx, file)
}

// Impair makes the door's network bad, in the guest, in both directions: rule is of tc's
// netem, as "delay 80ms 10ms loss 5%". An empty rule makes it good again.
func (m *Machine) Impair(ctx context.Context, rule string) error {
	// What arrives goes through ifb0, because netem works on what leaves. The shell's own tc
	// is a smaller one.
	script := `
/bin/tc qdisc del dev eth0 root 2>/dev/null || true
/bin/tc qdisc del dev eth0 ingress 2>/dev/null || true
`
	if rule != "" {
		script += `
for m in ifb sch_ingress cls_matchall act_mirred sch_netem; do modprobe $m; done
ip link set ifb0 up
/bin/tc qdisc del dev ifb0 root 2>/dev/null || true
/bin/tc qdisc add dev eth0 root netem ` + rule + `
/bin/tc qdisc add dev eth0 ingress
/bin/tc filter add dev eth0 parent ffff: matchall action mirred egress redirect dev ifb0
/bin/tc qdisc add dev ifb0 root netem ` + rule
	}
	_, err := m.Shell(ctx, script)
	return err
}
