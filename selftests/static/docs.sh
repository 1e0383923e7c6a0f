#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the documentation names is there: files, functions (a name with
# parentheses), tests (stage/file:case); and what the sources name by an id is
# defined in the documentation.

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"

dir=$(scratch docs)
mapfile -t pages < <(tree_files 'Documentation/*.rst' 'README.md')
mapfile -t sources < <(tree_files 'kmod/*.[ch]' 'user/*.[ch]' 'selftests/*.[ch]')
need_files ${#pages[@]} pages
need_files ${#sources[@]} sources

named() { # REGEX: PAGE:LINE:NAME for each place
	grep -nHoP "$1" "${pages[@]}"
}

# Each reads PLACE:NAME and repeats what is not there.
without_file() {
	local page line name

	while IFS=: read -r page line name; do
		[ -e "$name" ] || echo "$page:$line: no file $name"
	done
}

without_base_name() {
	local page line name

	tree_files '*' | sed 's,.*/,,' >"$dir/names"
	while IFS=: read -r page line name; do
		grep -qxF "$name" "$dir/names" || echo "$page:$line: no file $name"
	done
}

without_function() {
	local page line name

	grep -hoE '\b[a-z_][a-z0-9_]*\(' "${sources[@]}" | sort -u >"$dir/functions"
	while IFS=: read -r page line name; do
		grep -qxF "${name%)}" "$dir/functions" ||
			echo "$page:$line: no function $name"
	done
}

has_test() { # STAGE/FILE CASE
	local file=selftests/$1

	case $1 in
	static/*) grep -q "^${1#static/}[[:space:]]" selftests/static/checks; return ;;
	fuzz/*) grep -qE "^fuzzers.*[[:space:]]${1#fuzz/}([[:space:]]|$)" selftests/fuzz/objs.mk
		return ;;
	esac
	if [ -z "$2" ]; then
		[ -e "$file.c" ] || [ -e "$file.sh" ]
		return
	fi
	grep -qE "^TEST[A-Z_]*\\(([a-z_]+, )?$2[,)]" "$file.c" 2>/dev/null ||
		grep -qw "$2" "$file.sh" 2>/dev/null
}

without_test() {
	local page line name

	while IFS=: read -r page line name; do
		has_test "${name%%:*}" "$(sed -n 's/.*://p' <<<"$name")" ||
			echo "$page:$line: no test $name"
	done
}

without_definition() {
	local source line name

	while IFS=: read -r source line name; do
		grep -qE "\* - $name\$" Documentation/virtio-pmem.rst ||
			echo "$source:$line: $name is not in Documentation/virtio-pmem.rst"
	done
}

{
	named '(?<![\w./-])(kmod|user|selftests|Documentation|LICENSES)/[\w./-]*\w' |
		without_file
	named '(?<![\w./-])[\w-]+\.(c|h|rst|scd)\b(?=.*)' | grep '^Documentation' |
		without_base_name
	named '(?<![\w.])[a-z_]\w*\(\)' | without_function
	# shellcheck disable=SC2016 # a regular expression
	named '(?<=``)(unit|netlink|vm|static|fuzz)/[\w-]+(:\w+)?(?=``)' | without_test
	grep -nHoE '\b(PMEM|VIO|RING|PCI|MSIX|BAD|PEER|DRV)-D?[0-9]+\b' "${sources[@]}" |
		without_definition
} >"$dir/missing"
[ -s "$dir/functions" ] || echo "found no functions to check"
! grep . "$dir/missing"
