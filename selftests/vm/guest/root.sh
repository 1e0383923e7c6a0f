#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
# Mounts what root= on the kernel command line names, "ro" or "rw" as the word
# behind it says, and runs a command of its own in it.
#
# usage: root COMMAND [ARGUMENT]...

set -e
device=$(sed -n 's/.*\broot=\([^ ]*\).*/\1/p' /proc/cmdline)
mode=$(sed -n 's/.*\broot=[^ ]* \([^ ]*\).*/\1/p' /proc/cmdline)
mkdir -p /mnt
mount -t ext4 -o "$mode" "$device" /mnt
chroot /mnt "$@"
umount /mnt
