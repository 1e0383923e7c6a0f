#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs the tests of accounting on a machine that has persistent memory, for the
# one among them that needs DAX.

set -u
here=$(cd "$(dirname "$0")" && pwd)
: "${O:=$here/../../build}"

exec "$here/../qemu/run.sh" --kernel "$RIG_KVER" --l2 none \
	--name "dax-$RIG_KVER" --append 'memmap=256M!1G' --modules nd_e820 \
	"$O/selftests/netlink/account"
