#include "shim.h"

#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

intercom_jpeg *intercom_jpeg_new(void) {
  intercom_jpeg *d = calloc(1, sizeof *d);
  if (d == NULL) return NULL;
  d->tj = tjInitDecompress();
  if (d->tj == NULL) {
    free(d);
    return NULL;
  }
  return d;
}

void intercom_jpeg_free(intercom_jpeg *d) {
  if (d->tj != NULL) tjDestroy(d->tj);
  free(d->room);
  free(d);
}

static int fail(intercom_jpeg *d, const char *why) {
  strncpy(d->why, why, sizeof d->why - 1);
  return -1;
}

// The library failed: what it has of a spoiled picture's tables would spoil the next one, so
// it begins anew.
static int broken(intercom_jpeg *d) {
  fail(d, tjGetErrorStr2(d->tj));
  tjDestroy(d->tj);
  d->tj = tjInitDecompress();
  return -1;
}

// Cameras pad and garnish their pictures, which the library warns of. Only a picture that
// ends early is not whole.
static int planes(intercom_jpeg *d, const uint8_t *data, unsigned long size, uint8_t **p, int *strides, int width, int height) {
  if (tjDecompressToYUVPlanes(d->tj, data, size, p, width, strides, height, 0) == 0) return 0;
  const char *why = tjGetErrorStr2(d->tj);
  if (tjGetErrorCode(d->tj) == TJERR_WARNING && strstr(why, "remature") == NULL) return 0;
  return broken(d);
}

// Halves chroma: two rows into one if tall, two columns into one if wide.
static void halve(const uint8_t *src, int from, uint8_t *dst, int stride, int width, int height, int tall, int wide) {
  for (int row = 0; row < height; row++) {
    const uint8_t *a = src + (size_t)from * (tall ? 2 * row : row);
    const uint8_t *b = tall ? a + from : a;
    uint8_t *to = dst + (size_t)stride * row;
    if (wide) {
      for (int i = 0; i < width; i++) to[i] = (uint8_t)((a[2 * i] + a[2 * i + 1] + b[2 * i] + b[2 * i + 1] + 2) / 4);
    } else {
      for (int i = 0; i < width; i++) to[i] = (uint8_t)((a[i] + b[i] + 1) / 2);
    }
  }
}

int intercom_jpeg_decode(intercom_jpeg *d, const uint8_t *data, unsigned long size,
                         uint8_t *y, uint8_t *u, uint8_t *v, int ys, int us, int vs,
                         int width, int height) {
  int w, h, sampling, space;
  if (d->tj == NULL && (d->tj = tjInitDecompress()) == NULL) return fail(d, "out of memory");
  if (tjDecompressHeader3(d->tj, data, size, &w, &h, &sampling, &space) != 0) return broken(d);
  if (w != width || h != height) return fail(d, "it is of another size than the camera was set to");
  int tall, wide;  // of the chroma, in halves
  switch (sampling) {
    case TJSAMP_420: tall = wide = 0; break;
    case TJSAMP_422: tall = 1, wide = 0; break;
    case TJSAMP_440: tall = 0, wide = 1; break;
    case TJSAMP_444: tall = wide = 1; break;
    case TJSAMP_GRAY:
      for (int i = 0; i < height / 2; i++) {
        memset(u + (size_t)us * i, 128, width / 2);
        memset(v + (size_t)vs * i, 128, width / 2);
      }
      return planes(d, data, size, (uint8_t *[]){y, NULL, NULL}, (int[]){ys, 0, 0}, width, height);
    default: return fail(d, "its chroma is sampled in a way that no camera uses");
  }
  if (!tall && !wide) return planes(d, data, size, (uint8_t *[]){y, u, v}, (int[]){ys, us, vs}, width, height);
  int cw = wide ? width : width / 2, ch = tall ? height : height / 2;
  size_t need = (size_t)cw * ch;
  if (d->size < 2 * need) {
    uint8_t *room = realloc(d->room, 2 * need);
    if (room == NULL) return fail(d, "out of memory");
    d->room = room, d->size = 2 * need;
  }
  uint8_t *cu = d->room, *cv = d->room + need;
  if (planes(d, data, size, (uint8_t *[]){y, cu, cv}, (int[]){ys, cw, cw}, width, height) != 0) return -1;
  halve(cu, cw, u, us, width / 2, height / 2, tall, wide);
  halve(cv, cw, v, vs, width / 2, height / 2, tall, wide);
  return 0;
}
