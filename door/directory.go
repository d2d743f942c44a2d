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
	case symbol == KeyCode && n.Typed == "":
		n.coding, n.Typed = true, stars("")
		n.typing()
	case symbol >= '0' && symbol <= '9' && n.coding:
		if len(n.secret) < mostTyped {
			n.secret += string(symbol)
			n.Typed = stars(n.secret)
		}
		n.typing()
	case symbol >= '0' && symbol <= '9':
		if len(n.Typed) < mostTyped {
			n.Typed += string(symbol)
		}
		n.typing()
	case symbol == KeyConfirm:
		n.confirm()
	case symbol == KeyClear && n.Typed == "" && n.Phase != Dialling:
		n.hangUp(ReasonHungUp)
	case symbol == KeyClear || symbol == KeyCode:
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

// confirm calls the flat whose number was typed, or takes the code.
func (n *step) confirm() {
	typed, code, secret := n.Typed, n.coding, n.secret
	if typed == "" {
		return
	}
	n.forget()
	if code {
		if secret != "" {
			n.code(secret)
		}
		return
	}
	f := n.cfg.flat(typed)
	if f == nil {
		// Which one is nobody's business: it may be a code whose star was forgotten.
		n.note(Note{Type: NoteDialled, Call: n.Call, Reason: ReasonNoFlat, Text: "a number was dialled that no flat has"})
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
	n.Typed, n.coding, n.secret = "", false, ""
	n.after(timerTyped, 0)
}

// Dialled says whether a flat of this name can be dialled.
func Dialled(name string) bool {
	return name != "" && len(name) <= mostTyped && strings.Trim(name, "0123456789") == ""
}
