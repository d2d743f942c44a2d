package main

import (
	"fmt"
	"io"
	"strings"

	"rsc.io/qr"
)

// quietZone is how many modules of a QR code's margin stay light (ISO/IEC 18004, 9.1).
const quietZone = 4

// printQR writes a text as a QR code for a terminal, two modules in the height of one
// character. Its colours do not depend on those of the terminal.
func printQR(w io.Writer, text string) error {
	code, err := qr.Encode(text, qr.L) // the screen is not scratched; fewer modules are easier to scan
	if err != nil {
		return fmt.Errorf("encode QR code: %w", err)
	}
	var b strings.Builder
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		b.WriteString("\x1b[38;5;16;48;5;231m") // black on white
		for x := -quietZone; x < code.Size+quietZone; x++ {
			upper, lower := code.Black(x, y), code.Black(x, y+1)
			switch {
			case upper && lower:
				b.WriteString("█")
			case upper:
				b.WriteString("▀")
			case lower:
				b.WriteString("▄")
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}
