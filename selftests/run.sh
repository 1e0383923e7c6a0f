#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds and runs tests and sums them up.
#
# usage: run.sh STAGE...		static, unit, fuzz, vm, long
#
# Environment: O, output directory; KVER, one kernel instead of all; TESTS, names
# or patterns of the tests to run, as "lifetime" or "static/*"; V=1, all output;
# FUZZ_SECONDS, how long each fuzzer runs.
#
# Prints TAP; the last line is "N passed, N failed, N skipped". Logs of single
# tests are in $(O)/check/. Exit status 0 only if something passed and nothing
# failed.

set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=selftests/lib.sh
. "$here/lib.sh"
top=$(cd "$here/.." && pwd)
export O=${O:-$top/build}
logs=$O/check
verbose=${V:-}
only_kver=${KVER:-}
kvers=${KVER:-6.1 6.12}
debug_kvers=${KVER:-6.1-kasan 6.1-kcsan}
# The variables of the make that started this are not meant for those below.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL KVER

# shellcheck disable=SC2317 # run_check calls it
quiet_make() {
	make -C "$top" --no-print-directory -j"$(nproc)" "$@"
}

# A build is a test of its own; what needs it is left out if it fails.
build() { # NAME MAKE-ARGUMENT...
	local name=$1

	shift
	say "building $name"
	run_check "build/$name" quiet_make "$@"
}

# -- stages

# Lines of static/checks: NAME SCRIPT ARGUMENT...
stage_static() {
	local name command

	sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$here/static/checks" |
	while read -r name command; do
		selected "static/$name" || continue
		say "checking $name"
		# shellcheck disable=SC2086 # words of the command
		run_check "static/$name" "$here/static/"$command
	done
}

stage_unit() {
	local source name

	any_selected unit "$here"/unit/test_*.c || return 0
	build unit -C selftests unit -k
	for source in "$here"/unit/test_*.c; do
		name=$(test_name "$source")
		selected "unit/$name" || continue
		run_program "unit/$name" "$(setting "$name" timeout)" \
			"$O/selftests/unit/$name"
	done
}

stage_fuzz() { # [SECONDS]
	local seconds=${FUZZ_SECONDS:-${1:-20}} all names=() name

	read -ra all < <(sed -n 's/^fuzzers.*:=//p' "$here/fuzz/objs.mk")
	for name in "${all[@]}"; do
		! selected "fuzz/$name" || names+=("$name")
	done
	[ ${#names[@]} -gt 0 ] || return 0
	build fuzz -C selftests fuzz || return
	for name in "${names[@]}"; do
		say "fuzzing $name for $seconds s"
		run_check "fuzz/$name" "$here/fuzz/run.sh" "$name" "$seconds"
	done
}

# WHICH is "daily", or "rest" for what is left out every day; if KVER was given,
# daily is all.
stage_vm() { # WHICH
	local kver

	any_selected netlink "$here"/netlink/*.c ||
		any_selected vm "$here"/vm/*.c "$here"/vm/*.sh || return 0
	build user user
	build tests -C selftests vm || return
	for kver in $kvers; do
		build "module-$kver" module mutants "KVER=$kver" || continue
		vm_programs "$kver" "$1" "$here"/netlink/*.c "$here"/vm/*.c
		[ "$1" = rest ] || vm_scripts "$kver" "$here"/vm/*.sh
	done
}

# Those programs with guests that a debug kernel is to run, too.
debug_programs() { # KVER
	local source

	for source in "$here"/vm/*.c; do
		[ "$(setting "$(test_name "$source")" debug)" != "$1" ] || echo "$source"
	done
}

# What takes too long for every day.
stage_long() {
	local kver programs

	mapfile -t programs < <(for kver in $debug_kvers; do debug_programs "$kver"; done)
	if any_selected netlink "$here"/netlink/*.c ||
		any_selected vm "$here"/vm/{fence,mutants}.sh "${programs[@]}"; then
		build user user
		build tests -C selftests vm || return
		for kver in $debug_kvers; do
			build "module-$kver" module mutants "KVER=$kver" || continue
			# shellcheck disable=SC2046 # several words
			vm_programs "$kver" daily "$here"/netlink/*.c $(debug_programs "$kver")
			vm_scripts "$kver" "$here"/vm/{fence,mutants}.sh
		done
	fi
	[ -n "$only_kver" ] || stage_vm rest
	stage_fuzz 600
}

runs_on() { # TEST KVER WHICH
	local only daily

	only=$(setting "$1" kernel)
	daily=$(setting "$1" daily)
	[ -z "$only" ] || [ "$only" = "$2" ] || return
	if [ -n "$only_kver" ] || [ -z "$daily" ] || [ "$daily" = "$2" ]; then
		[ "$3" = daily ]
	else
		[ "$3" = rest ]
	fi
}

# Tests that are programs: all in one L1.
vm_programs() { # KVER WHICH SOURCE...
	local kver=$1 which=$2 source name programs=()

	shift 2
	for source; do
		[ -e "$source" ] || continue
		runs_on "$(test_name "$source")" "$kver" "$which" || continue
		name=$(basename "$(dirname "$source")")/$(test_name "$source")
		! selected "$name" || programs+=("$O/selftests/$name")
	done
	[ ${#programs[@]} -gt 0 ] || return 0
	say "booting linux $kver for ${#programs[@]} programs"
	"$here/qemu/run.sh" --stream --leaks --kernel "$kver" --name "$kver" \
		"${programs[@]}" ||
		broken "$kver/boot" "the rig failed, see above"
}

# Tests that start and stop L1 themselves.
vm_scripts() { # KVER SOURCE...
	local kver=$1 source name

	shift
	for source; do
		[ -e "$source" ] || continue
		name=$(test_name "$source")
		selected "vm/$name" || continue
		say "running $name on linux $kver"
		RIG_KVER=$kver run_program "$kver/vm/$name" \
			"$(setting "$name" script_timeout)" "$source"
	done
}

stages() { # STAGE...
	local stage

	for stage; do
		case $stage in
		static) stage_static ;;
		unit) stage_unit ;;
		fuzz) stage_fuzz ;;
		vm) stage_vm daily ;;
		long) stage_long ;;
		*) broken "$stage" "no such stage: use static, unit, fuzz, vm or long" ;;
		esac
	done
}

mkdir -p "$logs"
rm -f "$logs"/*
"$here/qemu/setup.sh" host || exit
stages "$@" | tap -v logs="$logs" -v verbose="${verbose/0/}" |
	tee "$logs/results.tap"
exit "${PIPESTATUS[1]}"
