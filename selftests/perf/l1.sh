#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
# The part of the benchmark that runs in L1.
#
# usage: bench-l1 sync PEER MEDIA COUNT RUNS	cost of a guest's sync
#	 bench-l1 host MEDIA COUNT RUNS		of the host's own
#	 bench-l1 boot FORMAT DEVICES RUNS	VMM start to the guest's init; "kept" is
#						a bzImage that was unpacked before
#	 bench-l1 attach RUNS			cost of devices that do nothing
#	 bench-l1 batch PEER ROUNDS RUNS	cost of a flush where several are under
#						way, without a guest
#	 bench-l1 work PEER COUNT RUNS		cost of a guest's sync and of its
#						transactions in ext4 on the devices
#	 bench-l1 profile PEER			syncs without end, for profile.py
#
# PEER		inline, worker, user: vpmem-vmm; behind: worker, with write-behind;
#		floor: vpmem-vmm, with a region of RAM for which the guest sends no
#		requests; qemu; firecracker
# MEDIA		which devices: ram (a file on tmpfs, one on ext4 on a RAM disk),
#		disk (a file on ext4 on /dev/vda), slow (the same, for a lot at once)
#
# The first run of each guest counts, with tracing, the others measure. Prints
#
#	sync PEER RUN MEDIUM LOAD COUNT MEAN [MIN MEDIAN P99 MAX]
#	count PEER MEDIUM LOAD COUNT NAME=VALUE...
#	memory PEER KIB
#	boot FORMAT DEVICES RUN SECONDS
#	attach DEVICES ADD DELETE SLAB VMALLOC
#	batch PEER MEDIUM LOAD DEPTH ROUNDS CYCLES SYNCS
#	profile begin		from now on there is nothing but syncs

set -e
l2=/lib/vpmem/l2
kernel=$l2/vmlinuz
initrd=$l2/initrd.img
cmdline="console=ttyS0 quiet panic=-1 highres=off pci=noearly"
tracing=/sys/kernel/tracing
kvm=/sys/kernel/debug/kvm
size=64
cache=

# -- what the devices are on

prepare_tmpfs() {
	dd if=/dev/zero of=/tmp/tmpfs bs=1M count=$size 2>/dev/null
}

prepare_ext4() { # DISK NAME
	mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$1" >&2
	mkdir -p "/mnt/$2"
	mount -t ext4 "$1" "/mnt/$2"
	dd if=/dev/zero of="/mnt/$2/file" bs=1M count=$size 2>/dev/null
	ln -s "/mnt/$2/file" "/tmp/$2"
	sync
}

prepare() { # MEDIA
	case $1 in
	ram)
		media="tmpfs ramdisk"
		prepare_tmpfs
		prepare_ext4 /dev/ram1 ramdisk
		;;
	disk | slow)
		media=$1
		prepare_ext4 /dev/vda "$1"
		;;
	esac
}

# -- guests

# PATH:LOAD of each thing to measure, in the guest.
guest_jobs() {
	local number=0 medium load

	for medium in $media; do
		for load in $(loads "$medium"); do
			printf ',/dev/pmem%d:%s' $number "$load"
		done
		number=$((number + 1))
	done
}

# Parallel ones where several requests meet in one sync, and where their cost can
# be counted.
loads() { # MEDIUM
	case $1 in
	tmpfs) echo fsync write fsync@8 fsync@64 ;;
	disk) echo fsync write write@8 write@64 ;;
	slow) echo burst rush hot ;;
	*) echo fsync write ;;
	esac
}

# As one word, see l2-init.
guest_command() {
	if [ -n "$work" ]; then
		echo "work $count $media" | tr ' ' ,
	else
		echo "bench,$count$(guest_jobs)"
	fi
}

vmm() { # KEYS DEVICES...
	local keys=$1 medium args=''

	shift
	for medium; do
		args="$args --pmem path=/tmp/$medium,$keys"
	done
	# shellcheck disable=SC2086 # words
	exec vpmem-vmm --kernel $kernel $cache --initrd $initrd --memory 256M \
		--cmdline "$cmdline run=$(guest_command)$more" $args
}

