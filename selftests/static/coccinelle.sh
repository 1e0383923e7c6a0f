#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's semantic patches over the module.

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"

source=$(kernel_source) || exit
dir=$(scratch coccinelle)
patches=0

apply() { # PATCH DIR
	timeout 120 spatch -D report --no-show-diff --very-quiet --no-includes \
		--cocci-file "$1" --dir "$2" 2>>"$dir/log"
}

# A tool that does not work has nothing to report either.
mkdir "$dir/seeded"
cat >"$dir/seeded/seeded.c" <<-EOF
	void seeded(struct seed *seed)
	{
		kfree(seed);
		seed->number = 1;
	}
EOF
if ! apply "$source/scripts/coccinelle/free/kfree.cocci" "$dir/seeded" |
	grep -q 'reference preceded by free'; then
	tail -n 20 "$dir/log"
	echo "spatch does not find a use after free"
	exit 1
fi

while read -r patch; do
	patches=$((patches + 1))
	apply "$patch" kmod >>"$dir/report"
done < <(grep -rlw 'virtual report' "$source/scripts/coccinelle")
need_files $patches "semantic patches"
! grep . "$dir/report"
