#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs a program with a module of choice: mutant-l1 MODULE PROGRAM ARGUMENT...

# One access in some thousands is watched for races, too few for one test.
watch=/sys/module/kcsan/parameters/skip_watch
[ ! -e $watch ] || echo 200 >$watch
insmod "/lib/vpmem/$1.ko" || exit 99
shift
"$@"
status=$?
rmmod vpmem || exit 99
exit $status
