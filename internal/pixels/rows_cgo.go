//go:build cgo

package pixels

// #cgo CFLAGS: -O2
// #include "rows.h"
import "C"

import "unsafe"

// The sizes were checked by the callers.

func copyRows(to, from Plane, width, height int) {
	C.intercom_copy(to.c(), C.long(to.Stride), from.c(), C.long(from.Stride), C.long(width), C.long(height))
}

func splitYUYV(y, u, v, from Plane, n, rows int) {
	C.intercom_split_yuyv(y.c(), C.long(y.Stride), u.c(), C.long(u.Stride), v.c(), C.long(v.Stride), from.c(), C.long(from.Stride), C.long(n), C.long(rows))
}

func splitUV(u, v, from Plane, width, height int) {
	C.intercom_split_uv(u.c(), C.long(u.Stride), v.c(), C.long(v.Stride), from.c(), C.long(from.Stride), C.long(width), C.long(height))
}

func halve(to, from Plane, width, height int) {
	C.intercom_halve(to.c(), C.long(to.Stride), from.c(), C.long(from.Stride), C.long(width), C.long(height))
}

func (p Plane) c() *C.uint8_t { return (*C.uint8_t)(unsafe.SliceData(p.Pix)) }
