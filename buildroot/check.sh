#!/usr/bin/env bash
# Checks this external tree against a Buildroot source tree, without the network and
# without building anything:
#
#   buildroot/check.sh /path/to/buildroot
#
# Each configuration is loaded; each of its lines must be in the result (Kconfig drops a
# symbol whose dependencies are not met, and says nothing); it must be in the form that
# savedefconfig writes; the package's makefile must parse, and build what it should. The
# build order shows cycles and dependencies that do not exist.
set -euo pipefail
if [ -z "${1:-}" ]; then
	cat >&2 <<-'END'
	image-check: needs a Buildroot source tree, 2026.08 or later, from https://buildroot.org/download.html:
	  make image-check BUILDROOT=/path/to/buildroot
	Nothing of it belongs into this repository.
	END
	exit 2
fi
buildroot=$(cd "$1" && pwd)
tree=$(cd "$(dirname "$0")" && pwd)
if [ ! -f "$buildroot/Makefile" ] || [ ! -d "$buildroot/support/kconfig" ]; then
	echo "image-check: $buildroot is not a Buildroot source tree" >&2
	exit 2
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
bad=0
fail() { echo "image-check: $*" >&2; bad=1; }
br() { make --no-print-directory -s -C "$buildroot" BR2_EXTERNAL="$tree" O="$out/$name" "$@" 2>"$out/errors" || { fail "$name: make $1: $(tail -n 3 "$out/errors")"; return 1; }; }

for file in "$tree"/configs/*_defconfig; do
	name=$(basename "$file" _defconfig)
	start=$SECONDS
	br "${name}_defconfig" >/dev/null || continue
	while read -r line; do
		grep -qxF -- "$line" "$out/$name/.config" || fail "$name: lost: $line"
	done < <(grep -E '^(BR2_[A-Za-z0-9_]+=|# BR2)' "$file")
	br savedefconfig BR2_DEFCONFIG="$out/saved" >/dev/null || continue
	diff -u "$file" "$out/saved" >&2 || fail "$name: not in the form of savedefconfig, see above"
	vars=$(br printvars VARS='INTERCOM_BUILD_TARGETS INTERCOM_DEPENDENCIES INTERCOM_SITE_METHOD INTERCOM_INSTALL_BINS') || continue
	for want in 'INTERCOM_BUILD_TARGETS=cmd/intercom' 'INTERCOM_INSTALL_BINS=intercom' 'INTERCOM_SITE_METHOD=local'; do
		grep -qxF "$want" <<<"$vars" || fail "$name: want $want, got: $vars"
	done
	order=$(br show-build-order | tr -s ' ' '\n') || continue
	for p in host-go-bin libvpx webrtc-audio-processing0 alsa-lib systemd intercom; do
		grep -qx "$p" <<<"$order" || fail "$name: $p is not built"
	done
	br show-info >"$out/info" || continue
	grep -q '"intercom"' "$out/info" || fail "$name: show-info does not know the package"
	echo "$name: $(wc -l <<<"$order") packages, $((SECONDS - start)) s"
done
# What the kernel command line and the units promise each other is checked by go test.
if /usr/bin/python3 -c 'import magic, flake8' 2>/dev/null && command -v shellcheck >/dev/null; then
	(cd "$tree" && find . -type f -print0 | xargs -0 /usr/bin/python3 "$buildroot/utils/check-package" -b) >&2 || fail "check-package: see above"
else
	echo "image-check: the style was not checked: that takes python3-magic, python3-flake8 and shellcheck" >&2
fi
[ $bad = 0 ] && echo "image-check: ok"
exit $bad
