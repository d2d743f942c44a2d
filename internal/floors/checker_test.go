package floors

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestImportRules holds the rules against made-up files: one import each.
func TestImportRules(t *testing.T) {
	for _, tt := range []struct {
		file, imports string
		want          string // in the complaint; "": none
	}{
		{"cmd/intercom/run.go", "./internal/station", ""},
		{"cmd/intercom/run.go", "./callcore", ""},
		{"cmd/intercom/run.go", "github.com/pion/webrtc/v4", "callcore alone"},
		{"cmd/intercom/run.go", "./lab/browser", "sideways"},
		{"internal/station/station.go", "./door", ""},
		{"internal/station/station.go", "./internal/health", ""},
		{"internal/station/station.go", "./cmd/intercom", "upwards"},
		{"internal/station/station.go", "./hw/hwtest", "only tests"},
		{"internal/station/station_test.go", "./callcore/callcoretest", ""},
		{"internal/cmd/skips/main.go", "./internal/conf", ""},
		{"callcore/loop.go", "./signaling", ""},
		{"callcore/loop.go", "./internal/backoff", ""},
		{"callcore/loop.go", "github.com/pion/webrtc/v4", ""},
		{"callcore/loop.go", "./signaling/memory", "sideways"},
		{"callcore/loop.go", "./internal/station", "upwards"},
		{"callcore/call_test.go", "./callcore/callcoretest", ""},
		{"callcore/call_test.go", "./signaling/memory", ""},
		{"callcore/call_test.go", "./signaling/xmpp", "sideways"},
		{"callcore/callcoretest/bed.go", "./signaling/memory", ""},
		{"callcore/callcoretest/bed.go", "./signaling/xmpp", "sideways"},
		{"capture/video/source.go", "./capture", ""},
		{"capture/video/source.go", "./capture/audio", "sideways"},
		{"capture/video/source.go", "./capture/capturetest", "only tests"},
		{"capture/video/source_test.go", "./capture/capturetest", ""},
		{"capture/video/source_test.go", "./capture/synth", "sideways"},
		{"capture/video/source.go", "github.com/pion/webrtc/v4/pkg/media", "callcore alone"},
		{"capture/soft/vpx/encoder.go", "./capture/soft/openh264", "sideways"},
		{"capture/soft/stray.go", "fmt", "no floor"},
		{"capture/capture.go", "./capture/video", "upwards"},
		{"capture/capture_test.go", "./capture/capturetest", "upwards"},
		{"capture/capture.go", "./signaling", "sideways"},
		{"capture/capture.go", "./internal/conf", ""},
		{"capture/capture.go", "encoding/json", "neither log nor encode"},
		{"capture/capture_test.go", "encoding/json", ""},
		{"capture/capture.go", "github.com/pion/rtp", "depend on nobody"},
		{"hw/hw.go", "periph.io/x/conn/v3/gpio", ""},
		{"hw/hw.go", "periph.io/x/host/v3", "depend on nobody"},
		{"signaling/signaling.go", "log/slog", "neither log nor encode"},
		{"signaling/quickblox/client.go", "./signaling/xmpp", ""},
		{"signaling/quickblox/client.go", "./signaling/memory", "sideways"},
		{"signaling/xmpp/link.go", "./signaling/quickblox", "sideways"},
		{"signaling/xmpp/link_test.go", "./signaling/xmpp/xmpptest", ""},
		{"signaling/quickblox/client_test.go", "./signaling/xmpp/xmpptest", ""},
		{"door/door.go", "./signaling", ""},
		{"door/door.go", "./hw/relay", "floor 1 alone"},
		{"door/door.go", "./internal/control", "floor 1 alone"},
		{"door/door.go", "log/slog", "neither log nor encode"},
		{"door/door.go", "github.com/google/uuid", "depend on nobody"},
		{"sandbox/server.go", "./internal/backoff", ""},
		{"sandbox/server.go", "./sandbox/internal/chat", ""},
		{"sandbox/server.go", "./signaling", "shares nothing"},
		{"sandbox/server_test.go", "./signaling/quickblox", "shares nothing"},
		{"sandbox/server.go", "mellium.im/xmpp", ""},
		{"web/web.go", "./internal/control", ""},
		{"web/web.go", "./sandbox", "sideways"},
		{"internal/conf/conf.go", "./internal/health", ""},
		{"internal/conf/conf.go", "./signaling", "upwards"},
		{"internal/conf/conf.go", "unsafe", "for internal/uapi"},
		{"internal/uapi/v4l2.go", "unsafe", ""},
		{"newthing/new.go", "fmt", "has no floor"},
		{"web/web.go", "./newthing", "has no floor"},
	} {
		bad := checkImports([]source{{
			pkg: filepath.Dir(tt.file), file: tt.file, test: strings.HasSuffix(tt.file, "_test.go"), imports: []string{tt.imports},
		}})
		got := strings.Join(bad, "\n")
		if (got != "") != (tt.want != "") || !strings.Contains(got, tt.want) || got != "" && !strings.HasPrefix(got, tt.file) {
			t.Errorf("%s imports %s: got %q, want %q", tt.file, tt.imports, got, tt.want)
		}
	}
	cgo := source{pkg: "capture/soft/vpx", file: "capture/soft/vpx/encoder.go", imports: []string{"C", "unsafe"}}
	if bad := checkImports([]source{cgo}); len(bad) != 0 {
		t.Errorf("unsafe beside cgo: %v", bad)
	}
}

