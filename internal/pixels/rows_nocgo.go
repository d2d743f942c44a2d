//go:build !cgo

package pixels

func copyRows(to, from Plane, width, height int)  { goCopy(to, from, width, height) }
func splitYUYV(y, u, v, from Plane, n, rows int)  { goSplitYUYV(y, u, v, from, n, rows) }
func splitUV(u, v, from Plane, width, height int) { goSplitUV(u, v, from, width, height) }
func halve(to, from Plane, width, height int)     { goHalve(to, from, width, height) }
