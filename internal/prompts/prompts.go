// Package prompts has what a door says to its visitors, in several languages: the words that
// `make prompts` has spoken into sound files, and that a page shows. Which cue a sentence
// belongs to is its key. It plays and reads nothing and has no goroutines.
package prompts

import (
	"maps"
	"slices"
)

// texts are the sentences by language (ISO 639-1) and cue. Calling and connected have none
// that is spoken: the one is heard again and again, the other would talk into the resident.
var texts = map[string]map[string]string{
	"en": {
		"calling": "Calling", "connected": "Please speak",
		"incoming": "A resident is calling.", "unanswered": "Nobody answers. Please try again later.",
		"busy": "Nobody can answer at the moment.", "quiet": "Nobody is called at this hour.",
		"opened": "The door is open.", "refused": "That code does not open the door.",
		"dial": "Please dial the number of the flat, then the hash key.", "unknown": "There is no flat with this number.",
		"wait": "One moment please. The connection is being made.", "fault": "The call could not be made.",
	},
	"de": {
		"calling": "Es klingelt", "connected": "Bitte sprechen",
		"incoming": "Ein Bewohner ruft an.", "unanswered": "Niemand meldet sich. Bitte versuchen Sie es später noch einmal.",
		"busy": "Im Moment kann niemand antworten.", "quiet": "Um diese Zeit wird niemand gerufen.",
		"opened": "Die Tür ist offen.", "refused": "Dieser Code öffnet die Tür nicht.",
		"dial": "Bitte wählen Sie die Nummer der Wohnung und dann die Raute-Taste.", "unknown": "Es gibt keine Wohnung mit dieser Nummer.",
		"wait": "Einen Moment bitte. Die Verbindung wird hergestellt.", "fault": "Der Anruf ist nicht möglich.",
	},
	"fr": {
		"calling": "Ça sonne", "connected": "Parlez, s’il vous plaît",
		"incoming": "Un résident vous appelle.", "unanswered": "Personne ne répond. Veuillez réessayer plus tard.",
		"busy": "Personne ne peut répondre pour le moment.", "quiet": "Personne n’est appelé à cette heure.",
		"opened": "La porte est ouverte.", "refused": "Ce code n’ouvre pas la porte.",
		"dial": "Composez le numéro de l’appartement, puis la touche dièse.", "unknown": "Aucun appartement ne porte ce numéro.",
		"wait": "Un instant, s’il vous plaît. La connexion est en cours.", "fault": "L’appel n’a pas abouti.",
	},
	"es": {
		"calling": "Llamando", "connected": "Hable, por favor",
		"incoming": "Un residente le llama.", "unanswered": "Nadie contesta. Inténtelo más tarde, por favor.",
		"busy": "Nadie puede contestar en este momento.", "quiet": "A esta hora no se llama a nadie.",
		"opened": "La puerta está abierta.", "refused": "Este código no abre la puerta.",
		"dial": "Marque el número del piso y después la tecla almohadilla.", "unknown": "No hay ningún piso con este número.",
		"wait": "Un momento, por favor. Se está estableciendo la conexión.", "fault": "No se ha podido llamar.",
	},
	"it": {
		"calling": "Sta squillando", "connected": "Parlare, prego",
		"incoming": "Un residente sta chiamando.", "unanswered": "Nessuno risponde. Riprovare più tardi.",
		"busy": "In questo momento nessuno può rispondere.", "quiet": "A quest’ora non si chiama nessuno.",
		"opened": "La porta è aperta.", "refused": "Questo codice non apre la porta.",
		"dial": "Comporre il numero dell’appartamento, poi il tasto cancelletto.", "unknown": "Nessun appartamento ha questo numero.",
		"wait": "Un momento, prego. Connessione in corso.", "fault": "La chiamata non è riuscita.",
	},
	"nl": {
		"calling": "De bel gaat", "connected": "Spreekt u maar",
		"incoming": "Een bewoner belt u.", "unanswered": "Niemand neemt op. Probeer het later nog eens.",
		"busy": "Niemand kan nu opnemen.", "quiet": "Op dit uur wordt niemand gebeld.",
		"opened": "De deur is open.", "refused": "Deze code opent de deur niet.",
		"dial": "Kies het nummer van de woning en dan het hekje.", "unknown": "Er is geen woning met dit nummer.",
		"wait": "Een ogenblik alstublieft. De verbinding wordt gemaakt.", "fault": "Het gesprek is niet gelukt.",
	},
}

// Languages lists the languages, in order.
func Languages() []string { return slices.Sorted(maps.Keys(texts)) }

// Texts returns all sentences of a language by the cues they belong to; nil if it is unknown.
func Texts(language string) map[string]string { return maps.Clone(texts[language]) }

// Spoken tells whether the sentence of a cue is there to be heard, too.
func Spoken(cue string) bool { return cue != "calling" && cue != "connected" }
