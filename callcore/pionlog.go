package callcore

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/pion/logging"
)

// levelTrace is for what pion says about single packets.
const levelTrace = slog.LevelDebug - 4

// pionLogs hands pion's log to ours. Most of what pion calls a warning, such as an ICE
// check that had no answer, is the normal course of a call.
type pionLogs struct {
	to   *slog.Logger
	mdns *sync.Once // that there is none is told once, not for each connection
}

func newPionLogs(to *slog.Logger) pionLogs { return pionLogs{to, new(sync.Once)} }

// NewLogger implements logging.LoggerFactory.
func (f pionLogs) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{f.to.With(keyScope, scope), f.mdns}
}

type pionLog struct {
	to   *slog.Logger
	mdns *sync.Once
}

func (l pionLog) Trace(m string)            { l.log(levelTrace, m) }
func (l pionLog) Tracef(f string, a ...any) { l.log(levelTrace, f, a...) }
func (l pionLog) Debug(m string)            { l.log(levelTrace, m) }
func (l pionLog) Debugf(f string, a ...any) { l.log(levelTrace, f, a...) }
func (l pionLog) Info(m string)             { l.log(slog.LevelDebug, m) }
func (l pionLog) Infof(f string, a ...any)  { l.log(slog.LevelDebug, f, a...) }
func (l pionLog) Warn(m string)             { l.log(slog.LevelDebug, m) }
func (l pionLog) Error(m string)            { l.log(slog.LevelInfo, m) }

func (l pionLog) Warnf(f string, a ...any) {
	if !l.noMDNS(f, a) {
		l.log(slog.LevelDebug, f, a...)
	}
}

func (l pionLog) Errorf(f string, a ...any) {
	if !l.noMDNS(f, a) {
		l.log(slog.LevelInfo, f, a...)
	}
}

// noMDNS tells what it means that pion cannot resolve names under .local, if it says so.
func (l pionLog) noMDNS(f string, a []any) bool {
	if !strings.HasPrefix(f, "Failed to enable mDNS") && !strings.HasPrefix(f, "Failed to initialize mDNS") {
		return false
	}
	l.mdns.Do(func() {
		l.to.Warn("no multicast DNS: phones that hide their addresses are found only once they find us", keyCause, fmt.Sprintf(f, a...))
	})
	return true
}

// log formats only what is wanted: pion logs per packet.
func (l pionLog) log(level slog.Level, format string, args ...any) {
	ctx := context.Background()
	if !l.to.Enabled(ctx, level) {
		return
	}
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	l.to.Log(ctx, level, format)
}
