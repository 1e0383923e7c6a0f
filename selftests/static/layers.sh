#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The module's objects call each other only as static/calls says.

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"

dir=$(scratch layers)
make --no-print-directory -j"$(nproc)" module "O=$dir" KVER=6.12 >"$dir/log" 2>&1 || {
	tail -n 20 "$dir/log"
	exit 1
}
cd "$dir"/module/*/kmod || exit
mapfile -t objects < <(find . -name '*.o' ! -name 'vpmem*.o' ! -name '.*' -printf '%P\n')
need_files ${#objects[@]} objects

nm "${objects[@]}" | awk '
FNR == NR {
	sub(/#.*/, "")
	if (split($0, side, ":") < 2)
		next
	unit = side[1]
	known[unit] = 1
	n = split(side[2], to, " ")
	for (i = 1; i <= n; i++)
		allowed[unit, to[i]] = 1
	next
}
/\.o:$/ {
	unit = $1
	sub(/\.o:$/, "", unit)
	if (!(unit in known)) {
		print unit ".c: not in static/calls"
		bad++
	}
	next
}
$2 ~ /^[TRDB]$/ { owner[$3] = $3 ~ /^vpmem_event_/ ? "event" : unit }
$1 == "U" { wanted[unit, $2] = 1 }
END {
	for (pair in wanted) {
		split(pair, part, SUBSEP)
		if (!(part[2] in owner))
			continue
		edges++
		if (allowed[part[1], owner[part[2]]])
			continue
		print part[1] ".c: may not use " part[2] "() of " owner[part[2]] \
			", see static/calls"
		bad++
	}
	if (!edges)
		print "found no calls to check"
	exit bad || !edges
}' "$top/selftests/static/calls" -
