/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration as Firecracker's users have it: what its GET /vm/config gives,
 * with all that is null or empty, for a guest with its root on pmem. The unit
 * test reads it, the VM test boots it.
 */
#ifndef FIRECRACKER_H
#define FIRECRACKER_H

#define FIRECRACKER_CONFIG(kernel, initrd, args, disk, log, metrics)	\
"{\n"									\
"  \"balloon\": null,\n"						\
"  \"drives\": [],\n"							\
"  \"boot-source\": {\n"						\
"    \"kernel_image_path\": \"" kernel "\",\n"				\
"    \"initrd_path\": " initrd ",\n"					\
"    \"boot_args\": \"console=ttyS0 reboot=k panic=1 pci=off " args "\"\n" \
"  },\n"								\
"  \"cpu-config\": null,\n"						\
"  \"logger\": {\n"							\
"    \"log_path\": \"" log "\",\n"					\
"    \"level\": \"Info\",\n"						\
"    \"show_level\": true,\n"						\
"    \"show_log_origin\": false,\n"					\
"    \"module\": null\n"						\
"  },\n"								\
"  \"machine-config\": {\n"						\
"    \"vcpu_count\": 2,\n"						\
"    \"mem_size_mib\": 256,\n"						\
"    \"smt\": false,\n"							\
"    \"cpu_template\": null,\n"						\
"    \"track_dirty_pages\": false,\n"					\
"    \"huge_pages\": \"None\",\n"					\
"    \"gdb_socket_path\": null\n"					\
"  },\n"								\
"  \"metrics\": {\n"							\
"    \"metrics_path\": \"" metrics "\",\n"				\
"    \"emit_id\": false,\n"						\
"    \"properties\": null\n"						\
"  },\n"								\
"  \"mmds-config\": null,\n"						\
"  \"network-interfaces\": [],\n"					\
"  \"vsock\": null,\n"							\
"  \"entropy\": null,\n"						\
"  \"pmem\": [\n"							\
"    {\n"								\
"      \"id\": \"rootfs\",\n"						\
"      \"path_on_host\": \"" disk "\",\n"				\
"      \"root_device\": true,\n"					\
"      \"read_only\": false,\n"						\
"      \"rate_limiter\": {\n"						\
"        \"bandwidth\": {\n"						\
"          \"size\": 268435456,\n"					\
"          \"one_time_burst\": null,\n"					\
"          \"refill_time\": 1000\n"					\
"        },\n"								\
"        \"ops\": {\n"							\
"          \"size\": 1000,\n"						\
"          \"one_time_burst\": 0,\n"					\
"          \"refill_time\": 1000\n"					\
"        }\n"								\
"      }\n"								\
"    }\n"								\
"  ],\n"								\
"  \"memory-hotplug\": null\n"						\
"}\n"

#endif /* FIRECRACKER_H */
