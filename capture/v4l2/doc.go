// Package v4l2 is a camera on a video device of the Linux kernel (V4L2): a USB camera, a
// capture card, anything that has a /dev/video* of its own. It delivers I420 frames,
// whatever the camera has, or the camera's own H.264 if it is asked for that.
//
// It does not encode, and it does not share the camera: that is capture/video's. Camera
// modules (CSI) give raw sensor data on their video devices, which this is not for; those are
// rpicam-vid's.
//
// It starts no goroutine: Run works in its caller's. Nothing is allocated per frame.
package v4l2
