#!/usr/bin/env bash
# Fetches what the lab's machine boots: Debian's kernel package, and from Debian's packages
# of the same version the sources of the modules that the kernel package lacks. All of it
# stays in the folder it is told.
#
#   lab/guest/fetch.sh KERNEL VERSION FOLDER      6.1.0-56-amd64 6.1.192-2 build/lab/kernel-...
set -euo pipefail
kernel=$1 version=$2 out=$3
series=${kernel%%-*}
series=${series%.*} # 6.1

work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
get() { # PACKAGE[=VERSION]
	apt-get -q -o APT::Sandbox::User=root download "$1" >apt.log 2>&1 || {
		tail -n 5 apt.log >&2
		echo "lab: $1 cannot be downloaded; old versions leave the archive: apt-get update && apt-get install linux-headers-amd64 gets the one it has now" >&2
		exit 1
	}
}
get "linux-image-$kernel=$version"
dpkg-deb -x linux-image-*.deb image
mkdir sources
get "linux-source-$series=$version"
p=linux-source-$series
dpkg-deb --fsys-tarfile linux-source-*.deb | tar -xO "./usr/src/$p.tar.xz" |
	tar -xJ -C sources --strip-components=1 \
		"$p/drivers/gpio/gpio-sim.c" "$p/drivers/gpio/gpiolib.h" "$p/kernel/irq/irq_sim.c" \
		"$p/drivers/media/test-drivers/vicodec" "$p/drivers/media/v4l2-core/v4l2-mem2mem.c" \
		"$p/scripts/extract-vmlinux"
get v4l2loopback-dkms
dpkg-deb -x v4l2loopback-dkms*.deb loopback
mv loopback/usr/src/v4l2loopback-* sources/v4l2loopback

# QEMU boots the ELF file directly (PVH): the guest would unpack vmlinuz for three seconds.
bash sources/scripts/extract-vmlinux "image/boot/vmlinuz-$kernel" >vmlinux
# Debian 13 has the modules below /usr, and compressed.
mkdir lib
mv "$(find image -type d -path '*/lib/modules')" lib
find lib -name '*.ko.xz' -exec xz -d {} +
depmod -b . "$kernel"
rm -rf image loopback ./*.deb apt.log
chmod 755 .
mv "$work" "$out"
