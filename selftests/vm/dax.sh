#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs tests on a machine that has persistent memory, for those among them that
# need DAX.

set -u
here=$(cd "$(dirname "$0")" && pwd)
: "${O:=$here/../../build}"

exec "$here/../qemu/run.sh" --kernel "$RIG_KVER" \
	--name "dax-$RIG_KVER" --append 'memmap=256M!1G' --modules nd_e820 \
	"$O/selftests/netlink/account" "$O/selftests/vm/backing"
