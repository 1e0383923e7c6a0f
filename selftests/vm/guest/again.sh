#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
# Writes and syncs blocks that tell their number, and reboots.

pmem write 0 0 4 && reboot -f
