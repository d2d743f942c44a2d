package door

import (
	"fmt"
	"strings"
)

// mostTyped is how many keys are remembered: more than any number or code has.
const mostTyped = 16

// directory asks for the number of a flat. In a call there is nothing to ask.
func (n *step) directory() {
	if n.Phase != Idle && n.Phase != Dialling {
		return
	}
	n.clear()
	n.enter(Dialling)
	n.after(timerTyped, n.cfg.Dial)
	n.play(CueDial)
}

// key takes a key of the keypad. What is typed stands until it is confirmed, cleared, or too
// old. In a call keys may be typed too: a code opens there as well.
func (n *step) key(symbol rune) {
	switch {
	case symbol >= '0' && symbol <= '9':
		if len(n.Typed) < mostTyped {
			n.Typed += string(symbol)
		}
		n.typing()
	case symbol == KeyConfirm:
		n.confirm()
	case symbol == KeyClear && n.Typed == "" && n.Phase != Dialling:
		n.hangUp(ReasonHungUp)
	case symbol == KeyClear:
		n.forget()
	}
}

// typing is what comes after each key.
func (n *step) typing() {
	if n.Phase == Idle {
		n.enter(Dialling)
	}
	n.after(timerTyped, n.cfg.Dial)
}

// confirm calls the flat whose number was typed.
func (n *step) confirm() {
	typed := n.Typed
	if typed == "" {
		return
	}
	n.forget()
	f := n.cfg.flat(typed)
	if f == nil {
		n.note(Note{Type: NoteDialled, Call: n.Call, Name: typed, Reason: ReasonNoFlat, Text: fmt.Sprintf("%s was dialled: there is no such flat", typed)})
		if n.Phase == Idle {
			n.play(CueUnknown)
		}
		return
	}
	n.note(Note{Type: NoteDialled, Call: n.Call, Name: f.Name, Text: fmt.Sprintf("flat %s was dialled", f.Name)})
	n.want(f)
}

// forget ends the typing.
func (n *step) forget() {
	n.clear()
	if n.Phase == Dialling {
		n.enter(Idle)
	}
}

// clear forgets what was typed.
func (n *step) clear() {
	n.Typed = ""
	n.after(timerTyped, 0)
}

// Dialled says whether a flat of this name can be dialled.
func Dialled(name string) bool {
	return name != "" && len(name) <= mostTyped && strings.Trim(name, "0123456789") == ""
}
