#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds a kernel from unpacked sources and tinyconfig with fragments on top,
# and lays it out as setup.sh unpacks the kernels of packages.
#
# usage: build-kernel.sh SOURCE ROOT FRAGMENT...
#
# ROOT gets release, vmlinuz, lib/modules, and build with as much of SOURCE as
# a module needs. It fails if an option of a fragment is not in the result.

set -euo pipefail

source=$1 root=$2
shift 2

say() {
	echo "setup: $*" >&2
}

die() {
	say "$*"
	exit 1
}

# What the caller's make has set is not meant for the kernel's.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL O V C W

kbuild() {
	nice make -C "$source" --no-print-directory -s "$@" >>"$root/log" 2>&1 && return
	tail -n 20 "$root/log" >&2
	die "make $* failed"
}

# An option that depends on one that is off is dropped without a word.
check_options() { # FRAGMENT...
	local line option dropped=0

	while read -r line; do
		option=${line%%=*}
		case $line in
		*=n) ! grep -q "^$option=" "$source/.config" && continue ;;
		*) grep -qxF "$line" "$source/.config" && continue ;;
		esac
		say "the configuration did not keep $line"
		dropped=1
	done < <(grep -h '^CONFIG_' "$@")
	return $dropped
}

configure() { # FRAGMENT...
	kbuild tinyconfig
	"$source/scripts/kconfig/merge_config.sh" -m -O "$source" \
		"$source/.config" "$@" >>"$root/log"
	kbuild olddefconfig
	check_options "$@" || die "cannot configure the kernel: adapt selftests/qemu/config"
}

# Says how far the build is while it runs.
report() { # WHAT PID
	local seconds=0

	while sleep 1 && kill -0 "$2" 2>/dev/null; do
		seconds=$((seconds + 1))
		[ $((seconds % 20)) != 0 ] ||
			say "building $1: $(grep -c '^  [A-Z]' "$root/log") steps in $seconds s"
	done
}

compile() { # WHAT
	nice make -C "$source" --no-print-directory -j"$(nproc)" bzImage modules \
		>>"$root/log" 2>&1 &
	make_pid=$!
	report "$1" $make_pid
	wait $make_pid && make_pid= && return
	make_pid=
	grep -E -A5 'error|Error' "$root/log" | tail -n 20 >&2
	die "cannot build $1"
}

make_pid=
# shellcheck disable=SC2317 # the trap calls it
stop_make() {
	[ -z "$make_pid" ] || kill "$make_pid" 2>/dev/null || true
}
trap stop_make EXIT
trap 'exit 130' INT TERM

# As much as kbuild reads when it builds a module.
install_headers() { # DIR
	mkdir -p "$1"
	(
		cd "$source"
		find . arch/x86 -maxdepth 1 -name 'Makefile*'
		find include arch/x86/include scripts ! -type d
		echo .config
		echo Module.symvers
		[ ! -e tools/objtool/objtool ] || echo tools/objtool/objtool
	) | tar -C "$source" -T - -cf - | tar -C "$1" -xf -
}

mkdir -p "$root/boot"
what="linux with $(basename "${!#}")"
configure "$@"
say "building $what, which takes some minutes"
compile "$what"
release=$(cat "$source/include/config/kernel.release")
kbuild modules_install "INSTALL_MOD_PATH=$root" DEPMOD=true
cp "$source/arch/x86/boot/bzImage" "$root/boot/vmlinuz-$release"
install_headers "$root/usr/src/linux-headers-$release"
ln -sfn "../../../usr/src/linux-headers-$release" "$root/lib/modules/$release/build"
rm -f "$root/lib/modules/$release/source" "$root/log"
echo "$release" >"$root/release"
