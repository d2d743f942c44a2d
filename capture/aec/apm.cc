#include "apm.h"

#include <memory>
#include <new>
#include <string.h>

#include <webrtc/modules/audio_processing/include/audio_processing.h>
#include <webrtc/modules/interface/module_common_types.h>

namespace {
// The library takes 10 ms at a time.
constexpr int kRate = 16000, kBlock = kRate / 100, kPeriod = kRate / 50;
}  // namespace

struct intercom_apm {
	std::unique_ptr<webrtc::AudioProcessing> apm;
	webrtc::AudioFrame frame;
};

extern "C" intercom_apm *intercom_apm_new(void) {
	std::unique_ptr<intercom_apm> a(new (std::nothrow) intercom_apm);
	if (!a)
		return nullptr;
	// The extended filter learns 128 ms of echo, and stands two clocks. How late the echo is
	// we tell it ourselves, by when it is given what was played: its own estimate finds less.
	webrtc::Config config;
	config.Set<webrtc::ExtendedFilter>(new webrtc::ExtendedFilter(true));
	config.Set<webrtc::DelayAgnostic>(new webrtc::DelayAgnostic(false));
	a->apm.reset(webrtc::AudioProcessing::Create(config));
	if (!a->apm)
		return nullptr;
	const webrtc::StreamConfig stream(kRate, 1);
	const webrtc::ProcessingConfig streams = {{stream, stream, stream, stream}};
	webrtc::EchoCancellation *echo = a->apm->echo_cancellation();
	webrtc::NoiseSuppression *noise = a->apm->noise_suppression();
	if (a->apm->Initialize(streams) || a->apm->high_pass_filter()->Enable(true) || echo->enable_drift_compensation(false) ||
	    echo->set_suppression_level(webrtc::EchoCancellation::kModerateSuppression) || echo->Enable(true) ||
	    noise->set_level(webrtc::NoiseSuppression::kModerate) || noise->Enable(true))
		return nullptr;
	a->frame.sample_rate_hz_ = kRate;
	a->frame.num_channels_ = 1;
	a->frame.samples_per_channel_ = kBlock;
	return a.release();
}

extern "C" void intercom_apm_free(intercom_apm *a) { delete a; }

extern "C" void intercom_apm_cancel(intercom_apm *a, const int16_t *heard, const int16_t *played, int16_t *clean) {
	constexpr size_t size = kBlock * sizeof(int16_t);
	for (int i = 0; i < kPeriod; i += kBlock) {
		memcpy(a->frame.data_, played + i, size);
		a->apm->AnalyzeReverseStream(&a->frame);
		a->apm->set_stream_delay_ms(0);
		memcpy(a->frame.data_, heard + i, size);
		a->apm->ProcessStream(&a->frame);
		memcpy(clean + i, a->frame.data_, size);
	}
}
