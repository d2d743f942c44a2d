// Package audio shares one sound card among calls: the microphone is coded once and handed
// to every feed; what peers send is put in order, decoded, mixed and played. The card is
// open only while there is a feed or a player.
//
//	microphone -> encoder -> queue of each feed -> Feed.Next
//	Player.Write -> jitter buffer -> decoder -> mixer -> loudspeaker
//
// All delay is in the jitter buffers: 60 ms to begin with, 200 ms at most, and what stands
// there longer than two seconds without need is taken out again. It knows nothing of RTP
// beyond sequence numbers, cancels no echo and makes no cues.
//
// All goroutines live inside Source.Run: one that decides, one in the card, which also
// decodes and mixes within the card's period (some 20 us a peer, no lock waited for, nothing
// allocated), and one that encodes.
package audio
