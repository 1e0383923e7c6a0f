#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a flush costs, beside other ways of serving it. Tables on the terminal;
# $(O)/bench/ gets raw, all that was measured; summary, the tables; *.svg.
#
# usage: run.sh
#
# Environment: O, output directory; KVER, kernel of L1 and its guests (default
# 6.1); RUNS, guests that measure each row (default 3); COUNT, syncs in each
# (default 1000, in work-* 100); ROWS, names or patterns of the rows below; FIRECRACKER, a
# firecracker binary that takes part.
#
# L1 counts instructions as time (QEMU's icount), so that results repeat: see
# Documentation/performance.rst. Only rows of a disk run on an L1 that does not: of
# disk-* nothing but counts is used, and of behind-* what a limited disk takes.

set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
export O=${O:-$top/build}
RIG_KVER=${KVER:-6.1}
# shellcheck source=selftests/qemu/lib.sh
. "$here/../qemu/lib.sh"
runs=${RUNS:-3}
count=${COUNT:-1000}
out=$O/bench
log=$out/log
disk=$out/disk.img
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL KVER

# Several CPUs are the hardest on the emulator: an L1 for each guest.
isolation_rows() {
	local peer run

	for peer in worker user qemu; do
		for ((run = 1; run <= runs; run++)); do
			echo "isolation-$peer isolation $peer $run"
		done
	done
}

# NAME JOB: an L1 each, so that a stalled emulator costs one of them.
rows="floor		sync floor ram $count $runs
inline			sync inline ram $count $runs
worker			sync worker ram $count $runs
user			sync user ram $count $runs
qemu			sync qemu ram $count $runs
${FIRECRACKER:+firecracker	sync firecracker ram $count $runs}
host			host ram $count $runs
disk-inline		sync inline disk $count 0
disk-worker		sync worker disk $count 0
disk-user		sync user disk $count 0
disk-qemu		sync qemu disk $count 0
disk-host		host disk $count 0
behind-off		sync worker slow 3 0
behind-on		sync behind slow 3 0
attach			attach $runs
batch-inline		batch inline $count $runs
batch-worker		batch worker $count $runs
batch-user		batch user $count $runs
boot-bzImage-1		boot bzImage 1 $runs
boot-kept-1		boot kept 1 $runs
boot-ELF-1		boot ELF 1 $runs
boot-bzImage-32		boot bzImage 32 $runs
boot-kept-32		boot kept 32 $runs
boot-ELF-32		boot ELF 32 $runs
work-inline		work inline ${COUNT:-100} $runs
work-worker		work worker ${COUNT:-100} $runs
work-user		work user ${COUNT:-100} $runs
work-qemu		work qemu ${COUNT:-100} $runs
profile-inline		profile inline
profile-worker		profile worker
profile-user		profile user
profile-qemu		profile qemu
$(isolation_rows)"

say() {
	printf '[%4d s] %s\n' "$SECONDS" "$*"
}

die() {
	printf 'bench: %s\n' "$1" >&2
	tail -n 15 "${2:-$log}" | sed 's/^/    /' >&2
	exit 1
}

selected() { # NAME
	local pattern patterns

	[ -n "${ROWS:-}" ] || return 0
	read -ra patterns <<<"$ROWS"
	for pattern in "${patterns[@]}"; do
		# shellcheck disable=SC2053 # a pattern
		[[ $1 == $pattern ]] && return
	done
	return 1
}

build() {
	local make=(make -C "$top" --no-print-directory "-j$(nproc)")

	"$here/../qemu/setup.sh" host || die "packages are missing"
	"${make[@]}" module "KVER=$RIG_KVER" >>"$log" 2>&1 || die "cannot build the module"
	"${make[@]}" user >>"$log" 2>&1 || die "cannot build the programs"
	"${make[@]}" -C selftests perf rig >>"$log" 2>&1 || die "cannot build the benchmark"
	RIG_QEMU=$("$here/../qemu/setup.sh" emulator)/qemu-system-x86_64 ||
		die "cannot build the emulator"
}

# What a peer needs in L1.
peer_files() { # ROW
	local file

	case $1 in
	*qemu)
		RIG_FILES+=("$(command -v qemu-system-x86_64):usr/bin/qemu-system-x86_64"
			    /usr/share/seabios/bios-256k.bin:usr/share/qemu/bios-256k.bin)
		for file in kvmvapic linuxboot_dma; do
			RIG_FILES+=("/usr/share/qemu/$file.bin:usr/share/qemu/$file.bin")
		done
		;;
	firecracker) RIG_FILES+=("$FIRECRACKER:usr/bin/firecracker") ;;
	esac
}

# Appended to the guests' initrd: what they have not got for tests.
work_files() {
	"$here/../qemu/mkinitrd.sh" --raw --out "$out/work.img" \
		"--file=$here/work.sh:bin/work" --file=/usr/bin/sqlite3:bin/sqlite3 ||
		die "cannot make an initrd"
	RIG_FILES+=("$out/work.img:lib/vpmem/l2/work.img")
}

