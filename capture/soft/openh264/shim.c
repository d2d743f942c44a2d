//go:build cgo

#include "shim.h"

#include <stdlib.h>
#include <string.h>

#include "include/codec_api.h"

intercom_h264_enc *intercom_h264_enc_new(int width, int height, float fps, int bit_rate, int *err) {
  intercom_h264_enc *e = calloc(1, sizeof *e);
  if (e == NULL) {
    *err = cmMallocMemeError;
    return NULL;
  }
  ISVCEncoder *codec = NULL;
  *err = WelsCreateSVCEncoder(&codec);
  if (*err != cmResultSuccess) {
    free(e);
    return NULL;
  }
  // It would warn on stderr that without skipped frames the bit rate is not kept to the bit.
  int quiet = WELS_LOG_QUIET;
  (*codec)->SetOption(codec, ENCODER_OPTION_TRACE_LEVEL, &quiet);

  SEncParamExt p;
  (*codec)->GetDefaultParams(codec, &p);
  p.iUsageType = CAMERA_VIDEO_REAL_TIME;
  p.iPicWidth = width;
  p.iPicHeight = height;
  p.iTargetBitrate = bit_rate;
  p.iMaxBitrate = UNSPECIFIED_BIT_RATE;
  p.iRCMode = RC_BITRATE_MODE;
  p.fMaxFrameRate = fps;
  p.iComplexityMode = LOW_COMPLEXITY;
  p.uiIntraPeriod = 0;
  p.iNumRefFrame = 1;
  p.eSpsPpsIdStrategy = CONSTANT_ID;
  p.iEntropyCodingModeFlag = 0;
  p.bEnableFrameSkip = false;
  p.iMultipleThreadIdc = 1;
  p.bEnableDenoise = false;
  p.bEnableAdaptiveQuant = false;
  p.bEnableSceneChangeDetect = false;
  SSpatialLayerConfig *l = &p.sSpatialLayers[0];
  l->iVideoWidth = width;
  l->iVideoHeight = height;
  l->fFrameRate = fps;
  l->iSpatialBitrate = bit_rate;
  l->iMaxSpatialBitrate = UNSPECIFIED_BIT_RATE;
  l->uiProfileIdc = PRO_BASELINE;
  l->uiLevelIdc = LEVEL_3_1;
  l->sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
  *err = (*codec)->InitializeExt(codec, &p);
  if (*err != cmResultSuccess) {
    WelsDestroySVCEncoder(codec);
    free(e);
    return NULL;
  }
  e->codec = codec;
  e->width = width;
  e->height = height;
  return e;
}

int intercom_h264_enc_rate(intercom_h264_enc *e, int bit_rate) {
  ISVCEncoder *codec = e->codec;
  SBitrateInfo info = {.iLayer = SPATIAL_LAYER_ALL, .iBitrate = bit_rate};
  return (*codec)->SetOption(codec, ENCODER_OPTION_BITRATE, &info);
}

int intercom_h264_enc_fps(intercom_h264_enc *e, float fps) {
  ISVCEncoder *codec = e->codec;
  return (*codec)->SetOption(codec, ENCODER_OPTION_FRAME_RATE, &fps);
}

int intercom_h264_enc_frame(intercom_h264_enc *e, const uint8_t *y, const uint8_t *u, const uint8_t *v,
                            int ys, int us, int vs, int64_t time, int key) {
  ISVCEncoder *codec = e->codec;
  e->parts = 0;
  e->key = 0;
  if (key) {
    int err = (*codec)->ForceIntraFrame(codec, true);
    if (err != cmResultSuccess) return err;
  }
  SSourcePicture pic = {
      .iColorFormat = videoFormatI420,
      .iStride = {ys, us, vs},
      .pData = {(uint8_t *)y, (uint8_t *)u, (uint8_t *)v},
      .iPicWidth = e->width,
      .iPicHeight = e->height,
      .uiTimeStamp = time,
  };
  SFrameBSInfo info;
  memset(&info, 0, sizeof info);
  int err = (*codec)->EncodeFrame(codec, &pic, &info);
  if (err != cmResultSuccess) return err;
  if (info.eFrameType == videoFrameTypeSkip || info.eFrameType == videoFrameTypeInvalid) return 0;

  for (int i = 0; i < info.iLayerNum && i < INTERCOM_H264_PARTS; i++) {
    int size = 0;
    for (int n = 0; n < info.sLayerInfo[i].iNalCount; n++) size += info.sLayerInfo[i].pNalLengthInByte[n];
    e->part[i].data = info.sLayerInfo[i].pBsBuf;
    e->part[i].size = size;
    e->parts++;
  }
  e->key = info.eFrameType == videoFrameTypeIDR;
  return 0;
}

void intercom_h264_enc_free(intercom_h264_enc *e) {
  ISVCEncoder *codec = e->codec;
  (*codec)->Uninitialize(codec);
  WelsDestroySVCEncoder(codec);
  free(e);
}

intercom_h264_dec *intercom_h264_dec_new(int *err) {
  intercom_h264_dec *d = calloc(1, sizeof *d);
  if (d == NULL) {
    *err = dsOutOfMemory;
    return NULL;
  }
  ISVCDecoder *codec = NULL;
  *err = (int)WelsCreateDecoder(&codec);
  if (*err != 0) {
    free(d);
    return NULL;
  }
  int quiet = WELS_LOG_QUIET;
  (*codec)->SetOption(codec, DECODER_OPTION_TRACE_LEVEL, &quiet);
  SDecodingParam p;
  memset(&p, 0, sizeof p);
  // A frozen picture until the next key frame is better than a wrong one.
  p.eEcActiveIdc = ERROR_CON_DISABLE;
  p.sVideoProperty.size = sizeof p.sVideoProperty;
  p.sVideoProperty.eVideoBsType = VIDEO_BITSTREAM_AVC;
  *err = (int)(*codec)->Initialize(codec, &p);
  if (*err != 0) {
    WelsDestroyDecoder(codec);
    free(d);
    return NULL;
  }
  d->codec = codec;
  return d;
}

int intercom_h264_dec_frame(intercom_h264_dec *d, const uint8_t *data, int size) {
  ISVCDecoder *codec = d->codec;
  uint8_t *planes[3] = {NULL, NULL, NULL};
  SBufferInfo info;
  memset(&info, 0, sizeof info);
  d->ready = 0;
  DECODING_STATE state = (*codec)->DecodeFrameNoDelay(codec, data, size, planes, &info);
  if (state != dsErrorFree) return state;
  if (info.iBufferStatus != 1 || planes[0] == NULL) return 0;
  d->ready = 1;
  d->width = info.UsrData.sSystemBuffer.iWidth;
  d->height = info.UsrData.sSystemBuffer.iHeight;
  for (int i = 0; i < 3; i++) {
    d->plane[i] = planes[i];
    d->stride[i] = info.UsrData.sSystemBuffer.iStride[i > 0];
  }
  return 0;
}

void intercom_h264_dec_free(intercom_h264_dec *d) {
  ISVCDecoder *codec = d->codec;
  (*codec)->Uninitialize(codec);
  WelsDestroyDecoder(codec);
  free(d);
}
