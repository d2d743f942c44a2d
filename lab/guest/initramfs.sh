#!/usr/bin/env bash
# Makes the root file system of the lab's machine: modules, tools of this machine's
# packages with their libraries, the C library the intercom needs, and the agent.
#
#   lab/guest/initramfs.sh KERNEL FETCHED MODULES AGENT OUT.cpio.gz
set -euo pipefail
kernel=$1 fetched=$2 built=$3 agent=$4 out=$5
here=$(cd "$(dirname "$0")" && pwd)

d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
mkdir -p "$d"/{bin,dev,proc,sys,tmp,run,etc/alsa,root,lib64,usr/share,"lib/modules/$kernel"}
ln -s bin "$d/sbin"
ln -s ../bin "$d/usr/bin"
ln -s ../bin "$d/usr/sbin"
ln -s ../lib "$d/usr/lib"
install -m 755 "$here/init" "$d/init"
install -m 644 "$here/panel.sh" "$here/asound.conf" "$d/etc"
cp /bin/busybox "$d/bin"
install -m 755 "$agent" "$d/bin/agent"

modules="virtio_pci virtio_net virtio_rng af_packet configfs i6300esb bochs vivid snd-aloop snd-dummy
	sch_netem sch_tbf sch_ingress cls_matchall act_mirred ifb uinput evdev usbhid"
for m in $modules; do
	modprobe -d "$fetched" -S "$kernel" --show-depends "$m"
done | awk '$1 == "insmod" { print $2 }' | sort -u >"$d/tmp/needed"
# What the modules built here need, in turn.
for m in $(cat "$built"/*.ko | strings | sed -n 's/^depends=//p' | tr , ' '); do
	[ -e "$built/$m.ko" ] && continue
	modprobe -d "$fetched" -S "$kernel" --show-depends "$m"
done | awk '$1 == "insmod" { print $2 }' | sort -u >>"$d/tmp/needed"
for f in $(sort -u "$d/tmp/needed") "$built"/*.ko; do
	strip --strip-debug -o "$d/lib/modules/$kernel/$(basename "$f")" "$f"
done
rm "$d/tmp/needed"
cp "$fetched/lib/modules/$kernel"/modules.{order,builtin,builtin.modinfo} "$d/lib/modules/$kernel"
depmod -b "$d" "$kernel"

libraries() { # the libraries of a program, flat in /lib
	local so
	for so in $(ldd "$1" | grep -o '/[^ ]*'); do
		case $so in
		*/ld-linux*) cp -Lu "$so" "$d/lib64" ;;
		*) cp -Lu "$so" "$d/lib" ;;
		esac
	done
}
for p in aplay arecord amixer v4l2-ctl tc; do
	f=$(PATH=$PATH:/sbin:/usr/sbin command -v $p)
	cp -L "$f" "$d/bin/$p"
	libraries "$f"
done
# libasound is opened at run time, not linked.
for so in libasound.so.2 libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 libgcc_s.so.1 libstdc++.so.6; do
	f=$(ldconfig -p | awk -v so=$so '$1 == so && !n++ { print $NF }')
	cp -Lu "$f" "$d/lib"
	libraries "$f"
done
# What the intercom links where there is no static library: webrtc-audio-processing 1.x.
for f in $(ldconfig -p | awk '/libwebrtc-audio-processing-[0-9]+\.so\./ { print $NF }'); do
	cp -Lu "$f" "$d/lib"
	libraries "$f"
done
cp -rL /usr/share/alsa "$d/usr/share"
cp -rL /etc/alsa/. "$d/etc/alsa" 2>/dev/null || true
echo 'root:x:0:0::/root:/bin/sh' >"$d/etc/passwd"
printf 'root:x:0:\naudio:x:29:\nvideo:x:44:\n' >"$d/etc/group"
printf '127.0.0.1 localhost door chat.localhost\n10.0.2.2 host\n' >"$d/etc/hosts"
(cd "$d" && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1 >"$out"
