#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds everything in user/ from nothing with warnings as errors.
#
# usage: user.sh CC=gcc|clang

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"

dir=$(scratch "user-$1")
make --no-print-directory -j"$(nproc)" user "O=$dir" WERROR=-Werror "$@" \
	>"$dir/log" 2>&1 || {
	tail -n 40 "$dir/log"
	exit 1
}
