#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Fetches what building and testing need from Debian's packages.
#
# usage: setup.sh host               install missing host packages
#        setup.sh kernel SERIES      unpack that kernel and its headers: 6.1 or 6.12,
#                                    or build 6.1-kasan or 6.1-kcsan from source
#        setup.sh source             unpack the kernel sources' test tools
#        setup.sh rootfs             build a Debian root file system image
#        setup.sh newest             unpack Debian's newest kernel headers, with the
#                                    compiler that they want, as a root file system
#        setup.sh emulator           build Debian's QEMU with a fault of it mended
#        setup.sh clean              remove what was unpacked
#
# kernel and source install nothing and need no privilege: they unpack into a
# cache outside the tree and print the directory. So do rootfs and newest, but as
# root, since the files in them belong to several users, and emulator, which installs
# what it needs to build. A directory gets its name only
# when it is complete, so an interrupted run leaves nothing to clean up.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${VPMEM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vpmem}

say() {
	echo "setup: $*" >&2
}

die() {
	say "$*"
	exit 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -n "$@"
	else
		return 126
	fi
}

apt_log=
work=
cleanup() {
	rm -rf ${apt_log:+"$apt_log"} ${work:+"$work"}
	[ -z "$work" ] || [ ! -e "$work" ] || as_root rm -rf "$work"
}
trap cleanup EXIT

# Runs an apt command, its output kept for the error message. Package lists
# can be missing or out of date: on failure they are fetched anew, once.
apt_try() {
	apt_log=${apt_log:-$(mktemp)}
	"$@" >"$apt_log" 2>&1 && return
	say "refreshing the package lists (apt-get update)"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update \
		>>"$apt_log" 2>&1 || true
	"$@" >"$apt_log" 2>&1
}

apt_reason() {
	grep -m1 -E '^E:|sudo:' "$apt_log" || tail -n1 "$apt_log"
}

missing_packages() { # PACKAGE...
	local package

	for package; do
		dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null |
			grep -q '^.i' || echo "$package"
	done
}

install_packages() { # PACKAGE...
	local missing

	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} != 0 ] || return 0
	say "installing ${#missing[@]} packages: ${missing[*]}"
	apt_try as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -y --no-install-recommends \
		-o DPkg::Lock::Timeout=300 install "${missing[@]}" ||
		die "cannot install ${missing[*]}: $(apt_reason): run it by hand as root: apt-get install ${missing[*]}"
	say "installed ${#missing[@]} packages"
}

setup_host() {
	local packages

	command -v dpkg-query >/dev/null ||
		die "no dpkg here: install the packages listed in selftests/qemu/packages yourself"
	mapfile -t packages < <(sed -e 's/[[:space:]]*\(#.*\)*$//' -e '/^$/d' "$here/packages")
	install_packages "${packages[@]}"
	say "all host packages are installed"
}

# The first package that PACKAGE depends on and whose name matches REGEX.
dependency() { # PACKAGE REGEX
	LC_ALL=C apt-cache --no-recommends depends "$1" 2>/dev/null |
		sed -n 's/^[ |]*Depends: //p' | grep -E -m1 "^$2\$"
}

stale() { # PACKAGE
	die "apt does not know what $1 depends on: run apt-get update as root"
}

candidate() { # PACKAGE
	LC_ALL=C apt-cache policy "$1" 2>/dev/null |
		sed -n 's/^  Candidate: //p' | grep -v '(none)'
}

known() { # PACKAGE...
	local package
	for package; do
		if ! candidate "$package" >/dev/null; then
			echo "E: no such package: $package"
			return 1
		fi
	done
}

cached() { # LINK
	[ -d "$cache/$1" ] && realpath "$cache/$1"
}

new_work() { # LINK
	mkdir -p "$cache"
	# One process for each; the lock goes with it.
	exec 9>"$cache/.lock-$1"
	flock 9
	work=$(mktemp -d "$cache/.tmp.XXXXXX")
	chmod 755 "$work"
	mkdir "$work/deb" "$work/root"
}

download() { # PACKAGE...
	local user=()

	# apt's own download user cannot write here, and would say so.
	[ "$(id -u)" != 0 ] || user=(-o APT::Sandbox::User=root)
	say "downloading $*"
	cd "$work/deb"
	apt_try apt-get -q "${user[@]}" download "$@" ||
		die "cannot download $*: $(apt_reason): check the network and the apt sources"
	cd "$here"
}

