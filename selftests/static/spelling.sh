#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# codespell over everything but licence texts.

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"

mapfile -t files < <(tree_files '*' | grep -vE '^(LICENSES/|COPYING)')
need_files ${#files[@]} files
codespell --quiet-level=2 --ignore-words "$top/selftests/static/words" "${files[@]}"
