#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
# The part of the benchmark that runs in L1 and asks whether a disk that does not
# answer stalls other devices of the same guest, or its VMM.
#
# usage: bench-isolation PEER RUN
#
# PEER		worker, user: vpmem-vmm; qemu
# RUN		its number
#
# A guest with two CPUs has a device on ext4 on a disk of the device mapper, and
# one on tmpfs. Of it this prints what the programs isolation and stall say:
#
#	isolation PEER RUN hang TIME
#	isolation PEER RUN phase NAME COUNT MEDIAN P99 MAX
#	isolation PEER RUN answer NAME COUNT MEDIAN MAX

set -e
l2=/lib/vpmem/l2
disk=bench-slow
slow=/mnt/slow/file
fast=/tmp/fast
control=/tmp/control
# The interrupts of both devices go where the fast one is synced, so that it needs
# nothing of the CPU that waits for the slow one.
cmdline="console=ttyS0 quiet panic=-1 highres=off pci=noearly irqaffinity=1"
cmdline="$cmdline pmem=2 run=isolation,4"

# The guest knows its devices by their sizes.
prepare() {
	dmsetup create $disk --table "0 262144 linear /dev/ram2 0"
	mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/$disk >&2
	mkdir -p /mnt/slow
	mount -t ext4 /dev/mapper/$disk /mnt/slow
	dd if=/dev/zero of=$slow bs=1M count=32 2>/dev/null
	dd if=/dev/zero of=$fast bs=1M count=64 2>/dev/null
	sync
}

vmm() { # KEYS-OF-SLOW KEYS-OF-FAST
	# A lost guest is killed.
	timeout -s KILL 150 vpmem-vmm --kernel $l2/vmlinuz --initrd $l2/initrd.img \
		--memory 256M --cpus 2 --control $control --cmdline "$cmdline" \
		--pmem "path=$slow,$1" --pmem "path=$fast,$2"
}

qemu() {
	timeout -s KILL 240 qemu-system-x86_64 -M pc -accel kvm -cpu host -smp 2 \
		-m 256M,slots=4,maxmem=1G -nodefaults -no-user-config -nographic \
		-no-reboot -serial stdio -qmp unix:$control,server=on,wait=off \
		-L /usr/share/qemu -kernel $l2/vmlinuz -initrd $l2/initrd.img \
		-object memory-backend-file,id=m0,share=on,mem-path=$slow,size=32M \
		-device virtio-pmem-pci,memdev=m0,id=nv0 \
		-object memory-backend-file,id=m1,share=on,mem-path=$fast,size=64M \
		-device virtio-pmem-pci,memdev=m1,id=nv1 \
		-append "$cmdline"
}

start_peer() { # PEER
	case $1 in
	worker) vmm flush=kernel,exec=worker flush=kernel ;;
	user) vmm flush=user flush=user ;;
	qemu) qemu ;;
	esac
}

disturb() { # PEER
	case $1 in
	qemu) stall $disk $control '{"execute":"query-status"}' '{"execute":"qmp_capabilities"}' ;;
	*) stall $disk $control '{"command":"status"}' ;;
	esac
}

carriage_return=$(printf '\r')

follow() { # PEER
	local line

	while IFS= read -r line; do
		line=${line%"$carriage_return"}
		case $line in
		"isolation begin") disturb "$1" 2>&1 & ;;
		"isolation "*) echo "$line" ;;
		*) echo "$line" ;;
		esac
	done
	wait
}

# Whether the guest came to its end: it may be lost in an emulator.
run_peer() { # PEER RUN
	rm -f $control
	dd if=/dev/zero of=$fast bs=4k count=1 conv=notrunc 2>/dev/null
	start_peer "$1" </dev/null 2>&1 | follow "$1" >/tmp/result
	head -c 4096 $fast | tr -d '\000' >>/tmp/result
	grep -v '^isolation' /tmp/result | sed 's/^/guest: /'
	# Three phases of each, and the hang.
	[ "$(grep -c '^isolation' /tmp/result)" = 7 ] || return
	sed -n "s/^isolation /isolation $1 $2 /p" /tmp/result
}

lost=0
prepare
[ "$1" != worker ] || insmod /lib/vpmem/vpmem.ko
until run_peer "$1" "$2"; do
	if [ $((lost += 1)) = 3 ]; then
		echo "trouble: no result of run $2"
		exit 1
	fi
	echo "guest: lost, once more"
done
umount /mnt/slow
dmsetup remove --retry $disk
