package measure

import (
	"fmt"
	"math"

	"intercom/capture"
)

func good(format string, args ...any) Finding   { return Finding{Good, fmt.Sprintf(format, args...)} }
func notice(format string, args ...any) Finding { return Finding{Notice, fmt.Sprintf(format, args...)} }
func wrong(format string, args ...any) Finding  { return Finding{Wrong, fmt.Sprintf(format, args...)} }

// What a picture must have.
const (
	leastRate   = 0.9 // of the frame rate that was asked for
	slowRate    = 0.5 // from which on movement is seen as such
	blackLuma   = 30
	whiteLuma   = 220
	plainSpread = 8
	longGap     = 500 // ms
)

// Findings judges what a camera delivers.
func (p Picture) Findings() []Finding {
	var out []Finding
	say := func(f Finding) { out = append(out, f) }
	rate := p.FPS / float64(max(1, p.AskedFPS))
	switch {
	case rate >= leastRate:
		say(good("The camera delivers %.1f pictures a second (%d were asked for) of %dx%d.", p.FPS, p.AskedFPS, p.Width, p.Height))
	case rate >= slowRate && p.dim():
		say(notice("The camera delivers %.1f pictures a second and not the %d asked for: it is dark, and it exposes longer. More light helps.", p.FPS, p.AskedFPS))
	case rate >= slowRate:
		say(notice("The camera delivers %.1f pictures a second and not the %d asked for. Another camera.pixels may be faster (intercom devices lists them), or set camera.fps to %.0f.", p.FPS, p.AskedFPS, max(1, math.Floor(p.FPS))))
	case p.dim():
		say(wrong("The camera delivers only %.1f pictures a second of the %d asked for: it is too dark for it. Put light at the door, or keep it from exposing longer by camera.controls.", p.FPS, p.AskedFPS))
	default:
		say(wrong("The camera delivers only %.1f pictures a second of the %d asked for. Choose a smaller camera.width and camera.height or another camera.pixels (intercom devices lists them), and look at its cable and USB port.", p.FPS, p.AskedFPS))
	}
	if p.Width != p.AskedWidth || p.Height != p.AskedHeight {
		say(notice("Its pictures are %dx%d and not %dx%d: it has no such size. intercom devices lists those that it has.", p.Width, p.Height, p.AskedWidth, p.AskedHeight))
	}
	if p.Gap > longGap {
		say(notice("Once there was no picture for %.0f ms: look at its cable and power.", p.Gap))
	}
	switch {
	case p.Brightness == 0: // it codes by itself
	case p.Spread < plainSpread:
		say(wrong("The picture is of one plain shade (%d): is something before the lens, or its cap on it?", p.Brightness))
	case p.Brightness < blackLuma:
		say(wrong("The picture is almost black (%d of 235): put light at the door, or look at exposure and gain in camera.controls.", p.Brightness))
	case p.Brightness > whiteLuma:
		say(wrong("The picture is almost white (%d of 235): turn the camera away from the sun or the lamp, or look at exposure in camera.controls.", p.Brightness))
	case p.dim():
		say(notice("The picture is dark (%d of 235): faces may be hard to make out.", p.Brightness))
	default:
		say(good("The picture's brightness is %d (16 is black, 235 white).", p.Brightness))
	}
	return out
}

// dim tells whether it is dark, as capture/video counts it.
func (p Picture) dim() bool { return p.Brightness > 0 && p.Brightness < 45 }

// What an encoder must do.
const (
	leastSpeed = 1.3 // times the pictures needed
	costly     = 0.6 // of a processor
)

// Findings judges an encoder.
func (s Speed) Findings() []Finding {
	name := map[capture.Codec]string{capture.H264: "H264", capture.VP8: "VP8"}[s.Codec]
	speed := s.FPS / float64(max(1, s.Needed))
	switch {
	case speed < leastSpeed:
		return []Finding{wrong("%s is too slow here: %.0f pictures a second, and %d are needed with time to spare. Lower camera.width and camera.height, or camera.fps to %d, or leave it out of camera.codecs.",
			name, s.FPS, s.Needed, max(1, int(s.FPS/leastSpeed)))}
	case s.CPU > costly:
		return []Finding{notice("%s can code %.0f pictures a second; the %d needed take %.0f %% of one processor. A smaller picture would leave more to the rest.", name, s.FPS, s.Needed, 100*s.CPU)}
	}
	return []Finding{good("%s can code %.0f pictures a second; the %d needed take %.0f %% of one processor.", name, s.FPS, s.Needed, 100*s.CPU)}
}

// What a microphone and a loudspeaker must do.
const (
	loudPeak    = -6.0  // dBFS; somebody who shouts is overdriven
	wantedPeak  = -9.0  // dBFS
	faint       = -55.0 // dBFS
	noisy       = -42.0 // dBFS
	overtones   = 0.10
	tolerable   = 0.03
	clockMost   = 40  // millionths
	latestDelay = 380 // ms; what capture/aec finds
	longDelay   = 200 // ms
)

