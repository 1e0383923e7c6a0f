#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The part of the power cut test that runs in L1.
#
# usage: powercut-l1 write MODULE FLUSH	run a guest that writes and syncs for ever
#	 powercut-l1 check COUNT	look for the first COUNT blocks

set -e
image=/mnt/image

mount -t ext4 /dev/vda /mnt
case $1 in
write)
	# What reaches the disk is to be there because of a sync alone.
	echo 0 >/proc/sys/vm/dirty_writeback_centisecs
	[ "$2" = none ] || insmod "/lib/vpmem/$2.ko"
	dd if=/dev/zero of=$image bs=1M count=64 conv=fsync 2>/dev/null
	exec vpmem-vmm --kernel /lib/vpmem/l2/vmlinuz \
		--initrd /lib/vpmem/l2/initrd.img --memory 256M \
		--cmdline "console=ttyS0 quiet panic=-1 highres=off pci=noearly pmem=1 run=pmem,write,0,0,16384" \
		--pmem "path=$image,flush=$3" </dev/null
	;;
check)
	pmem verify $image 0 "$2"
	umount /mnt
	;;
esac
