package control

import "testing"

// TestMediaInWords is what a person reads of the media in `intercom status`.
func TestMediaInWords(t *testing.T) {
	share := Share{
		User: 1, Available: 1_150_000, RoundTrip: 12, Codec: "video/H264", Width: 640, Height: 480, FPS: 19.96, BitRate: 811, Target: 960_000, LostSent: 0.02,
		SoundOut: 33, SoundIn: 31, Delay: 43, Jitter: 4, Lost: 3, Concealed: 0.002,
	}
	for _, test := range []struct{ got, want string }{
		{Camera{State: "off"}.String(), "off"},
		{Camera{State: "delivering", Pixels: "I420", Width: 640, Height: 480, FPS: 19.96, Frames: 400}.String(), "I420 640x480, 20.0 pictures/s"},
		{Camera{State: "absent", Spoiled: 31, Passed: 2, Late: 8}.String(), "absent, 31 spoiled, 2 not coded for want of time, 8 not sent for want of time"},
		{Sound{State: "on"}.String(), "on"},
		{Sound{State: "on", Overruns: 5, Late: 50}.String(), "on, 0.1 s of the microphone lost for want of time, 1.0 s not sent for want of time"},
		{Echo{State: EchoHalfDuplex}.String(), "the microphone is turned down while the loudspeaker talks"},
		{Echo{State: EchoLearning}.String(), "the canceller knows nothing of the room yet"},
		{Echo{State: EchoLearning, ERLE: 9, Delay: 61}.String(), "9 dB quieter, heard after 61 ms, the room is not learned yet"},
		{Echo{State: EchoCancelled, ERLE: 34.4, Delay: 61.2, Clock: 60, Overdrive: 25}.String(), "34 dB quieter, heard after 61 ms, clocks 60 millionths apart, microphone overdriven 0.5 s"},
		{share.Sent(), "H264 640x480, 20.0 pictures/s, 811 kbit/s (asked for 960, the network carries 1150), 2 % lost, 12 ms there and back"},
		{share.Received(), "voice 31 kbit/s, delayed by 43 ms, 3 lost, 0.2 % made up, jitter 4 ms"},
		{Share{SoundOut: 33}.Sent(), "sound alone, 33 kbit/s"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
