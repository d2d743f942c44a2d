//go:build cgo

#include "shim.h"

#include <stdlib.h>

intercom_vp8_enc *intercom_vp8_enc_new(int width, int height, int threads, int speed,
                                       int kbps, int fps, vpx_codec_err_t *err) {
  intercom_vp8_enc *e = calloc(1, sizeof *e);
  if (e == NULL) {
    *err = VPX_CODEC_MEM_ERROR;
    return NULL;
  }
  vpx_codec_iface_t *vp8 = vpx_codec_vp8_cx();
  vpx_codec_enc_cfg_t *c = &e->cfg;
  *err = vpx_codec_enc_config_default(vp8, c, 0);
  if (*err != VPX_CODEC_OK) {
    free(e);
    return NULL;
  }
  c->g_w = width;
  c->g_h = height;
  c->g_threads = threads;
  c->g_timebase.num = 1;
  c->g_timebase.den = 1000000;
  c->g_error_resilient = VPX_ERROR_RESILIENT_DEFAULT;
  c->g_pass = VPX_RC_ONE_PASS;
  c->g_lag_in_frames = 0;
  c->rc_end_usage = VPX_CBR;
  c->rc_target_bitrate = kbps;
  // A frame is dropped when the buffer of the model falls below this percentage.
  c->rc_dropframe_thresh = 25;
  c->rc_resize_allowed = 0;
  c->rc_min_quantizer = 2;
  c->rc_max_quantizer = 56;
  c->rc_undershoot_pct = 100;
  c->rc_overshoot_pct = 15;
  // Milliseconds. What is queued here is queued at the peer's modem.
  c->rc_buf_initial_sz = 500;
  c->rc_buf_optimal_sz = 600;
  c->rc_buf_sz = 1000;
  c->kf_mode = VPX_KF_DISABLED;

  *err = vpx_codec_enc_init(&e->ctx, vp8, c, 0);
  if (*err != VPX_CODEC_OK) {
    free(e);
    return NULL;
  }
  // Half the optimal buffer may go into one key frame, in percent of a frame's share.
  int intra = 600 / 2 * fps / 10;
  if (intra < 300) intra = 300;
  if ((*err = vpx_codec_control(&e->ctx, VP8E_SET_CPUUSED, speed)) != VPX_CODEC_OK ||
      (*err = vpx_codec_control(&e->ctx, VP8E_SET_STATIC_THRESHOLD, 1)) != VPX_CODEC_OK ||
      (*err = vpx_codec_control(&e->ctx, VP8E_SET_TOKEN_PARTITIONS, VP8_ONE_TOKENPARTITION)) != VPX_CODEC_OK ||
      (*err = vpx_codec_control(&e->ctx, VP8E_SET_NOISE_SENSITIVITY, 0)) != VPX_CODEC_OK ||
      (*err = vpx_codec_control(&e->ctx, VP8E_SET_MAX_INTRA_BITRATE_PCT, intra)) != VPX_CODEC_OK) {
    intercom_vp8_enc_free(e);
    return NULL;
  }
  return e;
}

vpx_codec_err_t intercom_vp8_enc_rate(intercom_vp8_enc *e, int kbps) {
  e->cfg.rc_target_bitrate = kbps;
  return vpx_codec_enc_config_set(&e->ctx, &e->cfg);
}

vpx_codec_err_t intercom_vp8_enc_frame(intercom_vp8_enc *e, const uint8_t *y, const uint8_t *u,
                                       const uint8_t *v, int ys, int us, int vs, int64_t time,
                                       unsigned long duration, int key) {
  e->data = NULL;
  e->size = 0;
  e->key = 0;
  // vpx_img_wrap fills in all but the planes, which it takes for one block of memory.
  if (vpx_img_wrap(&e->img, VPX_IMG_FMT_I420, e->cfg.g_w, e->cfg.g_h, 1, (uint8_t *)y) == NULL)
    return VPX_CODEC_INVALID_PARAM;
  e->img.planes[VPX_PLANE_Y] = (uint8_t *)y;
  e->img.planes[VPX_PLANE_U] = (uint8_t *)u;
  e->img.planes[VPX_PLANE_V] = (uint8_t *)v;
  e->img.stride[VPX_PLANE_Y] = ys;
  e->img.stride[VPX_PLANE_U] = us;
  e->img.stride[VPX_PLANE_V] = vs;
  vpx_codec_err_t err = vpx_codec_encode(&e->ctx, &e->img, time, duration,
                                         key ? VPX_EFLAG_FORCE_KF : 0, VPX_DL_REALTIME);
  e->img.planes[VPX_PLANE_Y] = e->img.planes[VPX_PLANE_U] = e->img.planes[VPX_PLANE_V] = NULL;
  e->img.img_data = NULL;
  if (err != VPX_CODEC_OK) return err;

  // Without look-ahead and output partitions a frame is one packet, or none.
  vpx_codec_iter_t iter = NULL;
  const vpx_codec_cx_pkt_t *p;
  while ((p = vpx_codec_get_cx_data(&e->ctx, &iter)) != NULL) {
    if (p->kind != VPX_CODEC_CX_FRAME_PKT) continue;
    e->data = p->data.frame.buf;
    e->size = p->data.frame.sz;
    e->key = (p->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
  }
  return VPX_CODEC_OK;
}

void intercom_vp8_enc_free(intercom_vp8_enc *e) {
  vpx_codec_destroy(&e->ctx);
  free(e);
}

intercom_vp8_dec *intercom_vp8_dec_new(vpx_codec_err_t *err) {
  intercom_vp8_dec *d = calloc(1, sizeof *d);
  if (d == NULL) {
    *err = VPX_CODEC_MEM_ERROR;
    return NULL;
  }
  vpx_codec_dec_cfg_t cfg = {.threads = 1};
  *err = vpx_codec_dec_init(&d->ctx, vpx_codec_vp8_dx(), &cfg, 0);
  if (*err != VPX_CODEC_OK) {
    free(d);
    return NULL;
  }
  return d;
}

vpx_codec_err_t intercom_vp8_dec_frame(intercom_vp8_dec *d, const uint8_t *data, unsigned int size) {
  d->img = NULL;
  vpx_codec_err_t err = vpx_codec_decode(&d->ctx, data, size, NULL, 0);
  if (err != VPX_CODEC_OK) return err;
  vpx_codec_iter_t iter = NULL;
  const vpx_image_t *img;
  while ((img = vpx_codec_get_frame(&d->ctx, &iter)) != NULL) d->img = img;
  return VPX_CODEC_OK;
}

void intercom_vp8_dec_free(intercom_vp8_dec *d) {
  vpx_codec_destroy(&d->ctx);
  free(d);
}
