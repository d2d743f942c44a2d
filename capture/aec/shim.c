#include "shim.h"

#include <speex/speex_echo.h>
#include <speex/speex_preprocess.h>
#include <speex/speex_resampler.h>
#include <stdlib.h>

// BLOCK is what is learned from at once: half a period, which learns twice as fast.
enum { OUTER = 48000, INNER = 16000, PERIOD = INNER / 50, BLOCK = PERIOD / 2 };

// Of 0 to 10: 60 dB of what folds back, 1.3 ms of delay each way.
enum { RESAMPLER_QUALITY = 4 };

struct intercom_aec {
	SpeexEchoState *echo;
	SpeexPreprocessState *pre;
	SpeexResamplerState *mic, *speaker, *out;
};

intercom_aec *intercom_aec_new(int tail) {
	intercom_aec *a = calloc(1, sizeof *a);
	if (!a)
		return NULL;
	a->echo = speex_echo_state_init(BLOCK, tail);
	a->pre = speex_preprocess_state_init(BLOCK, INNER);
	a->mic = speex_resampler_init(1, OUTER, INNER, RESAMPLER_QUALITY, NULL);
	a->speaker = speex_resampler_init(1, OUTER, INNER, RESAMPLER_QUALITY, NULL);
	a->out = speex_resampler_init(1, INNER, OUTER, RESAMPLER_QUALITY, NULL);
	if (!a->echo || !a->pre || !a->mic || !a->speaker || !a->out) {
		intercom_aec_free(a);
		return NULL;
	}
	int rate = INNER, on = 1;
	int noise = -18, echo = -50, doubletalk = -12; // dB
	speex_echo_ctl(a->echo, SPEEX_ECHO_SET_SAMPLING_RATE, &rate);
	speex_preprocess_ctl(a->pre, SPEEX_PREPROCESS_SET_ECHO_STATE, a->echo);
	speex_preprocess_ctl(a->pre, SPEEX_PREPROCESS_SET_DENOISE, &on);
	speex_preprocess_ctl(a->pre, SPEEX_PREPROCESS_SET_NOISE_SUPPRESS, &noise);
	speex_preprocess_ctl(a->pre, SPEEX_PREPROCESS_SET_ECHO_SUPPRESS, &echo);
	speex_preprocess_ctl(a->pre, SPEEX_PREPROCESS_SET_ECHO_SUPPRESS_ACTIVE, &doubletalk);
	return a;
}

void intercom_aec_free(intercom_aec *a) {
	if (!a)
		return;
	if (a->pre)
		speex_preprocess_state_destroy(a->pre);
	if (a->echo)
		speex_echo_state_destroy(a->echo);
	if (a->mic)
		speex_resampler_destroy(a->mic);
	if (a->speaker)
		speex_resampler_destroy(a->speaker);
	if (a->out)
		speex_resampler_destroy(a->out);
	free(a);
}

static void convert(SpeexResamplerState *r, const int16_t *in, spx_uint32_t n, int16_t *out, spx_uint32_t m) {
	spx_uint32_t made = m;
	speex_resampler_process_int(r, 0, in, &n, out, &made);
	for (; made < m; made++) // only if it should ever make less
		out[made] = 0;
}

void intercom_aec_mic(intercom_aec *a, const int16_t *in, int16_t *out) {
	convert(a->mic, in, OUTER / 50, out, PERIOD);
}

void intercom_aec_speaker(intercom_aec *a, const int16_t *in, int16_t *out) {
	convert(a->speaker, in, OUTER / 50, out, PERIOD);
}

void intercom_aec_cancel(intercom_aec *a, const int16_t *heard, const int16_t *played, int16_t *clean) {
	for (int i = 0; i < PERIOD; i += BLOCK) {
		speex_echo_cancellation(a->echo, heard + i, played + i, clean + i);
		speex_preprocess_run(a->pre, clean + i);
	}
}

void intercom_aec_out(intercom_aec *a, const int16_t *in, int16_t *out) {
	convert(a->out, in, PERIOD, out, OUTER / 50);
}

void intercom_aec_reset(intercom_aec *a) { speex_echo_state_reset(a->echo); }