# An initrd that is no more than an init, as unpacking it is a part of a start.
boot_files() {
	"$here/../qemu/mkinitrd.sh" --out "$out/boot.img" \
		"--file=$O/selftests/guest/bench:init" || die "cannot make an initrd"
	RIG_FILES+=("$out/boot.img:lib/vpmem/l2/boot.img")
	RIG_L2ALL=1
}

# What the guest does goes on for as long as it is let.
profile() { # PEER
	local trace=$RIG_DIR/trace status

	rm -f "$trace"
	rig_wait_line '^\|profile begin' "$RIG_STALL" 2>>"$log" || return
	# Only then is it warm.
	sleep 2
	"$here/profile.py" "$RIG_MONITOR" "$trace" "$disk" "$1" \
		"$out/profile-$1" >"$RIG_DIR/profile" 2>>"$log"
	status=$?
	rig_kill
	rm -f "$trace"
	[ $status = 0 ] && cat "$RIG_DIR/profile" >>"$out/raw"
}

try_row() { # NAME JOB
	local status

	RIG_ACCEL=icount RIG_DISKS=() RIG_DISK_BPS='' RIG_L2ALL='' RIG_STALL=400
	RIG_APPEND='' RIG_MONITOR=''
	RIG_FILES=("$here/l1.sh:usr/bin/bench-l1" "$O/selftests/guest/bench:usr/bin/bench"
		   "$here/isolation.sh:usr/bin/bench-isolation"
		   "$O/selftests/perf/attach:usr/bin/attach" "$O/selftests/perf/stall:usr/bin/stall"
		   "$O/selftests/perf/batch:usr/bin/batch")
	peer_files "$1"
	case $1 in
	# Two CPUs, and time.
	isolation-*) RIG_ACCEL=tcg RIG_STALL=300 ;;
	work-*) work_files; RIG_L2ALL=1 ;;
	boot-*) boot_files ;;
	profile-*)
		# For the symbols.
		rm -f "$disk"
		truncate -s 16M "$disk"
		RIG_APPEND=nokaslr RIG_MONITOR=$out/monitor RIG_DISKS=("$disk") RIG_L2ALL=1
		;;
	floor | inline | worker | user | firecracker) RIG_L2ALL=1 ;;
	disk-*)
		rm -f "$disk"
		truncate -s 256M "$disk"
		RIG_ACCEL=tcg RIG_DISKS=("$disk")
		;;
	behind-*)
		rm -f "$disk"
		truncate -s 256M "$disk"
		RIG_ACCEL=tcg RIG_DISKS=("$disk") RIG_DISK_BPS=50000000
		;;
	esac
	# Seconds of the machine, which pass in no time while it is idle.
	RIG_JOBS="$1 100000 own bench-l1 $2"
	[[ $1 != isolation-* ]] || RIG_JOBS="$1 3000 own bench-$2"
	rig_start "bench-$1" 2>>"$log" || die "cannot start L1"
	if [ -n "$RIG_MONITOR" ]; then
		profile "${1#profile-}"
		return
	fi
	rig_wait_end 1800
	status=$?
	[ $status = 0 ] && grep -q "^@end $1 0" "$RIG_RESULTS" &&
		! grep -q '^@fault\||trouble' "$RIG_RESULTS"
}

# Emulators stall, above all where instructions are counted.
run_row() { # NAME JOB
	local try

	for try in 1 2 3; do
		say "$1${2:+: $2}"
		if try_row "$1" "$2"; then
			sed -n 's/^|\(sync\|count\|memory\|boot\|attach\|batch\|isolation\) /\1 /p' "$RIG_RESULTS" >>"$out/raw"
			return
		fi
		rig_kill
		say "$1 did not come to its end, try $try of 3"
		tail -n 3 "$RIG_RESULTS" | sed 's/^/         | /'
	done
	failed+=("$1")
}

run_rows() {
	local name job

	while read -r name job; do
		if [ -n "$name" ] && selected "$name"; then
			run_row "$name" "$job" </dev/null
		fi
	done <<<"$rows"
}

describe() {
	echo "# $(git -C "$top" describe --always --dirty 2>/dev/null)"
	echo "# linux $(cat "$("$here/../qemu/setup.sh" kernel "$RIG_KVER")/release")"
	echo "# $("$RIG_QEMU" --version | head -n1), mended"
}

plot() {
	local name

	command -v gnuplot >/dev/null || return 0
	for name in sync profile work; do
		"$here/summary.py" --plot "$name" "$out/raw" >"$out/plot" 2>>"$log" ||
			die "cannot plot"
		[ -s "$out/plot" ] || continue
		gnuplot -e "set output '$out/$name.svg'" "$out/plot" >>"$log" 2>&1 ||
			die "cannot plot"
		say "plot: $out/$name.svg"
	done
	rm "$out/plot"
}

trap 'rig_kill; rm -f "$disk"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$out"
: >"$log"
failed=()
say "building"
build
describe >"$out/raw"
run_rows
"$here/summary.py" "$out/raw" | tee "$out/summary"
plot
[ ${#failed[@]} = 0 ] || die "no result for: ${failed[*]}"
