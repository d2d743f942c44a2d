#ifndef INTERCOM_APM_H
#define INTERCOM_APM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// WebRTC's canceller of echo at 16 kHz, in periods of 20 ms.
typedef struct intercom_apm intercom_apm;

// intercom_apm_generation is the library's: 0 is 0.3, which must be told how late the echo
// is; 1 is 1.x, which finds it.
int intercom_apm_generation(void);

// intercom_apm_new returns NULL when the library cannot do what is asked for.
intercom_apm *intercom_apm_new(void);
void intercom_apm_free(intercom_apm *);

// intercom_apm_cancel takes the echo of played out of heard, which may be clean, and reduces
// noise. What was played must come 10 ms earlier at least.
void intercom_apm_cancel(intercom_apm *, const int16_t *heard, const int16_t *played, int16_t *clean);

#ifdef __cplusplus
}
#endif

#endif
