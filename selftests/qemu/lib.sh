# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Functions to build, start, watch, kill and restart L1, the QEMU machine that
# the tests run in. Source it with O, the output directory, set.
#
#	rig_start NAME		start L1; what it says goes to $O/rig/NAME/
#	rig_wait_line REGEX S	wait S seconds for a line on the results channel
#	rig_kill		power cut
#	rig_wait_end S		wait S seconds for L1 to power off by itself
#	rig_try COMMAND...	repeat what starts and waits, if the emulator failed
#
# Variables, set before rig_start:
#	RIG_KVER	kernel of L1, a series that setup.sh knows
#	RIG_L2KVER	kernel for guests of L1, by default the one that L1's
#			is a debug version of; empty for none
#	RIG_VARIANT	build of the module to load in place of the sound one: a
#			mutant's name, or gcov
#	RIG_L2ALL	not empty: that kernel as ELF, and the other series, too
#	RIG_FILES	array of SRC:DEST, what L1 gets besides
#	RIG_JOBS	lines for L1's /jobs, see l1-init
#	RIG_DISKS	array of raw disk images: /dev/vda, /dev/vdb, ...
#	RIG_DISK_BPS	bytes per second that each of them writes, if not what it can
#	RIG_MEMORY	default 2G
#	RIG_APPEND	more kernel command line
#	RIG_QEMU	a QEMU to run, if not Debian's
#	RIG_MONITOR	not empty: a socket for QEMU's monitor, whose log goes to
#			$O/rig/NAME/trace
#	RIG_MODULES	more kernel modules for L1
#	RIG_ACCEL	kvm, tcg or icount, if not what a probe finds
#
# Programs find vpmem.ko in /lib/vpmem/, with mutants as vpmem-NAME.ko, and L2's
# kernel and initrd in /lib/vpmem/l2/{vmlinuz,initrd.img}; with RIG_L2ALL also
# l2/vmlinux and l2/other/{vmlinuz,initrd.img}.

rig_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
rig_qemu=$rig_top/selftests/qemu
: "${O:=$rig_top/build}"
RIG_KVER=${RIG_KVER:-6.1}
RIG_L2KVER=${RIG_L2KVER-${RIG_KVER%%-*}}
RIG_MEMORY=${RIG_MEMORY:-2G}
RIG_FILES=() RIG_DISKS=()

rig_say() {
	echo "rig: $*" >&2
}

rig_die() {
	rig_say "$*"
	exit 1
}

rig_l1_modules="virtio_pci virtio_blk virtio_console ext4 loop brd fuse
dm-mod dm-flakey dm-delay nd_pmem kvm-amd kvm-intel"
rig_l2_modules="virtio_pci libnvdimm nd_e820 nd_pmem nd_virtio virtio_pmem ext4"

# What tests use and busybox has not.
rig_tools=(/sbin/mkfs.ext4:sbin/mkfs.ext4 /sbin/e2fsck:sbin/e2fsck
	   /sbin/dmsetup:sbin/dmsetup /usr/bin/sqlite3:usr/bin/sqlite3)

# Whether IMAGE can stay: it is newer than all that it is made from.
rig_fresh() { # IMAGE SOURCE...
	local image=$1 source

	[ -e "$image" ] || return
	shift
	for source; do
		[ ! "$source" -nt "$image" ] || return
	done
}

