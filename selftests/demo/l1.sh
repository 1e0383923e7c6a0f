#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The part of the demo that runs in L1, on the image /mnt/root.img.
#
# usage: demo-l1 run FLUSH COUNT	boot the guest for COUNT transactions
#	 demo-l1 look COUNT		look for the first COUNT transactions
#
# Says "@@ TEXT" to the person who watches; prints the guest's console as "guest
# TEXT" and the counters of a run as "metrics FLUSH JSON". Lines are written as
# a whole, because the guest and an operator speak at the same time.

# shellcheck shell=dash
# shellcheck disable=SC3040 # busybox has it
set -eo pipefail
image=/mnt/root.img
database=/var/lib/vpmem-demo.db

carriage_return=$(printf '\r')

each_line() { # PREFIX
	while IFS= read -r line; do
		echo "$1${line%"$carriage_return"}"
	done
}

show() { # COMMAND...
	echo "@@ # $*"
	"$@" 2>&1 | each_line "@@   "
}

boot_guest() { # FLUSH COUNT
	vpmem-vmm --kernel /lib/vpmem/l2/vmlinuz \
		--initrd /lib/vpmem/l2/initrd.img --memory 512M \
		--cmdline "console=ttyS0 quiet panic=-1 highres=off pci=noearly rootflags=dax=always systemd.unit=vpmem-demo.service systemd.show_status=false demo=$2" \
		--pmem "path=$image,id=root,root=on,flush=$1" \
		--metrics /tmp/metrics </dev/null 2>&1 | each_line "guest "
}

is_busy() {
	vpmemctl stats 2>/dev/null |
		awk '$1 == "flushes" && $2 >= 100 { busy = 1 } END { exit !busy }'
}

# What an operator sees of the device while the guest works.
look_at_device() {
	tries=0
	until is_busy; do
		[ $((tries += 1)) -lt 600 ] || return 0
		usleep 200000
	done
	show vpmemctl list
	show vpmemctl stats root
}

run() { # FLUSH COUNT
	[ "$1" != kernel ] || insmod /lib/vpmem/vpmem.ko
	[ "$1" != kernel ] || look_at_device &
	boot_guest "$1" "$2"
	kill $! 2>/dev/null || true
	[ "$1" != kernel ] || rmmod vpmem
	echo "metrics $1 $(tail -n 1 /tmp/metrics)"
}

# The transactions of which the guest had been told that they are safe.
look() { # COUNT
	mkdir -p /image
	# Replays the journal, repairs what a crash always leaves, no more.
	show e2fsck -f -p $image || true
	if e2fsck -f -n $image >/dev/null 2>&1; then
		echo "fsck clean"
	else
		echo "fsck damaged"
	fi
	mount -o loop,ro $image /image
	# With its log, from which SQLite takes what is not in the database yet.
	cp /image$database* /tmp
	umount /image
	cd /tmp
	echo "integrity $(sqlite3 vpmem-demo.db 'PRAGMA integrity_check')"
	echo "found $(sqlite3 vpmem-demo.db "SELECT count(*) FROM ledger
		WHERE id BETWEEN 1 AND $1
		AND entry = printf('entry %016d', id * 7919)")"
}

mount -t ext4 /dev/vda /mnt
"$@"
umount /mnt
