//go:build bench

package bench

import (
	"bytes"
	"image"
	"image/jpeg"
	"io"
	"testing"
	"time"

	"github.com/pion/mediadevices"
	mdopenh264 "github.com/pion/mediadevices/pkg/codec/openh264"
	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"

	"intercom/capture"
	"intercom/capture/capturetest"
	"intercom/capture/soft/openh264"
)

// stock is the film that all measurements show, as cameras deliver it.
type stock struct {
	film []*capture.Frame
	raw  map[capture.Pixel][][]byte
}

func newStock(t testing.TB) *stock {
	format := capture.Format{Pixel: capture.I420, Width: width, Height: height, FPS: fps}
	s := &stock{film: capturetest.Film(format, filmLength), raw: map[capture.Pixel][][]byte{}}
	for _, f := range s.film {
		y, u, v := f.Planes[0], f.Planes[1], f.Planes[2]
		s.raw[capture.I420] = append(s.raw[capture.I420], bytes.Join([][]byte{y, u, v}, nil))
		nv12, yuyv := bytes.Clone(y), make([]byte, 2*width*height)
		for i := range u {
			nv12 = append(nv12, u[i], v[i])
		}
		for i := range width * height / 2 {
			c := i/(width/2)/2*(width/2) + i%(width/2)
			yuyv[4*i], yuyv[4*i+1], yuyv[4*i+2], yuyv[4*i+3] = y[2*i], u[c], y[2*i+1], v[c]
		}
		s.raw[capture.NV12], s.raw[capture.YUYV] = append(s.raw[capture.NV12], nv12), append(s.raw[capture.YUYV], yuyv)
		var b bytes.Buffer
		img := &image.YCbCr{Y: y, Cb: u, Cr: v, YStride: width, CStride: width / 2, SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, width, height)}
		must(t, jpeg.Encode(&b, img, &jpeg.Options{Quality: 80}))
		s.raw[capture.MJPEG] = append(s.raw[capture.MJPEG], b.Bytes())
	}
	e, err := openh264.NewEncoder(format, func(p *capture.Packet) { s.raw[capture.AVC] = append(s.raw[capture.AVC], bytes.Clone(p.Data)) })
	must(t, err)
	defer e.Close()
	must(t, e.Set(capture.Target{BitRate: bitRate, FPS: fps}))
	for _, f := range s.film {
		must(t, e.Encode(f))
	}
	return s
}

// yuyvDriver is a camera of mediadevices: it does with a picture what that library's own does
// with one from the kernel.
type yuyvDriver struct {
	stock *stock
	next  chan int
}

func (d *yuyvDriver) Open() error { return nil }
func (d *yuyvDriver) Close() error {
	return nil
}
func (d *yuyvDriver) Properties() []prop.Media {
	return []prop.Media{{DeviceID: "bench", Video: prop.Video{Width: width, Height: height, FrameRate: fps, FrameFormat: frame.FormatYUYV}}}
}
func (d *yuyvDriver) VideoRecord(p prop.Media) (video.Reader, error) {
	decoder, err := frame.NewDecoder(p.FrameFormat)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 2*width*height)
	return video.ReaderFunc(func() (image.Image, func(), error) {
		n, ok := <-d.next
		if !ok {
			return nil, func() {}, io.EOF
		}
		copied := copy(buf, d.stock.raw[capture.YUYV][n%filmLength])
		return decoder.Decode(buf[:copied], p.Width, p.Height)
	}), nil
}

// stockPipeline is mediadevices as its documentation shows it: a track, and a reader of RTP
// packets for each watcher, which is an encoder each.
func stockPipeline(watchers int) func(testing.TB, *stock) *bed {
	return func(t testing.TB, s *stock) *bed {
		d := &yuyvDriver{stock: s, next: make(chan int)}
		must(t, driver.GetManager().Register(d, driver.Info{Label: "bench", DeviceType: driver.Camera}))
		params, err := mdopenh264.NewParams()
		must(t, err)
		params.BitRate = bitRate
		stream, err := mediadevices.GetUserMedia(mediadevices.MediaStreamConstraints{
			Video: func(c *mediadevices.MediaTrackConstraints) { c.Width, c.Height = prop.Int(width), prop.Int(height) },
			Codec: mediadevices.NewCodecSelector(mediadevices.WithVideoEncoders(&params)),
		})
		must(t, err)
		track := stream.GetVideoTracks()[0]
		ended, sent := make(chan struct{}, watchers), make(chan struct{}, 4*watchers)
		for i := range watchers {
			// It measures the first frame when a reader is made: it must come meanwhile.
			fed := make(chan struct{})
			go func() {
				defer close(fed)
				select {
				case d.next <- 0:
				case <-time.After(time.Second):
				}
			}()
			r, err := track.NewRTPReader("h264", uint32(i+1), 1200)
			must(t, err)
			<-fed
			seal := newSRTP(uint32(i + 1))
			go func() {
				defer func() { ended <- struct{}{} }()
				for {
					packets, release, err := r.Read()
					if err != nil {
						return
					}
					for _, p := range packets {
						seal.send(&p.Header, p.Payload)
					}
					release()
					sent <- struct{}{}
				}
			}()
		}
		return &bed{
			step: func(n int) {
				for len(sent) > 0 { // of the frames that were measured
					<-sent
				}
				d.next <- n
				for range watchers {
					<-sent
				}
			},
			close: func() {
				close(d.next)
				for range watchers {
					<-ended
				}
				for _, id := range driver.GetManager().Query(func(driver.Driver) bool { return true }) {
					driver.GetManager().Delete(id.ID())
				}
			},
		}
	}
}
