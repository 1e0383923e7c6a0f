#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
# Does to the first PCI device what a guest may do to its devices, writes and
# syncs after each step, and then serves like "pmem serve".

device=0000:00:01.0
bus=/sys/bus/pci
config=$bus/devices/$device/config

# Bytes, as octal escapes, to a register.
config_write() { # REGISTER ESCAPES LENGTH
	# shellcheck disable=SC2059 # escapes
	printf "$2" | dd of=$config bs="$3" seek=$(($1 / $3)) conv=notrunc 2>/dev/null
}

check() { # WHAT
	local tries=0

	while [ ! -e /dev/pmem0 ] && [ $tries -lt 100 ]; do
		usleep 100000
		tries=$((tries + 1))
	done
	if pmem write /dev/pmem0 0 4 >/dev/null && pmem verify /dev/pmem0 0 4; then
		echo "pci: $1"
	else
		echo "pci: the device does not work any more: $1"
		head -n 2 $bus/devices/$device/resource
		exit 1
	fi
}

echo $device >$bus/drivers/virtio-pci/unbind
echo $device >$bus/drivers/virtio-pci/bind
check rebound

# Command register: nothing; ports, memory, bus master, no INTx.
config_write 4 '\000\000' 2
config_write 4 '\007\004' 2
check "switched off and on"

echo 1 >$bus/devices/$device/remove
echo 1 >$bus/rescan
check rescanned

# Moves both BARs, by hand, and lets the kernel move them back.
echo $device >$bus/drivers/virtio-pci/unbind
config_write 16 '\000\000\000\310' 4
config_write 20 '\001\040\000\000' 4
od -A n -t x4 -j 16 -N 8 $config
echo 1 >$bus/devices/$device/remove
echo 1 >$bus/rescan
check moved

exec pmem serve /dev/pmem0
