#!/usr/bin/env bash
# Makes the guest for arm64, in build/lab/arm64: Debian's kernel and a root file system
# that runs what we cross-build. It has no modules of ours and no tools but busybox's: it
# is for scenarios without devices, on QEMU's machine "virt", and for the GPIO chip of
# QEMU's Raspberry Pi 3. The C library is the cross compiler's. Debian's packages are
# fetched into a folder of their own: this machine keeps its one architecture.
#
#   lab/guest/arm64.sh            LAB_CACHE=FOLDER in place of build/lab
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${LAB_CACHE:-$root/build/lab}
libraries=/usr/aarch64-linux-gnu/lib
mkdir -p "$cache"
exec 9>"$cache/build.lock"
flock -w 1200 9 || { echo "lab: another build of the guest does not end" >&2; exit 1; }

made=$(cd "$root" && { cat lab/guest/{arm64.sh,init} lab/vm/agent/*.go lab/vm/wire/*.go; dpkg-query -W libc6-arm64-cross; cat build/sysroot/arm64/.done 2>/dev/null || true; } | sha256sum | cut -c1-12)
out=$cache/arm64-$made
if [ ! -e "$out" ]; then
	echo "lab: making $(basename "$out")" >&2
	w=$(mktemp -d "$out.XXXXXX")
	trap 'rm -rf "$w"' EXIT
	mkdir -p "$w"/apt/{lists/partial,archives/partial}
	options=(-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$w/apt" -o Dir::State::lists="$w/apt/lists"
		-o Dir::Cache="$w/apt" -o Dir::State::status=/dev/null -o APT::Sandbox::User=root -o Acquire::Languages=none)
	missing() { echo "lab: $1 for arm64 cannot be downloaded: see what apt-get says above" >&2; exit 1; }
	apt-get -qq "${options[@]}" update || missing "Debian's lists of packages"
	package=$(apt-cache "${options[@]}" depends linux-image-arm64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
	kernel=${package#linux-image-}
	(cd "$w" && apt-get -qq "${options[@]}" download "$package" busybox-static) || missing "$package and busybox-static"
	for p in "$w"/*.deb; do dpkg-deb -x "$p" "$w/x"; done
	[ -e "$w/x/lib" ] || ln -s usr/lib "$w/x/lib"
	find "$w/x/lib/modules/" -name '*.ko.xz' -exec xz -d {} +
	depmod -b "$w/x" "$kernel"

	d=$w/root
	mkdir -p "$d"/{bin,dev,proc,sys,tmp,run,etc,root,lib,usr,"lib/modules/$kernel"}
	ln -s bin "$d/sbin"
	ln -s ../bin "$d/usr/bin"
	install -m 755 "$here/init" "$d/init"
	cp "$w"/x/{bin,usr/bin}/busybox "$d/bin" 2>/dev/null || [ -x "$d/bin/busybox" ]
	(cd "$root" && CGO_ENABLED=0 GOARCH=arm64 go build -trimpath -ldflags '-s -w' -o "$d/bin/agent" ./lab/vm/agent)
	for m in virtio_pci virtio_net virtio_rng af_packet configfs i6300esb dwc2 phy-generic cdc_ether; do
		modprobe -d "$w/x" -S "$kernel" --show-depends "$m"
	done | awk '$1 == "insmod" { print $2 }' | sort -u | while read -r f; do
		aarch64-linux-gnu-strip --strip-debug -o "$d/lib/modules/$kernel/$(basename "$f")" "$f"
	done
	cp "$w/x/lib/modules/$kernel"/modules.{order,builtin,builtin.modinfo} "$d/lib/modules/$kernel"
	depmod -b "$d" "$kernel"
	cp -L "$libraries"/{ld-linux-aarch64.so.1,libc.so.6,libm.so.6,libpthread.so.0,libdl.so.2,librt.so.1,libgcc_s.so.1,libstdc++.so.6} "$d/lib"
	# What the intercom links where there is no static library: webrtc-audio-processing 1.x.
	for f in "$root"/build/sysroot/arm64/usr/lib/aarch64-linux-gnu/libwebrtc-audio-processing-*.so.*; do
		[ -e "$f" ] || continue
		cp -L "$f" "$(dirname "$f")"/libabsl_{bad_optional_access,string_view,throw_delegate}.so.* "$d/lib"
	done
	echo 'root:x:0:0::/root:/bin/sh' >"$d/etc/passwd"
	echo 'root:x:0:' >"$d/etc/group"
	printf '127.0.0.1 localhost door chat.localhost\n10.0.2.2 host\n' >"$d/etc/hosts"
	mkdir "$w/out"
	(cd "$d" && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1 >"$w/out/initramfs.cpio.gz"
	cp "$w/x/boot/vmlinuz-$kernel" "$w/out/vmlinuz"
	cp "$w/x/usr/lib/linux-image-$kernel/broadcom/bcm2837-rpi-3-b.dtb" "$w/out"
	rm -rf "$cache"/arm64-????????????
	mv "$w/out" "$out"
fi
ln -sfn "$(basename "$out")" "$cache/arm64"
echo "$out"
