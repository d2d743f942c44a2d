#!/usr/bin/env bash
# Makes the guest in which systemd is process 1, in build/lab/units: the kernel, modules and
# agent of build/lab/guest, and a root file system of Debian's own packages of systemd and
# udev. The intercom and its units are not in it: a scenario puts them there, as
# `make install` does. Packages are unpacked, not installed: nothing here takes root.
#
#   lab/guest/units.sh            LAB_CACHE=FOLDER in place of build/lab
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${LAB_CACHE:-$root/build/lab}
guest=$("$here/build.sh")
exec 9>"$cache/build.lock"
flock -w 1200 9 || { echo "lab: another build of the guest does not end" >&2; exit 1; }

# What is named here and all that it depends on, but what only their installation takes.
wanted="systemd udev kmod base-files base-passwd libasound2 libstdc++6"
unwanted="adduser|debconf|gcc-12-base|libdb5.3|libdebconfclient0|libpam-modules.*|libsemanage.*|libsepol2|lsb-base|mawk|passwd|sysvinit-utils|tar|dpkg|perl-base"
options=(-qq -o Dir::State::status=/dev/null -o Debug::NoLocking=1 -o APT::Sandbox::User=root -o APT::Install-Recommends=0 -o APT::Architectures=amd64)
packages() { # each one with its version
	apt-get "${options[@]}" --simulate install $wanted | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' | grep -vE "^($unwanted)=" | sort
}
list=$(packages) || { echo "lab: Debian's packages of systemd are not known here: apt-get update" >&2; exit 1; }
made=$({ cat "$here"/{units.sh,units-init,panel.sh}; echo "$(basename "$guest") $list"; } | sha256sum | cut -c1-12)
out=$cache/units-$made
if [ ! -e "$out" ]; then
	echo "lab: making $(basename "$out")" >&2
	w=$(mktemp -d "$out.XXXXXX")
	trap 'rm -rf "$w"' EXIT
	mkdir "$w/debs"
	(cd "$w/debs" && apt-get "${options[@]}" download $list) || { echo "lab: packages of systemd cannot be downloaded: see what apt-get says above" >&2; exit 1; }

	d=$w/root
	mkdir -p "$d"/usr/{bin,lib,lib64} "$d"/{dev,proc,sys,run,tmp,root,opt}
	# One folder of programs, as the agent looks them up.
	ln -s bin "$d/usr/sbin"
	for f in bin sbin lib lib64; do ln -s "usr/${f/sbin/bin}" "$d/$f"; done
	for p in "$w"/debs/*.deb; do
		dpkg-deb --fsys-tarfile "$p" | tar -x -C "$d" --keep-directory-symlink --no-same-owner --exclude='./usr/share/'{doc,man,locale,info,lintian,bug,sounds}
	done
	rm -rf "$d"/usr/lib/{udev/hwdb.d,systemd/catalog,x86_64-linux-gnu/{gconv,security}} "$d/etc/machine-id"
	cp "$d/usr/share/base-passwd/passwd.master" "$d/etc/passwd"
	cp "$d/usr/share/base-passwd/group.master" "$d/etc/group"
	# What the installation of base-files and udev does.
	printf '%s:x:%s:\n' input 101 sgx 102 kvm 103 render 104 >>"$d/etc/group"
	rm -rf "$d/var/run"
	ln -s ../run "$d/var/run"

	# The lab's own: kernel modules, agent, a shell.
	mkdir "$w/guest"
	(cd "$w/guest" && zcat "$guest/initramfs.cpio.gz" | cpio -idm --quiet 'lib/modules/*' bin/agent bin/busybox)
	# udev would load whatever fits the machine: display, watchdog, USB.
	kernel=$(ls "$w/guest/lib/modules")
	m=$d/usr/lib/modules/$kernel
	mkdir -p "$m"
	for p in virtio_pci virtio_net virtio_rng configfs gpio-sim i6300esb vivid snd-aloop; do
		modprobe -d "$w/guest" -S "$kernel" --show-depends "$p"
	done | awk '$1 == "insmod" { print $2 }' | sort -u | xargs cp -t "$m"
	cp "$w/guest/lib/modules/$kernel"/modules.{order,builtin,builtin.modinfo} "$m"
	depmod -b "$d" "$kernel"
	cp "$w"/guest/bin/{agent,busybox} "$d/bin"
	for p in $("$w/guest/bin/busybox" --list); do [ -e "$d/bin/$p" ] || ln -s busybox "$d/bin/$p"; done
	install -m 755 "$here/units-init" "$d/init"
	install -m 644 "$here/panel.sh" "$d/etc"
	printf '127.0.0.1 localhost door chat.localhost\n10.0.2.2 host\n' >"$d/etc/hosts"
	echo door >"$d/etc/hostname"
	cat >"$d/usr/lib/systemd/system/lab-agent.service" <<-'END'
		[Unit]
		Description=Agent of the lab
		DefaultDependencies=no
		[Service]
		ExecStart=/bin/agent
	END

	# What the scenario does not need is not started. The first boot enables what is in the preset.
	cd "$d/usr/lib/systemd/system"
	rm -rf ./*.wants/*
	mkdir -p sysinit.target.wants sockets.target.wants
	for u in lab-agent systemd-journald systemd-udevd systemd-udev-trigger systemd-sysusers systemd-tmpfiles-setup systemd-tmpfiles-setup-dev; do
		ln -s "../$u.service" sysinit.target.wants
	done
	for u in systemd-journald systemd-journald-dev-log systemd-udevd-control systemd-udevd-kernel; do ln -s "../$u.socket" sockets.target.wants; done
	ln -sf multi-user.target default.target
	mkdir systemd-udev-trigger.service.d
	printf '[Service]\nExecStart=\nExecStart=-udevadm trigger --subsystem-match=gpio --subsystem-match=input\n' >systemd-udev-trigger.service.d/lab.conf
	rm -f "$d"/usr/lib/systemd/system-preset/* "$d"/usr/lib/systemd/system-generators/* "$d/usr/lib/udev/rules.d"/{80-net-setup-link,75-net-description}.rules
	printf 'enable intercom.service\ndisable *\n' >"$d/usr/lib/systemd/system-preset/50-lab.preset"
	mkdir -p "$d/etc/systemd/journald.conf.d"
	printf '[Journal]\nStorage=volatile\n' >"$d/etc/systemd/journald.conf.d/lab.conf"

	mkdir "$w/out"
	(cd "$d" && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1 >"$w/out/initramfs.cpio.gz"
	ln "$guest/vmlinux" "$w/out/vmlinux"
	rm -rf "$cache"/units-????????????
	mv "$w/out" "$out"
fi
ln -sfn "$(basename "$out")" "$cache/units"
echo "$out"
