#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The main job, end to end, for a person to watch: a Debian guest on
# /dev/pmem0 whose flushes the kernel module serves, a power cut, and what is
# left after it.
#
# usage: run.sh
#
# Environment: O, output directory; KVER, kernel of the machine and its guest
# (default 6.1); CUT, transactions before the power cut (default 100); COUNT,
# transactions of the two runs that are compared (default 100).
#
# Exit status 0 if nothing that was acknowledged was lost. What the machines
# said is in $(O)/rig/demo-*, the summary also in $(O)/demo/summary.

# Functions are called by name, see twice():
# shellcheck disable=SC2317
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
export O=${O:-$top/build}
RIG_KVER=${KVER:-6.1}
# shellcheck source=selftests/qemu/lib.sh
. "$here/../qemu/lib.sh"
cut=${CUT:-100}
count=${COUNT:-100}
out=$O/demo
log=$out/log
disk=$out/disk.img
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL KVER

step() {
	printf '\n[%3d s] %s\n' "$SECONDS" "$*"
}

note() {
	printf '        %s\n' "$*"
}

fail() {
	printf '\nDEMO FAILED: %s\n' "$1" >&2
	tail -n 15 "${2:-$log}" | sed 's/^/    /' >&2
	exit 1
}

quiet() { # WHAT COMMAND...
	local what=$1

	shift
	"$@" >>"$log" 2>&1 || fail "$what"
}

build() {
	local make=(make -C "$top" --no-print-directory "-j$(nproc)")

	"$here/../qemu/setup.sh" host || fail "packages are missing"
	quiet "cannot build the module" "${make[@]}" module "KVER=$RIG_KVER"
	quiet "cannot build the programs" "${make[@]}" user
	quiet "cannot build what the machine needs" "${make[@]}" -C selftests rig
	note "$(du -h "$O"/user/vmm/vpmem-vmm | cut -f1) vpmem-vmm, and vpmem.ko for linux $RIG_KVER"
}

# What the guest runs, added to a copy of the plain Debian image.
make_image() { # IMAGE
	local rootfs

	rootfs=$("$here/../qemu/setup.sh" rootfs) || fail "no root file system"
	cp --sparse=always "$rootfs/rootfs.ext4" "$1" || fail "the disk is full"
	quiet "cannot write to the image" /sbin/debugfs -w -f - "$1" <<-EOF
		write $here/guest.sh usr/local/sbin/vpmem-demo
		sif usr/local/sbin/vpmem-demo mode 0100755
		write $here/guest.service etc/systemd/system/vpmem-demo.service
	EOF
}

# The disk of L1, with the image as a file in its file system.
make_disk() {
	rm -rf "$out/files" "$disk"
	mkdir -p "$out/files"
	make_image "$out/files/root.img"
	quiet "cannot make the disk" /sbin/mke2fs -q -F -t ext4 \
		-d "$out/files" "$disk" 1G
	note "the root file system: $(du -h "$out/files/root.img" | cut -f1) of files in an ext4 image"
	rm -rf "$out/files"
}

# Shows, as L1 says it, what is for the person who watches.
narrate() {
	local shown=-1 line number

	tail -n +1 -s 0.2 -f --pid="$RIG_PID" "$RIG_RESULTS" 2>/dev/null |
	sed -un 's/^|//p' |
	while IFS= read -r line; do
		case $line in
		'@@ '*) note "${line#@@ }" ;;
		'guest demo:'*) note "guest: ${line#guest demo: }" ;;
		'guest acknowledged '*)
			number=${line##* }
			if [ -t 1 ]; then
				printf '\r        guest: %s transactions acknowledged ' "$number"
				[ $((number % 50)) != 0 ] || echo
			elif [ $((number / 50)) != "$shown" ]; then
				shown=$((number / 50))
				note "guest: $number transactions acknowledged"
			fi
			;;
		esac
	done
}

boot() { # NAME JOB...
	local name=$1

	shift
	RIG_JOBS=$(printf '%s\n' "$@")
	rig_start "demo-$name" 2>>"$log" || fail "cannot start the machine"
	narrate &
}

acknowledged() {
	sed -n 's/^|guest acknowledged \([0-9]*\)$/\1/p' "$RIG_RESULTS" | tail -n 1
}

# Emulators stall, rarely; a second try tells that from a guest that hangs.
twice() { # FUNCTION
	"$1" && return
	rig_kill
	wait
	note "the machine did not come to the end of this: once more"
	tail -n 5 "$RIG_RESULTS" | sed 's/^/        | /'
	"$1" || fail "the machine did not come to the end of this" "$RIG_RESULTS"
}

work_until_power_cut() {
	make_disk
	boot work "work 500 own demo-l1 run kernel 1000000"
	rig_wait_line "^\|guest acknowledged ${cut}\$" 240 2>>"$log" || return
	rig_kill
	wait
	# A last line that was cut off may lack digits of its number.
	[ "$(tail -c 1 "$RIG_RESULTS" | wc -l)" = 1 ] || sed -i '$d' "$RIG_RESULTS"
	acked=$(acknowledged)
	echo
	note "killed the machine with SIGKILL after transaction $acked was acknowledged"
}

go_on() {
	boot again "look 120 own demo-l1 look $acked" \
		"kernel 240 own demo-l1 run kernel $count" \
		"user 240 own demo-l1 run user $count"
	rig_wait_end 700 2>>"$log" || return
	wait
	[ "$(grep -c '^@end .* 0$' "$RIG_RESULTS")" = 3 ] &&
		! grep '^@fault' "$RIG_RESULTS"
}

trap 'rig_kill; rm -f "$disk"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$out"
: >"$log"
# shellcheck disable=SC2034 # rig_boot reads them
RIG_FILES=("$here/l1.sh:usr/bin/demo-l1") RIG_DISKS=("$disk")

step "building"
build
step "a Debian guest on /dev/pmem0, in a machine (L1) that has loaded vpmem.ko"
twice work_until_power_cut
step "POWER CUT. Starting the machine again: what is on its disk?"
twice go_on
step "summary"
"$here/summary.py" "$acked" "$count" "$RIG_RESULTS" | tee "$out/summary"
exit "${PIPESTATUS[0]}"
