#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A module that breaks a rule is found out by the test of that rule, which
# passes on the module as it is.

set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=selftests/qemu/lib.sh
. "$here/../qemu/lib.sh"
# shellcheck source=selftests/lib.sh
. "$here/../lib.sh"

# Lines "MUTANT PROGRAM TEST RESULT", the last of which is that it is found out.
mutants="late-batch slow request_that_comes_during_a_sync_gets_its_own a_module_that_acknowledges_early_is_found_out
lose-error behind error_is_told_by_the_next_flush a_module_that_loses_an_error_is_found_out"
case $RIG_KVER in
*-kasan)
	# Where allocations can be made to fail.
	mutants="$mutants
keep-charge fail_nth dev_add a_module_that_charges_a_device_that_failed_is_found_out"
	;;
esac

factor=$(setting "$RIG_KVER" factor)
number=0
trap rig_kill EXIT

# shellcheck disable=SC2034 # rig_start reads these
{
	RIG_L2KVER=''
	RIG_STALL=$((60 * factor))
	RIG_MEMORY=$(setting "$RIG_KVER" memory)
	RIG_APPEND="vpmem.patience=$factor"
	RIG_FILES=("$here/l1/mutant-l1.sh:usr/bin/mutant-l1")
}
jobs=()

add_jobs() { # MUTANT PROGRAM TEST
	local run

	RIG_FILES+=("$O/selftests/netlink/$2:tests/$2")
	for run in "good vpmem" "bad vpmem-$1"; do
		jobs+=("$1-${run% *} $((60 * factor)) own mutant-l1 ${run#* } /tests/$2 -t $3")
	done
}

run_jobs() {
	RIG_JOBS=$(printf '%s\n' "${jobs[@]}")
	rig_start mutants && rig_wait_end $((300 * factor))
}

result() { # OK NAME
	number=$((number + 1))
	[ "$1" -eq 0 ] && echo "ok $number - $2" || echo "not ok $number - $2"
}

# What a job wrote.
output_of() { # JOB
	sed -n "/^@start $1\$/,/^@end $1 /s/^|//p" "$RIG_RESULTS"
}

passes() { # JOB TEST
	output_of "$1" | sed 's/^/# /'
	output_of "$1" | grep -q "^ok 1 .*$2" &&
		grep -q "^@end $1 0" "$RIG_RESULTS"
}

# By that test alone, and not because something else went wrong.
fails() { # JOB TEST
	output_of "$1" | sed 's/^/# /'
	output_of "$1" | grep -q "^not ok 1 .*$2" &&
		grep -q "^@end $1 1" "$RIG_RESULTS" &&
		! grep -q '^@fault' "$RIG_RESULTS"
}

while read -r mutant program test _; do
	add_jobs "$mutant" "$program" "$test"
done <<<"$mutants"
echo "1..$((2 * $(wc -l <<<"$mutants")))"
rig_try run_jobs
while read -r mutant _ test name; do
	passes "$mutant-good" "$test"
	result $? "the_module_passes_$test"
	fails "$mutant-bad" "$test"
	result $? "$name"
done <<<"$mutants"
