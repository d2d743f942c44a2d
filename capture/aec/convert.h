#ifndef INTERCOM_CONVERT_H
#define INTERCOM_CONVERT_H

#include <stdint.h>

// Conversions between a device at 48 kHz and a canceller at 16 kHz, in periods of 20 ms.
typedef struct intercom_converter intercom_converter;

// intercom_converter_new returns NULL without memory.
intercom_converter *intercom_converter_new(void);
void intercom_converter_free(intercom_converter *);

// intercom_converter_mic and intercom_converter_speaker convert a period to 16 kHz,
// intercom_converter_out to 48 kHz.
void intercom_converter_mic(intercom_converter *, const int16_t *in, int16_t *out);
void intercom_converter_speaker(intercom_converter *, const int16_t *in, int16_t *out);
void intercom_converter_out(intercom_converter *, const int16_t *in, int16_t *out);

#endif
