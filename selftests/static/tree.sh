#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What must not be in the tree: build products, paths of somebody's machine,
# hosts of package archives, unfinished work; and what must: licence lines.

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"

dir=$(scratch tree)
complain() { # WHAT
	# The last part of a pipe is a subshell: what it finds is kept in a file.
	sed "s,^,$1: ," | tee -a "$dir/found"
}

mapfile -t files < <(tree_files '*')
need_files ${#files[@]} files

printf '%s\n' "${files[@]}" |
	grep -E '\.(o|ko|a|so|mod|img|cpio|deb|gz|xz|zst|qcow2|orig|rej|swp)$|~$' |
	complain 'build product'

# The words stand apart here so that this file passes.
words='(^|[^a-z"}])(/wo''rk/|/ro''ot/|/tm''p/(bash|rig)|/ho''me/[a-z]+/)'
words+='|deb\.deb''ian\.org|snapshot\.deb''ian|archive\.ubu''ntu'
words+='|pypi\.''org|crates\.''io|TO''DO|FIX''ME'
grep -nIE "$words" "${files[@]}" | grep -v '^LICENSES/' | complain 'forbidden'

printf '%s\n' "${files[@]}" |
	grep -E '(\.(c|h|S|sh|mk|py|awk|asl|yaml)|Makefile|Kbuild|Kconfig)$' |
	while read -r file; do
		head -n 3 "$file" | grep -q SPDX-License-Identifier || echo "$file"
	done | complain 'no licence line'

find . -path "./${O#"$top/"}" -prune -o -path ./.git -prune -o \
	-type f \( -name '*.o' -o -name '*.ko' -o -name '*.cmd' -o -name __pycache__ \) -print |
	complain 'built in the tree'
[ ! -s "$dir/found" ]
