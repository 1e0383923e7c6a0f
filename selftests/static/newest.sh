#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the module for the newest kernel in Debian, which wants a newer compiler
# and C library than this machine has: in a root file system of its own. Needs
# root. Any message of the compiler or of sparse about our files is a failure.

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"

root=$(selftests/qemu/setup.sh newest)/tree || exit
release=$(cat "$root/release") || exit
dir=$(scratch newest)
cp -a Kbuild kmod "$dir/"

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# objtool looks at /proc; the mounts end with the command.
# shellcheck disable=SC2016 # the inner shell's own
in_root() { # COMMAND...
	as_root unshare --mount sh -euc '
		mount -t proc proc "$1/proc"
		mount --bind "$2" "$1/mnt"
		root=$1
		shift 2
		exec chroot "$root" "$@"' sh "$root" "$dir" "$@"
}

in_root make -C "/usr/src/linux-headers-$release" M=/mnt W=1 C=2 \
	CF='-D__CHECK_ENDIAN__ -Wbitwise -Wcontext' modules >"$dir/log" 2>&1
status=$?
as_root chown -R "$(id -u):$(id -g)" "$dir"
if [ $status != 0 ]; then
	tail -n 40 "$dir/log"
	exit 1
fi
if grep -E -A8 '(warning|error):' "$dir/log"; then
	exit 1
fi
echo "built for $release"
