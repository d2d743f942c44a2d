//go:build cgo

// Command black writes the black pictures that a peer gets instead of a muted camera's:
// one key frame a codec and shape, in callcore/black. Run it there again when an encoder
// has changed; nothing else needs it. It starts no goroutine.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"intercom/capture"
	"intercom/capture/soft/openh264"
	"intercom/capture/soft/vpx"
)

// shapes are the pictures' sizes: small, in the two shapes that cameras have.
var shapes = [][2]int{{320, 240}, {320, 180}}

var encoders = []struct {
	name string
	open capture.NewEncoder
}{{"vp8", vpx.NewEncoder}, {"h264", openh264.NewEncoder}}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: black folder")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "black:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	for _, e := range encoders {
		for _, s := range shapes {
			b, err := encode(e.open, s[0], s[1])
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(folder, fileName(e.name, s)), b, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func fileName(codec string, shape [2]int) string {
	return fmt.Sprintf("%dx%d.%s", shape[0], shape[1], codec)
}

// encode returns a black key frame of this size.
func encode(open capture.NewEncoder, width, height int) ([]byte, error) {
	format := capture.Format{Pixel: capture.I420, Width: width, Height: height, FPS: 20}
	var b []byte
	e, err := open(format, func(p *capture.Packet) {
		if p.Key && b == nil {
			b = append(b, p.Data...)
		}
	})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	f := capture.NewFramePool(width, height, format.FPS).Get()
	defer f.Release()
	for i, plane := range f.Planes {
		value := byte(128)
		if i == 0 {
			value = 16 // BT.601, limited range
		}
		for j := range plane {
			plane[j] = value
		}
	}
	f.Time = time.Unix(0, 0)
	if err := e.Encode(f); err != nil {
		return nil, err
	}
	if b == nil {
		return nil, fmt.Errorf("the encoder made no key frame of %dx%d", width, height)
	}
	return b, nil
}
