#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sums up what gcov counted of the module, and judges it.

usage: coverage.py ROOT EXCEPTIONS GCOV-JSON...

Prints a table of lines and branches, and the lines of kmod/ below ROOT that
nothing ran. Fails if one of these is not in EXCEPTIONS, or if less is reached
than is asked for. EXCEPTIONS has blocks of lines "FILE: FUNCTION: SOURCE LINE",
each below a comment with the reason; one that a test has reached is no error,
since races may go either way.
"""
import collections
import gzip
import json
import os
import re
import sys

LINES_MIN = 95.0
BRANCHES_MIN = 85.0

# Macros that hide branches of the kernel's: they are its own to test.
FOREIGN = re.compile(r"\b(WARN_ON\w*|lockdep_assert\w*|trace_vpmem_\w+|"
                     r"wait_event|xa_for_each\w*|xas_for_each\w*|BUILD_BUG\w*|"
                     r"nlmsg_for_each_attr|READ_ONCE|WRITE_ONCE|vpmem_refuse)\(")


class File:
    """Counts of a source file: of lines, and of each line's branches."""

    def __init__(self):
        self.lines = collections.Counter()
        self.branches = collections.defaultdict(list)
        self.functions = {}


def read_counts(paths):
    files = collections.defaultdict(File)
    for path in paths:
        with gzip.open(path) as stream:
            for entry in json.load(stream)["files"]:
                match = re.search(r"(?:^|/)(kmod/(?!generated)[\w.]+)$",
                                  entry["file"])
                if match:
                    add_counts(files[match[1]], entry)
    # What the tracepoints' macros make of these is not our code.
    for name in ("kmod/trace.h", "kmod/trace.c"):
        files.pop(name, None)
    return files


def add_counts(file, entry):
    for line in entry["lines"]:
        number = line["line_number"]
        file.lines[number] += line["count"]
        file.functions[number] = line.get("function_name", "")
        file.branches[number] += [branch["count"]
                                  for branch in line["branches"]]


def read_exceptions(path):
    with open(path, encoding="utf-8") as stream:
        return {line.rstrip("\n") for line in stream
                if line.strip() and not line.startswith("#")}


def percent(reached, total):
    return 100.0 * reached / total if total else 100.0


def report_file(root, name, file, exceptions, sums):
    """Adds to @sums; returns the lines that nothing ran and no reason excuses."""
    with open(os.path.join(root, name), encoding="utf-8") as stream:
        text = [""] + stream.read().split("\n")
    branches = [count for number, counts in file.branches.items()
                if not FOREIGN.search(text[number]) for count in counts]
    reached = (sum(count > 0 for count in file.lines.values()),
               len(file.lines),
               sum(count > 0 for count in branches), len(branches))
    print(f"{name:20} lines {reached[0]:4} of {reached[1]:4}   "
          f"branches {reached[2]:4} of {reached[3]:4}")
    sums.update(dict(enumerate(reached)))
    missed = []
    for number in sorted(file.lines):
        key = f"{name}: {file.functions[number]}: {text[number].strip()}"
        if not file.lines[number] and key not in exceptions:
            missed.append(key)
        elif os.environ.get("V") == "1" and 0 in file.branches[number] and \
                not FOREIGN.search(text[number]):
            print(f"  branch {number}: {text[number].strip()} "
                  f"{file.branches[number]}")
    return missed


def main():
    root, exceptions = sys.argv[1], read_exceptions(sys.argv[2])
    sums, missed = collections.Counter(), []
    for name, file in sorted(read_counts(sys.argv[3:]).items()):
        missed += report_file(root, name, file, exceptions, sums)
    lines, branches = percent(sums[0], sums[1]), percent(sums[2], sums[3])
    print(f"{'all':20} lines {lines:.1f} %, branches {branches:.1f} %")
    for line in missed:
        print(f"nothing ran  {line}")
    if missed:
        print(f"Test these, or say in {sys.argv[2]} why not.")
    return bool(missed or lines < LINES_MIN or branches < BRANCHES_MIN)


if __name__ == "__main__":
    sys.exit(main())
