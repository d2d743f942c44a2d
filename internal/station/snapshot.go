package station

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"

	"intercom/capture"
)

// snapshotLimit is the most bytes of a snapshot; what is larger is coded more coarsely.
const snapshotLimit = 600 << 10

// Snapshot returns the camera's next picture as a JPEG. The camera is on during calls only.
func (s *Station) Snapshot(ctx context.Context) ([]byte, error) {
	f, err := s.video.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer f.Release()
	return codeJPEG(f)
}

// codeJPEG codes an I420 picture. A camera's shades go from 16 to 235, those of a JPEG from
// 0 to 255.
func codeJPEG(f *capture.Frame) ([]byte, error) {
	if err := f.CheckI420(f.Width, f.Height); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	img := image.NewYCbCr(image.Rect(0, 0, f.Width, f.Height), image.YCbCrSubsampleRatio420)
	var shades [2][256]byte
	for i := range 256 {
		shades[0][i] = byte(min(max((i-16)*255/219, 0), 255))
		shades[1][i] = byte(min(max((i-128)*255/224+128, 0), 255))
	}
	for i, to := range [][]byte{img.Y, img.Cb, img.Cr} {
		width, height, stride, shade := f.Width, f.Height, img.YStride, &shades[0]
		if i > 0 {
			width, height, stride, shade = (width+1)/2, (height+1)/2, img.CStride, &shades[1]
		}
		for y := range height {
			from := f.Planes[i][y*f.Stride[i]:][:width]
			for x, v := range from {
				to[y*stride+x] = shade[v]
			}
		}
	}
	var b bytes.Buffer
	for _, quality := range []int{85, 65, 40, 20} {
		b.Reset()
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
			return nil, fmt.Errorf("snapshot: %w", err)
		}
		if b.Len() <= snapshotLimit {
			return b.Bytes(), nil
		}
	}
	return nil, fmt.Errorf("snapshot: %dx%d pixels do not fit %d bytes", f.Width, f.Height, snapshotLimit)
}
