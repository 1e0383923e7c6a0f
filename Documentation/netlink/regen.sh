#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Generates the uAPI header, the policies and the operation table from
# specs/vpmem.yaml with the kernel's own generator.
#
# usage: regen.sh KERNEL-SOURCE OUTPUT-DIRECTORY
#
# Writes OUTPUT-DIRECTORY/{uapi/linux/vpmem.h,generated/netlink.{c,h}}, the
# layout of kmod/.

set -eu

src=${1:?usage: regen.sh KERNEL-SOURCE OUTPUT-DIRECTORY}
out=${2:?usage: regen.sh KERNEL-SOURCE OUTPUT-DIRECTORY}
here=$(cd "$(dirname "$0")" && pwd)
spec=Documentation/netlink/specs/vpmem.yaml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The generator looks for its schema one level above the spec, and takes the
# nearest directory with a MAINTAINERS file for the top of the tree whose
# relative path it writes into its output. Without one it never ends.
mkdir -p "$work/Documentation/netlink/specs"
cp "$src"/Documentation/netlink/*.yaml "$work/Documentation/netlink/"
cp "$here/specs/vpmem.yaml" "$work/$spec"
: >"$work/MAINTAINERS"

generate() { # MODE HEADER-OR-SOURCE FILE
	mkdir -p "$(dirname "$out/$3")"
	# Not the first python3 in PATH: that one may lack python3-yaml.
	timeout 60 "${PYTHON:-/usr/bin/python3}" "$src/tools/net/ynl/ynl-gen-c.py" \
		--mode "$1" "--$2" --spec "$work/$spec" -o "$out/$3"
}

generate uapi header uapi/linux/vpmem.h
generate kernel header generated/netlink.h
generate kernel source generated/netlink.c
