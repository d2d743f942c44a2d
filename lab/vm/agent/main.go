// Command agent runs in the guest of the lab's machine and does there what lab/vm asks
// for: it runs programs, reads and writes files, pulls and reads the lines of the
// simulated GPIO chip, presses keys of keypads that it plugs in, and connects to what
// listens in the guest. It is not part of the
// intercom and knows nothing about it. Each request has its own goroutines, which end
// with it.
//
// "agent feed DEVICE FORMAT INTERVAL FOLDER" instead writes the files of a folder to a device,
// one after the other and again and again, each with one write.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"intercom/internal/uinput"
	"intercom/lab/vm/wire"
)

func main() {
	os.Setenv("PATH", "/bin")
	os.Setenv("HOME", "/root")
	if len(os.Args) > 1 && os.Args[1] == "feed" {
		fmt.Fprintln(os.Stderr, "feed:", feed(os.Args[2:]))
		os.Exit(1)
	}
	srv := &http.Server{Addr: fmt.Sprintf(":%d", wire.Port), Handler: handler()}
	fmt.Fprintln(os.Stderr, "agent:", srv.ListenAndServe())
	os.Exit(1)
}

func handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := f(w, r); err != nil {
				http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			}
		})
	}
	handle("PUT "+wire.Clock, setClock)
	handle("POST "+wire.Run, run)
	handle("POST "+wire.Signal, signal)
	handle("GET "+wire.File, readFile)
	handle("PUT "+wire.File, writeFile)
	handle("GET "+wire.Line, readLine)
	handle("PUT "+wire.Line, pullLine)
	handle("POST "+wire.Sequence, sequence)
	handle("GET "+wire.Watch, watch)
	handle("GET "+wire.Trace, trace)
	pads := &keypads{devices: map[string]*uinput.Device{}}
	handle("PUT "+wire.Keypad, pads.plug)
	handle("DELETE "+wire.Keypad, pads.unplug)
	handle("POST "+wire.Keys, pads.press)
	handle("GET "+wire.Dial, dial)
	return mux
}

// setClock sets the guest's clock, which starts with whole seconds.
func setClock(_ http.ResponseWriter, r *http.Request) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return err
	}
	tv := syscall.NsecToTimeval(t.UnixNano())
	return os.NewSyscallError("settimeofday", syscall.Settimeofday(&tv))
}

func readFile(w http.ResponseWriter, r *http.Request) error {
	f, err := os.Open(r.FormValue("path"))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// writeFile writes a regular file by way of another name, so that a program that runs can
// be replaced, and anything else, such as a file of sysfs, in place.
func writeFile(_ http.ResponseWriter, r *http.Request) error {
	path := r.FormValue("path")
	mode, err := strconv.ParseUint(r.FormValue("mode"), 8, 32)
	if err != nil {
		return err
	}
	name := path
	s, err := os.Stat(path)
	regular := err != nil || s.Mode().IsRegular() && s.Sys().(*syscall.Stat_t).Nlink > 0 && !virtual(path)
	if regular {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		name += ".new"
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fs.FileMode(mode))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r.Body)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil && regular {
		if err = os.Chmod(name, fs.FileMode(mode)); err == nil {
			err = os.Rename(name, path)
		}
	}
	return err
}

// virtual says whether a file is the kernel's.
func virtual(path string) bool {
	for _, dir := range []string{"/sys/", "/proc/", "/dev/"} {
		if len(path) > len(dir) && path[:len(dir)] == dir {
			return true
		}
	}
	return false
}

// dial gives the request's connection to something that listens in the guest.
func dial(w http.ResponseWriter, r *http.Request) error {
	there, err := net.Dial(r.FormValue("network"), r.FormValue("address"))
	if err != nil {
		return err
	}
	defer there.Close()
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer here.Close()
	fmt.Fprint(here, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: stream\r\n\r\n")
	over := make(chan struct{}, 2)
	join := func(to net.Conn, from io.Reader) {
		io.Copy(to, from)
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
		over <- struct{}{}
	}
	go join(there, buffered)
	go join(here, there)
	<-over
	<-over
	return nil
}

func answer(w http.ResponseWriter, value any) error {
	return json.NewEncoder(w).Encode(value)
}
