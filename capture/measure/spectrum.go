package measure

import (
	"math"
	"math/cmplx"
)

// transform is the discrete Fourier transform of x in place, radix 2; its length is a power
// of two. The inverse one is not divided by the length.
func transform(x []complex128, inverse bool) {
	n := len(x)
	for i, j := 1, 0; i < n; i++ {
		bit := n >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		j ^= bit
		if i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	turn := -2 * math.Pi / float64(n)
	if inverse {
		turn = -turn
	}
	twiddle := make([]complex128, n/2)
	for i := range twiddle {
		twiddle[i] = cmplx.Rect(1, turn*float64(i))
	}
	for size := 2; size <= n; size *= 2 {
		half, step := size/2, n/size
		for base := 0; base < n; base += size {
			for k := range half {
				u, v := x[base+k], x[base+k+half]*twiddle[k*step]
				x[base+k], x[base+k+half] = u+v, u-v
			}
		}
	}
}

// decibels of a power, with a floor far below what 16 bits hold.
func decibels(power float64) float64 { return 10 * math.Log10(max(power, 1e-12)) }
