#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Power cut: L1 is killed while a guest writes blocks, syncs each and says so.
# On the disk that is left, every block that the guest had been told is safe
# must be there. The same test must fail on a module that skips the sync.

set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=selftests/qemu/lib.sh
. "$here/../qemu/lib.sh"

acks_wanted=60
disk=$O/rig/powercut.img
number=0
trap 'rig_kill; rm -f "$disk"' EXIT

RIG_FILES=("$here/l1/powercut-l1.sh:usr/bin/powercut-l1"
	   "$O/selftests/guest/pmem:usr/bin/pmem")
# shellcheck disable=SC2034 # rig_boot reads it
RIG_DISKS=("$disk")

result() { # OK NAME
	number=$((number + 1))
	[ "$1" -eq 0 ] && echo "ok $number - $2" || echo "not ok $number - $2"
}

count_acks() {
	grep -aoE 'ack [0-9]+' "$RIG_RESULTS" | tail -n 1 | cut -d' ' -f2
}

# A guest that writes, and the end of L1 in the middle of that.
cut_while_writing() { # MODULE FLUSH
	rm -f "$disk"
	truncate -s 256M "$disk"
	/sbin/mkfs.ext4 -q -F "$disk" || return 2
	RIG_JOBS="write 200 own powercut-l1 write $1 $2"
	rig_start "powercut-$1-$2" || return
	rig_wait_line "ack ${acks_wanted}([^0-9]|\$)" 200 || return
	sleep 1
	rig_kill
}

# Leaves the number of acknowledged blocks in $acked.
write_until_cut() { # MODULE FLUSH
	rig_try cut_while_writing "$1" "$2" || return
	acked=$(($(count_acks) + 1))
	echo "# $1, flush=$2: $acked blocks were acknowledged when the power was cut"
}

look_at_disk() {
	RIG_JOBS="check 60 own powercut-l1 check $acked"
	rig_start powercut-check || return
	rig_wait_end 120
}

# Status 0 if all of them are on the disk.
check_disk() {
	rig_try look_at_disk || return 2
	sed -n 's/^|/# /p' "$RIG_RESULTS"
	grep -q "^|verified $acked" "$RIG_RESULTS"
}

survives() { # MODULE FLUSH
	write_until_cut "$1" "$2" && check_disk
}

loses() { # MODULE FLUSH
	local status

	write_until_cut "$1" "$2" || return
	check_disk
	status=$?
	[ $status -eq 1 ] && grep -q 'is not as written' "$RIG_RESULTS"
}

echo "1..3"
survives vpmem kernel
result $? "acknowledged_by_the_kernel_is_on_the_disk"
survives none user
result $? "acknowledged_by_user_space_is_on_the_disk"
loses vpmem-skip-sync kernel
result $? "a_module_without_the_sync_is_found_out"
