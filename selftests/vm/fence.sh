#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the kernel complains of fails a test that has nothing to say against it
# itself: seen with modules that give each kind of kernel a reason. A debug
# kernel's reasons are for that kernel alone.

set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=selftests/qemu/lib.sh
. "$here/../qemu/lib.sh"
# shellcheck source=selftests/lib.sh
. "$here/../lib.sh"

# Lines "MUTANT TEST COMPLAINT", the latter a regular expression.
case $RIG_KVER in
*-kasan)
	mutants="lock-order flush_is_served_and_counted possible circular locking
use-after-free flush_is_served_and_counted BUG: KASAN: .* in vpmem_
leak flush_is_served_and_counted vpmem_mem_create"
	;;
*-kcsan)
	mutants="race no_request_is_lost_in_a_storm_of_kicks_and_restarts BUG: KCSAN: data-race in .*vpmem_"
	;;
*)
	mutants="signal-in-wake flush_is_served_and_counted WARNING: .*eventfd"
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
	RIG_FILES=("$here/l1/mutant-l1.sh:usr/bin/mutant-l1"
		   "$O/selftests/netlink/queue:tests/queue")
}

run_mutant() { # MUTANT TEST
	RIG_APPEND="vpmem.patience=$factor"
	[ "$1" != leak ] || RIG_APPEND="$RIG_APPEND vpmem.leaks"
	# shellcheck disable=SC2034 # rig_start reads it
	RIG_JOBS="$1 $((60 * factor)) own mutant-l1 vpmem-$1 /tests/queue -t $2"
	rig_start "fence-$1" && rig_wait_end $((300 * factor))
}

# The kernel's complaint, and nothing else, is a failure.
is_found_out() { # COMPLAINT
	# shellcheck disable=SC2119 # its options, not ours
	tap <"$RIG_RESULTS" | tee "$RIG_DIR/verdict" | sed 's/^/# /'
	grep -q '^ok .*queue\.' "$RIG_DIR/verdict" &&
		! grep '^not ok' "$RIG_DIR/verdict" |
			grep -qv 'the kernel complained$\|no memory leaked$' &&
		grep -q '^not ok' "$RIG_DIR/verdict" &&
		grep -q "$1" "$RIG_RESULTS"
}

echo "1..$(wc -l <<<"$mutants")"
while read -r mutant test complaint; do
	number=$((number + 1))
	rig_try run_mutant "$mutant" "$test"
	if is_found_out "$complaint"; then
		echo "ok $number - kernel_complains_of_$mutant"
	else
		echo "not ok $number - kernel_complains_of_$mutant"
	fi
done <<<"$mutants"
