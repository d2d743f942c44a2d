//go:build cgo

// On 32 bit ARM the compiler must be told that there is NEON, and not to use it where we do not:
// whether the processor has it is asked below. Before any header: arm_neon.h declares what it may.
#if defined(__arm__)
#pragma GCC target("fpu=neon")
#pragma GCC optimize("no-tree-vectorize")
#endif

#include "rows.h"

#include <string.h>

// The SIMD of each machine, for 16 results at a time: what is even and odd of 32 bytes, and
// the mean of two times 16, rounded up. A machine without gets plain C.
#if defined(__SSE2__)

#include <emmintrin.h>
typedef __m128i lanes;
static inline lanes load(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)p); }
static inline void store(uint8_t *p, lanes a) { _mm_storeu_si128((__m128i *)p, a); }
static inline lanes mean(lanes a, lanes b) { return _mm_avg_epu8(a, b); }
static inline lanes even(lanes a, lanes b) {
  lanes mask = _mm_set1_epi16(0xff);
  return _mm_packus_epi16(_mm_and_si128(a, mask), _mm_and_si128(b, mask));
}
static inline lanes odd(lanes a, lanes b) {
  return _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
}
// Sums of neighbours, as eight words.
static inline lanes sums(lanes a) {
  return _mm_add_epi16(_mm_and_si128(a, _mm_set1_epi16(0xff)), _mm_srli_epi16(a, 8));
}
static inline lanes quarter(lanes a, lanes b) {  // of four rows of sums: rounded
  return _mm_srli_epi16(_mm_add_epi16(_mm_add_epi16(a, b), _mm_set1_epi16(2)), 2);
}
static inline lanes quarters(lanes a0, lanes a1, lanes b0, lanes b1) {
  return _mm_packus_epi16(quarter(sums(a0), sums(b0)), quarter(sums(a1), sums(b1)));
}
static int simd(void) { return 1; }

#elif defined(__ARM_NEON) || defined(__arm__)

#include <arm_neon.h>
typedef uint8x16_t lanes;
static inline lanes load(const uint8_t *p) { return vld1q_u8(p); }
static inline void store(uint8_t *p, lanes a) { vst1q_u8(p, a); }
static inline lanes mean(lanes a, lanes b) { return vrhaddq_u8(a, b); }
static inline lanes even(lanes a, lanes b) { return vuzpq_u8(a, b).val[0]; }
static inline lanes odd(lanes a, lanes b) { return vuzpq_u8(a, b).val[1]; }
static inline lanes quarters(lanes a0, lanes a1, lanes b0, lanes b1) {
  uint16x8_t x = vpadalq_u8(vpaddlq_u8(a0), b0), y = vpadalq_u8(vpaddlq_u8(a1), b1);
  return vcombine_u8(vrshrn_n_u16(x, 2), vrshrn_n_u16(y, 2));
}
#if defined(__arm__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
static int simd(void) { return (getauxval(AT_HWCAP) & HWCAP_NEON) != 0; }
#else
static int simd(void) { return 1; }
#endif

#else
#define INTERCOM_PLAIN 1
#endif

// Pictures are larger than caches: at each row, memory is asked at once for all lines that will
// be read and written, or the pass waits for one after the other. That halves what it costs
// in a pipeline (YUYV, 1280x720, on amd64: 285 us to 150).
static inline void read_soon(const uint8_t *row, long size) {
  for (long i = 0; i < size; i += 64) (void)*(const volatile uint8_t *)(row + i);
}
static inline void write_soon(uint8_t *row, long size) {
  for (long i = 0; i < size; i += 64) __builtin_prefetch(row + i, 1);
}

// Each of these does a row, by 16 pixels as long as there are, the rest one by one.