// Findings judges the way from the loudspeaker to the microphone.
func (s Sound) Findings() []Finding {
	var out []Finding
	say := func(f Finding) { out = append(out, f) }
	switch {
	case s.Dead:
		return []Finding{wrong("The microphone delivers nothing at all, not even noise: it is switched off in the card's mixer (alsamixer, F4), or not connected.")}
	case !s.Audible:
		return []Finding{wrong("The microphone hears nothing of the loudspeaker. Is the loudspeaker connected, its amplifier on, and the card's mixer not muted (alsamixer)? Is sound.microphone the microphone of this box?")}
	case s.Clipped > 0.02:
		say(wrong("The microphone is overdriven by the loudspeaker, %.0f %% of the time: echo cannot be cancelled then. Turn the microphone's gain down in the card's mixer (alsamixer, F4), turn sound.volume down by 6 dB, or move the two apart; then test again.", 100*s.Clipped))
	case s.Peak > loudPeak:
		say(wrong("The microphone hears the loudspeaker too loud (%.0f dB below its limit): turn sound.volume down by %.0f dB, or move them apart.", -s.Peak, math.Ceil(s.Peak-wantedPeak)))
	case s.Heard < faint:
		say(notice("The microphone hears very little of the loudspeaker (%.0f dBFS). Good against echo; but is the loudspeaker loud enough before the door? If not, turn sound.volume up.", s.Heard))
	default:
		say(good("The microphone hears the loudspeaker at %.0f dBFS, %.0f dB less than what is played.", s.Heard, s.Loss))
	}
	switch {
	case s.Delay > latestDelay:
		say(wrong("The loudspeaker is heard after %.0f ms: too late for the echo canceller, which finds up to %d ms. Use another sound card, or sound.echo = \"half-duplex\".", s.Delay, latestDelay))
	case s.Delay > longDelay:
		say(notice("The loudspeaker is heard after %.0f ms, which both sides of a call notice. A card without a sound server between it and this program is faster.", s.Delay))
	default:
		say(good("From the loudspeaker to the microphone it takes %.1f ms, card included.", s.Delay))
	}
	switch {
	case s.Jumped != 0:
		say(wrong("The delay changed by %.0f ms during the test: the card loses sound. Is the machine too busy, or another program using the card?", s.Jumped))
	case math.Abs(s.Clock) > clockMost:
		say(notice("Microphone and loudspeaker have clocks of their own, %.0f millionths apart: echo is cancelled better with one sound card for both.", math.Abs(s.Clock)))
	}
	switch {
	case s.Jumped != 0: // what is cut out of a sweep looks like distortion
	case s.Distortion > overtones:
		say(notice("The loudspeaker distorts (%.0f %%), which a canceller cannot take out: turn sound.volume down, or use a better loudspeaker, or sound.echo = \"half-duplex\".", 100*s.Distortion))
	case s.Distortion > tolerable:
		say(good("The loudspeaker distorts a little (%.0f %%), as small ones do.", 100*s.Distortion))
	}
	if s.Noise > noisy {
		say(notice("The microphone hears much noise (%.0f dBFS) while nothing is played: traffic, wind, or a gain that is too high (alsamixer, F4).", s.Noise))
	} else {
		say(good("Noise is at %.0f dBFS.", s.Noise))
	}
	return out
}

// What a canceller must do, in dB.
const (
	goodERLE = 20.0
	poorERLE = 12.0
	// inaudible is where what is left of an echo is not heard, in dBFS.
	inaudible = -60.0
	// nothing is where a microphone that hears anything is never, in dBFS.
	nothing = -110.0
)

// Findings judges a canceller.
func (c Cancelled) Findings() []Finding {
	numbers := fmt.Sprintf("%.0f dB (from %.0f to %.0f dBFS)", c.ERLE, c.Before, c.After)
	switch {
	case c.Before < nothing:
		return []Finding{notice("Nothing was heard of the noise that was played last, though the sweeps before it were: the sound card broke off. Test again; if it happens again, try another card or cable.")}
	case !c.Learned && c.Before > inaudible:
		return []Finding{notice("The canceller has not learned this room; it turns the microphone down while the loudspeaker talks, so that only one side is heard at a time. Turn sound.volume down, move the two apart, or leave it so.")}
	case c.ERLE >= goodERLE || c.After < inaudible:
		return []Finding{good("The echo becomes quieter by %s.", numbers)}
	case c.ERLE >= poorERLE:
		return []Finding{notice("The echo becomes quieter by %s only: residents hear a little of themselves. Turn sound.volume down by 6 dB, or move loudspeaker and microphone apart.", numbers)}
	}
	return []Finding{wrong("The echo becomes quieter by %s only: residents hear themselves. Turn sound.volume down, move loudspeaker and microphone apart, or set sound.echo = \"half-duplex\".", numbers)}
}