qemu() {
	local number=0 medium args=''

	for medium in $media; do
		args="$args -object memory-backend-file,id=m$number,share=on,mem-path=/tmp/$medium,size=${size}M"
		args="$args -device virtio-pmem-pci,memdev=m$number,id=nv$number"
		number=$((number + 1))
	done
	# shellcheck disable=SC2086 # words
	exec qemu-system-x86_64 -M pc -accel kvm -cpu host -smp 1 \
		-m 256M,slots=4,maxmem=1G -nodefaults -no-user-config -nographic \
		-no-reboot -serial stdio -L /usr/share/qemu -kernel $kernel \
		-initrd $initrd $args \
		-append "$cmdline pmem=$number run=$(guest_command)"
}

firecracker() {
	local number=0 medium drives=''

	for medium in $media; do
		drives="$drives${drives:+,}{\"id\":\"p$number\",\"path_on_host\":\"/tmp/$medium\"}"
		number=$((number + 1))
	done
	cat >/tmp/firecracker.json <<-EOF
		{"boot-source": {"kernel_image_path": "$l2/vmlinux",
		 "initrd_path": "$initrd", "boot_args":
		 "$cmdline pmem=$number run=$(guest_command)"},
		 "machine-config": {"vcpu_count": 1, "mem_size_mib": 256},
		 "drives": [], "pmem": [$drives]}
	EOF
	exec firecracker --no-api --no-seccomp --enable-pci \
		--config-file /tmp/firecracker.json
}

start_peer() { # PEER
	local number

	number=$(echo "$media" | wc -w)
	more=" pmem=$number"
	# shellcheck disable=SC2046,SC2086 # words
	case $1 in
	inline | worker) vmm "flush=kernel,exec=$1" $media ;;
	behind) vmm flush=kernel,exec=worker,write-behind=4M $media ;;
	user) vmm flush=user $media ;;
	floor)
		media=tmpfs more=" pmem=1 memmap=32M!128M"
		vmm ''
		;;
	qemu) qemu ;;
	firecracker) firecracker ;;
	host) exec bench "$count" $(host_jobs) ;;
	esac
}

host_jobs() {
	local medium load

	for medium in $media; do
		for load in fsync fdatasync msync write store; do
			echo "/tmp/$medium:$load"
		done
	done
}

# -- counters of L1

kvm_stat() { # NAME
	cat $kvm/"$1" 2>/dev/null || echo 0
}

trace_count() {
	cat $tracing/per_cpu/cpu*/stats |
		awk '/^(entries|overrun)/ { sum += $2 } END { print sum + 0 }'
}

disk_stat() { # FIELD
	awk -v field="$1" '{ print $field }' /sys/block/vda/stat 2>/dev/null ||
		echo 0
}

# Calls of the one function that all syncs go through.
sync_count() {
	awk '$1 == "bench_sync" { print $2 }' $tracing/kprobe_profile | grep . ||
		echo 0
}

# Of all devices of the module, of which one is busy.
module_stat() { # METRIC FACTOR
	awk -v metric="vpmem_$1{" -v factor="$2" 'index($1, metric) == 1 {
		sum += factor * $NF } END { printf "%.0f\n", sum }' /tmp/metrics
}

counters() {
	echo "exits $(kvm_stat exits)"
	echo "user_exits $(trace_count)"
	echo "irq_windows $(kvm_stat irq_window_exits)"
	echo "emulated $(kvm_stat insn_emulation)"
	echo "syncs $(sync_count)"
	echo "switches $(awk '/^ctxt/ { print $2 }' /proc/stat)"
	# A flush counts as a write, too.
	echo "requests $(disk_stat 5)"
	echo "sectors $(disk_stat 7)"
	echo "disk_flushes $(disk_stat 16)"
}

# From the guest's notification to the completion, what came before it, and the
# CPU time of all that.
module_counters() {
	vpmemctl stats --openmetrics >/tmp/metrics 2>/dev/null || return 0
	echo "flush_us $(module_stat flush_duration_seconds_sum 1000000)"
	echo "behinds $(module_stat write_behinds_total 1)"
	echo "cpu_ns $(module_stat cpu_seconds_total 1000000000)"
}

