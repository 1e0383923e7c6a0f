#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs one fuzzer for a bounded time, from the inputs under corpus/ and those
# that earlier runs found.
#
# usage: run.sh NAME SECONDS
#
# Fails if an input was found that breaks the code, and says where it is kept;
# run the fuzzer on that file to see it again. A fuzzer "ring-MUTANT" is built
# from code that is broken on purpose: it fails if nothing was found, since then
# the fuzzer is blind. It ends with the first find, so it has six times as long.
# `run.sh merge NAME` copies to corpus/ what is new there.

set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
O=${O:-$here/../../build}
programs=$O/selftests/fuzz

# Inputs that need no file: they are written anew by each run.
seeds() { # NAME
	local dir=$O/fuzz/seeds/$1

	[ -x "$programs/${1}_seeds" ] || return 0
	rm -rf "$dir"
	mkdir -p "$dir"
	"$programs/${1}_seeds" "$dir" && echo "$dir"
}

# Inputs that broke the code; not those of NAME-MUTANT.
artifacts() { # NAME [ACTION]
	find "$O/fuzz" -maxdepth 1 -type f -regextype posix-extended \
		-regex ".*/$1-(crash|leak|oom|timeout|slow-unit)-[^/]*" "${@:2}"
}

if [ "${1:-}" = merge ]; then
	name=$2
	# shellcheck disable=SC2046 # a directory or none
	"$programs/$name" -merge=1 $(seeds "$name") "$here/corpus/$name" \
		"$O/fuzz/$name"
	exit
fi

name=$1 seconds=$2
base=${name%%-*}
found=$O/fuzz/$name
mkdir -p "$found"
rm -f "$found.log"
artifacts "$name" -delete
if [ "$name" != "$base" ]; then
	rm -f "$found"/*
	seconds=$((6 * seconds))
fi

arguments=("-max_total_time=$seconds" -timeout=10 -rss_limit_mb=2048
	   -max_len=4096 -print_final_stats=1 "-artifact_prefix=$found-" "$found")
[ ! -e "$here/$base.dict" ] || arguments+=("-dict=$here/$base.dict")
[ ! -d "$here/corpus/$base" ] || arguments+=("$here/corpus/$base")
# shellcheck disable=SC2046 # a directory or none
timeout -k 10 $((seconds + 60)) "$programs/$name" "${arguments[@]}" \
	$(seeds "$base") >"$found.log" 2>&1
status=$?
input=$(artifacts "$name" | head -n1)

if [ "$name" != "$base" ]; then
	[ -n "$input" ] && exit
	echo "${name#*-} was not found in $seconds s: the fuzzer is blind"
	exit 1
fi
if [ $status != 0 ]; then
	grep -v '^#' "$found.log" | tail -n 60
	echo "the input is ${input:-not kept}; the log is $found.log"
	exit 1
fi
grep -E '^stat::(number_of_executed|average_exec)|^#.*DONE' "$found.log"
