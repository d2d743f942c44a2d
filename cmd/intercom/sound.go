package main

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"intercom/capture/audio"
	"intercom/capture/cue"
	"intercom/capture/synth"
	"intercom/internal/prompts"
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
	if hz := c.Sound.Tone; !(hz >= synth.LeastTone && hz <= synth.MostTone) {
		return c.wrong("sound.tone", "%v Hz is outside %v to %v", hz, synth.LeastTone, synth.MostTone)
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
		switch path := files[name]; {
		case path == cueOff:
			delete(sounds, name)
		case path != "":
			pcm, err := c.readCue("cues."+string(name), strings.TrimPrefix(path, "file:"))
			if err != nil {
				return nil, err
			}
			sounds[name] = pcm
		case c.Prompts.Language != "" && prompts.Spoken(string(name)):
			pcm, err := c.readCue("prompts.language", filepath.Join(c.Prompts.Folder, c.Prompts.Language, string(name)+".wav"))
			if err != nil {
				return nil, err
			}
			sounds[name] = slices.Concat(sounds[name], make([]int16, beforePrompt), pcm)
		}
	}
	return sounds, nil
}

// beforePrompt is the silence between a tone and what is said, in samples: 0.2 s.
const beforePrompt = 48000 / 5

func (c *config) readCue(key, path string) ([]int16, error) {
	pcm, err := synth.ReadSound(path)
	if err != nil {
		return nil, c.wrong(key, "%v", err)
	}
	if len(pcm) > longestCue {
		return nil, c.wrong(key, "%s is longer than 10 s", path)
	}
	return pcm, nil
}

// promptsConfig says in which language the door speaks.
type promptsConfig struct {
	Language string `toml:"language"`
	Folder   string `toml:"folder"`
}

func (c *config) checkPrompts() error {
	if l := c.Prompts.Language; l != "" && prompts.Texts(l) == nil {
		return c.wrong("prompts.language", "%q is none of %s and \"\"", l, strings.Join(prompts.Languages(), ", "))
	}
	return nil
}

// says is what a page shows of what the door tells its visitors.
func (c *config) says() map[cue.Name]string {
	says := map[cue.Name]string{}
	for name, text := range prompts.Texts(cmp.Or(c.Prompts.Language, "en")) {
		says[cue.Name(name)] = text
	}
	return says
}
