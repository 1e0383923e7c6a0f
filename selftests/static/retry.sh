#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whether the rig starts a machine again when the emulator was to blame, and only
# then: a retry too many hides a fault.

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/qemu/lib.sh
. selftests/qemu/lib.sh

RIG_DIR=$(scratch retry)
RIG_CONSOLE=$RIG_DIR/console RIG_RESULTS=$RIG_DIR/results
failed=0

complain() {
	echo "$*"
	failed=1
}

# What L1 had said on its console when it ended with that status.
expect_excuse() { # yes|no ACCEL STATUS CONSOLE
	local excuse

	RIG_ACCEL=$2
	echo "$4" >"$RIG_CONSOLE"
	excuse=$(rig_excuse "$3")
	[ "$1" = "$([ -n "$excuse" ] && echo yes || echo no)" ] ||
		complain "status $3 under $2 after '$4': excuse '$excuse', expected $1"
}

# A QEMU that ends at once; L1's kernel had said CONSOLE.
expect_ending() { # STATUS ACCEL CONSOLE RESULTS
	local status waited

	RIG_ACCEL=$2
	echo "$3" >"$RIG_CONSOLE"
	echo "$4" >"$RIG_RESULTS"
	false &
	RIG_PID=$!
	rig_wait_end 60
	status=$?
	[ $status = "$1" ] || complain "'$3' under $2: status $status, expected $1"
	[ "$1" != 0 ] || return
	false &
	RIG_PID=$!
	rig_wait_line "never" 60 2>/dev/null
	waited=$?
	[ $waited = "$1" ] || complain "'$3' under $2: waiting for a line: $waited, expected $1"
}

# shellcheck disable=SC2317 # rig_try calls it
attempt() { # STATUS...
	tries=$((tries + 1))
	return "${!tries}"
}

expect_tries() { # STATUS TRIES STATUS-OF-EACH...
	local wanted=$1 number=$2 status

	shift 2
	tries=0
	rig_try attempt "$@" >"$RIG_DIR/said"
	status=$?
	[ "$status $tries" = "$wanted $number" ] ||
		complain "tries that end with $*: $tries, the last with $status; expected $number and $wanted"
	[ "$(grep -c '^@say .*: once more' "$RIG_DIR/said")" = $((number - 1)) ] ||
		complain "tries that end with $*: a retry was not told of"
}

ours='RIP: 0010:vpmem_serve+0x12/0x340 [vpmem]'
theirs='RIP: 0010:svm_vcpu_run+0x12/0x340 [kvm_amd]'
misread='Oops: int3: 0000 [#1] PREEMPT SMP'

expect_excuse yes tcg 1 "$theirs"
expect_excuse no tcg 1 "$ours"
expect_excuse yes tcg 1 "$misread $ours"
expect_excuse no icount 1 "$theirs"
expect_excuse no kvm 1 "$theirs"
expect_excuse no tcg 2 "$theirs"
expect_excuse yes tcg 3 ""
expect_excuse yes tcg 4 ""
expect_excuse no kvm 3 ""
expect_excuse no kvm 4 ""

expect_ending 0 tcg "reboot: Power down" "@done"
expect_ending 4 tcg "L1 alive" "@ready"
expect_ending 1 tcg "BUG: unable to handle page fault" "@ready"
expect_ending 1 kvm "L1 alive" "@ready"

RIG_ACCEL=tcg
echo "$theirs" >"$RIG_CONSOLE"
expect_tries 0 1 0
expect_tries 0 2 4 0
expect_tries 0 3 3 1 0
expect_tries 4 3 4 4 4 0
expect_tries 2 1 2 0
echo "$ours" >"$RIG_CONSOLE"
expect_tries 1 1 1 0
exit $failed