# NAME=DIFFERENCE for two files of counters.
difference() { # BEFORE AFTER
	awk 'NR == FNR { before[$1] = $2; next }
	     { printf " %s=%.0f", $1, $2 - before[$1] }' "$1" "$2"
}

# Who enters the VMM, in the run that counts.
trace_exits() { # 0|1
	[ -e $tracing/events/kvm/kvm_userspace_exit/enable ] || return 0
	echo 0 >$tracing/trace
	echo "$1" >$tracing/events/kvm/kvm_userspace_exit/enable
}

# Counted and, as nobody has that number, not recorded.
count_syncs() { # 0|1
	local event=$tracing/events/kprobes/bench_sync

	[ -e $event ] || echo p:bench_sync vfs_fsync_range >>$tracing/kprobe_events
	echo 'common_pid < 0' >$event/filter
	echo "$1" >$event/enable
}

# -- one guest

medium_of() { # PATH
	local number=${1#/dev/pmem}

	# shellcheck disable=SC2086 # words
	case $1 in
	/dev/pmem*) set -- $media; shift "$number"; echo "$1" ;;
	*) basename "$1" ;;
	esac
}

# Follows what "bench" says; file descriptor 4 is its standard input.
follow() { # PEER RUN
	local peer=$1 run=$2 medium='' load rest line

	while IFS= read -r line; do
		line=${line%"$carriage_return"}
		# shellcheck disable=SC2086 # words
		set -- $line
		case $line in
		"bench begin "*)
			[ "$run$medium" != 0 ] || [ "$peer" = host ] || tell_memory
			medium=$(medium_of "$4")
			# To ask the module must not be counted by the others.
			{ module_counters; counters; } >/tmp/before
			echo >&4
			;;
		"bench end")
			{ counters; module_counters; } >/tmp/after
			echo >&4
			;;
		"bench result "*)
			load=$3 rest=${line#* * * }
			if [ "$run" = 0 ]; then
				echo "count $work$peer $medium $load ${rest%% *}$(difference /tmp/before /tmp/after)"
			else
				echo "sync $work$peer $run $medium $load $rest"
			fi
			;;
		"L2: exit status 0") ended=1 ;;
		"bench: "* | vpmem-vmm* | qemu*) echo "trouble: $line" ;;
		*) echo "guest: $line" ;;
		esac
	done
}

# What a VMM has in memory besides its guest's RAM and the files of its devices,
# which are all that is mapped in one piece of that size.
own_memory() {
	awk -v limit=$((size * 1024)) '$1 == "Size:" { is_guests = $2 >= limit }
		$1 == "Pss:" && !is_guests { sum += $2 } END { print sum }' "/proc/$vmm/smaps"
}

# Nothing of one that has gone already.
tell_memory() {
	local kib

	kib=$(own_memory)
	[ -z "$kib" ] || echo "memory $work$peer $kib"
}

run_peer() { # PEER RUN
	rm -f /tmp/in /tmp/out
	mkfifo /tmp/in /tmp/out
	[ "$2" != 0 ] || { trace_exits 1; count_syncs 1; }
	(start_peer "$1" </tmp/in >/tmp/out 2>&1) &
	vmm=$!
	exec 4>/tmp/in
	follow "$1" "$2" </tmp/out
	exec 4>&-
	wait $vmm
	[ "$2" != 0 ] || { trace_exits 0; count_syncs 0; }
}

carriage_return=$(printf '\r')
count=0 media='' more='' work='' ended='' lost=0

cmd_sync() { # PEER MEDIA COUNT RUNS
	local run=0

	count=$3
	prepare "$2"
	case $1 in
	inline | worker | behind) insmod /lib/vpmem/vpmem.ko ;;
	esac
	# Saves most of a start, where it is there and can be used.
	[ "$1" = qemu ] || [ ! -e $l2/vmlinux ] || kernel=$l2/vmlinux
	[ -z "$work" ] || prepare_work
	while [ $run -le "$4" ]; do
		ended=
		run_peer "$1" $run
		if [ "$1" = host ] || [ -n "$ended" ]; then
			run=$((run + 1))
		else
			may_lose_another
		fi
	done
}

