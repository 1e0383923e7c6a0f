#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every error message is in a test, or in static/messages with what would have to
# happen.

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"

mapfile -t sources < <(tree_files 'user/vmm/*.c' 'user/ctl/*.c')
need_files ${#sources[@]} sources
mapfile -t tests < <(tree_files 'selftests/unit/*.[ch]' 'selftests/netlink/*.c' \
	'selftests/vm/*.[ch]' 'selftests/vm/*.sh' 'selftests/lib/*.[ch]')
need_files ${#tests[@]} tests
python3 selftests/static/messages.py selftests/static/messages \
	"${sources[@]}" -- "${tests[@]}"
