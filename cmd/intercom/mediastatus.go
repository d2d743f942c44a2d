package main

import "intercom/internal/control"

// mediaRows writes how pictures and sound fare.
func mediaRows(row func(name, format string, args ...any), st control.Status) {
	m := st.Media
	row("camera", "%s", m.Camera)
	if b := st.Brightness; b != nil && st.Camera {
		light := "light"
		if b.Dark {
			light = "dark"
		}
		row("", "brightness %d, %s", b.Luma, light)
	}
	row("sound card", "%s", m.Sound)
	if m.Echo != nil {
		row("echo", "%s", m.Echo)
	}
	for _, s := range m.Viewers {
		name := residentName(st, s.User)
		row("to "+name, "%s", s.Sent())
		row("from "+name, "%s", s.Received())
	}
}
