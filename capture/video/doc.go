// Package video shares one camera among calls: it opens the camera for the first feed and
// turns it off with the last, runs one encoder for each codec in use, whoever watches, and
// hands every watcher the packets.
//
//	camera -> newest frame -> encoder (one a codec) -> queue of each feed -> Feed.Next
//
// Nobody waits for anybody: an encoder that is late gets the newest frame and the others
// are passed over; a watcher that is late loses what it did not fetch and goes on at a key
// frame, which is made when it reads again. All get what the slowest network carries, in
// bit rate, then in frames, then in size; who is hopeless gets nothing until it is better. A
// lost or silent camera is reported and opened again; the feeds stay open meanwhile, and show
// a sign in place of the last picture. Brightness is measured on the way. Pictures that the
// camera has coded itself pass through. It does not choose codecs, packetize, or estimate
// bandwidth.
//
// All goroutines live inside Source.Run: one that decides, one in the camera, one
// that watches it, and one in each encoder.
package video
