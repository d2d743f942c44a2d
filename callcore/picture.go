package callcore

import (
	"intercom/capture"
	"intercom/internal/picsize"
)

// keySize is the size of a key frame as it is encoded; zero if there is none.
func keySize(c capture.Codec, data []byte) (width, height int) {
	switch c {
	case capture.VP8:
		return picsize.VP8(data)
	case capture.H264:
		return picsize.H264(data)
	}
	return 0, 0
}

// payloadPicture is the size of a key frame that begins in this RTP payload; zero if none does.
func payloadPicture(c capture.Codec, payload []byte) (width, height int) {
	switch c {
	case capture.VP8:
		return picsize.VP8Payload(payload)
	case capture.H264:
		return picsize.H264Payload(payload)
	}
	return 0, 0
}
