#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the instructions of one sync of a guest go, exactly.

usage: profile.py MONITOR TRACE SYMBOLS PEER FUNCTIONS

L1, whose QEMU listens on MONITOR, runs a guest that does nothing but sync. For a
while it executes one instruction at a time and writes to TRACE where each of them
was; SYMBOLS has those of L1, which are also its guest's kernel's, as none of the two
is moved at its boot. A sync goes from one system call of the guest to
the next. Prints for the most frequent length of all that were seen

        profile PEER seen NUMBER OF-HOW-MANY
        profile PEER PART INSTRUCTIONS

and writes the same by function to FUNCTIONS.
"""

import bisect
import os
import re
import socket
import sys
import time
from collections import Counter

TRACE_BYTES = 60_000_000
TRACE_SECONDS = 60

# Of QEMU's flags of a translated block: the privilege level, and whether it runs
# what VMRUN has entered.
CPL_MASK = 3
GUEST_MASK = 1 << 21

LINE = re.compile(r"\[[0-9a-f]+/([0-9a-f]+)/([0-9a-f]+)")
PROMPT = b"(qemu) "
PARTS = {"kvm": "kvm", "kvm_amd": "kvm", "kvm_intel": "kvm", "vpmem": "vpmem"}


class Monitor:
    """QEMU's monitor for people: it is the one that can trace."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.answer()

    def answer(self):
        data = b""
        while not data.endswith(PROMPT):
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError("QEMU has gone")
            data += piece
        return data.decode(errors="replace")

    def command(self, text):
        self.socket.sendall(text.encode() + b"\n")
        return self.answer()


def is_stalled(monitor):
    """An emulator that counts instructions may come to execute none."""
    places = set()
    for _ in range(6):
        registers = monitor.command("info registers")
        places.add(re.search("RIP=([0-9a-f]+)", registers).group(1))
        time.sleep(0.3)
    return len(places) < 3


def trace(monitor, path):
    monitor.command("stop")
    monitor.command("singlestep on")
    monitor.command("log exec,nochain")
    monitor.command("cont")
    end = time.monotonic() + TRACE_SECONDS
    while time.monotonic() < end:
        if os.path.exists(path) and os.path.getsize(path) > TRACE_BYTES:
            break
        time.sleep(0.2)
    monitor.command("stop")
    monitor.command("log none")


class Symbols:
    """What /proc/kallsyms of L1 said, on a disk that is empty otherwise."""

    def __init__(self, path):
        with open(path, "rb") as file:
            text = file.read().rstrip(b"\0").decode()
        self.all = []
        for line in text.splitlines():
            address, name, *module = line.split()
            self.all.append((int(address, 16), name, module[0][1:-1] if module else "kernel"))
        self.all.sort()
        self.keys = [symbol[0] for symbol in self.all]
        self.kernel = [symbol for symbol in self.all if symbol[2] == "kernel"]
        self.kernel_keys = [symbol[0] for symbol in self.kernel]
        self.last = self.kernel[-1][0]

    def address(self, name):
        return next(symbol[0] for symbol in self.kernel if symbol[1] == name)

    def of_host(self, address):
        return self.all[bisect.bisect_right(self.keys, address) - 1][1:]

    def of_guest(self, address):
        """Its modules are elsewhere than the host's."""
        if address > self.last:
            return "(a module)", "guest"
        return self.kernel[bisect.bisect_right(self.kernel_keys, address) - 1][1], "guest"


def syncs(path, entry):
    """The syncs that were traced from begin to end: (is_guest, is_user, address)s."""
    found, current = [], None
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = LINE.search(line)
            if not match:
                continue
            address, flags = (int(word, 16) for word in match.groups())
            is_guest = bool(flags & GUEST_MASK)
            if is_guest and address == entry:
                current = []
                found.append(current)
            if current is not None:
                current.append((is_guest, flags & CPL_MASK == CPL_MASK, address))
    return found[:-1]


def place(symbols, step):
    """PART and function of an instruction."""
    is_guest, is_user, address = step
    if is_user:
        return ("guest" if is_guest else "vmm"), "(user space)"
    name, module = symbols.of_guest(address) if is_guest else symbols.of_host(address)
    return ("guest" if is_guest else PARTS.get(module, "host")), name


def report(found, symbols, peer, path):
    length, number = Counter(len(sync) for sync in found).most_common(1)[0]
    sync = next(sync for sync in found if len(sync) == length)
    places = Counter(place(symbols, step) for step in sync)
    parts = Counter()
    for (part, _), count in places.items():
        parts[part] += count
    print("profile", peer, "seen", number, len(found))
    for part, count in parts.items():
        print("profile", peer, part, count)
    with open(path, "w", encoding="utf-8") as file:
        for (part, name), count in places.most_common():
            print(f"{count:6d}  {part:6s}  {name}", file=file)


def main():
    monitor_path, trace_path, symbols_path, peer, functions_path = sys.argv[1:]
    monitor = Monitor(monitor_path)
    if is_stalled(monitor):
        sys.exit("profile: the emulator has stalled")
    trace(monitor, trace_path)
    symbols = Symbols(symbols_path)
    found = syncs(trace_path, symbols.address("entry_SYSCALL_64"))
    if not found:
        sys.exit("profile: no sync of the guest was seen")
    report(found, symbols, peer, functions_path)


if __name__ == "__main__":
    main()
