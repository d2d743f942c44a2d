#!/usr/bin/env bash
# Makes what lab/vm boots, in a cache outside git, and prints its folder: vmlinux and
# initramfs.cpio.gz. What is there already is not made again: each stage is kept under
# the version of Debian's kernel and a hash of what it is made of.
#
#   lab/guest/build.sh            LAB_CACHE=FOLDER in place of build/lab
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${LAB_CACHE:-$root/build/lab}
mkdir -p "$cache"
exec 9>"$cache/build.lock"
flock -w 1200 9 || { echo "lab: another build of the guest does not end" >&2; exit 1; }

# The headers' metapackage names the kernel: no number of one is written down anywhere.
kernel=$({ dpkg-query -W -f '${Depends}' linux-headers-amd64 2>/dev/null || true; } | sed -n 's/^linux-headers-\([^ ]*\).*/\1/p')
[ -n "$kernel" ] || { echo "lab: the package linux-headers-amd64 is not installed: scripts/setup.sh lab" >&2; exit 1; }
version=$(dpkg-query -W -f '${Version}' "linux-headers-$kernel")

hash() { sha256sum | cut -c1-12; }
stage() { # NAME HASH COMMAND [ARGS...]: made once; the last argument is the folder
	local name=$1-$kernel-$2 old
	shift
	shift
	dir=$cache/$name
	[ -e "$dir" ] && return
	echo "lab: making $name" >&2
	"$@" "$dir" >&2
	for old in "$cache/${name%%-*}"-*; do
		[ "$old" = "$dir" ] || rm -rf "$old"
	done
}
guest() { # FOLDER
	local work
	work=$(mktemp -d "$1.XXXXXX")
	(cd "$root" && CGO_ENABLED=0 GOARCH=amd64 go build -trimpath -ldflags '-s -w' -o "$work/agent" ./lab/vm/agent)
	bash "$here/initramfs.sh" "$kernel" "$fetched" "$modules" "$work/agent" "$work/initramfs.cpio.gz"
	ln "$fetched/vmlinux" "$work/vmlinux"
	rm "$work/agent"
	chmod 755 "$work"
	mv "$work" "$1"
}

stage kernel "$(cat "$here/fetch.sh" <(echo "$version") | hash)" bash "$here/fetch.sh" "$kernel" "$version"
fetched=$dir
# By the names of the folders, not their paths: a cache may be moved.
stage modules "$(cat "$here"/{modules.sh,Kbuild} <(basename "$fetched") | hash)" bash "$here/modules.sh" "$kernel" "$fetched"
modules=$dir
tools=$(dpkg-query -W busybox-static alsa-utils v4l-utils iproute2 'libasound2*' 'libwebrtc-audio-processing*' libc6)
stage guest "$(cd "$root" && { cat lab/guest/{initramfs.sh,init,panel.sh,asound.conf,build.sh} lab/vm/agent/*.go lab/vm/wire/*.go internal/uinput/*.go internal/uapi/*.go
	echo "$(basename "$modules") $tools"; } | hash)" guest
ln -sfn "$(basename "$dir")" "$cache/guest"
echo "$dir"
