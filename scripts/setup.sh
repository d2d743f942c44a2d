#!/usr/bin/env bash
# Installs what a target of the Makefile needs and does not find: Debian packages, npm
# packages, the QuickBlox SDK. Says what it installs; when nothing is missing it prints
# nothing and costs a fraction of a second.
#
#   scripts/setup.sh build|demo|test|e2e|prompts|lab|lab-arm64|cross|cross-test
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:?usage: scripts/setup.sh build|demo|test|e2e|prompts|lab|lab-arm64|cross|cross-test}

build="gcc g++ libc6-dev pkgconf libvpx-dev libturbojpeg0-dev libwebrtc-audio-processing-dev"
compilers="gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf g++-arm-linux-gnueabihf libc6-dev-armhf-cross"
# $CHROMIUM is for systems without the package: Ubuntu's is a snap.
browser=chromium
[ ! -x "${CHROMIUM:-}" ] || browser=
test="libspeexdsp-dev $browser prosody coturn ffmpeg espeak-ng iproute2 util-linux"
case $what in
build) debian=$build ;;
demo) debian=$build ;;
prompts) debian="espeak-ng" ;;
test) debian="$build $test" ;;
e2e) debian="$build $test firefox-esr" ;;
# The headers' metapackage is what names the kernel that the lab boots: see lab/guest/build.sh.
lab) debian="$build $browser make qemu-system-x86 linux-headers-amd64 busybox-static cpio kmod xz-utils zstd alsa-utils v4l-utils iproute2" ;;
lab-arm64) debian="$build qemu-system-arm cpio kmod xz-utils binutils-aarch64-linux-gnu libc6-arm64-cross libgcc-s1-arm64-cross libstdc++6-arm64-cross" ;;
cross) debian="$build $compilers" ;;
cross-test) debian="$build $compilers qemu-user ffmpeg" ;;
*) echo "setup: unknown target $what" >&2; exit 2 ;;
esac

note() { printf 'setup: %s\n' "$*" >&2; }
die() { note "$*"; exit 1; }

