################################################################################
#
# webrtc-audio-processing0
#
################################################################################

# Buildroot's own package is 1.x, which costs half as much time again, and is worse
# for a visitor who talks while a resident does: docs/sound.md. This is the one that
# Debian 12 has. Neither the headers nor the library have a name in common with
# the other; where 1.x is selected for something else, intercom uses that.
WEBRTC_AUDIO_PROCESSING0_VERSION = 0.3.1
WEBRTC_AUDIO_PROCESSING0_SOURCE = webrtc-audio-processing-$(WEBRTC_AUDIO_PROCESSING0_VERSION).tar.xz
WEBRTC_AUDIO_PROCESSING0_SITE = https://freedesktop.org/software/pulseaudio/webrtc-audio-processing
WEBRTC_AUDIO_PROCESSING0_INSTALL_STAGING = YES
WEBRTC_AUDIO_PROCESSING0_INSTALL_TARGET = NO # intercom links the static library
WEBRTC_AUDIO_PROCESSING0_LICENSE = BSD-3-Clause
WEBRTC_AUDIO_PROCESSING0_LICENSE_FILES = COPYING
WEBRTC_AUDIO_PROCESSING0_DEPENDENCIES = host-pkgconf

$(eval $(autotools-package))