static void yuyv_rows(uint8_t *y0, uint8_t *y1, uint8_t *u, uint8_t *v, const uint8_t *a,
                      const uint8_t *b, long n, int fast) {
  long i = 0;
  read_soon(a, 4 * n);
  read_soon(b, 4 * n);
  write_soon(y0, 2 * n);
  write_soon(y1, 2 * n);
  write_soon(u, n);
  write_soon(v, n);
#ifndef INTERCOM_PLAIN
  for (; fast && i + 16 <= n; i += 16) {
    lanes a0 = load(a + 4 * i), a1 = load(a + 4 * i + 16), a2 = load(a + 4 * i + 32), a3 = load(a + 4 * i + 48);
    lanes b0 = load(b + 4 * i), b1 = load(b + 4 * i + 16), b2 = load(b + 4 * i + 32), b3 = load(b + 4 * i + 48);
    store(y0 + 2 * i, even(a0, a1));
    store(y0 + 2 * i + 16, even(a2, a3));
    store(y1 + 2 * i, even(b0, b1));
    store(y1 + 2 * i + 16, even(b2, b3));
    lanes c0 = odd(mean(a0, b0), mean(a1, b1)), c1 = odd(mean(a2, b2), mean(a3, b3));
    store(u + i, even(c0, c1));
    store(v + i, odd(c0, c1));
  }
#endif
  for (; i < n; i++) {
    y0[2 * i] = a[4 * i];
    y0[2 * i + 1] = a[4 * i + 2];
    y1[2 * i] = b[4 * i];
    y1[2 * i + 1] = b[4 * i + 2];
    u[i] = (a[4 * i + 1] + b[4 * i + 1] + 1) / 2;
    v[i] = (a[4 * i + 3] + b[4 * i + 3] + 1) / 2;
  }
}

static void uv_row(uint8_t *u, uint8_t *v, const uint8_t *from, long n, int fast) {
  long i = 0;
  read_soon(from, 2 * n);
  write_soon(u, n);
  write_soon(v, n);
#ifndef INTERCOM_PLAIN
  for (; fast && i + 16 <= n; i += 16) {
    lanes a = load(from + 2 * i), b = load(from + 2 * i + 16);
    store(u + i, even(a, b));
    store(v + i, odd(a, b));
  }
#endif
  for (; i < n; i++) {
    u[i] = from[2 * i];
    v[i] = from[2 * i + 1];
  }
}

static void half_row(uint8_t *to, const uint8_t *a, const uint8_t *b, long n, int fast) {
  long i = 0;
#ifndef INTERCOM_PLAIN
  for (; fast && i + 16 <= n; i += 16)
    store(to + i, quarters(load(a + 2 * i), load(a + 2 * i + 16), load(b + 2 * i), load(b + 2 * i + 16)));
#endif
  for (; i < n; i++) to[i] = (a[2 * i] + a[2 * i + 1] + b[2 * i] + b[2 * i + 1] + 2) / 4;
}

#ifdef INTERCOM_PLAIN
static int simd(void) { return 0; }
#endif

void intercom_copy(uint8_t *to, long ts, const uint8_t *from, long fs, long width, long height) {
  for (long r = 0; r < height; r++, to += ts, from += fs) {
    read_soon(from, width);
    write_soon(to, width);
    memcpy(to, from, width);
  }
}

void intercom_split_yuyv(uint8_t *y, long ys, uint8_t *u, long us, uint8_t *v, long vs,
                         const uint8_t *from, long fs, long n, long rows) {
  int fast = simd();
  for (long r = 0; r < rows; r++)
    yuyv_rows(y + 2 * r * ys, y + (2 * r + 1) * ys, u + r * us, v + r * vs, from + 2 * r * fs,
              from + (2 * r + 1) * fs, n, fast);
}

void intercom_split_uv(uint8_t *u, long us, uint8_t *v, long vs, const uint8_t *from, long fs,
                       long width, long height) {
  int fast = simd();
  for (long r = 0; r < height; r++) uv_row(u + r * us, v + r * vs, from + r * fs, width, fast);
}

void intercom_halve(uint8_t *to, long ts, const uint8_t *from, long fs, long width, long height) {
  int fast = simd();
  for (long r = 0; r < height; r++)
    half_row(to + r * ts, from + 2 * r * fs, from + (2 * r + 1) * fs, width, fast);
}