needed=$(sed -n 's/^go //p' go.mod)
command -v go >/dev/null || die "Go is missing: install Go $needed or later and put it on the PATH"
# Since 1.21 it gets a later Go by itself, or says that it may not. Before, it does not understand go.mod.
has=$(go env GOVERSION) && has=${has##*go} || die "Go $needed or later is needed, and the one on the PATH does not work"
[ "$(printf '%s\n' 1.21 "${has%%[!0-9.]*}" | sort -V | head -n 1)" = 1.21 ] || die "Go $has is too old: install Go $needed or later and put it first on the PATH"
if [[ $what = @(demo|test|e2e|lab) ]]; then
	for tool in node npm; do
		command -v $tool >/dev/null || die "$tool is missing: install Node.js 20 or later with npm"
	done
fi

missing=()
if command -v dpkg-query >/dev/null; then
	for p in $debian; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
	done
else
	# Not Debian: the files say whether the packages are there under another name.
	command -v gcc >/dev/null || missing+=(gcc)
	command -v g++ >/dev/null || missing+=(g++)
	[ -e /usr/include/vpx/vpx_encoder.h ] || missing+=("libvpx-dev, with its static library libvpx.a")
	[ -e /usr/include/turbojpeg.h ] || missing+=("libturbojpeg0-dev, with its static library libturbojpeg.a")
	pkgconf --with-path="$PWD/capture/aec/pkgconfig" --exists webrtc-audio-processing-1 2>/dev/null ||
		missing+=("pkgconf, and webrtc-audio-processing 1.x, or 0.3 with its static library libwebrtc_audio_processing.a")
	if [ "$what" = prompts ]; then
		missing=()
		command -v espeak-ng >/dev/null || missing+=(espeak-ng)
	fi
	if [[ $what = @(test|e2e) ]]; then
		[ -e /usr/include/speex/speex_echo.h ] || missing+=("libspeexdsp-dev, with its static library libspeexdsp.a")
		for c in chromium prosody turnserver ffmpeg espeak-ng; do command -v $c >/dev/null || missing+=("$c"); done
	fi
	if [ "$what" = e2e ]; then
		command -v "${FIREFOX:-firefox-esr}" >/dev/null || missing+=("Firefox, as firefox-esr or named in \$FIREFOX")
	fi
	if [ "$what" = lab ] || [ "$what" = lab-arm64 ]; then
		die "the lab's guest is made of Debian's packages: it needs a Debian machine"
	fi
	if [ "$what" = cross ] || [ "$what" = cross-test ]; then
		for c in aarch64-linux-gnu-g++ arm-linux-gnueabihf-g++; do command -v $c >/dev/null || missing+=("$c"); done
	fi
	if [ "$what" = cross-test ]; then
		for c in qemu-aarch64 qemu-arm ffmpeg; do command -v $c >/dev/null || missing+=("$c"); done
	fi
fi
if [ ${#missing[@]} -gt 0 ]; then
	command -v apt-get >/dev/null || die "this is not Debian or Ubuntu; install these and try again: ${missing[*]}"
	as=()
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || die "run as root, or install sudo, or install these and try again: ${missing[*]}"
		as=(sudo)
	fi
	note "installing Debian packages: ${missing[*]}"
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	# A package's service is not started by its installation: the tests run their own.
	if ! "${as[@]}" sh -c '
		export DEBIAN_FRONTEND=noninteractive
		if [ ! -e /usr/sbin/policy-rc.d ]; then
			printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
			trap "rm -f /usr/sbin/policy-rc.d" EXIT
		fi
		apt-get update -q && apt-get install -qy --no-install-recommends "$@"' setup "${missing[@]}" >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		die "apt-get could not install: ${missing[*]}"
	fi
fi

if [[ $what = @(test|e2e|lab) ]] && ! cmp -s package-lock.json build/npm.installed; then
	note "installing npm packages: $(node -p 'Object.keys(require("./package.json").devDependencies).join(" ")')"
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	mkdir -p build
	cp package-lock.json build/npm.installed
fi
if [[ $what = @(demo|test|e2e|lab) ]]; then
	scripts/sdk.sh
fi

foreign="libvpx-dev libturbojpeg0-dev libwebrtc-audio-processing-dev"
# Libraries for another architecture go into a folder of their own: the machine keeps one.
# They are of this machine's release, and with what they need but the cross compiler has.
sysroot() { # sysroot DEBIAN'S NAME OF THE ARCHITECTURE
	local arch=$1 s=$PWD/build/sysroot/$1 p done
	done="$foreign, of $(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-}" || true)"
	[ "$(cat "$s/.done" 2>/dev/null)" != "$done" ] || return 0
	command -v apt-get >/dev/null || die "this is not Debian or Ubuntu; put headers and static libraries for $arch of $foreign into build/sysroot/$arch/usr, and this line into build/sysroot/$arch/.done: $done"
	note "fetching for $arch into build/sysroot/$arch: $foreign"
	rm -rf "$s"
	mkdir -p "$s/apt/lists/partial" "$s/apt/archives/partial"
	local apt=(-qq -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o Dir::State="$s/apt" -o Dir::State::lists="$s/apt/lists"
		-o Dir::Cache="$s/apt" -o Dir::State::status=/dev/null -o APT::Sandbox::User=root -o Acquire::Languages=none)
	apt-get "${apt[@]}" update || note "a list of packages could not be had; going on with the others"
	for p in $(apt-cache "${apt[@]}" depends --recurse --important $foreign | grep -E '^[a-z]' | grep -vE '^(libc6|libgcc-s1|libstdc\+\+6|gcc-[0-9]+-base)$' | sort -u); do
		(cd "$s" && apt-get "${apt[@]}" download "$p:$arch" && dpkg-deb -x "$p"_*_"$arch".deb .)
	done
	rm -rf "$s/apt" "$s"/*.deb
	echo "$done" >"$s/.done"
}
if [ "$what" = cross ] || [ "$what" = cross-test ]; then
	sysroot arm64
	sysroot armhf
fi
