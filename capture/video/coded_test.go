package video

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

// codedCamera is a camera that codes: a key frame every second, by a fake coder whose slices
// say how bright the picture is.
type codedCamera struct {
	*camera
	n    int
	away chan error
	back time.Time // from when on it is there
}

func (c *codedCamera) Run(ctx context.Context, out func(*capture.Frame)) error {
	if time.Now().Before(c.back) {
		return errors.New("it is not there")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := c.camera.Run(ctx, func(f *capture.Frame) {
		select {
		case err := <-c.away:
			c.n, c.back = 1, time.Now().Add(3*time.Second) // it goes on in the middle
			cancel(err)
			return
		default:
		}
		unit := slice
		if c.n%20 == 0 {
			unit = slices.Concat(aud, sps, pps, idr)
		} else if c.n%20 == 10 {
			unit = idr // whose parameter sets came before
		}
		c.n++
		f.Planes[0] = append(f.Planes[0][:0], unit...)
		out(f)
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// stillDecoder notes what it is given.
type stillDecoder struct {
	units  *[][]byte
	closed *int
	late   bool // the first time it has nothing to show
	err    error
}

func (d *stillDecoder) Decode(unit []byte, at time.Time) (*capture.Frame, error) {
	*d.units = append(*d.units, slices.Clone(unit))
	if d.err != nil {
		return nil, d.err
	}
	if d.late {
		d.late = false
		return nil, nil
	}
	f := capture.NewFramePool(32, 32, 20).Get()
	f.Time = at
	return f, nil
}

func (d *stillDecoder) Close() error { *d.closed++; return nil }

// newCodedBench has a camera that codes, passed through.
func newCodedBench(t *testing.T, change func(*Config)) (*bench, *codedCamera) {
	cam := &codedCamera{camera: newCamera(), away: make(chan error)}
	cam.format.Pixel = capture.AVC
	return newBench(t, func(c *Config) {
		c.Camera, c.Format = cam, cam.format
		c.Encoders = map[capture.Codec]capture.NewEncoder{capture.H264: Passthrough}
		change(c)
	}), cam
}

// TestSnapshotOfCodedPictures: of a camera that codes, the next key frame is decoded, with
// its parameter sets.
func TestSnapshotOfCodedPictures(t *testing.T) {
	for name, test := range map[string]struct {
		late bool
		err  error
	}{"at once": {}, "late": {late: true}, "broken": {err: errors.New("it is broken")}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var units [][]byte
				closed := 0
				b, _ := newCodedBench(t, func(c *Config) {
					c.NewDecoder = func() (Decoder, error) { return &stillDecoder{&units, &closed, test.late, test.err}, nil }
				})
				defer b.stop()
				f := b.open(t, capture.H264)
				defer f.Close()
				paced(t, f, 220*time.Millisecond) // the first key frame is over
				still, err := b.Snapshot(t.Context())
				if !errors.Is(err, test.err) || (err == nil) != (still != nil) {
					t.Fatalf("got %v, %v", still, err)
				}
				if still != nil {
					if still.Pixel != capture.I420 || time.Since(still.Time) > 100*time.Millisecond {
						t.Errorf("got %+v of %v", still.Format, still.Time)
					}
					still.Release()
				}
				if len(units) == 0 || !slices.Equal(units[0], slices.Concat(sps, pps, idr)) || closed != 1 {
					t.Errorf("decoded % x, closed %d times", units, closed)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		b, _ := newCodedBench(t, func(*Config) {})
		defer b.stop()
		f := b.open(t, capture.H264)
		defer f.Close()
		synctest.Wait()
		if _, err := b.Snapshot(t.Context()); !errors.Is(err, ErrCoded) {
			t.Errorf("without a decoder: %v", err)
		}
	})
}

// signCoder codes the sign as a unit that is told from the camera's.
type signCoder struct {
	encoder
	failing bool
}

var signUnit = slices.Concat(sps, []byte{0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x81}, idr)

func (c *signCoder) Encode(f *capture.Frame) error {
	if c.failing {
		return errors.New("no memory")
	}
	unit := slices.Concat(slice, []byte{0x81})
	if c.key {
		unit = signUnit
	}
	c.key = false
	p := c.pool.Get(len(unit))
	copy(p.Data, unit)
	p.Key = len(unit) == len(signUnit)
	c.out(p)
	p.Release()
	return nil
}

// TestSignOfCodedPictures: while a camera that codes is away, viewers see the sign coded in
// its place, and then its own pictures from a key frame on.
func TestSignOfCodedPictures(t *testing.T) {
	for _, failing := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			made := 0
			b, cam := newCodedBench(t, func(c *Config) {
				c.CodeSign = func(f capture.Format, out func(*capture.Packet)) (capture.Encoder, error) {
					made++
					if f.Pixel != capture.I420 || f.Width != vga.Width || f.FPS != 5 {
						t.Errorf("an encoder for %+v", f)
					}
					return &signCoder{encoder{out: out}, failing}, nil
				}
			})
			defer b.stop()
			f := b.open(t, capture.H264)
			defer f.Close()
			paced(t, f, 3*time.Second)
			cam.away <- errors.New("unplugged")
			ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
			defer cancel()
			signs, afterwards := 0, 0
			for {
				p, err := f.Next(ctx)
				if err != nil {
					break
				}
				switch own := slices.Contains(p.Data, 0x81); {
				case own:
					signs++
				case p.Key && afterwards == 0 && !strings.Contains(string(p.Data), string(pps)):
					t.Error("the camera's first key frame has the sign's parameter sets")
				case p.Key:
					afterwards++
				case signs > 0 && afterwards == 0:
					t.Error("a picture that builds on one from before the sign")
				}
				p.Release()
			}
			if (signs > 0) == failing || made != 1 || afterwards == 0 {
				t.Errorf("failing %v: %d signs by %d encoders, and %d key frames of the camera", failing, signs, made, afterwards)
			}
		})
	}
}
