# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the static checks share.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
O=${O:-$top/build}
cd "$top" || exit
# The variables of the make that started this are not meant for those below.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL KVER

# Files of the project, also those that are not committed yet.
tree_files() { # PATTERN...
	local file

	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files -co --exclude-standard -- "$@"
	else
		find . -path "./${O#"$PWD/"}" -prune -o -type f -print | sed 's,^\./,,' |
			while read -r file; do matches "$file" "$@" && echo "$file"; done
	fi | while read -r file; do
		# Deleted, but not in the index yet.
		[ ! -f "$file" ] || echo "$file"
	done
}

matches() { # FILE PATTERN...
	local file=$1 pattern

	shift
	[ $# -gt 0 ] || return 0
	for pattern; do
		# shellcheck disable=SC2053 # a pattern
		[[ $file == $pattern || $file == $pattern/* ]] && return
	done
	return 1
}

# A check that finds nothing to look at would pass for ever.
need_files() { # COUNT WHAT
	[ "$1" -gt 0 ] && return
	echo "found no $2 to check"
	exit 1
}

kernel_source() {
	selftests/qemu/setup.sh source
}

# An empty directory for the build of this check.
scratch() { # NAME
	# kbuild takes no "=" in a path.
	local dir=$O/static/${1//[= ]/-}

	rm -rf "$dir"
	mkdir -p "$dir"
	echo "$dir"
}
