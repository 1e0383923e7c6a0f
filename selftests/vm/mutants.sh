#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A module that breaks a rule is found out by the test of that rule, which
# passes on the module as it is.

set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=selftests/qemu/lib.sh
. "$here/../qemu/lib.sh"

number=0
trap rig_kill EXIT

RIG_L2KVER=''
RIG_FILES=("$here/l1/mutant-l1.sh:usr/bin/mutant-l1"
	   "$O/selftests/netlink/slow:tests/slow"
	   "$O/selftests/netlink/behind:tests/behind")
late=request_that_comes_during_a_sync_gets_its_own
lose=error_is_told_by_the_next_flush
# shellcheck disable=SC2034 # rig_start reads it
RIG_JOBS="late-good 60 own mutant-l1 vpmem /tests/slow -t $late
late-bad 60 own mutant-l1 vpmem-late-batch /tests/slow -t $late
lose-good 60 own mutant-l1 vpmem /tests/behind -t $lose
lose-bad 60 own mutant-l1 vpmem-lose-error /tests/behind -t $lose"

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

run_jobs() {
	rig_start mutants && rig_wait_end 300
}

echo "1..4"
rig_try run_jobs
passes late-good $late
result $? "the_module_acknowledges_nothing_early"
fails late-bad $late
result $? "a_module_that_acknowledges_early_is_found_out"
passes lose-good $lose
result $? "the_module_loses_no_error"
fails lose-bad $lose
result $? "a_module_that_loses_an_error_is_found_out"
