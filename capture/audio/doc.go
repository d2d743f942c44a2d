// Package audio shares one sound card among calls: the microphone is coded once and handed
// to every feed; what peers send is put in order, decoded, mixed and played. The card is
// open only while there is a feed, a player or a cue.
//
//	microphone -> encoder -> queue of each feed -> Feed.Next
//	Player.Write -> jitter buffer -> decoder -> mixer, cues -> limiter -> loudspeaker
//
// All delay is in the jitter buffers: 60 ms to begin with, then from 20 to 120 ms, so that
// 97 % of a peer's packets come in time. What is lost is made of the error correction in the
// packet after it, or concealed; delay without need is taken out where the peer is silent, or
// with a cross-fade after a second. What is sent carries as much error correction as the peer
// that loses most needs, by its reports. It knows nothing of RTP beyond sequence numbers and
// cancels no echo.
//
// All goroutines live inside Source.Run: one that decides, one in the card, which also
// decodes and mixes within the card's period (some 20 us a peer, no lock waited for, nothing
// allocated), and one that encodes.
package audio