# L1's part that depends on the kernel alone.
rig_base() { # KERNEL
	local kernel=$1 modules="$rig_l1_modules ${RIG_MODULES:-}" image

	image=$O/rig/l1-$(basename "$kernel")${RIG_MODULES:+-${RIG_MODULES// /-}}.img
	rig_fresh "$image" "$rig_qemu"/{l1-init,mkinitrd.sh,lib.sh} ||
		"$rig_qemu/mkinitrd.sh" --out "$image" --kernel "$kernel" \
			--busybox --modules "$modules" \
			--init "$rig_qemu/l1-init" \
			"${rig_tools[@]/#/--file=}" >&2 || return
	echo "$image"
}

# The initrd of L1's guests; selftests/vm/guest/ is in its /bin.
rig_l2_initrd() { # KERNEL
	local image file sources=() files=()

	image=$O/rig/l2-$(basename "$1").img
	for file in "$rig_top"/selftests/vm/guest/*.sh "$O"/selftests/guest/*; do
		[ -x "$file" ] || continue
		sources+=("$file")
		files+=("--file=$file:bin/$(basename "${file%.sh}")")
	done
	rig_fresh "$image" "$rig_qemu"/{l2-init,mkinitrd.sh,lib.sh} "${sources[@]}" ||
		"$rig_qemu/mkinitrd.sh" --out "$image" --kernel "$1" \
			--busybox --modules "$rig_l2_modules" \
			--init "$rig_qemu/l2-init" "${files[@]}" >&2 || return
	echo "$image"
}

# The kernel as an ELF file, as its build had it before it was packed.
rig_vmlinux() { # KERNEL
	local image source

	image=$O/rig/vmlinux-$(basename "$1")
	if ! rig_fresh "$image" "$1/vmlinuz"; then
		source=$("$rig_qemu/setup.sh" source) || return
		mkdir -p "$O/rig"
		bash "$source/scripts/extract-vmlinux" "$1/vmlinuz" >"$image.tmp" ||
			return
		mv "$image.tmp" "$image"
	fi
	echo "$image"
}

# Arguments for mkinitrd.sh: the guests' kernels and initrds.
rig_l2_files() {
	local kernel other=6.1 image

	kernel=$("$rig_qemu/setup.sh" kernel "$RIG_L2KVER") || return
	image=$(rig_l2_initrd "$kernel") || return
	echo "$kernel/vmlinuz:lib/vpmem/l2/vmlinuz"
	echo "$image:lib/vpmem/l2/initrd.img"
	[ -n "${RIG_L2ALL:-}" ] || return 0
	image=$(rig_vmlinux "$kernel") || return
	echo "$image:lib/vpmem/l2/vmlinux"
	[ "$RIG_L2KVER" != 6.1 ] || other=6.12
	kernel=$("$rig_qemu/setup.sh" kernel $other) || return
	image=$(rig_l2_initrd "$kernel") || return
	echo "$kernel/vmlinuz:lib/vpmem/l2/other/vmlinuz"
	echo "$image:lib/vpmem/l2/other/initrd.img"
}

# Arguments for mkinitrd.sh: the module and its mutants for that kernel.
rig_module_files() { # RELEASE
	local ko name

	for ko in "$O/module/$1"/vpmem.ko "$O/module/$1"-*/vpmem.ko; do
		[ -e "$ko" ] || continue
		name=$(basename "$(dirname "$ko")")
		name=${name#"$1"}
		[ "$name" = -llvm ] || echo "$(realpath "$ko"):lib/vpmem/vpmem$name.ko"
	done
	[ -z "${RIG_VARIANT:-}" ] ||
		echo "$O/module/$1-$RIG_VARIANT/vpmem.ko:lib/vpmem/vpmem.ko"
}

# Writes DIR/initrd.img and links DIR/vmlinuz.
rig_image() { # DIR
	local dir=$1 kernel base files=() guests program

	kernel=$("$rig_qemu/setup.sh" kernel "$RIG_KVER") || return
	base=$(rig_base "$kernel") || return
	mapfile -t files < <(rig_module_files "$(cat "$kernel/release")")
	for program in "$O"/user/{ctl/vpmemctl,vmm/vpmem-vmm} "$O/selftests/qemu/kvm_hold"; do
		[ ! -x "$program" ] || files+=("$program:usr/bin/$(basename "$program")")
	done
	if [ -n "$RIG_L2KVER" ]; then
		guests=$(rig_l2_files) || return
		mapfile -t -O ${#files[@]} files <<<"$guests"
	fi
	files+=("${RIG_FILES[@]}")
	"$rig_qemu/mkinitrd.sh" --raw --out "$dir/extra.img" "${files[@]/#/--file=}" \
		"--text=jobs=${RIG_JOBS:-}" || return
	cat "$base" "$dir/extra.img" >"$dir/initrd.img"
	rm "$dir/extra.img"
	ln -sf "$kernel/vmlinuz" "$dir/vmlinuz"
}

# How to run 64-bit guests inside of L1: a /dev/kvm that exists may still not
# do it, so it is tried, natively first and then in an L1 under it.
rig_accel() {
	local probe=$O/selftests/qemu/kvm_probe

	[ -n "${RIG_ACCEL:-}" ] && return
	RIG_ACCEL=tcg
	[ -w /dev/kvm ] && [ -x "$probe" ] || return 0
	# What it says is no result of whoever asks.
	timeout 10 "$probe" 2>&1 | sed 's/^/rig: /' >&2
	[ "${PIPESTATUS[0]}" = 0 ] || return 0
	RIG_ACCEL=kvm
	# QEMU may abort, which is an answer, and not worth a message of the shell.
	if ! rig_probe_nested "$probe" 2>"$O/rig/probe.log"; then
		rig_say "/dev/kvm does not run guests of guests: emulating instead"
		RIG_ACCEL=tcg
	fi
}

rig_probe_nested() ( # PROBE
	# shellcheck disable=SC2030 # only here
	RIG_L2KVER='' RIG_DISKS=() RIG_APPEND='' RIG_FILES=("$1:usr/bin/kvm_probe")
	RIG_JOBS="probe 20 own kvm_probe"
	rig_start probe && rig_wait_end 60 && grep -q '^@end probe 0' "$RIG_RESULTS"
)

# With "icount" L1's time is the number of instructions that it has executed.
rig_cpu() {
	case $RIG_ACCEL in
	kvm) echo "-accel kvm -cpu host -smp 2" ;;
	icount) echo "-accel tcg,thread=single -icount shift=0,sleep=off -rtc clock=vm -cpu max -smp 1" ;;
	*) echo "-accel tcg,thread=multi -cpu max -smp 2" ;;
	esac
}

# Starts L1 from DIR/initrd.img again, without building it anew.
rig_boot() { # DIR
	local dir=$1 drives=() disk mode=

	[ "$RIG_ACCEL" != icount ] || mode=vpmem.icount
	RIG_RESULTS=$dir/results
	RIG_CONSOLE=$dir/console
	: >"$RIG_RESULTS"
	: >"$RIG_CONSOLE"
	# L1 sees a volatile write cache. The death of QEMU is the power cut, so
	# what L1 has written is safe once QEMU has it.
	for disk in "${RIG_DISKS[@]}"; do
		drives+=(-drive "file=$disk,if=virtio,format=raw,cache=unsafe${RIG_DISK_BPS:+,throttling.bps-write=$RIG_DISK_BPS}")
	done
	# However the script ends, the machine must not outlive it.
	# shellcheck disable=SC2046 # several words
	setpriv --pdeathsig KILL \
	"${RIG_QEMU:-qemu-system-x86_64}" ${RIG_QEMU:+-L /usr/share/seabios -L /usr/share/qemu} $(rig_cpu) -m "$RIG_MEMORY" \
		-nodefaults -no-user-config -display none -no-reboot \
		-kernel "$dir/vmlinuz" -initrd "$dir/initrd.img" \
		-chardev "file,id=console,path=$RIG_CONSOLE" -serial chardev:console \
		-chardev "file,id=results,path=$RIG_RESULTS" -serial chardev:results \
		"${drives[@]}" ${RIG_MONITOR:+-monitor "unix:$RIG_MONITOR,server,nowait" -D "$dir/trace"} \
		-append "console=ttyS0 loglevel=5 panic=-1 no_timer_check log_buf_len=4M $mode ${RIG_APPEND:-}" \
		</dev/null >"$dir/qemu.log" 2>&1 &
	RIG_PID=$!
}

# 2: there is something wrong with what it is built from.
rig_start() { # NAME
	RIG_DIR=$O/rig/$1
	mkdir -p "$RIG_DIR"
	rig_accel
	rig_image "$RIG_DIR" || return 2
	rig_boot "$RIG_DIR"
}

# A shell in L1 on the caller's terminal, to look around.
rig_shell() {
	RIG_DIR=$O/rig/shell
	mkdir -p "$RIG_DIR"
	rig_accel
	rig_image "$RIG_DIR" || return
	# shellcheck disable=SC2046 # several words
	qemu-system-x86_64 $(rig_cpu) -m "$RIG_MEMORY" \
		-nodefaults -no-user-config -nographic -no-reboot \
		-kernel "$RIG_DIR/vmlinuz" -initrd "$RIG_DIR/initrd.img" \
		-serial mon:stdio -serial null \
		-append "console=ttyS0 quiet panic=-1 ${RIG_APPEND:-}"
}

rig_alive() {
	kill -0 "$RIG_PID" 2>/dev/null
}

# Ends L1 at once, as a power cut does.
rig_kill() {
	[ -n "${RIG_PID:-}" ] || return 0
	kill -KILL "$RIG_PID" 2>/dev/null
	wait "$RIG_PID" 2>/dev/null
	RIG_PID=
}

# 0: L1 said it; 3: it did not in time; 1, 4: it ended, see rig_wait_end().
rig_wait_line() { # REGEX SECONDS
	local end=$((SECONDS + $2))

	while ! grep -qE -- "$1" "$RIG_RESULTS"; do
		if ! rig_alive; then
			rig_say "L1 ended before it said '$1', see $RIG_CONSOLE"
			rig_ending
			return
		fi
		if [ $SECONDS -ge $end ]; then
			rig_say "L1 did not say '$1' within $2 s, see $RIG_CONSOLE"
			return 3
		fi
		sleep 0.1
	done
}

# Grows while L1 makes progress. Once it is up that is what its programs say,
# not what a kernel says that cannot run them any more.
rig_progress() {
	stat -c %s "$RIG_RESULTS"
	if grep -q '^@ready' "$RIG_RESULTS"; then
		grep -ac '^L1 alive' "$RIG_CONSOLE"
	else
		stat -c %s "$RIG_CONSOLE"
	fi
}

# Whether L1's kernel has said why it ended.
rig_has_last_words() {
	grep -aqE 'reboot: |Kernel panic|Oops|BUG:|general protection|WARNING:' "$RIG_CONSOLE"
}

# How L1 ended, which is no more and had not finished: as rig_wait_end().
rig_ending() {
	local status

	wait "$RIG_PID" 2>/dev/null
	status=$?
	RIG_PID=
	rig_say "QEMU ended with status $status" 2>>"$RIG_DIR/qemu.log"
	[ "$RIG_ACCEL" = kvm ] || rig_has_last_words || return 4
	return 1
}

# Waits for the end of L1. 0: it powered off after all jobs; 1: it died; 2: it
# was too slow; 3: it stalled, 4: QEMU crashed, or reset a machine whose kernel
# had complained of nothing: another try makes sense.
rig_wait_end() { # SECONDS
	local end=$((SECONDS + $1)) stall=${RIG_STALL:-60} last now since=$SECONDS

	last=$(rig_progress)
	while rig_alive; do
		sleep 0.2
		now=$(rig_progress)
		[ "$now" = "$last" ] || since=$SECONDS
		last=$now
		if [ $SECONDS -ge $end ]; then
			rig_kill
			return 2
		fi
		if [ $((SECONDS - since)) -ge "$stall" ]; then
			rig_kill
			return 3
		fi
	done
	if grep -q '^@done' "$RIG_RESULTS"; then
		wait "$RIG_PID" 2>/dev/null
		RIG_PID=
		return 0
	fi
	rig_ending
}

# Whether L1's kernel died by the emulator, see l1-init: of code that QEMU had
# misread, or where nothing of the module was on the stack.
rig_was_emulator() {
	[ "$RIG_ACCEL" = tcg ] || return
	grep -aq 'int3: 0000 \[#' "$RIG_CONSOLE" ||
		! grep -aqE '\+0x[0-9a-f]+/0x[0-9a-f]+ \[vpmem\]' "$RIG_CONSOLE"
}

# Why a machine that ended like this may be started again; nothing if it may
# not. Hardware has no excuse.
rig_excuse() { # STATUS
	[ "$RIG_ACCEL" != kvm ] || return 0
	case $1 in
	2) ;;
	3) echo "the machine stalled" ;;
	4) echo "the emulator died" ;;
	*) ! rig_was_emulator || echo "the kernel died, and not of the module" ;;
	esac
}

# The last that is known of a machine.
rig_show_end() {
	tail -n 40 "$RIG_CONSOLE" "$RIG_DIR/qemu.log" | tr -d '\r'
}

# Runs what starts L1 and ends as rig_wait_end() does, up to three times as long
# as the emulator was to blame. Says so as a report for tap.awk.
rig_try() { # COMMAND...
	local left=2 status why

	while :; do
		"$@"
		status=$?
		[ $status != 0 ] || return 0
		why=$(rig_excuse $status)
		[ -n "$why" ] && [ $left -gt 0 ] || return $status
		rig_kill
		echo "@say $why at '$*': once more, $left left"
		rig_show_end | sed 's/^/@say /'
		left=$((left - 1))
	done
}
