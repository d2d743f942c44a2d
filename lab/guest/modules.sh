#!/usr/bin/env bash
# Builds the modules of Kbuild, out of tree, against Debian's headers.
#
#   lab/guest/modules.sh KERNEL FETCHED FOLDER
set -euo pipefail
kernel=$1 fetched=$2 out=$3
here=$(cd "$(dirname "$0")" && pwd)

work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT
s=$fetched/sources
cp "$here/Kbuild" "$s"/drivers/gpio/gpiolib.h "$s"/kernel/irq/irq_sim.c "$s"/drivers/media/v4l2-core/v4l2-mem2mem.c \
	"$s"/drivers/media/test-drivers/vicodec/*.[ch] "$s"/v4l2loopback/*.[ch] "$work"
# A module of several files cannot have a file of its own name.
cp "$s/drivers/gpio/gpio-sim.c" "$work/gpio-sim-main.c"
# irq_to_desc is not exported to modules.
sed -i 's/irq_to_desc(irqnum)/irq_data_to_desc(irq_get_irq_data(irqnum))/; s|#include <linux/irq_sim.h>|&\n#include <linux/irqdesc.h>|' "$work/irq_sim.c"
make -C "/usr/src/linux-headers-$kernel" M="$work" modules -j2 >"$work/make.log" 2>&1 || {
	tail -n 30 "$work/make.log" >&2
	exit 1
}
mkdir "$work/ko"
mv "$work"/*.ko "$work/ko"
mv "$work/ko" "$out"
