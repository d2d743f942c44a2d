#ifndef INTERCOM_SPEEX_H
#define INTERCOM_SPEEX_H

#include <stdint.h>

// speexdsp's canceller of echo at 16 kHz, in periods of 20 ms.
typedef struct intercom_speex intercom_speex;

// intercom_speex_new returns NULL without memory. tail is how long the echo of one sample may
// last, in samples.
intercom_speex *intercom_speex_new(int tail);
void intercom_speex_free(intercom_speex *);

// intercom_speex_cancel takes the echo of played out of heard, which may be clean, and
// reduces noise.
void intercom_speex_cancel(intercom_speex *, const int16_t *heard, const int16_t *played, int16_t *clean);

#endif
