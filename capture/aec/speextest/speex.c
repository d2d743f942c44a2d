//go:build bench

#include "speex.h"

#include <speex/speex_echo.h>
#include <speex/speex_preprocess.h>
#include <stdlib.h>

// BLOCK is what is learned from at once: half a period, which learns twice as fast.
enum { RATE = 16000, PERIOD = RATE / 50, BLOCK = PERIOD / 2 };

struct intercom_speex {
	SpeexEchoState *echo;
	SpeexPreprocessState *pre;
};

intercom_speex *intercom_speex_new(int tail) {
	intercom_speex *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->echo = speex_echo_state_init(BLOCK, tail);
	s->pre = speex_preprocess_state_init(BLOCK, RATE);
	if (!s->echo || !s->pre) {
		intercom_speex_free(s);
		return NULL;
	}
	int rate = RATE, on = 1;
	int noise = -18, echo = -50, doubletalk = -12; // dB
	speex_echo_ctl(s->echo, SPEEX_ECHO_SET_SAMPLING_RATE, &rate);
	speex_preprocess_ctl(s->pre, SPEEX_PREPROCESS_SET_ECHO_STATE, s->echo);
	speex_preprocess_ctl(s->pre, SPEEX_PREPROCESS_SET_DENOISE, &on);
	speex_preprocess_ctl(s->pre, SPEEX_PREPROCESS_SET_NOISE_SUPPRESS, &noise);
	speex_preprocess_ctl(s->pre, SPEEX_PREPROCESS_SET_ECHO_SUPPRESS, &echo);
	speex_preprocess_ctl(s->pre, SPEEX_PREPROCESS_SET_ECHO_SUPPRESS_ACTIVE, &doubletalk);
	return s;
}

void intercom_speex_free(intercom_speex *s) {
	if (!s)
		return;
	if (s->pre)
		speex_preprocess_state_destroy(s->pre);
	if (s->echo)
		speex_echo_state_destroy(s->echo);
	free(s);
}

void intercom_speex_cancel(intercom_speex *s, const int16_t *heard, const int16_t *played, int16_t *clean) {
	for (int i = 0; i < PERIOD; i += BLOCK) {
		speex_echo_cancellation(s->echo, heard + i, played + i, clean + i);
		speex_preprocess_run(s->pre, clean + i);
	}
}
