package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"intercom/callcore"
	"intercom/capture"
	"intercom/door/access"
	"intercom/internal/conf"
)

// reference is the commented configuration with every default; a test holds it against
// defaults.
//
//go:embed intercom.toml
var reference []byte

// config is intercom.toml.
type config struct {
	Account struct {
		ApplicationID int64       `toml:"application_id"`
		AuthKey       string      `toml:"auth_key"`
		AuthSecret    conf.Secret `toml:"auth_secret"`
		AccountKey    conf.Secret `toml:"account_key"`
		Login         string      `toml:"login"`
		Password      conf.Secret `toml:"password"`
		UserID        int64       `toml:"user_id"`
		ChatPassword  string      `toml:"chat_password"`
	} `toml:"account"`
	Server struct {
		API            string `toml:"api"`
		ChatDomain     string `toml:"chat_domain"`
		Chat           string `toml:"chat"`
		AllowPlaintext bool   `toml:"allow_plaintext"`
	} `toml:"server"`
	ICE struct {
		Policy     callcore.Policy   `toml:"policy"`
		Families   []callcore.Family `toml:"families"`
		Interfaces []string          `toml:"interfaces"`
		Server     []iceServer       `toml:"server"`
	} `toml:"ice"`
	Camera struct {
		Source  string          `toml:"source"`
		Width   int             `toml:"width"`
		Height  int             `toml:"height"`
		FPS     int             `toml:"fps"`
		BitRate int             `toml:"bit_rate"`
		Pixels  string          `toml:"pixels"`
		Encoder string          `toml:"encoder"`
		Codecs  []capture.Codec `toml:"codecs"`

		Controls map[string]int `toml:"controls"`
	} `toml:"camera"`
	Sound struct {
		Microphone  string  `toml:"microphone"`
		Tone        float64 `toml:"tone"`
		Loudspeaker string  `toml:"loudspeaker"`
		Volume      float64 `toml:"volume"`
		Echo        string  `toml:"echo"`
	} `toml:"sound"`
	Cues    cuesConfig    `toml:"cues"`
	Prompts promptsConfig `toml:"prompts"`
	Call    struct {
		Ring    conf.Duration `toml:"ring"`
		Dialing conf.Duration `toml:"dialing"`
		Longest conf.Duration `toml:"longest"`
		Retry   conf.Duration `toml:"retry"`

		AfterOpening conf.Duration `toml:"after_opening"`
	} `toml:"call"`
	Button []button     `toml:"button"`
	Flat   []flat       `toml:"flat"`
	Keypad keypadConfig `toml:"keypad"`
	Clock  struct {
		Zone string `toml:"zone"`
	} `toml:"clock"`
	Records recordsConfig `toml:"records"`
	HangUp  struct {
		Name string `toml:"name"`
		inputWire
	} `toml:"hang_up"`
	Light struct {
		Name string `toml:"name"`
		wire
	} `toml:"light"`
	Night struct {
		wire
	} `toml:"night"`
	Lock     []lockConfig  `toml:"lock"`
	Tamper   *tamperConfig `toml:"tamper"`
	Resident []resident    `toml:"resident"`
	Access   accessConfig  `toml:"access"`
	Control  struct {
		Socket string `toml:"socket"`
	} `toml:"control"`
	Journal struct {
		File string `toml:"file"`
		Size int64  `toml:"size"`
	} `toml:"journal"`
	Log struct {
		Level string `toml:"level"`
	} `toml:"log"`
	Watchdog watchdogConfig `toml:"watchdog"`

	keysInMemory bool // of paired phones, where no file is named for them: the demo's

	file *conf.File // for errors that name a line; nil: nothing was read
}

type iceServer struct {
	URLs       []string    `toml:"urls"`
	Username   string      `toml:"username"`
	Credential conf.Secret `toml:"credential"`
}

// defaults is what a configuration file changes. It has neither residents nor buttons:
// those are nobody's default.
func defaults() *config {
	c := &config{}
	c.Account.AuthSecret, c.Account.Password = "credential:auth_secret", "credential:password"
	c.Account.Login, c.Account.ChatPassword = "door", "token"
	c.Server.API, c.Server.ChatDomain, c.Server.Chat = "https://api.quickblox.com", "chat.quickblox.com", "tls://chat.quickblox.com:5223"
	c.ICE.Policy, c.ICE.Families = callcore.PolicyAll, []callcore.Family{callcore.IPv4, callcore.IPv6}
	c.ICE.Interfaces = callcore.DefaultInterfaces()
	c.Camera.Source, c.Camera.Width, c.Camera.Height, c.Camera.FPS, c.Camera.BitRate = "synthetic", 640, 480, 20, 1_200_000
	c.Camera.Pixels = "auto"
	c.Camera.Encoder = "auto"
	c.Camera.Codecs = []capture.Codec{"H264", "VP8"}
	c.Sound.Microphone, c.Sound.Tone, c.Sound.Loudspeaker = "synthetic", 440, "synthetic"
	c.Sound.Echo, c.Cues.Play = echoCancel, true
	c.Call.Ring, c.Call.Dialing, c.Call.Longest = seconds(60), seconds(5), seconds(300)
	c.Prompts.Folder = "/usr/share/intercom/prompts"
	c.Call.Retry, c.Keypad.Forget = seconds(20), seconds(10)
	c.Records.Keep, c.Records.Number, c.Records.Size = conf.Duration(30*24*time.Hour), 500, 100
	c.HangUp.Name, c.Light.Name = "hang-up", "status"
	c.Lock = []lockConfig{defaultLock()}
	c.Access.Challenge, c.Access.AccountInterval = conf.Duration(access.DefaultLifetime), conf.Duration(access.DefaultAccountInterval)
	c.Access.Alarm = []string{}
	c.Access.Attempts, c.Access.LockOut, c.Access.LongestLockOut = access.DefaultAttempts, conf.Duration(access.DefaultLockOut), conf.Duration(access.DefaultLongestLockOut)
	c.Journal.Size = 10
	c.Log.Level = "info"
	c.Watchdog.Timeout = seconds(15)
	return c
}