func TestCommentRules(t *testing.T) {
	for _, tt := range []struct {
		name    string
		sources []source
		want    string
	}{
		{"one", []source{{pkg: "door", file: "door/a.go", name: "door", doc: "Package door decides."}, {pkg: "door", file: "door/b.go", name: "door"}}, ""},
		{"none", []source{{pkg: "door", file: "door/a.go", name: "door"}}, "door: 0 files"},
		{"two", []source{{pkg: "door", file: "door/a.go", name: "door", doc: "Package door decides."}, {pkg: "door", file: "door/b.go", name: "door", doc: "Package door is."}}, "door: 2 files"},
		{"another", []source{{pkg: "door", file: "door/a.go", name: "door", doc: "Package gate decides."}}, "door/a.go: the package comment"},
		{"command", []source{{pkg: "cmd/intercom", file: "cmd/intercom/main.go", name: "main", doc: "Command intercom is."}}, ""},
		{"test's", []source{{pkg: "door", file: "door/a.go", name: "door"}, {pkg: "door", file: "door/a_test.go", name: "door", test: true, doc: "Package door decides."}}, "door: 0 files"},
		{"tests alone", []source{{pkg: "lab", file: "lab/a_test.go", name: "lab", test: true}}, ""},
	} {
		got := strings.Join(checkComments(tt.sources), "\n")
		if (got != "") != (tt.want != "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestPathsAreFound(t *testing.T) {
	roots := map[string]bool{"hw": true, "capture": true, "cmd": true, "build": true, "lab": true, "docs": true}
	const document = "See `hw/sim`, `capture/soft/*` and `./docs/pins.md`; `make demo`, `cmd/intercom run`, `and/or`, `build/intercom`,\n" +
		"`lab/out/x.json`, `encoding/json`, hw/plain, `hw`, `https://hw/sim`, `hw/a,b` and\n\n    hw/indented\n"
	if got, want := pathsInDocument(document, roots), []string{"hw/sim", "capture/soft/*", "docs/pins.md"}; !slices.Equal(got, want) {
		t.Errorf("document: got %q, want %q", got, want)
	}
	const comment = "Package x is not hw/sim, nor (capture/video); it reads /dev/video0, video/VP8 and `hw/relay`.\n" +
		"See cmd/intercom/main.go. Either and/or neither; build/x is made; intercom/hw is its import; hw/sim.Board too"
	if got, want := pathsInComment(comment, roots), []string{"hw/sim", "capture/video", "hw/relay", "cmd/intercom/main.go", "hw/sim.Board"}; !slices.Equal(got, want) {
		t.Errorf("comment: got %q, want %q", got, want)
	}
	exists := func(pattern string) bool {
		return slices.Contains([]string{"hw/sim", "capture/soft/*", "cmd/intercom/main.go"}, pattern)
	}
	for path, want := range map[string]bool{
		"hw/sim": true, "hw/sim/": true, "hw/sim.Board": true, "capture/soft/*": true, "cmd/intercom/main.go": true,
		"hw/cdev": false, "hw/cdev.Chip": false, "hw/sim.go": false, "cmd/intercom/main.rs": false, "hw/sim.": false,
	} {
		if got := known(path, exists); got != want {
			t.Errorf("%s is known: %t, want %t", path, got, want)
		}
	}
}
