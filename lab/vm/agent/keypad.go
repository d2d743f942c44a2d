package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"intercom/internal/uinput"
	"intercom/lab/vm/wire"
)

// keypads are the input devices that were plugged in, by their names.
type keypads struct {
	mu      sync.Mutex
	devices map[string]*uinput.Device
}

func (k *keypads) plug(_ http.ResponseWriter, r *http.Request) error {
	name := r.FormValue("name")
	var keys []uint16
	if err := json.NewDecoder(r.Body).Decode(&keys); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.devices[name] != nil {
		return fmt.Errorf("keypad %q is plugged in", name)
	}
	d, err := uinput.New(name, keys...)
	if err != nil {
		return err
	}
	k.devices[name] = d
	return nil
}

func (k *keypads) unplug(_ http.ResponseWriter, r *http.Request) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	d, err := k.find(r)
	if err != nil {
		return err
	}
	delete(k.devices, r.FormValue("name"))
	return d.Close()
}

// find returns the keypad of a request. The mutex is held.
func (k *keypads) find(r *http.Request) (*uinput.Device, error) {
	if d := k.devices[r.FormValue("name")]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("keypad %q is not plugged in", r.FormValue("name"))
}

// between lies between two keys.
const between = 50 * time.Millisecond

func (k *keypads) press(_ http.ResponseWriter, r *http.Request) error {
	var keys []wire.Key
	if err := json.NewDecoder(r.Body).Decode(&keys); err != nil {
		return err
	}
	k.mu.Lock()
	d, err := k.find(r)
	k.mu.Unlock()
	for _, key := range keys {
		if err == nil {
			err = d.Set(key.Code, true)
		}
		time.Sleep(time.Duration(key.For))
		if err == nil {
			err = d.Set(key.Code, false)
		}
		time.Sleep(between)
	}
	return err
}
