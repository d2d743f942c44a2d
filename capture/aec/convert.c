#include "convert.h"

#include <speex/speex_resampler.h>
#include <stdlib.h>

enum { OUTER = 48000, INNER = 16000 };

// Of 0 to 10: 60 dB of what folds back, 1.3 ms of delay each way.
enum { RESAMPLER_QUALITY = 4 };

struct intercom_converter {
	SpeexResamplerState *mic, *speaker, *out;
};

intercom_converter *intercom_converter_new(void) {
	intercom_converter *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->mic = speex_resampler_init(1, OUTER, INNER, RESAMPLER_QUALITY, NULL);
	c->speaker = speex_resampler_init(1, OUTER, INNER, RESAMPLER_QUALITY, NULL);
	c->out = speex_resampler_init(1, INNER, OUTER, RESAMPLER_QUALITY, NULL);
	if (!c->mic || !c->speaker || !c->out) {
		intercom_converter_free(c);
		return NULL;
	}
	return c;
}

void intercom_converter_free(intercom_converter *c) {
	if (!c)
		return;
	if (c->mic)
		speex_resampler_destroy(c->mic);
	if (c->speaker)
		speex_resampler_destroy(c->speaker);
	if (c->out)
		speex_resampler_destroy(c->out);
	free(c);
}

static void convert(SpeexResamplerState *r, const int16_t *in, spx_uint32_t n, int16_t *out, spx_uint32_t m) {
	spx_uint32_t made = m;
	speex_resampler_process_int(r, 0, in, &n, out, &made);
	for (; made < m; made++) // only if it should ever make less
		out[made] = 0;
}

void intercom_converter_mic(intercom_converter *c, const int16_t *in, int16_t *out) {
	convert(c->mic, in, OUTER / 50, out, INNER / 50);
}

void intercom_converter_speaker(intercom_converter *c, const int16_t *in, int16_t *out) {
	convert(c->speaker, in, OUTER / 50, out, INNER / 50);
}

void intercom_converter_out(intercom_converter *c, const int16_t *in, int16_t *out) {
	convert(c->out, in, INNER / 50, out, OUTER / 50);
}
