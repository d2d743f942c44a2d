// What Go calls: OpenH264 with the pictures and results in C memory, so that a call passes
// only plain pointers and numbers. OpenH264's own header files stay in shim.c.
#ifndef INTERCOM_OPENH264_SHIM_H
#define INTERCOM_OPENH264_SHIM_H

#include <stdint.h>

// A frame's layers: parameter sets and picture; the library's limit is 128.
#define INTERCOM_H264_PARTS 128

typedef struct {
  void *codec;
  int width, height;
  int key;    // result of the last encode
  int parts;  // 0: nothing was coded
  struct {
    const uint8_t *data;
    int size;
  } part[INTERCOM_H264_PARTS];
} intercom_h264_enc;

typedef struct {
  void *codec;
  int ready, width, height;  // result of the last decode
  const uint8_t *plane[3];
  int stride[3];
} intercom_h264_dec;

// All return 0, or the number of an error of the library: CM_RETURN for the encoder,
// DECODING_STATE for the decoder. The first two give NULL with *err set.
intercom_h264_enc *intercom_h264_enc_new(int width, int height, float fps, int bit_rate, int *err);
intercom_h264_dec *intercom_h264_dec_new(int *err);

int intercom_h264_enc_rate(intercom_h264_enc *e, int bit_rate);
int intercom_h264_enc_fps(intercom_h264_enc *e, float fps);
// The time is in milliseconds; the planes are not kept.
int intercom_h264_enc_frame(intercom_h264_enc *e, const uint8_t *y, const uint8_t *u, const uint8_t *v,
                            int ys, int us, int vs, int64_t time, int key);
void intercom_h264_enc_free(intercom_h264_enc *e);

int intercom_h264_dec_frame(intercom_h264_dec *d, const uint8_t *data, int size);
void intercom_h264_dec_free(intercom_h264_dec *d);

#endif