// logLevels are what log.level may be.
var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

func seconds(n int) conf.Duration { return conf.Duration(time.Duration(n) * time.Second) }

// loadConfig reads a file on top of a configuration and checks the result. An empty path
// only checks. Its errors exit with exitConfig.
func loadConfig(path string, c *config) error {
	if err := loadFile(path, c); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return exitError{exitConfig, err}
	}
	return nil
}

// loadFile is loadConfig without the check.
func loadFile(path string, c *config) error {
	if path == "" {
		return nil
	}
	file, err := conf.Load(path, c)
	if err != nil {
		return exitError{exitConfig, err}
	}
	c.file = file
	return nil
}

// wrong is an error about the value of a key.
func (c *config) wrong(key, format string, args ...any) error {
	if c.file != nil {
		return c.file.Errorf(key, format, args...)
	}
	return fmt.Errorf(key+": "+format, args...)
}

// check refuses what cannot work. It opens nothing but the files that secrets name.
func (c *config) check() error {
	for _, f := range []func() error{c.checkAccount, c.checkServers, c.checkICE, c.checkMedia, c.checkSound, c.checkPrompts, c.checkTimes, c.checkLocks, c.checkDoor, c.checkAccess, c.checkLines, c.checkWatchdog} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (c *config) checkAccount() error {
	a := &c.Account
	if a.ApplicationID <= 0 {
		return c.wrong("account.application_id", "is missing; it is on the application's page at QuickBlox")
	}
	secrets := map[string]*conf.Secret{"account.password": &a.Password}
	if c.Server.API == "" {
		if a.UserID <= 0 {
			return c.wrong("account.user_id", "is needed when server.api is empty: the door's user id")
		}
		if a.ChatPassword != "password" {
			return c.wrong("account.chat_password", `must be "password" when server.api is empty: there is no token`)
		}
	} else {
		secrets["account.auth_secret"] = &a.AuthSecret
		if a.AccountKey != "" {
			secrets["account.account_key"] = &a.AccountKey
		}
		if a.AuthKey == "" {
			return c.wrong("account.auth_key", "is missing; it is on the application's page at QuickBlox")
		}
		if a.Login == "" {
			return c.wrong("account.login", "is missing: the login of the door's own user")
		}
	}
	if a.ChatPassword != "token" && a.ChatPassword != "password" {
		return c.wrong("account.chat_password", `%q is neither "token" nor "password"`, a.ChatPassword)
	}
	for i := range c.ICE.Server {
		if s := &c.ICE.Server[i]; s.Credential != "" {
			secrets[fmt.Sprintf("ice.server.%d.credential", i)] = &s.Credential
		}
	}
	for _, key := range sorted(secrets) {
		v, err := secrets[key].Resolve()
		if err != nil {
			return c.wrong(key, "%v", err)
		}
		if v == "" {
			return c.wrong(key, "is empty")
		}
		*secrets[key] = v
	}
	return nil
}

// sorted returns the keys in order, so that the same error is always the first.
func sorted(m map[string]*conf.Secret) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (c *config) checkServers() error {
	s := c.Server
	if s.ChatDomain == "" {
		return c.wrong("server.chat_domain", "is missing: what stands behind the @ of a user's address")
	}
	if s.API != "" {
		u, err := url.Parse(s.API)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return c.wrong("server.api", "%q is not an address like https://api.quickblox.com", s.API)
		}
	}
	_, err := newChat(c, slog.New(slog.DiscardHandler), func(error) {}) // knows more of addresses
	return err
}

func (c *config) checkICE() error {
	// callcore takes an empty value for its default; who writes one down may mean "none".
	switch {
	case c.ICE.Policy == "":
		return c.wrong("ice.policy", `is empty; it is "all" or "relay"`)
	case len(c.ICE.Families) == 0:
		return c.wrong("ice.families", `is empty; list "ipv4", "ipv6" or both`)
	case len(c.ICE.Interfaces) == 0:
		return c.wrong("ice.interfaces", `is empty; ["*"] are all`)
	}
	err := c.ice().Check()
	var e *callcore.ICEError
	if !errors.As(err, &e) {
		return err
	}
	key := "ice." + strings.ToLower(e.Field)
	if e.Field == "Servers" {
		key = fmt.Sprintf("ice.server.%d.urls", e.Server)
	}
	return c.wrong(key, "%v", e.Err)
}

