#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every message that a user can get occurs in a test, or is listed with a reason.

usage: messages.py LIST SOURCE... -- TEST...

A message is the format of a call below. It occurs in a test if its longest piece
between two conversions does, spaces and quotes at its ends aside. LIST has a
line "reason: piece" for each that no test can cause; one that is not needed
fails too.
"""

import re
import sys

CALLS = ("log_error|log_warn|log_notice|log_guest|config_error|refuse|"
         "ctl_error|ctl_usage")
LITERAL = r'"(?:[^"\\]|\\.)*"'
CALL = re.compile(rf"\b({CALLS})\(([^;]*?)({LITERAL}(?:\s*{LITERAL})*)")
JOINED = re.compile(r'"[\s\\]*\n?\s*"')
CONVERSION = re.compile(r"%[-#0-9.*]*(?:ll|l|z|h)?[a-zA-Z]|%%|\\.")
EDGES = " '\":;,.()"


def text_of(literals):
    """The contents of literals that stand beside each other."""
    return JOINED.sub("", literals.strip())[1:-1]


def messages(path):
    with open(path) as source:
        text = source.read()
    for call in CALL.finditer(text):
        line = text.count("\n", 0, call.start()) + 1
        pieces = CONVERSION.split(text_of(call[3]))
        yield f"{path}:{line}", max((piece.strip(EDGES) for piece in pieces), key=len)


def read_list(path):
    reasons = {}
    with open(path) as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                reason, piece = line.strip().split(": ", 1)
                reasons[piece] = reason
    return reasons


def main(list_path, *paths):
    cut = paths.index("--")
    listed = read_list(list_path)
    tests = "".join(JOINED.sub("", open(path).read()) for path in paths[cut + 1:])
    found, bad, needed = 0, 0, set()
    for path in paths[:cut]:
        for where, piece in messages(path):
            found += 1
            is_tested = piece in tests
            if piece in listed:
                needed.add(piece)
            if is_tested == (piece in listed):
                state = "in a test and in the list" if is_tested else "in no test"
                print(f"{where}: {state}: {piece}")
                bad += 1
    for piece in listed.keys() - needed:
        print(f"{list_path}: no such message: {piece}")
        bad += 1
    if not found:
        print("found no messages")
    return bad or not found


sys.exit(1 if main(*sys.argv[1:]) else 0)
