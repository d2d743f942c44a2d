package main

import (
	"strings"

	"intercom/capture/audio"
	"intercom/capture/cue"
	"intercom/capture/synth"
)

// What sound.echo may be.
const (
	echoCancel     = "cancel"
	echoHalfDuplex = "half-duplex"
	echoOff        = "off"
)

// cuesConfig says what the visitor hears of what the door does: of each cue, "" is our own
// sound, cueOff none, and anything else a WAV file.
type cuesConfig struct {
	Play       bool   `toml:"play"`
	Calling    string `toml:"calling"`
	Connected  string `toml:"connected"`
	Unanswered string `toml:"unanswered"`
	Busy       string `toml:"busy"`
	Opened     string `toml:"opened"`
	Fault      string `toml:"fault"`
	Incoming   string `toml:"incoming"`
	Quiet      string `toml:"quiet"`
	Refused    string `toml:"refused"`
	Dial       string `toml:"dial"`
	Unknown    string `toml:"unknown"`
	Wait       string `toml:"wait"`
}

const cueOff = "off"

// files are the cues' settings by their names, which are the keys in the file.
func (c *cuesConfig) files() map[cue.Name]string {
	return map[cue.Name]string{
		cue.Calling: c.Calling, cue.Connected: c.Connected, cue.Unanswered: c.Unanswered,
		cue.Busy: c.Busy, cue.Opened: c.Opened, cue.Fault: c.Fault, cue.Incoming: c.Incoming, cue.Quiet: c.Quiet,
		cue.Refused: c.Refused, cue.Dial: c.Dial, cue.Unknown: c.Unknown, cue.Wait: c.Wait,
	}
}

func (c *config) checkSound() error {
	switch c.Sound.Echo {
	case echoCancel, echoHalfDuplex, echoOff:
	default:
		return c.wrong("sound.echo", `%q is none of "cancel", "half-duplex" and "off"`, c.Sound.Echo)
	}
	if v := c.Sound.Volume; !(v >= audio.LeastVolume && v <= audio.MostVolume) {
		return c.wrong("sound.volume", "%v dB is outside %v to %v", v, audio.LeastVolume, audio.MostVolume)
	}
	return nil
}

// longestCue is how long a cue may be, in samples: 10 s.
const longestCue = 10 * 48000

// cues makes the sounds that the visitor hears. It reads the files that the configuration
// names.
func (c *config) cues() (map[cue.Name][]int16, error) {
	if !c.Cues.Play {
		return nil, nil
	}
	sounds := cue.Sounds()
	files := c.Cues.files()
	for _, name := range cue.Names() {
		switch path := files[name]; path {
		case "":
		case cueOff:
			delete(sounds, name)
		default:
			key := "cues." + string(name)
			pcm, err := synth.ReadSound(strings.TrimPrefix(path, "file:"))
			if err != nil {
				return nil, c.wrong(key, "%v", err)
			}
			if len(pcm) > longestCue {
				return nil, c.wrong(key, "%s is longer than 10 s", path)
			}
			sounds[name] = pcm
		}
	}
	return sounds, nil
}
