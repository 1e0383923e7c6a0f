#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds an initrd: busybox, kernel modules in load order, files, an init.
#
# usage: mkinitrd.sh --out FILE [--kernel DIR --modules "NAME ..."] [--busybox]
#                    [--init SCRIPT] [--file SRC:DEST]... [--text DEST=TEXT]...
#
# --kernel DIR    a kernel unpacked by setup.sh
# --modules       their .ko files become /mod/NNN-NAME.ko, dependencies first
# --file          a program brings its shared libraries along
# --raw           do not compress
#
# The kernel unpacks archives that follow one another into the same root, so a
# small archive with what changes can be appended to a large one that stays.

set -euo pipefail

out='' kernel='' modules='' init='' busybox='' pack='gzip -1'
files=() texts=()

die() {
	echo "mkinitrd: $*" >&2
	exit 1
}

while [ $# -gt 0 ]; do
	case $1 in
	--*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}"; continue ;;
	--out) out=$2; shift ;;
	--kernel) kernel=$2; shift ;;
	--modules) modules=$2; shift ;;
	--init) init=$2; shift ;;
	--file) files+=("$2"); shift ;;
	--text) texts+=("$2"); shift ;;
	--busybox) busybox=1 ;;
	--raw) pack='cat' ;;
	*) die "unknown option '$1'" ;;
	esac
	shift
done
[ -n "$out" ] || die "no --out FILE"

root=$(mktemp -d)
trap 'rm -rf "$root" "$out.tmp.$$"' EXIT

# Copies a file, and the shared libraries and loader that it names.
add_file() { # SRC DEST
	local library

	[ -e "$1" ] || die "no file $1: build it first"
	install -D "$1" "$root/$2"
	# ldd fails for what is not dynamically linked.
	for library in $(ldd "$1" 2>/dev/null | grep -oE '/[^ ]+' || true); do
		[ -e "$root/$library" ] ||
			install -D "$(realpath "$library")" "$root/$library"
	done
}

unpack_module() { # SRC DEST
	case $1 in
	*.xz) xz -dc "$1" >"$2" ;;
	*.zst) zstd -qdc "$1" >"$2" ;;
	*) cp "$1" "$2" ;;
	esac
}

add_modules() { # RELEASE NAME...
	local release=$1 path name number=100

	shift
	mkdir -p "$root/mod"
	# A module that this kernel has built in gives a line "builtin".
	for name; do
		/sbin/modprobe -d "$kernel" -S "$release" --show-depends "$name" \
			2>/dev/null || die "linux $release has no module $name"
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' |
	while read -r path; do
		name=$(basename "$path")
		unpack_module "$path" "$root/mod/$number-${name%%.ko*}.ko"
		number=$((number + 1))
	done
}

mkdir -p "$root/dev"
if [ -n "$busybox" ]; then
	mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,proc,sys,tmp,run,mnt,etc,root}
	cp /bin/busybox "$root/bin/busybox"
	for applet in $(/bin/busybox --list); do
		[ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
	done
fi
if [ -n "$modules" ]; then
	# shellcheck disable=SC2086 # a list
	add_modules "$(cat "$kernel/release")" $modules
fi
[ -z "$init" ] || install -m 755 "$init" "$root/init"
for file in "${files[@]}"; do
	add_file "${file%%:*}" "${file#*:}"
done
for text in "${texts[@]}"; do
	mkdir -p "$root/$(dirname "${text%%=*}")"
	printf '%s\n' "${text#*=}" >"$root/${text%%=*}"
done

mkdir -p "$(dirname "$out")"
(cd "$root" && find . -mindepth 1 | sort | cpio -o -H newc --quiet | $pack) >"$out.tmp.$$"
# The kernel looks for the next archive on a multiple of four bytes.
truncate -s %4 "$out.tmp.$$"
mv "$out.tmp.$$" "$out"
