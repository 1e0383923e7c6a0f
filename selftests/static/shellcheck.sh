#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs shellcheck over all shell scripts, named *.sh or not.

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"

mapfile -t files < <(tree_files '*' | while read -r file; do
	if [[ $file == *.sh ]] || head -n1 "$file" | grep -qaE '^#!/bin/(ba)?sh'; then
		echo "$file"
	fi
done)
need_files ${#files[@]} scripts
# SC2030, SC2031: the rig sets variables in a subshell in order to keep them.
shellcheck --external-sources --exclude=SC2030,SC2031 --format=gcc "${files[@]}"
