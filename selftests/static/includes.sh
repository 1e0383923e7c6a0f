#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Includes go one way: the order is in static/order. Nobody leaves a directory
# by "../".

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"

mapfile -t files < <(tree_files 'kmod/*.[ch]' 'user/*.[ch]')
need_files ${#files[@]} "C files"
grep -nE '#include "\.\./' "${files[@]}" && exit 1

grep -nHE '^#[[:space:]]*include "' "${files[@]}" |
awk '
FNR == NR {
	sub(/[ \t]*#.*/, "")
	if (/^\[/)
		dir = substr($0, 2, length($0) - 2)
	else if (NF)
		rank[dir "/" $1] = ++n
	next
}
{
	split($0, part, ":")
	file = unit = part[1]
	split($0, quoted, "\"")
	other = quoted[2]
	sub(/\.[ch]$/, "", unit)
	sub(/\.h$/, "", other)
	dir = unit
	# generated/ is part of kmod and names its own by their base names.
	sub(/\/[^\/]*$/, "", dir)
	if (dir ~ /\/generated$/) {
		other = "generated/" other
		sub(/\/generated$/, "", dir)
	}
	if (!(dir in checked))
		checked[dir] = dir == "kmod" || dir == "user/vmm"
	if (!checked[dir] || unit == dir "/" other)
		next
	edges++
	if (!(unit in rank))
		print file ": not in static/order"
	else if (!((dir "/" other) in rank))
		print file ": includes " other ".h, which is not in static/order"
	else if (rank[dir "/" other] >= rank[unit])
		print file ": may not include " other ".h, see static/order"
	else
		next
	bad++
}
END {
	if (!edges)
		print "found no includes to check"
	exit bad || !edges
}' selftests/static/order -
