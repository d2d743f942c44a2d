################################################################################
#
# intercom
#
################################################################################

INTERCOM_VERSION = local
INTERCOM_SITE = $(BR2_EXTERNAL_INTERCOM_PATH)/..
INTERCOM_SITE_METHOD = local
INTERCOM_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude=/build --exclude=/node_modules --exclude=/lab/out
INTERCOM_LICENSE = Apache-2.0
INTERCOM_LICENSE_FILES = LICENSE
INTERCOM_DEPENDENCIES = host-pkgconf jpeg libvpx
INTERCOM_DEPENDENCIES += $(if $(BR2_PACKAGE_WEBRTC_AUDIO_PROCESSING),webrtc-audio-processing,webrtc-audio-processing0)
INTERCOM_GOMOD = intercom
INTERCOM_BUILD_TARGETS = cmd/intercom
INTERCOM_LDFLAGS = -s -w

# A local source is copied as it is, and Buildroot builds with -mod=vendor: the
# modules of go.sum are fetched here, unless a vendor folder has them already.
define INTERCOM_VENDOR
	cd $(@D) && if [ ! -d vendor ]; then \
		$(HOST_GO_TARGET_ENV) GOFLAGS=-modcacherw GOPROXY=direct \
			$(GO_BIN) mod vendor; \
	fi
endef
INTERCOM_PRE_BUILD_HOOKS += INTERCOM_VENDOR

# What says that webrtc-audio-processing 0.3 will do: pkg-config looks for 1.x first.
INTERCOM_GO_ENV = PKG_CONFIG_PATH=$(@D)/capture/aec/pkgconfig

define INTERCOM_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/systemd/intercom.service \
		$(TARGET_DIR)/usr/lib/systemd/system/intercom.service
	$(INSTALL) -D -m 0644 $(@D)/systemd/intercom-guard@.service \
		$(TARGET_DIR)/usr/lib/systemd/system/intercom-guard@.service
	$(INSTALL) -D -m 0644 $(@D)/systemd/intercom-watchdog.conf \
		$(TARGET_DIR)/usr/lib/systemd/system.conf.d/intercom-watchdog.conf
	$(INSTALL) -D -m 0644 $(@D)/systemd/60-intercom.rules \
		$(TARGET_DIR)/usr/lib/udev/rules.d/60-intercom.rules
endef

define INTERCOM_INSTALL_CONFIGURATION
	$(INSTALL) -D -m 0640 $(@D)/cmd/intercom/intercom.toml \
		$(TARGET_DIR)/etc/intercom/intercom.toml
endef
INTERCOM_POST_INSTALL_TARGET_HOOKS += INTERCOM_INSTALL_CONFIGURATION

# The sentences take espeak-ng, which Buildroot has for the target alone: `make prompts`
# in this source tree makes them before.
define INTERCOM_INSTALL_PROMPTS
	cd $(INTERCOM_SITE)/build/prompts 2>/dev/null || { \
		echo "intercom: no spoken prompts: run make prompts in the source tree" >&2; \
		exit 0; \
	} && find . -name '*.wav' -exec $(INSTALL) -D -m 0644 {} \
		$(TARGET_DIR)/usr/share/intercom/prompts/{} \;
endef
INTERCOM_POST_INSTALL_TARGET_HOOKS += INTERCOM_INSTALL_PROMPTS

define INTERCOM_USERS
	intercom -1 intercom -1 * /var/lib/intercom - audio,gpio,input,video Video door station
endef

define INTERCOM_PERMISSIONS
	/etc/intercom d 750 root intercom - - - - -
	/etc/intercom/intercom.toml f 640 root intercom - - - - -
endef

# Devices, and what the sandbox of the services is made of.
define INTERCOM_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_GPIOLIB)
	$(call KCONFIG_ENABLE_OPT,CONFIG_GPIO_CDEV)
	$(call KCONFIG_ENABLE_OPT,CONFIG_MEDIA_SUPPORT)
	$(call KCONFIG_ENABLE_OPT,CONFIG_MEDIA_CAMERA_SUPPORT)
	$(call KCONFIG_ENABLE_OPT,CONFIG_MEDIA_USB_SUPPORT)
	$(call KCONFIG_ENABLE_OPT,CONFIG_USB_VIDEO_CLASS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_SOUND)
	$(call KCONFIG_ENABLE_OPT,CONFIG_SND)
	$(call KCONFIG_ENABLE_OPT,CONFIG_SND_USB)
	$(call KCONFIG_ENABLE_OPT,CONFIG_SND_USB_AUDIO)
	$(call KCONFIG_ENABLE_OPT,CONFIG_NAMESPACES)
	$(call KCONFIG_ENABLE_OPT,CONFIG_USER_NS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_NET_NS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_IPC_NS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_CGROUP_BPF)
	$(call KCONFIG_ENABLE_OPT,CONFIG_SECCOMP)
	$(call KCONFIG_ENABLE_OPT,CONFIG_SECCOMP_FILTER)
endef

$(eval $(golang-package))
