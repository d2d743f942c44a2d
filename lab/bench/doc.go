// Package bench measures what a picture costs on its way from the camera's memory to the
// packets of its watchers, and what sound costs, as ratios to the encoder alone in the same
// run: times depend on the machine, ratios hardly. It has tests only, behind the tag bench.
//
//	make bench
//
// The costs are processor time of the whole process, so they include what goroutines,
// locks and the collector take. Frames come at a camera's pace, as rate control and idle
// caches are part of the matter.
package bench
