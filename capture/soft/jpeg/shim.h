// What Go calls: one decoder with room for chroma that is not 4:2:0.
#ifndef INTERCOM_JPEG_SHIM_H
#define INTERCOM_JPEG_SHIM_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  void *tj;
  uint8_t *room;  // two planes of chroma
  size_t size;    // of room
  char why[200];
} intercom_jpeg;

intercom_jpeg *intercom_jpeg_new(void);
void intercom_jpeg_free(intercom_jpeg *d);

// Decodes a picture of exactly this size, both even, into I420. Returns 0, or -1 with
// d->why set; the planes may then be partly written.
int intercom_jpeg_decode(intercom_jpeg *d, const uint8_t *data, unsigned long size,
                         uint8_t *y, uint8_t *u, uint8_t *v, int ys, int us, int vs,
                         int width, int height);

#endif
