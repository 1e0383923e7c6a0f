#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
# Run by mmdebstrap in the root file system that setup.sh newest makes: adds the
# headers of the newest kernel and what they need, but not that kernel.
#
# usage: newest-hook.sh ROOT

set -eu

chroot "$1" /bin/sh -eu <<'EOF'
depends() { # PACKAGE REGEX
	apt-cache --no-recommends depends "$1" |
		sed -n 's/^[ |]*Depends: //p' | grep -E "^($2)\$"
}

headers=$(depends linux-headers-amd64 'linux-headers-.*-amd64')
needs=$(depends "$headers" 'linux-headers-.*-common|linux-kbuild-.*|gcc-[0-9]+(-for-host)?|pahole')
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # words
apt-get -q -y install $needs >/dev/null
cd /tmp
apt-get -q -o APT::Sandbox::User=root download "$headers" >/dev/null
dpkg -x "$headers"_*.deb /
rm "$headers"_*.deb

# Asks whether sparse is fit for this kernel; the packages have left it out.
valid=$(echo /usr/src/linux-headers-*-common)/scripts/checker-valid.sh
if [ ! -e "$valid" ]; then
	printf '#!/bin/sh\necho 1\n' >"$valid"
	chmod +x "$valid"
fi
echo "${headers#linux-headers-}" >/release
EOF
