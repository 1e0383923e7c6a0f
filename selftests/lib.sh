# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the scripts that run tests share.

selftests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Value of KEY in selftests/settings for TEST, else the general one.
setting() { # TEST KEY
	local value

	value=$(sed -n "s/^$1\.$2=//p" "$selftests/settings")
	echo "${value:-$(sed -n "s/^$2=//p" "$selftests/settings")}"
}

test_name() { # FILE
	local name

	name=$(basename "$1")
	name=${name#check_}
	echo "${name%.*}"
}

# Whether TESTS, if set, names STAGE/NAME or NAME.
selected() { # STAGE/NAME
	local pattern patterns

	[ -n "${TESTS:-}" ] || return 0
	read -ra patterns <<<"$TESTS"
	for pattern in "${patterns[@]}"; do
		# shellcheck disable=SC2053 # patterns
		[[ $1 == $pattern || ${1#*/} == $pattern ]] && return
	done
	return 1
}

any_selected() { # STAGE FILE...
	local stage=$1 file

	shift
	for file; do
		[ -e "$file" ] && selected "$stage/$(test_name "$file")" && return
	done
	return 1
}

# The functions below report as tap.awk reads it.

say() {
	echo "@say [$SECONDS s] $*"
}

broken() { # NAME WHY
	printf '@start %s\n@fault %s\n@end %s 0\n' "$1" "$2" "$1"
}

# A program that prints results of its own; a script may also "@say" something.
run_program() { # NAME SECONDS COMMAND...
	local name=$1 seconds=$2 status

	shift 2
	echo "@start $name"
	timeout -k 10 "$seconds" "$@" </dev/null 2>&1 | sed -u '/^@say /!s/^/|/'
	status=${PIPESTATUS[0]}
	[ "$status" != 124 ] || status=timeout
	echo "@end $name $status"
}

# A command whose exit status is the result: 4 means skipped, as in kselftest.
run_check() { # NAME COMMAND...
	local name=$1 status reason

	shift
	echo "@start $name"
	"$@" </dev/null 2>&1 | tee "$O/check/.output" | sed -u 's/^/@note /'
	status=${PIPESTATUS[0]}
	case $status in
	0) echo "|ok 1 ${name#*/}" ;;
	4)
		reason=$(tail -n1 "$O/check/.output")
		echo "|ok 1 ${name#*/} # SKIP $reason"
		;;
	*) echo "|not ok 1 ${name#*/}" ;;
	esac
	rm -f "$O/check/.output"
	echo "@end $name 0"
	[ "$status" = 0 ]
}

# Debian's awk reads pipes in blocks, so that results would come late.
tap() { # AWK-OPTION...
	local awk=(awk)

	! awk -W version 2>&1 </dev/null | grep -q mawk || awk+=(-W interactive)
	"${awk[@]}" "$@" -f "$selftests/tap.awk"
}
