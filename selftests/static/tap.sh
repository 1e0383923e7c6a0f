#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whether tap.awk sums up as it should: a check of what all others rely on.

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"

failed=0

# The lines of standard input have to end in that summary, and succeed if it
# tells of no failure.
expect() { # WHAT SUMMARY
	local out status want=0

	out=$(awk -f selftests/tap.awk)
	status=$?
	case $2 in
	"0 passed"* | *" 1 failed"* | *" 2 failed"*) want=1 ;;
	esac
	[ "$(tail -n1 <<<"$out")" = "$2" ] && [ $status = $want ] && return
	echo "$1: expected '$2' and exit status $want, got $status and:"
	echo "  ${out//$'\n'/$'\n  '}"
	failed=1
}

lines() {
	printf '%s\n' "$@"
}

misread='|# waiting for "up", got: Oops: int3: 0000 [#1] PREEMPT SMP'
reset='@reset once more'

lines '@start a' '|1..2' '|ok 1 x' '|ok 2 y # SKIP no y' '@end a 0' |
	expect "skipped is not passed" "1 passed, 0 failed, 1 skipped"
lines '@start a' '|ok 1 x' '|not ok 2 y' '@end a 1' |
	expect "a failed case" "1 passed, 1 failed, 0 skipped"
lines '@start a' '|ok 1 x' '@end a 139' |
	expect "a crash" "1 passed, 1 failed, 0 skipped"
lines '@start a' '|ok 1 x' '@end a timeout' |
	expect "out of time" "1 passed, 1 failed, 0 skipped"
lines '@start a' '|1..3' '|ok 1 x' '@end a 0' |
	expect "cases left out" "1 passed, 1 failed, 0 skipped"
lines '@start a' '|nothing' '@end a 0' |
	expect "no case" "0 passed, 1 failed, 0 skipped"
lines '@start a' '|ok 1 x' '@fault the kernel complained' '@end a 0' |
	expect "a fault" "1 passed, 1 failed, 0 skipped"
lines '@start a' '|ok 1 x' "$reset" '@start a' '|ok 1 x' '|ok 2 y' '@end a 0' |
	expect "stalled, then good" "2 passed, 0 failed, 0 skipped"
lines '@start a' '|ok 1 x' "$reset" '@start a' '|not ok 1 x' '@end a 1' |
	expect "stalled, then bad" "1 passed, 1 failed, 0 skipped"
lines '@start a' "$misread" '|not ok 1 x' "$reset" '@start a' '|ok 1 x' '@end a 0' |
	expect "misread, then good" "1 passed, 0 failed, 0 skipped"
lines '@start a' "$misread" '|not ok 1 x' "$reset" '@start a' '|not ok 1 x' '@end a 1' |
	expect "misread, then bad" "0 passed, 1 failed, 0 skipped"
lines '@start a' "$misread" '|not ok 1 x' '@end a 1' |
	expect "misread, no second run" "0 passed, 1 failed, 0 skipped"
lines '@start a' "$misread" '|ok 1 x' '|not ok 2 y' |
	expect "misread, then nothing" "1 passed, 1 failed, 0 skipped"
lines '@start a' '|not ok 1 x' "$misread" '|not ok 2 y' "$reset" '@start a' \
	'|not ok 1 x' '|ok 2 y' '@end a 1' |
	expect "bad before it was misread" "1 passed, 1 failed, 0 skipped"
lines | expect "nothing at all" "0 passed, 0 failed, 0 skipped"
exit $failed