# Gives the finished directory its name, and makes LINK name it.
publish() { # FROM NAME LINK
	rm -rf "${cache:?}/$2"
	mv "$1" "$cache/$2"
	ln -sfn "$2" "$work/link"
	mv -T "$work/link" "$cache/$3"
	say "unpacked $cache/$2"
}

# Headers name each other by absolute paths below /usr/src; relative ones make
# them work, and leave the cache free to move.
relocate_headers() { # ROOT RELEASE
	local headers=$1/usr/src/linux-headers-$2

	sed -i 's,^include /usr/src/,include ../,' "$headers/Makefile"
	if grep -q '/usr/src' "$headers/Makefile"; then
		die "the headers of $2 refer to /usr/src in a new way: adapt relocate_headers"
	fi
	ln -sfn "../../../usr/src/linux-headers-$2" "$1/lib/modules/$2/build"
	rm -f "$1/lib/modules/$2/source"
}

unpack_kernel() { # RELEASE
	local deb

	say "unpacking linux $1"
	for deb in "$work"/deb/*.deb; do
		dpkg -x "$deb" "$work/root"
	done
	relocate_headers "$work/root" "$1"
	echo "$1" >"$work/root/release"
}

# What the rig wants of a kernel besides its files.
finish_kernel() { # ROOT
	local release

	release=$(cat "$1/release")
	PATH=$PATH:/sbin:/usr/sbin depmod -b "$1" "$release"
	ln -s "boot/vmlinuz-$release" "$1/vmlinuz"
	ln -s "usr/src/linux-headers-$release" "$1/build"
}

setup_package_kernel() { # SERIES PREFIX-OF-PACKAGES
	local series=$1 flavour=$2 meta image release common kbuild

	cached "kernel-$series" && return
	new_work "kernel-$series"
	cached "kernel-$series" && return
	meta=linux-image-${flavour}amd64
	apt_try known "$meta" ||
		die "apt knows no $meta: add Debian bookworm to the apt sources"
	image=$(dependency "$meta" 'linux-image-.*-amd64') || stale "$meta"
	release=${image#linux-image-}
	meta=linux-headers-$release
	common=$(dependency "$meta" 'linux-headers-.*-common') || stale "$meta"
	kbuild=$(dependency "$meta" 'linux-kbuild-.*') || stale "$meta"
	download "$image" "linux-headers-$release" "$common" "$kbuild"
	unpack_kernel "$release"
	finish_kernel "$work/root"
	publish "$work/root" "kernel-${release}_$(candidate "$image" | tr '~' -)" \
		"kernel-$series"
	realpath "$cache/kernel-$series"
}

unpack_source() { # PACKAGE TAR-ARGUMENT...
	local package=$1

	shift
	dpkg --fsys-tarfile "$work"/deb/*.deb |
		tar -xOf - "./usr/src/$package.tar.xz" | xz -T0 -dc |
		tar -xf - --strip-components=1 "$@" ||
		die "cannot unpack $package: is the disk full?"
}

# Another configuration is another kernel.
setup_debug_kernel() { # SERIES FLAVOUR
	local name=kernel-$1-$2 package=linux-source-$1 key
	local fragments=("$here"/config/{base,debug,"$2"})

	key=$(cat "${fragments[@]}" "$here/build-kernel.sh" | sha256sum | cut -c1-12)
	cached "$name-$key" && return
	new_work "$name"
	cached "$name-$key" && return
	download "$package"
	say "unpacking $package"
	mkdir "$work/source"
	unpack_source "$package" -C "$work/source"
	"$here/build-kernel.sh" "$work/source" "$work/root" "${fragments[@]}"
	finish_kernel "$work/root"
	publish "$work/root" "${name}_$(candidate "$package" | tr '~' -)_$key" \
		"$name-$key"
	realpath "$cache/$name-$key"
}

setup_kernel() { # SERIES
	case $1 in
	6.1) setup_package_kernel "$1" '' ;;
	6.12) setup_package_kernel "$1" 6.12- ;;
	6.1-kasan | 6.1-kcsan) setup_debug_kernel "${1%-*}" "${1#*-}" ;;
	*) die "unknown kernel series '$1': use 6.1, 6.12, 6.1-kasan or 6.1-kcsan" ;;
	esac
}

source_paths='Documentation/netlink/*.yaml
scripts/checkpatch.pl
scripts/coccinelle/*
scripts/const_structs.checkpatch
scripts/extract-vmlinux
scripts/kernel-doc
scripts/spelling.txt
tools/net/ynl/*
tools/testing/selftests/kselftest*
tools/testing/selftests/lib.mk'

setup_source() {
	local package=linux-source-6.12 patterns=() path link

	# Another list of paths makes another directory.
	link=$package-$(cksum <<<"$source_paths" | cut -d' ' -f1)
	cached "$link" && return
	new_work "$link"
	cached "$link" && return
	download "$package"
	say "unpacking the test tools of $package"
	for path in $source_paths; do
		patterns+=("$package/$path")
	done
	unpack_source "$package" -C "$work/root" --wildcards "${patterns[@]}"
	publish "$work/root" \
		"${link}_$(candidate "$package" | tr '~' -)" "$link"
	realpath "$cache/$link"
}

# The Debian archives that this machine's apt uses, as mmdebstrap takes them.
archives() { # SUITE
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' "Codename: $1" | sort -u
}

rootfs_packages=systemd-sysv,sqlite3
rootfs_size=512M

setup_rootfs() {
	local suite=bookworm name sources

	name=rootfs-$suite-$(echo "$rootfs_packages $rootfs_size" | md5sum | cut -c 1-8)
	cached "$name" && return
	new_work "$name"
	cached "$name" && return
	sources=$(archives $suite)
	[ -n "$sources" ] || die "apt knows no Debian $suite: add it to the apt sources"
	say "building a root file system of Debian $suite"
	# Documents and translations would be half of it.
	as_root mmdebstrap --quiet --mode=root --variant=minbase \
		--include="$rootfs_packages" \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--format=directory $suite "$work/tree" "$sources" >&2 ||
		die "cannot build a root file system: see above"
	as_root mke2fs -q -F -t ext4 -d "$work/tree" "$work/image" $rootfs_size >&2
	as_root chown "$(id -u):$(id -g)" "$work/image"
	mv "$work/image" "$work/root/rootfs.ext4"
	publish "$work/root" "$name-$(date +%Y%m%d)" "$name"
	realpath "$cache/$name"
}

# What this machine's apt is told of lists that are out of date.
valid_until() {
	apt-config dump | grep '^Acquire::Check-Valid-Until' ||
		echo 'Acquire::Check-Valid-Until "true";'
}

newest_packages=make,perl,sparse

# The headers without the kernel that they depend on, for whose installation a
# machine would have to be made up.
setup_newest() {
	local name sources

	name=newest-sid-$(sha256sum "$here/newest-hook.sh" | cut -c1-8)
	cached "$name" && return
	new_work "$name"
	cached "$name" && return
	sources=$(archives bookworm | sed 's/ bookworm / sid /')
	[ -n "$sources" ] || die "apt knows no Debian bookworm: add it to the apt sources"
	say "unpacking the newest kernel headers and their compiler, which takes minutes"
	as_root mmdebstrap --quiet --mode=root --variant=apt \
		--include="$newest_packages" \
		--aptopt='APT::Install-Recommends "false"' \
		--aptopt="$(valid_until)" \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook="$here/newest-hook.sh" \
		--format=directory sid "$work/tree" "$sources" >&2 ||
		die "cannot unpack the newest kernel headers: see above"
	as_root mv "$work/tree" "$work/root/tree"
	publish "$work/root" "$name-$(date +%Y%m%d)" "$name"
	realpath "$cache/$name"
}

emulator_packages=(dpkg-dev meson ninja-build pkg-config python3-minimal python3-distutils
		   libglib2.0-dev libpixman-1-dev libfdt-dev zlib1g-dev)

# The archives of bookworm, with its updates, that apt has lists of.
source_archives() {
	local suite

	for suite in bookworm bookworm-updates bookworm-security; do
		archives "$suite"
	done | sed 's/^deb /deb-src /'
}

# With lists of its own, as this machine's apt may know of no sources. Those of the
# version that is installed may have gone from the archives, for a newer one.
fetch_emulator() { # VERSION
	local options=(-q -o APT::Sandbox::User=root -o Dir::Etc::SourceParts=/dev/null
		       -o "Dir::Etc::SourceList=$work/sources.list"
		       -o "Dir::State::Lists=$work/lists")

	apt_try known qemu-system-x86 || true
	source_archives >"$work/sources.list"
	[ -s "$work/sources.list" ] ||
		die "apt knows no Debian bookworm: add it to the apt sources, and run apt-get update as root"
	mkdir -p "$work/lists/partial"
	say "downloading the sources of QEMU $1"
	cd "$work/deb"
	apt_log=${apt_log:-$(mktemp)}
	apt-get "${options[@]}" update >"$apt_log" 2>&1 ||
		die "cannot download lists of sources: $(apt_reason)"
	apt-get "${options[@]}" source "qemu=$1" >"$apt_log" 2>&1 || {
		say "$(apt_reason): taking the newest instead"
		apt-get "${options[@]}" source qemu >"$apt_log" 2>&1
	} || die "cannot download the sources of QEMU: $(apt_reason)"
	cd "$here"
}

# A VMRUN that injects an interrupt delivers it, and leaves it behind as an exception
# that is to be handled. Mostly that is overwritten before anybody looks; but if QEMU
# leaves the guest's code for a reason of its own first, as it does whenever a timer is
# due, the guest gets its interrupt a second time, even where it has disabled them.
mend_emulator() { # SOURCE
	local file=$1/target/i386/tcg/sysemu/svm_helper.c
	local line='do_interrupt_x86_hardirq(env, vector, 1);'

	[ "$(grep -cF "$line" "$file")" = 1 ] ||
		die "this QEMU injects interrupts in a new way: adapt mend_emulator"
	sed -i "s/^\( *\)\(${line//[()]/.}\)\$/\1\2\n\1cs->exception_index = -1;/" "$file"
	grep -A1 -F "$line" "$file" | grep -q exception_index ||
		die "this QEMU injects interrupts in a new way: adapt mend_emulator"
}

build_emulator() { # SOURCE
	local log=$work/log

	mkdir "$1/build"
	cd "$1/build"
	{
		PATH=/usr/bin:$PATH ../configure --target-list=x86_64-softmmu \
			--without-default-features --disable-docs --enable-tcg \
			--enable-fdt=system --meson=/usr/bin/meson &&
			ninja "-j$(nproc)" qemu-system-x86_64
	} >"$log" 2>&1 || die "cannot build QEMU: $(tail -n 5 "$log")"
	cd "$here"
}

setup_emulator() {
	local version name source

	version=$(dpkg-query -W -f '${source:Version}' qemu-system-x86 2>/dev/null) ||
		die "qemu-system-x86 is not installed: run setup.sh host"
	name=qemu-$(tr '+~:' '---' <<<"$version")-$(
		declare -f mend_emulator build_emulator | md5sum | cut -c 1-8)
	cached "$name" && return
	new_work "$name"
	cached "$name" && return
	install_packages "${emulator_packages[@]}"
	fetch_emulator "$version"
	source=$(echo "$work"/deb/qemu-*/)
	mend_emulator "$source"
	say "building QEMU, which takes minutes"
	build_emulator "$source"
	mv "$source/build/qemu-system-x86_64" "$work/root/"
	publish "$work/root" "$name-$(date +%Y%m%d)" "$name"
	realpath "$cache/$name"
}

remove() { # PATH...
	rm -rf "$@" 2>/dev/null || as_root rm -rf "$@"
}

case ${1:-} in
host) setup_host ;;
kernel) setup_kernel "${2:-}" ;;
source) setup_source ;;
rootfs) setup_rootfs ;;
newest) setup_newest ;;
emulator) setup_emulator ;;
clean) remove "$cache"/kernel-* "$cache"/linux-source-* \
	"$cache"/rootfs-* "$cache"/newest-* "$cache"/qemu-* "$cache"/.tmp.* ;;
*)
	sed -n 's/^# \{0,1\}//; 5,12p' "$0" >&2
	exit 2
	;;
esac
