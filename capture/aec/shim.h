#ifndef INTERCOM_AEC_H
#define INTERCOM_AEC_H

#include <stdint.h>

// A canceller of echo at 16 kHz for a device at 48 kHz, in periods of 20 ms.
typedef struct intercom_aec intercom_aec;

// intercom_aec_new returns NULL without memory. tail is how long the echo of one sample may
// last, in samples at 16 kHz.
intercom_aec *intercom_aec_new(int tail);
void intercom_aec_free(intercom_aec *);

// intercom_aec_mic and intercom_aec_speaker convert a period to 16 kHz, intercom_aec_out to
// 48 kHz.
void intercom_aec_mic(intercom_aec *, const int16_t *in, int16_t *out);
void intercom_aec_speaker(intercom_aec *, const int16_t *in, int16_t *out);
void intercom_aec_out(intercom_aec *, const int16_t *in, int16_t *out);

// intercom_aec_cancel takes the echo of played out of heard, which may be clean, and reduces
// noise.
void intercom_aec_cancel(intercom_aec *, const int16_t *heard, const int16_t *played, int16_t *clean);

// intercom_aec_reset forgets the room.
void intercom_aec_reset(intercom_aec *);

#endif
