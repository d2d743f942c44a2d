// What Go calls. Planes come with their strides; sizes are those of the smaller planes, and
// nothing is checked.
#ifndef INTERCOM_PIXELS_ROWS_H
#define INTERCOM_PIXELS_ROWS_H

#include <stdint.h>

void intercom_copy(uint8_t *to, long ts, const uint8_t *from, long fs, long width, long height);
void intercom_split_yuyv(uint8_t *y, long ys, uint8_t *u, long us, uint8_t *v, long vs,
                         const uint8_t *from, long fs, long n, long rows);
void intercom_split_uv(uint8_t *u, long us, uint8_t *v, long vs, const uint8_t *from, long fs,
                       long width, long height);
void intercom_halve(uint8_t *to, long ts, const uint8_t *from, long fs, long width, long height);

#endif
