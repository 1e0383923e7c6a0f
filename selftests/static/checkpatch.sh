#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's checkpatch over all C files.

set -uo pipefail
# shellcheck source=selftests/static/lib.sh
. "$(dirname "$0")/lib.sh"

ignore=(
	FILE_PATH_CHANGES	# about patches
	BIT_MACRO		# user space has no BIT()
	CONSTANT_COMPARISON	# takes LINUX_VERSION_CODE for a constant
	LINUX_VERSION_CODE	# compat.h builds on several kernels
	CAMELCASE		# names of libraries
	PREFER_KERNEL_TYPES	# user space uses stdint.h
	SPDX_LICENSE_TAG	# wants // in .c and knows no "A OR B" for headers
)
# What the kernel has of its own and user space has not.
ignore_user=(
	ARRAY_SIZE
	AVOID_EXTERNS		# functions that the linker wraps
	CONSIDER_KSTRTO
	MACRO_ARG_REUSE		# the kernel's own min() and ALIGN() are not there
	MEMORY_BARRIER		# fences stand for the kernel's barriers in tests
	PREFER_DEFINED_ATTRIBUTE_MACRO
	PREFER_PACKED
	PREFER_PRINTF
	SINGLE_STATEMENT_DO_WHILE_MACRO	# macros of tests that expand to asserts
	SPLIT_STRING		# shell commands
	STRCPY
	STRING_FRAGMENTS	# magic numbers of files
	USE_NEGATIVE_ERRNO	# exit status of guest programs
	VOLATILE		# memory that another party writes, in tests
)
# The customary look of trace events.
ignore_trace=(
	OPEN_ENDED_LINE
	PARENTHESIS_ALIGNMENT
)
source=$(kernel_source) || exit

check() { # IGNORED FILE...
	local ignored=$1

	shift
	# It takes its time, on one CPU.
	printf '%s\0' "$@" |
		xargs -0 -n 8 -P "$(nproc)" perl "$source/scripts/checkpatch.pl" \
			--no-tree --strict --terse --quiet --no-summary \
			--max-line-length=100 --ignore "$ignored" --file
}

# What the generator writes is not ours to style.
mapfile -t kernel < <(tree_files 'kmod/*.c' 'kmod/*.h' |
	grep -vE '^kmod/((uapi|generated)/|trace\.h)')
mapfile -t user < <(tree_files 'user/*.c' 'user/*.h' 'selftests/*.c' 'selftests/*.h')
need_files ${#kernel[@]} "C files of the module"
need_files ${#user[@]} "C files of user space"
status=0
check "$(IFS=,; echo "${ignore[*]}")" "${kernel[@]}" || status=1
check "$(IFS=,; echo "${ignore[*]},${ignore_trace[*]}")" kmod/trace.h || status=1
check "$(IFS=,; echo "${ignore[*]},${ignore_user[*]}")" "${user[@]}" || status=1
exit $status
