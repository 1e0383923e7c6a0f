#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The part of the benchmark that works on file systems, in the guest: mounts the
# pmem devices, DAX, and syncs 4 KiB of a file or a transaction of SQLite at a time.
#
# usage: work COUNT LABEL...		the labels of their file systems

set -e
count=$1
shift
for label; do
	dir=/mnt/$label
	mkdir -p "$dir"
	mount -t ext4 -o dax=always "$(findfs "LABEL=$label")" "$dir"
	rm -f "$dir/$label"*
	dd if=/dev/zero of="$dir/$label" bs=4k count=64 2>/dev/null
	sync
	# Without its extension, the name of a file tells what it is on.
	bench "$count" "$dir/$label:write"
	transactions "$count" "$dir/$label:wal" "$dir/$label:persist"
	umount "$dir"
done
