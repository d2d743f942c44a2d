// What Go calls: libvpx with the pictures and results in C memory, so that a call passes
// only plain pointers and numbers.
#ifndef INTERCOM_VPX_SHIM_H
#define INTERCOM_VPX_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include <vpx/vp8cx.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vpx_encoder.h>

typedef struct {
  vpx_codec_ctx_t ctx;
  vpx_codec_enc_cfg_t cfg;
  vpx_image_t img;
  const uint8_t *data;  // result of the last encode; NULL: the frame was dropped
  size_t size;
  int key;
} intercom_vp8_enc;

typedef struct {
  vpx_codec_ctx_t ctx;
  const vpx_image_t *img;  // result of the last decode; NULL: no picture
} intercom_vp8_dec;

// Both return NULL with *err set. Memory that a failed call took is given back.
intercom_vp8_enc *intercom_vp8_enc_new(int width, int height, int threads, int speed,
                                       int kbps, int fps, vpx_codec_err_t *err);
intercom_vp8_dec *intercom_vp8_dec_new(vpx_codec_err_t *err);

vpx_codec_err_t intercom_vp8_enc_rate(intercom_vp8_enc *e, int kbps);
// The time and the duration are in microseconds; the planes are not kept.
vpx_codec_err_t intercom_vp8_enc_frame(intercom_vp8_enc *e, const uint8_t *y, const uint8_t *u,
                                       const uint8_t *v, int ys, int us, int vs, int64_t time,
                                       unsigned long duration, int key);
void intercom_vp8_enc_free(intercom_vp8_enc *e);

vpx_codec_err_t intercom_vp8_dec_frame(intercom_vp8_dec *d, const uint8_t *data, unsigned int size);
void intercom_vp8_dec_free(intercom_vp8_dec *d);

#endif
