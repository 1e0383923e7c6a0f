#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The generated files are what the spec gives.

set -euo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"

dir=$(scratch spec)
Documentation/netlink/regen.sh "$(kernel_source)" "$dir"
status=0
for file in uapi/linux/vpmem.h generated/netlink.h generated/netlink.c; do
	diff -u "kmod/$file" "$dir/$file" || status=1
done
[ $status = 0 ] || echo "run 'make spec' and commit the result with the spec"
exit $status
