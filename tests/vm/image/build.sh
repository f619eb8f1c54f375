#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes what the guests boot from, out of Debian packages alone:
#   build.sh DIR SUITE NAME=KERNEL_PACKAGE...
# leaves DIR/root.ext4 (one root filesystem for all kernels), DIR/kernel-NAME and
# DIR/initramfs-NAME. Needs root (device nodes and owners in the image).
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
dir=$1 suite=$2
shift 2

# Drivers of hardware that no guest has: two thirds of the modules.
unneeded='kernel/(sound|drivers/(gpu|media|staging|infiniband|iio|input|hid|hwmon|usb|mmc|mtd|video)|drivers/(bluetooth|platform|thunderbolt|comedi|edac|isdn|leds|power|pcmcia|firewire|ata|i2c|spi)|drivers/net/(wireless|ethernet|usb|can|wan|dsa|phy|wwan)|net/(mac80211|bluetooth|wireless|batman-adv|can|nfc|tipc)|arch/x86/kvm)/'

root=$dir/root
debs=$dir/debs
mkdir -p "$debs"

packages=$(grep -v '^#' "$here/packages.txt" | paste -sd, - | sed 's/,,*/,/g; s/^,//')
sources=()
for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
	[ ! -s "$file" ] || { sources=("$file"); break; }
done

echo "vm image: installing packages"
mmdebstrap --quiet --variant=minbase --mode=root --include="$packages" \
	--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--aptopt='Acquire::Languages "none"' --skip=cleanup/apt/lists \
	"$suite" "$root" "${sources[@]}" 2>"$dir/mmdebstrap.log" || {
	tail -30 "$dir/mmdebstrap.log" >&2
	exit 1
}

install_kernel() { # NAME PACKAGE
	local name=$1 unpacked=$dir/kernel-$1.d version module stage=$dir/initramfs-$1.d
	dpkg-deb --fsys-tarfile "$debs/$2"_*.deb | { mkdir "$unpacked" && tar -C "$unpacked" -x; }
	version=$(ls "$unpacked/lib/modules")
	mv "$unpacked/boot/vmlinuz-$version" "$dir/kernel-$name"
	(cd "$unpacked/lib/modules" && find "$version" -type f -name '*.ko*' | grep -E "$unneeded" | xargs rm -f)
	# Modules are kept compressed in later kernels: xz under emulation is what a job would wait for.
	find "$unpacked/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -r -P "$(nproc)" -n 50 xz -d
	mkdir -p "$root/usr/lib/modules"
	mv "$unpacked/lib/modules/$version" "$root/usr/lib/modules/"
	depmod -b "$root" "$version"
	mkdir -p "$stage/bin" "$stage/modules"
	cp "$root/bin/busybox" "$stage/bin/"
	cp "$here/initramfs-init" "$stage/init"
	chmod +x "$stage/init"
	for module in virtio_pci virtio_blk virtio_console ext4 overlay; do
		modprobe -d "$root" -S "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
	done | awk '!seen[$0]++' | while read -r module; do
		cp "$module" "$stage/modules/"
		basename "$module" >>"$stage/modules/order"
	done
	(cd "$stage" && find . | cpio --quiet -o -H newc) >"$dir/initramfs-$name"
	rm -rf "$unpacked" "$stage"
}

for kernel in "$@"; do
	echo "vm image: unpacking ${kernel#*=}"
	(cd "$debs" && apt-get -qq download "${kernel#*=}" 2>"$dir/download.log") || {
		cat "$dir/download.log" >&2
		exit 1
	}
	install_kernel "${kernel%%=*}" "${kernel#*=}"
done

# Quiet guests: nothing runs that a job did not start. Daemons that the packages enable
# would take a job's devices (multipathd) or its time.
cp -r "$here/root/." "$root/"
chmod +x "$root"/usr/lib/ffdc-vm/*
find "$root/etc/systemd/system" -mindepth 2 -type l -path '*.wants/*' -delete
for unit in timers.target getty.target remote-fs.target systemd-timesyncd.service \
	systemd-random-seed.service systemd-update-utmp.service systemd-pcrphase.service \
	systemd-firstboot.service systemd-binfmt.service modprobe@drm.service \
	lvm2-monitor.service systemd-journal-flush.service systemd-udev-settle.service; do
	ln -sfn /dev/null "$root/etc/systemd/system/$unit"
done
ln -sfn /etc/systemd/system/ffdc-vm.target "$root/etc/systemd/system/default.target"
echo ffdc-vm >"$root/etc/hostname"
: >"$root/etc/fstab"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/usr/share/{doc,man,locale,info,bug,lintian}

echo "vm image: packing the root filesystem"
size_mib=$(($(du -sm "$root" | cut -f1) * 5 / 4 + 64))
mke2fs -q -t ext4 -O '^has_journal,^metadata_csum' -m 0 -d "$root" "$dir/root.ext4" "${size_mib}m"
rm -rf "$root" "$debs"
