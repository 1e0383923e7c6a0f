#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the netlink tests reach of the module: a table of lines and branches. Fails
# if a line is not reached that coverage.exceptions does not excuse, or if less is
# reached than coverage.py asks for.
#
# Environment: O, output directory; TESTS, some of the tests; V=1, also the
# branches that were not taken.

set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=selftests/lib.sh
. "$here/lib.sh"
top=$(cd "$here/.." && pwd)
export O=${O:-$top/build}
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
kver=6.1-kasan
dir=$O/coverage

die() {
	echo "coverage: $*" >&2
	exit 1
}

quiet_make() {
	make -C "$top" --no-print-directory -j"$(nproc)" "$@" >"$dir/make.log" 2>&1 &&
		return
	tail -n 20 "$dir/make.log" >&2
	die "make $* failed"
}

programs=()
for source in "$here"/netlink/*.c; do
	name=netlink/$(test_name "$source")
	! selected "$name" || programs+=("$O/selftests/$name")
done
[ ${#programs[@]} -gt 0 ] || die "no such test: $TESTS"

rm -rf "$dir"
mkdir -p "$dir"
quiet_make user
quiet_make -C selftests vm
quiet_make module COVERAGE=1 "KVER=$kver"
release=$(cat "$("$here/qemu/setup.sh" kernel $kver)/release")
"$here/qemu/run.sh" --kernel $kver --l2 none --name coverage --variant gcov \
	--coverage "$dir/data" "${programs[@]}" | grep -v '^#' ||
	die "some tests failed: the numbers would mean little"

# gcov wants counters and notes of a file in one place.
objects=$O/module/$release-gcov
find "$objects" "$dir" -name '*.gcov.json.gz' -delete
for counts in "$dir"/data/*.gcda; do
	notes=$(find "$objects/kmod" -name "$(basename "${counts%.gcda}").gcno" |
		grep -v generated)
	[ -z "$notes" ] || cp "$counts" "$(dirname "$notes")/"
done
cd "$objects" || exit
for counts in kmod/*.gcda; do
	[ -e "$counts" ] || die "nothing was counted"
	gcov-12 --branch-probabilities --json-format --object-directory kmod \
		"${counts%.gcda}.c" >/dev/null 2>&1
done
mv ./*.gcov.json.gz "$dir/" || die "gcov counted nothing"
"$here/coverage.py" "$top" "$here/coverage.exceptions" "$dir"/*.gcov.json.gz
