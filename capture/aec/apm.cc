#include "apm.h"

#include <new>

// The library has two generations. The headers that there are tell which one pkg-config found.
#if __has_include(<modules/audio_processing/include/audio_processing.h>)
#define INTERCOM_APM1 // 1.x
#include <modules/audio_processing/include/audio_processing.h>
#else // 0.3
#include <memory>
#include <string.h>
#include <webrtc/modules/audio_processing/include/audio_processing.h>
#include <webrtc/modules/interface/module_common_types.h>
#endif

namespace {
// The library takes 10 ms at a time.
constexpr int kRate = 16000, kBlock = kRate / 100, kPeriod = kRate / 50;
}  // namespace

#ifdef INTERCOM_APM1

struct intercom_apm {
	static constexpr int generation = 1;
	rtc::scoped_refptr<webrtc::AudioProcessing> apm;
	const webrtc::StreamConfig stream{kRate, 1};
	int16_t unused[kBlock]; // what was played, as the library would have it played

	bool open() {
		// It finds out itself how late the echo is, up to half a second.
		apm = rtc::scoped_refptr<webrtc::AudioProcessing>(webrtc::AudioProcessingBuilder().Create());
		if (!apm)
			return false;
		webrtc::AudioProcessing::Config config;
		config.high_pass_filter.enabled = true;
		config.echo_canceller.enabled = true;
		config.noise_suppression.enabled = true;
		config.noise_suppression.level = webrtc::AudioProcessing::Config::NoiseSuppression::kModerate;
		config.residual_echo_detector.enabled = false;
		apm->ApplyConfig(config);
		return apm->Initialize({{stream, stream, stream, stream}}) == 0;
	}
	void play(const int16_t *played) { apm->ProcessReverseStream(played, stream, stream, unused); }
	void clean(const int16_t *heard, int16_t *clean) { apm->ProcessStream(heard, stream, stream, clean); }
};

#else

struct intercom_apm {
	static constexpr int generation = 0;
	static constexpr size_t size = kBlock * sizeof(int16_t);
	std::unique_ptr<webrtc::AudioProcessing> apm;
	webrtc::AudioFrame frame;

	bool open() {
		// The extended filter learns 128 ms of echo, and stands two clocks. How late the echo is
		// we tell it ourselves, by when it is given what was played: its own estimate finds less.
		webrtc::Config config;
		config.Set<webrtc::ExtendedFilter>(new webrtc::ExtendedFilter(true));
		config.Set<webrtc::DelayAgnostic>(new webrtc::DelayAgnostic(false));
		apm.reset(webrtc::AudioProcessing::Create(config));
		if (!apm)
			return false;
		frame.sample_rate_hz_ = kRate;
		frame.num_channels_ = 1;
		frame.samples_per_channel_ = kBlock;
		const webrtc::StreamConfig stream(kRate, 1);
		const webrtc::ProcessingConfig streams = {{stream, stream, stream, stream}};
		webrtc::EchoCancellation *echo = apm->echo_cancellation();
		webrtc::NoiseSuppression *noise = apm->noise_suppression();
		return !(apm->Initialize(streams) || apm->high_pass_filter()->Enable(true) || echo->enable_drift_compensation(false) ||
			 echo->set_suppression_level(webrtc::EchoCancellation::kModerateSuppression) || echo->Enable(true) ||
			 noise->set_level(webrtc::NoiseSuppression::kModerate) || noise->Enable(true));
	}
	void play(const int16_t *played) {
		memcpy(frame.data_, played, size);
		apm->AnalyzeReverseStream(&frame);
	}
	void clean(const int16_t *heard, int16_t *clean) {
		memcpy(frame.data_, heard, size);
		apm->ProcessStream(&frame);
		memcpy(clean, frame.data_, size);
	}
};

#endif

extern "C" int intercom_apm_generation(void) { return intercom_apm::generation; }

extern "C" intercom_apm *intercom_apm_new(void) {
	intercom_apm *a = new (std::nothrow) intercom_apm;
	if (a && !a->open()) {
		delete a;
		return nullptr;
	}
	return a;
}

extern "C" void intercom_apm_free(intercom_apm *a) { delete a; }

extern "C" void intercom_apm_cancel(intercom_apm *a, const int16_t *heard, const int16_t *played, int16_t *clean) {
	for (int i = 0; i < kPeriod; i += kBlock) {
		a->play(played + i);
		a->apm->set_stream_delay_ms(0);
		a->clean(heard + i, clean + i);
	}
}
