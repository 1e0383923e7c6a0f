#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Boots L1, runs programs in it, one after the other, and prints TAP.
#
# usage: run.sh [OPTION]... PROGRAM[,ARGUMENT...]...
#
# --kernel SERIES     L1's kernel, as setup.sh knows it, default 6.1
# --l2 SERIES|none    kernel for L1's guests, default that of which L1's is a
#                     debug version
# --name NAME         prefix of the test names and log directory, default run
# --memory SIZE       L1's memory, if not what selftests/settings says
# --disk FILE         a raw disk image, can be repeated
# --file SRC:DEST     a further file for L1, can be repeated
# --append TEXT       more kernel command line
# --modules "NAME .." more kernel modules
# --variant NAME      load this build of the module: a mutant, or gcov
# --coverage DIR      put there what a kernel with gcov has counted, of the last
#                     machine if there was more than one
# --timeout SECONDS   for each program that selftests/settings does not name
# --leaks             look for leaked memory at the end, where the kernel can:
#                     minutes
# --stream            print the unprocessed report, see l1-init
# --shell             no programs: a shell in L1 on this terminal
#
# A machine that stalls, or that the emulator lets die, is started again with
# the programs and cases that are left, up to twice without any progress. A
# machine that dies otherwise fails the program that was running; the others get
# a new one.

set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=selftests/qemu/lib.sh
. "$here/lib.sh"
# shellcheck source=selftests/qemu/cases.sh
. "$here/cases.sh"
# shellcheck source=selftests/lib.sh
. "$here/../lib.sh"

name=run timeout='' memory='' stream='' coverage='' shell='' jobs=()
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) RIG_KVER=$2 RIG_L2KVER=${2%%-*}; shift ;;
	--l2) RIG_L2KVER=${2/none/}; shift ;;
	--name) name=$2; shift ;;
	--memory) memory=$2; shift ;;
	--disk) RIG_DISKS+=("$2"); shift ;;
	--file) RIG_FILES+=("$2"); shift ;;
	--append) RIG_APPEND="${RIG_APPEND:-} $2"; shift ;;
	--modules) RIG_MODULES=$2; shift ;;
	--variant) RIG_VARIANT=$2; shift ;;
	--coverage) coverage=$2 RIG_APPEND="${RIG_APPEND:-} vpmem.gcov"; shift ;;
	--timeout) timeout=$2; shift ;;
	--leaks) RIG_APPEND="${RIG_APPEND:-} vpmem.leaks" ;;
	--stream) stream=1 ;;
	--shell) shell=1 ;;
	-*) rig_die "unknown option '$1'; see the top of $0" ;;
	*) jobs+=("$1") ;;
	esac
	shift
done

RIG_MEMORY=${memory:-$(setting "$RIG_KVER" memory)}
if [ -n "$shell" ]; then
	RIG_APPEND="${RIG_APPEND:-} vpmem.shell"
	rig_shell
	exit
fi
[ ${#jobs[@]} -gt 0 ] || rig_die "no program given; see the top of $0"

# "netlink/lifetime" for .../netlink/lifetime
label() { # PROGRAM
	echo "$(basename "$(dirname "$(realpath "$1")")")/$(basename "$1")"
}

# Lines for /jobs: NAME TIMEOUT MODULE PROGRAM ARGUMENT... A debug kernel gets
# more time for everything.
factor=$(setting "$RIG_KVER" factor)
RIG_STALL=$((60 * factor))
RIG_APPEND="${RIG_APPEND:-} vpmem.patience=$factor"
lines=()
for job in "${jobs[@]}"; do
	IFS=, read -ra words <<<"$job"
	program=${words[0]}
	[ -x "$program" ] || rig_die "no program $program: build it first"
	test=$(basename "$program")
	RIG_FILES+=("$program:tests/$(label "$program")")
	seconds=${timeout:-$(setting "$test" timeout)}
	[ "$(setting "$test" guests)" != all ] || RIG_L2ALL=1
	lines+=("$name/$(label "$program") $((seconds * factor)) $(
		setting "$test" module) /tests/$(label "$program") ${words[*]:1}")
done

# What L1 says, as it says it, until L1 ends.
follow() {
	tail -n +1 -s 0.2 -f --pid="$RIG_PID" "$RIG_RESULTS" 2>/dev/null |
		grep -a --line-buffered -v '^@ready\|^@done\|^@again'
}

running_job() {
	sed -n 's/^@start \([^ ]*\).*/\1/p' "$RIG_RESULTS" | tail -n1
}

is_finished() { # NAME
	grep -q "^@end $1 " "$RIG_RESULTS"
}

# Takes the programs that have ended off the list.
drop_finished() {
	local left=() line

	for line in "${lines[@]}"; do
		is_finished "${line%% *}" || left+=("$line")
	done
	lines=("${left[@]}")
}

deadline() {
	local sum=$((180 * factor)) line

	for line in "${lines[@]}"; do
		# shellcheck disable=SC2086 # words
		set -- $line
		sum=$((sum + $2 + 15))
	done
	echo $sum
}

boot_once() {
	local how follower

	RIG_JOBS=$(printf '%s\n' "${lines[@]}")
	rig_start "$name" || rig_die "cannot start L1"
	follow &
	follower=$!
	rig_wait_end "$(deadline)"
	how=$?
	wait $follower
	cp "$RIG_CONSOLE" "$RIG_DIR/console.$((boots++))"
	return $how
}

# L1 is gone without having finished the program CURRENT.
died() { # CURRENT WHY
	echo "@fault L1 $2 during this test; the end of its console follows"
	rig_show_end | sed 's/^/@note /'
	echo "@end $1 0"
	lines=("${lines[@]:1}")
}

run_all() {
	local retries=0 current how why before

	while [ ${#lines[@]} -gt 0 ]; do
		before=${#lines[@]}
		boot_once
		how=$?
		current=$(running_job)
		drop_finished
		[ ${#lines[@]} = "$before" ] || retries=0
		[ ${#lines[@]} -gt 0 ] || break
		why=$(rig_excuse $how)
		if grep -q '^@again' "$RIG_RESULTS" && is_finished "$current"; then
			echo "@say L1 starts anew for the other programs"
		elif [ -n "$why" ] && [ $retries -lt 2 ]; then
			retries=$((retries + 1))
			echo "@reset $why at '${current:-boot}': retry $retries of 2"
			[ $how = 3 ] || rig_show_end | sed 's/^/@say /'
			! drop_passed || retries=0
		elif [ -z "$current" ] || is_finished "$current"; then
			current=${lines[0]%% *}
			echo "@start $current"
			died "$current" "ended (status $how)"
		else
			died "$current" "ended (status $how)"
		fi
	done
}

take_coverage() { # DIR
	mkdir -p "$1"
	sed -n 's/^@gcov //p' "$RIG_DIR/results" | tr -d '\r' | base64 -d |
		tar -xzf - -C "$1"
}

trap rig_kill EXIT
trap 'exit 130' INT TERM
boots=0
mkdir -p "$O/rig"
# Another run of this name waits: it would write to the same files.
exec 8>"$O/rig/$name.lock"
flock 8
rm -f "$O/rig/$name"/console.*
if [ -n "$stream" ]; then
	run_all
else
	run_all | tap -v verbose=1
fi
status=$?
RIG_DIR=$O/rig/$name
[ -z "$coverage" ] || take_coverage "$coverage" || rig_die "no coverage from L1"
exit $status
