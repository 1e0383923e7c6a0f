#!/usr/bin/python3 -I
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sums the demo up for a person.

usage: summary.py ACKNOWLEDGED COUNT RESULTS

ACKNOWLEDGED transactions were acknowledged before the power cut, COUNT in each
of the two runs after it; RESULTS is what L1 said then. Exit status 0 if
nothing was lost.
"""

import json
import sys


def read_results(path):
    """Returns what was found on the disk, and the counters of each run."""
    found, runs = {"acknowledged": 0}, {}
    with open(path, errors="replace") as results:
        for line in results:
            words = line.strip().lstrip("|").split(" ", 2)
            if words[0] in ("integrity", "found", "fsck"):
                found[words[0]] = " ".join(words[1:])
            elif words[0] == "metrics":
                runs[words[1]] = json.loads(words[2])["pmem_root"]
            elif words[:2] == ["guest", "acknowledged"]:
                found["acknowledged"] += 1
    return found, runs


def milliseconds(nanoseconds):
    """Latencies are upper bounds of buckets, powers of two."""
    bound = (nanoseconds + 1) / 1e6
    return f"< {bound:.{0 if bound >= 10 else 1}f} ms" if nanoseconds else "-"


def row(name, *values):
    print(f"  {name:<36}" + "".join(f"{value:>18}" for value in values))


def show_disk(acknowledged, found):
    print("After the power cut")
    row("acknowledged before it", acknowledged)
    row("of these found, with their contents", found.get("found", "none"))
    row("file system (e2fsck, second pass)", found.get("fsck", "not checked"))
    row("SQLite's integrity check", found.get("integrity", "not made"))


def show_runs(count, runs):
    kernel, user = runs["kernel"], runs["user"]

    print(f"\nBooted again: {count} more transactions with either back end")
    row("", "flush=kernel", "flush=user")
    row("flushes served", kernel["flushes"], user["flushes"])
    row("by", "vpmem.ko", "a VMM thread")
    row("failed", kernel["flush_errors"], user["flush_errors"])
    row("syncs of the file", kernel["syncs"], user["syncs"])
    for name, key in (("half of the flushes took", "p50"),
                      ("90 %", "p90"), ("99 %", "p99"), ("all", "max")):
        row(name, milliseconds(kernel["flush_latency_ns"][key]),
            milliseconds(user["flush_latency_ns"][key]))
    print("  (latencies include the sync, on an emulated machine: compare counts, not times)")


def main():
    acknowledged, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    found, runs = read_results(path)

    show_disk(acknowledged, found)
    if set(runs) != {"kernel", "user"}:
        print("\nVERDICT: FAILED. The guest could not be run again.")
        return 1
    show_runs(count, runs)
    kernel, user = runs["kernel"], runs["user"]
    checks = {
        "an acknowledged transaction is lost": found.get("found") == str(acknowledged),
        "the file system is damaged": found.get("fsck") == "clean",
        "the database is damaged": found.get("integrity") == "ok",
        "a run ended early": found["acknowledged"] == 2 * count,
        "a flush failed": not kernel["flush_errors"] and not user["flush_errors"],
        "the module served nothing": kernel["flush"] == "kernel" and kernel["flushes"] >= count,
        "user space served nothing": user["flush"] == "user" and user["flushes"] >= count,
    }
    broken = [what for what, holds in checks.items() if not holds]
    if broken:
        print("\nVERDICT: FAILED: " + "; ".join(broken) + ".")
        return 1
    print(f"\nVERDICT: PASSED. All {acknowledged} acknowledged transactions survived the power cut;"
          f"\nthe module served {kernel['flushes']} flushes without user space taking part.")
    return 0


sys.exit(main())
