// Package bench measures what a picture costs on its way from the camera's memory to the
// packets of its watchers, and what sound costs, as ratios to the encoder alone in the same
// run: times depend on the machine, ratios hardly. It has tests only, behind the tag bench.
//
//	make bench
//
// The costs are processor time of the whole process, so they include what goroutines,
// locks and the collector take. Pictures come at a camera's pace, as rate control and cold
// caches are part of the matter. Each goes through the pipeline and, just before or after it,
// through an encoder of its own: a ratio is that of two such neighbours, and the table has the
// median of many, so that what else the machine does is nearly the same for both, and between
// which values that median is with a certainty of 95 %. A limit is exceeded if all of that is
// beyond it. With four busy programs on each core the medians repeat within 0.03.
package bench
