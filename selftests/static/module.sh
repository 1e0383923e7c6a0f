#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the module from nothing with all warnings; any message of a compiler,
# or of sparse with C=2, about our files is a failure.
#
# usage: module.sh 6.1|6.12 [LLVM=1] [C=2]

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"

kver=$1
shift
dir=$(scratch "module-$kver${*:+-$*}")
make --no-print-directory -j"$(nproc)" module "O=$dir" "KVER=$kver" W=1 \
	CF='-D__CHECK_ENDIAN__ -Wbitwise -Wcontext' "$@" >"$dir/log" 2>&1
status=$?
if [ $status != 0 ]; then
	tail -n 40 "$dir/log"
	exit 1
fi
# kbuild remarks on a compiler that is not the one the kernel was built with.
! grep -E -A8 '(warning|error):' "$dir/log" |
	grep -vE '^(warning: the compiler differs|  The kernel was built by:|  You are using:|  [A-Z]+ |--)'
