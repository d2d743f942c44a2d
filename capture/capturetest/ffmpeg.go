package capturetest

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"intercom/capture"
)

// Decode has ffmpeg decode a coded film, one element of packets a frame, and returns what
// it saw. The test fails if ffmpeg finds anything wrong with the stream, or is missing.
func Decode(t testing.TB, codec capture.Codec, format capture.Format, packets [][]byte) []*capture.Frame {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatalf("ffmpeg decides whether a stream is well coded; install it (apt-get install ffmpeg): %v", err)
	}
	dir := t.TempDir()
	var in, demuxer string
	var stream []byte
	switch codec {
	case capture.VP8:
		in, demuxer, stream = filepath.Join(dir, "film.ivf"), "ivf", ivf(format, packets)
	case capture.H264:
		in, demuxer, stream = filepath.Join(dir, "film.h264"), "h264", bytes.Join(packets, nil)
	default:
		t.Fatalf("decode %s: no container for it", codec)
	}
	if err := os.WriteFile(in, stream, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "film.yuv")
	args := []string{"-nostdin", "-v", "error", "-xerror", "-err_detect", "explode",
		"-f", demuxer, "-i", in, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", out}
	if said, err := exec.Command(ffmpeg, args...).CombinedOutput(); err != nil || len(said) > 0 {
		t.Fatalf("ffmpeg %v: %v\n%s", args, err, said)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return split(t, format, raw)
}

// split cuts raw I420 pictures apart.
func split(t testing.TB, format capture.Format, raw []byte) []*capture.Frame {
	t.Helper()
	size := format.Width * format.Height * 3 / 2
	if len(raw)%size != 0 {
		t.Fatalf("ffmpeg decoded %d bytes, which are not pictures of %dx%d", len(raw), format.Width, format.Height)
	}
	pool := capture.NewFramePool(format.Width, format.Height, format.FPS)
	var film []*capture.Frame
	for len(raw) > 0 {
		f := pool.Get()
		for _, p := range f.Planes {
			raw = raw[copy(p, raw):]
		}
		film = append(film, f)
	}
	return film
}

// ivf puts VP8 frames into the container of the VP8 SDK: a header of 32 bytes, and one of
// 12 before each frame.
func ivf(format capture.Format, packets [][]byte) []byte {
	le := binary.LittleEndian
	b := append([]byte("DKIF"), 0, 0, 32, 0)
	b = append(b, "VP80"...)
	b = le.AppendUint16(b, uint16(format.Width))
	b = le.AppendUint16(b, uint16(format.Height))
	b = le.AppendUint32(b, uint32(format.FPS))
	b = le.AppendUint32(b, 1)
	b = le.AppendUint32(b, uint32(len(packets)))
	b = le.AppendUint32(b, 0)
	for i, p := range packets {
		b = le.AppendUint32(b, uint32(len(p)))
		b = le.AppendUint64(b, uint64(i))
		b = append(b, p...)
	}
	return b
}
