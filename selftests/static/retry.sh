#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whether the rig starts a machine again when the emulator was to blame, and only
# then, with the cases that are left: a retry too many hides a fault.

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/qemu/lib.sh
. selftests/qemu/lib.sh
# shellcheck source=selftests/qemu/cases.sh
. selftests/qemu/cases.sh

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

# A program as the harness lists it, which L1 had begun to run.
program=$RIG_DIR/prog
cat >"$program" <<'EOF'
#!/bin/sh
cat >&2 <<'LIST'
# FIXTURE            VARIANT                   TEST
global                                         alone
--------------------------------------------------------------------------------
queue                on_worker                 first
                     inline                    second
--------------------------------------------------------------------------------
plain                                          third
                                               fourth
LIST
EOF
chmod +x "$program"

expect_cases() { # CASE...
	local found

	found=$(cases "$program" | tr '\n' ' ')
	[ "$found" = "$* " ] || complain "cases '$found', expected '$*'"
}

# What is left of JOB after L1 said RESULTS; nothing if it stays as it is.
expect_left() { # JOB RESULTS LEFT
	lines=("$1")
	RIG_FILES=("$program:tests/x/prog")
	printf '%b' "$2" >"$RIG_RESULTS"
	drop_passed || lines=("")
	[ "${lines[0]}" = "$3" ] || complain "after '$2' left of '$1': '${lines[0]}', expected '$3'"
}

expect_cases global.alone queue.on_worker.first queue.on_worker.second \
	queue.inline.first queue.inline.second plain.third plain.fourth
job="r/x/prog 60 load /tests/x/prog"
start='@start r/x/prog\n'
all="$start|ok 1 global.alone\n|ok 2 queue.on_worker.first\n|ok 3 queue.on_worker.second\n|ok 4 queue.inline.first\n"
expect_left "$job" "$start" ""
expect_left "$job" "$start|not ok 1 global.alone\n" ""
expect_left "$job" "$all|not ok 5 queue.inline.second\r\n|ok 6 plain.third # SKIP no\r\n" \
	"$job -r queue.inline.second -r plain.fourth"
expect_left "$job -r plain.third -r plain.fourth" "$start|ok 1 plain.third\n" "$job -r plain.fourth"
expect_left "$job -r plain.third" "$start|ok 1 plain.third\n" ""
expect_left "$job -t first" "$start|ok 1 queue.inline.first\n" ""
exit $failed