# A guest may be lost in an emulator: see testing.rst. What it has measured counts.
may_lose_another() {
	lost=$((lost + 1))
	if [ $lost -gt 3 ]; then
		echo "trouble: too many guests were lost"
		exit 1
	fi
}

# File systems that the guest knows by their labels.
prepare_work() {
	local medium

	for medium in $media; do
		mkfs.ext4 -q -F -b 4096 -L "$medium" -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 \
			"/tmp/$medium" >&2
	done
	initrd=/tmp/initrd.img
	cat $l2/initrd.img $l2/work.img >$initrd
}

cmd_work() { # PEER COUNT RUNS
	work=work-
	cmd_sync "$1" ram "$2" "$3"
}

# A guest that finds nothing to run, and ends.
unpack_kernel() {
	mkdir -p /tmp/cache
	cache="--kernel-cache /tmp/cache"
	# shellcheck disable=SC2086 # words
	vpmem-vmm --kernel $kernel $cache --cmdline "quiet panic=-1" \
		--serial none </dev/null >/dev/null 2>&1 || :
}

cmd_boot() { # FORMAT DEVICES RUNS
	local run=1 number=0 names='' before after

	[ "$1" != ELF ] || kernel=$l2/vmlinux
	[ "$1" != kept ] || unpack_kernel
	while [ $number -lt "$2" ]; do
		truncate -s 2M /tmp/dev$number
		names="$names dev$number"
		number=$((number + 1))
	done
	initrd=$l2/boot.img
	while [ $run -le "$3" ]; do
		read -r before _ </proc/uptime
		# shellcheck disable=SC2086 # words
		(vmm flush=user $names </dev/null 2>&1) | {
			while IFS= read -r line; do
				case $line in
				"bench up"*) break ;;
				esac
			done
			read -r after _ </proc/uptime
			echo "boot $1 $2 $run $before $after"
			cat >/dev/null
		}
		run=$((run + 1))
	done
}

cmd_attach() { # RUNS
	local run=1

	insmod /lib/vpmem/vpmem.ko
	while [ $run -le "$1" ]; do
		attach 1 100 1000
		run=$((run + 1))
	done
}

cmd_batch() { # PEER ROUNDS RUNS
	local run=1

	prepare ram
	# The driver wants it, whoever answers.
	insmod /lib/vpmem/vpmem.ko
	while [ $run -le "$3" ]; do
		batch "$1" "$2" /tmp/tmpfs:fsync /tmp/ramdisk:store | sed 's, /tmp/, ,'
		run=$((run + 1))
	done
}

# The guest's kernel is where L1's is, so that one's symbols do for both.
cmd_profile() { # PEER
	local line

	count=1000000 media=tmpfs cmdline="$cmdline nokaslr"
	prepare_tmpfs
	case $1 in
	inline | worker) insmod /lib/vpmem/vpmem.ko ;;
	esac
	# Much faster than on a serial line.
	awk 'tolower($2) == "t" { print $1, $3, $4 }' /proc/kallsyms >/dev/vda
	sync
	[ "$1" = qemu ] || kernel=$l2/vmlinux
	mkfifo /tmp/in /tmp/out
	(start_peer "$1" </tmp/in >/tmp/out 2>&1) &
	exec 4>/tmp/in
	while IFS= read -r line; do
		case $line in
		"bench begin "*)
			echo >&4
			echo "profile begin"
			;;
		*) echo "guest: ${line%"$carriage_return"}" ;;
		esac
	done </tmp/out
}

what=$1
shift
case $what in
sync) cmd_sync "$@" ;;
host) cmd_sync host "$@" ;;
boot) cmd_boot "$@" ;;
attach) cmd_attach "$@" ;;
batch) cmd_batch "$@" ;;
work) cmd_work "$@" ;;
profile) cmd_profile "$@" ;;
esac
