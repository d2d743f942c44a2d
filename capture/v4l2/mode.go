package v4l2

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/blackjack/webcam"

	"intercom/capture"
)

// Mode is a picture that a camera can deliver.
type Mode struct {
	Pixel         capture.Pixel
	Width, Height int
	FPS           float64 // the most; 0: the driver does not tell
}

func (m Mode) String() string {
	if m.FPS == 0 {
		return fmt.Sprintf("%v %dx%d", m.Pixel, m.Width, m.Height)
	}
	return fmt.Sprintf("%v %dx%d at %.4g/s", m.Pixel, m.Width, m.Height, m.FPS)
}

// codes are the pixel formats that we read, as the kernel calls them.
var codes = map[capture.Pixel]webcam.PixelFormat{
	capture.I420:  fourCC("YU12"),
	capture.NV12:  fourCC("NV12"),
	capture.YUYV:  fourCC("YUYV"),
	capture.MJPEG: fourCC("MJPG"),
	capture.AVC:   fourCC("H264"),
}

func fourCC(s string) webcam.PixelFormat {
	return webcam.PixelFormat(uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24)
}

// cost is what a picture costs until it is I420, relative to a copy. A JPEG decoder does
// ten times the work; H.264 is not decoded, and not chosen unless it is asked for.
var cost = map[capture.Pixel]float64{capture.I420: 1, capture.NV12: 1.1, capture.YUYV: 1.6, capture.MJPEG: 10}

// modes lists what an open camera can deliver of what we read, for somebody who wants
// pictures of about this size.
func modes(cam *webcam.Webcam, width, height int) []Mode {
	offered := cam.GetSupportedFormats()
	var list []Mode
	for pixel, code := range codes {
		if _, ok := offered[code]; !ok {
			continue
		}
		sizes := cam.GetSupportedFrameSizes(code)
		for _, s := range sizes {
			m := Mode{Pixel: pixel}
			m.Width, m.Height = sizeWithin(s, width, height)
			m.FPS = fastest(cam.GetSupportedFramerates(code, uint32(m.Width), uint32(m.Height)))
			list = append(list, m)
		}
		if len(sizes) == 0 { // it has one size, and tells which when it is set
			list = append(list, Mode{Pixel: pixel, Width: width, Height: height})
		}
	}
	slices.SortFunc(list, func(a, b Mode) int {
		return cmp.Or(cmp.Compare(a.Pixel, b.Pixel), cmp.Compare(a.Width*a.Height, b.Width*b.Height), cmp.Compare(a.Width, b.Width))
	})
	return slices.Compact(list)
}

// sizeWithin returns the size of a range that is next to the wanted one. The library has no
// numbers for a range without steps: any size is granted then, or the driver says otherwise when
// it is set.
func sizeWithin(s webcam.FrameSize, width, height int) (int, int) {
	if s.MaxWidth == 0 || s.MaxHeight == 0 {
		return width, height
	}
	return within(width, s.MinWidth, s.MaxWidth, s.StepWidth), within(height, s.MinHeight, s.MaxHeight, s.StepHeight)
}

// within returns the value in a range with steps that is next to the wanted one.
func within(want int, least, most, step uint32) int {
	v := min(max(want, int(least)), int(most))
	if step > 1 {
		v = int(least) + (v-int(least))/int(step)*int(step)
	}
	return v
}

func fastest(rates []webcam.FrameRate) float64 {
	fps := 0.0
	for _, r := range rates {
		if r.MinNumerator > 0 {
			fps = max(fps, float64(r.MaxDenominator)/float64(r.MinNumerator))
		}
	}
	return fps
}

// choose picks a mode: one that is fast enough before all, then the nearest size, then the
// cheapest pixels. It says why in words.
func choose(list []Mode, c Config) (Mode, string, error) {
	var fit []Mode
	for _, m := range list {
		if c.Pixel != 0 && m.Pixel != c.Pixel || c.Pixel == 0 && m.Pixel == capture.AVC || m.Pixel == capture.MJPEG && c.DecodeJPEG == nil {
			continue
		}
		if m.Width >= 2 && m.Height >= 2 {
			fit = append(fit, m)
		}
	}
	if len(fit) == 0 {
		if c.Pixel != 0 {
			return Mode{}, "", fmt.Errorf("it does not deliver %v; it has %v", c.Pixel, brief(list))
		}
		return Mode{}, "", fmt.Errorf("it delivers none of I420, NV12, YUYV and MJPEG; it has %v", brief(list))
	}
	best := slices.MinFunc(fit, func(a, b Mode) int {
		return cmp.Or(cmp.Compare(c.slow(a), c.slow(b)), cmp.Compare(c.far(a), c.far(b)), cmp.Compare(cost[a.Pixel], cost[b.Pixel]))
	})
	why := "the cheapest to convert"
	for _, m := range fit {
		if m.Width == best.Width && m.Height == best.Height && cost[m.Pixel] < cost[best.Pixel] {
			why = fmt.Sprintf("%v is cheaper but has %.4g/s only", m.Pixel, m.FPS)
		}
	}
	switch {
	case c.Pixel != 0:
		why = "as configured"
	case best.Width != c.Width || best.Height != c.Height:
		why += fmt.Sprintf("; the nearest to %dx%d", c.Width, c.Height)
	}
	return best, why, nil
}

// slow is how much of the wanted rate a mode lacks, in steps of a tenth.
func (c Config) slow(m Mode) int {
	if m.FPS == 0 || m.FPS >= float64(c.FPS) {
		return 0
	}
	return int(math.Ceil(10 * (1 - m.FPS/float64(c.FPS))))
}

// far is how far a size is from the wanted one; too large is worse than too small, as it
// costs time in everything that follows.
func (c Config) far(m Mode) float64 {
	got, want := float64(m.Width*m.Height), float64(c.Width*c.Height)
	d := math.Abs(math.Log(got / want))
	if got > want {
		d *= 2
	}
	// Another shape shows another part of the scene, or bars.
	return d + math.Abs(math.Log(float64(m.Width)/float64(m.Height)*float64(c.Height)/float64(c.Width)))
}

// brief names the pixels of modes.
func brief(list []Mode) string {
	var names []string
	for _, m := range list {
		if n := m.Pixel.String(); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return "formats that are not read here"
	}
	return fmt.Sprint(names)
}
