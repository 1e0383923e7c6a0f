# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Which cases of a test program are left when its machine has died: a program
# runs again without those that it has passed. Source lib.sh before.

# All cases of a test program, as it names them in its results.
cases() { # PROGRAM
	"$1" -l 2>&1 | awk '
	function flush(	v, t) {
		for (v = 0; v < variants || !v; v++)
			for (t = 0; t < tests; t++)
				print fixture (variants ? "." variant[v] : "") "." test[t]
		variants = tests = 0
	}
	function field(from, to) {
		from = substr($0, from, to)
		gsub(/ /, "", from)
		return from
	}
	NR == 1 { next }
	/^---/ { flush(); next }
	/^[^ ]/ { fixture = $1 }
	{
		if (field(22, 25) != "")
			variant[variants++] = field(22, 25)
		if (field(48, 200) != "")
			test[tests++] = field(48, 200)
	}
	END { flush() }'
}

# The cases that PROGRAM has passed or skipped, in this machine.
passed_cases() { # NAME
	sed -n "/^@start ${1//\//\\/}\$/,\$s/^|ok [0-9]* \([^ ]*\).*/\1/p" "$RIG_RESULTS" | tr -d '\r'
}

# Makes the first line run only what it has not yet passed; fails if that is
# all of it.
drop_passed() {
	local words program passed left

	read -ra words <<<"${lines[0]}"
	[ "${words[4]:--r}" = -r ] || return
	passed=$(passed_cases "${words[0]}")
	[ -n "$passed" ] || return
	program=$(printf '%s\n' "${RIG_FILES[@]}" | sed -n "s,:${words[3]#/}\$,,p")
	if [ ${#words[@]} -gt 4 ]; then
		left=$(printf '%s\n' "${words[@]:4}" | grep -vx -e -r)
	else
		left=$(cases "$program")
	fi
	left=$(grep -vxF "$passed" <<<"$left") || return
	lines[0]="${words[*]:0:4} -r ${left//$'\n'/ -r }"
}