func (c *config) checkMedia() error {
	m := &c.Camera
	for i, codec := range m.Codecs {
		switch codec {
		case "H264", capture.H264:
			m.Codecs[i] = capture.H264
		case "VP8", capture.VP8:
			m.Codecs[i] = capture.VP8
		default:
			return c.wrong("camera.codecs", `%q is neither "H264" nor "VP8"`, string(codec))
		}
		if slices.Contains(m.Codecs[:i], m.Codecs[i]) {
			return c.wrong("camera.codecs", "%q is listed twice", string(codec))
		}
	}
	if len(m.Codecs) == 0 {
		return c.wrong("camera.codecs", `is empty; list "H264", "VP8" or both`)
	}
	for _, v := range []struct {
		key              string
		got, least, most int
	}{
		{"camera.width", m.Width, 160, 1280}, {"camera.height", m.Height, 120, 720},
		{"camera.fps", m.FPS, 1, 30}, {"camera.bit_rate", m.BitRate, 50_000, 10_000_000},
	} {
		if v.got < v.least || v.got > v.most {
			return c.wrong(v.key, "%d is outside %d to %d", v.got, v.least, v.most)
		}
	}
	switch {
	case m.Width%2 != 0:
		return c.wrong("camera.width", "%d is odd; pictures are coded in squares of 2 by 2 pixels", m.Width)
	case m.Height%2 != 0:
		return c.wrong("camera.height", "%d is odd; pictures are coded in squares of 2 by 2 pixels", m.Height)
	}
	if _, ok := pixelNames[m.Pixels]; !ok {
		return c.wrong("camera.pixels", "%q is none of auto, i420, nv12, yuyv, mjpeg and h264", m.Pixels)
	}
	if !slices.Contains([]string{"auto", "hardware", "software"}, m.Encoder) {
		return c.wrong("camera.encoder", "%q is none of auto, hardware and software", m.Encoder)
	}
	if pixelNames[m.Pixels] == capture.AVC && !slices.Equal(m.Codecs, []capture.Codec{capture.H264}) {
		return c.wrong("camera.pixels", `"h264" passes the camera's pictures on as they are: camera.codecs must be ["H264"]`)
	}
	mic, real := strings.CutPrefix(c.Sound.Microphone, alsaPrefix)
	if speaker, also := strings.CutPrefix(c.Sound.Loudspeaker, alsaPrefix); also != real || real && (mic == "" || speaker == "") {
		return c.wrong("sound.loudspeaker", `%q does not go with microphone %q: both are "alsa:CARD", or neither is`, c.Sound.Loudspeaker, c.Sound.Microphone)
	}
	if !real && c.Sound.Loudspeaker != "synthetic" {
		return c.wrong("sound.loudspeaker", `%q is neither "synthetic" nor "alsa:CARD"`, c.Sound.Loudspeaker)
	}
	return nil
}

func (c *config) checkTimes() error {
	for _, v := range []struct {
		key         string
		got         conf.Duration
		least, most time.Duration
	}{
		{"call.ring", c.Call.Ring, time.Second, 10 * time.Minute},
		{"call.dialing", c.Call.Dialing, time.Second, time.Minute},
		{"call.longest", c.Call.Longest, 10 * time.Second, 24 * time.Hour},
		{"call.retry", c.Call.Retry, 0, 10 * time.Minute},
		{"call.after_opening", c.Call.AfterOpening, 0, time.Hour},
		{"keypad.forget", c.Keypad.Forget, time.Second, 5 * time.Minute},
	} {
		if d := time.Duration(v.got); d < v.least || d > v.most {
			return c.wrong(v.key, "%v is outside %v to %v", d, v.least, v.most)
		}
	}
	if c.Journal.Size < 1 || c.Journal.Size > 10_000 {
		return c.wrong("journal.size", "%d MB is outside 1 to 10000", c.Journal.Size)
	}
	if _, ok := logLevels[c.Log.Level]; !ok {
		return c.wrong("log.level", "%q is none of debug, info, warn and error", c.Log.Level)
	}
	return nil
}

func runConfig(_ context.Context, in invocation) error {
	args, err := in.parse("config", 0, 1, nil)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		_, err := in.stdout.Write(reference)
		return err
	}
	c := defaults()
	if err := loadConfig(args[0], c); err != nil {
		return err
	}
	// Files to be played are there, too. A program without coders cannot tell.
	if _, err := openDevices(c, slog.New(slog.DiscardHandler)); err != nil && !errors.As(err, &exitError{}) {
		return exitError{exitConfig, err}
	}
	_, err = fmt.Fprintf(in.stdout, "%s: ok\n", args[0])
	return err
}
