#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables, or a script for gnuplot, of what the benchmark has measured.

usage: summary.py [--plot sync|profile|work] RAW
"""

import statistics
import sys
from collections import defaultdict

PEERS = {
    "floor": "no flush request (legacy pmem)",
    "inline": "vpmem-vmm flush=kernel,exec=inline",
    "worker": "vpmem-vmm flush=kernel,exec=worker",
    "behind": "the same, write-behind=4M",
    "user": "vpmem-vmm flush=user",
    "firecracker": "Firecracker, PCI",
    "qemu": "QEMU virtio-pmem-pci",
    "host": "the host itself",
}
WORK = [
    (medium, load) for medium in ("tmpfs", "ramdisk") for load in ("write", "wal", "persist")
]
PARTS = {
    "guest": "the guest",
    "kvm": "KVM",
    "vpmem": "vpmem.ko",
    "vmm": "the VMM's program",
    "host": "the rest of the host's kernel",
}
PHASES = ("before", "while", "after")
PARALLEL = [("tmpfs", "fsync"), ("tmpfs", "fsync@8"), ("tmpfs", "fsync@64")]
COLUMNS = [
    ("tmpfs", "fsync"),
    ("tmpfs", "write"),
    ("ramdisk", "fsync"),
    ("ramdisk", "write"),
]


class Raw:
    """The lines of a raw file, by kind."""

    def __init__(self, path):
        self.head = []
        self.syncs = defaultdict(list)
        self.counts = {}
        self.memory = {}
        self.boots = defaultdict(list)
        self.attaches = defaultdict(list)
        self.batches = defaultdict(list)
        self.isolations = defaultdict(dict)
        self.profiles = defaultdict(dict)
        with open(path, encoding="utf-8") as file:
            for line in file:
                self.take(line.split())

    def take(self, words):
        if words[0] == "#":
            self.head.append(" ".join(words[1:]))
        elif words[0] == "sync":
            peer, _, medium, load, _, mean = words[1:7]
            self.syncs[peer, medium, load].append(int(mean))
        elif words[0] == "count":
            peer, medium, load, number = words[1:5]
            values = dict(word.split("=") for word in words[5:])
            self.counts[peer, medium, load] = {
                name: int(value) / int(number) for name, value in values.items()
            }
        elif words[0] == "memory":
            self.memory[words[1]] = int(words[2])
        elif words[0] == "boot":
            image, devices, _, before, after = words[1:]
            self.boots[image, int(devices)].append(float(after) - float(before))
        elif words[0] == "attach":
            self.attaches[int(words[1])].append([int(word) for word in words[2:]])
        elif words[0] == "batch":
            peer, medium, load, depth = words[1:5]
            rounds, cycles, syncs = (int(word) for word in words[5:])
            requests = int(depth) * rounds
            self.batches[peer, medium, load, int(depth)].append(
                (cycles / requests, requests / max(syncs, 1))
            )
        elif words[0] == "profile":
            self.profiles[words[1]][words[2]] = [int(word) for word in words[3:]]
        elif words[0] == "isolation":
            peer, run, what = words[1:4]
            numbers = [int(word) for word in words[4 if what == "hang" else 5 :]]
            key = what if what == "hang" else (what, words[4])
            self.isolations[peer, int(run)][key] = numbers


def spread(values):
    """Half of the distance of the extremes, in percent of the median."""
    return 50 * (max(values) - min(values)) / statistics.median(values)


def table(title, head, rows):
    rows = [row for row in rows if any(cell != "-" for cell in row[1:])]
    if not rows:
        return
    widths = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]
    print(f"\n{title}\n")
    for row in [head, ["-" * width for width in widths]] + rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  " + "  ".join(cells).rstrip())


def sync_cell(raw, peer, column):
    values = raw.syncs.get((peer, *column))
    if not values:
        return "-"
    return f"{statistics.median(values):,.0f} ±{spread(values):.1f}%"


def print_syncs(raw):
    numbers = {len(values) for values in raw.syncs.values()}
    table(
        "Instructions for one sync, guest and host together; median of "
        + "/".join(str(number) for number in sorted(numbers))
        + " guests' means",
        ["", *(" ".join(column) for column in COLUMNS)],
        [
            [text, *(sync_cell(raw, peer, column) for column in COLUMNS)]
            for peer, text in PEERS.items()
            if peer != "host"
        ],
    )
    table(
        "Instructions for each sync of 1, 8 and 64 threads of one virtual CPU",
        ["", *(" ".join(column) for column in PARALLEL)],
        [
            [text, *(sync_cell(raw, peer, column) for column in PARALLEL)]
            for peer, text in PEERS.items()
            if peer != "host"
        ],
    )
    loads = ["fsync", "fdatasync", "msync", "write", "store"]
    table(
        "The same on the host, without a guest (write: 4 KiB, then fsync; store: 4 KiB, then msync)",
        ["", *loads],
        [
            [medium, *(sync_cell(raw, "host", (medium, load)) for load in loads)]
            for medium in ("tmpfs", "ramdisk")
        ],
    )


def count_rows(raw, media, names):
    for (peer, medium, load), values in raw.counts.items():
        if peer in PEERS and medium in media:
            yield [
                f"{PEERS[peer]}, {medium} {load}",
                *(f"{values[name]:.3f}" for name in names),
            ]


def print_counts(raw):
    names = ["exits", "user_exits", "irq_windows", "emulated", "switches", "syncs"]
    table(
        "For each sync of the guest: exits of the vCPU, those to user space, for an interrupt\n"
        "window, for an instruction to emulate; context switches of the whole host, and its syncs",
        ["", *names],
        list(count_rows(raw, ("tmpfs", "ramdisk"), names)),
    )
    names = ["syncs", "requests", "disk_flushes", "sectors"]
    table(
        "For each sync of the guest: syncs of the host, and what reached the disk (ext4 on virtio-blk):\n"
        "requests to write or flush, how many of them flushes, and sectors written",
        ["", *names],
        list(count_rows(raw, ("disk",), names)),
    )


def print_memory(raw):
    table(
        "KiB in memory of the VMM that are not its guest's RAM or a device's file",
        ["", "KiB"],
        [
            [text, f"{raw.memory[peer]:,}" if peer in raw.memory else "-"]
            for peer, text in PEERS.items()
        ],
    )


def cpu_cell(raw, peer, column):
    values = raw.counts.get((peer, *column))
    return f"{values['cpu_ns']:,.0f}" if values and "cpu_ns" in values else "-"


def print_cpu(raw):
    """The host's msync() does what a flush has to do, and nothing else."""
    syncs = {"fsync": "msync", "write": "store"}
    table(
        "Instructions on the host to serve one flush, as the module counts its CPU time, beside the\n"
        "host's own msync of the same pages",
        ["", "inline", "worker", "msync"],
        [
            [
                " ".join(column),
                cpu_cell(raw, "inline", column),
                cpu_cell(raw, "worker", column),
                sync_cell(raw, "host", (column[0], syncs[column[1]])),
            ]
            for column in COLUMNS
        ],
    )


def print_behind(raw):
    table(
        "A sync of the guest on a disk that writes 50 MB/s, 200 ms after the last of 64 MiB over three\n"
        "seconds (burst), at once after it (rush), or after the same 4 MiB, 16 times over (hot)",
        ["", "ms", "sectors", "written behind"],
        [
            [
                f"{PEERS[peer]}, {load}",
                f"{values['flush_us'] / 1e3:,.0f}",
                f"{values['sectors']:,.0f}",
                f"{values['behinds']:.1f} times",
            ]
            for (peer, medium, load), values in raw.counts.items()
            if medium == "slow"
        ],
    )


def print_boots(raw):
    table(
        "Seconds from the start of vpmem-vmm to the guest's init",
        ["", "median", "spread", "boots"],
        [
            [
                f"{image}, {devices} devices",
                f"{statistics.median(values):.2f}",
                f"±{spread(values):.1f}%",
                str(len(values)),
            ]
            for (image, devices), values in sorted(raw.boots.items())
        ],
    )


def print_attaches(raw):
    table(
        "Devices of the module that do nothing, for each: instructions to add it and start its\n"
        "queue, and to delete it; bytes of the kernel's memory, in whole pages",
        ["at once", "add", "delete", "slab", "vmalloc", "runs"],
        [
            [
                str(devices),
                *(f"{statistics.median(v) / devices:,.0f}" for v in zip(*values)),
                str(len(values)),
            ]
            for devices, values in sorted(raw.attaches.items())
        ],
    )


def batch_cell(raw, key):
    values = raw.batches.get(key)
    if not values:
        return "-"
    cycles, requests = (statistics.median(column) for column in zip(*values))
    return f"{cycles:,.0f} ({requests:.1f})"


def print_batches(raw):
    kinds = sorted({key[1:3] for key in raw.batches}, reverse=True)
    depths = sorted({key[3] for key in raw.batches})
    table(
        "Without a guest, several requests at once: instructions for each of them, the driver's own\n"
        "included, and how many shared a sync",
        ["", *(f"{depth} at once" for depth in depths)],
        [
            [
                f"{PEERS[peer]}, {medium} {load}",
                *(batch_cell(raw, (peer, medium, load, depth)) for depth in depths),
            ]
            for medium, load in kinds
            for peer in ("inline", "worker", "user")
        ],
    )


def print_work(raw):
    peers = [peer for peer in PEERS if ("work-" + peer, *WORK[0]) in raw.syncs]
    table(
        "In ext4 (DAX) on the device: instructions for 4 KiB and fsync (write), and for a transaction\n"
        "of SQLite, by its journal (wal, persist)",
        ["", *(" ".join(column) for column in WORK)],
        [
            [PEERS[peer], *(sync_cell(raw, "work-" + peer, column) for column in WORK)]
            for peer in peers
        ],
    )
    names = ["syncs", "exits", "user_exits", "switches"]
    table(
        "For each of these: syncs of the host, exits of the vCPU, those to user space, context\n"
        "switches of the whole host",
        ["", *names],
        [
            [f"{PEERS[peer]}, {medium} {load}", *(f"{values[name]:.2f}" for name in names)]
            for peer in peers
            for medium, load in WORK
            for values in [raw.counts.get(("work-" + peer, medium, load))]
            if values
        ],
    )


def print_profiles(raw):
    peers = [peer for peer in PEERS if peer in raw.profiles]
    table(
        "Where the instructions of one fsync of a guest go (tmpfs): each counted, of the most frequent\n"
        "length",
        ["", *peers],
        [
            [text, *(f"{raw.profiles[peer].get(part, [0])[0]:,}" for peer in peers)]
            for part, text in PARTS.items()
        ]
        + [
            [
                "together",
                *(
                    f"{sum(raw.profiles[peer].get(part, [0])[0] for part in PARTS):,}"
                    for peer in peers
                ),
            ],
            [
                "so many were seen",
                *("{} of {}".format(*raw.profiles[peer]["seen"]) for peer in peers),
            ],
        ],
    )


def milliseconds(values):
    return " / ".join(f"{value / 1e6:.1f}" for value in values)


def isolation_row(peer, run, values):
    """Of PHASES each, but for a sync's and an answer's count."""
    phases = [values["phase", phase] for phase in PHASES]
    answers = [values["answer", phase] for phase in PHASES]
    maxima = [phase[3] for phase in phases]
    return [
        f"{'QEMU' if peer == 'qemu' else 'vpmem-vmm ' + peer}, run {run}",
        f"{values['hang'][0] / 1e6:.0f}",
        str(phases[1][0]),
        *(milliseconds(phase[i] for phase in phases) for i in (1, 2, 3)),
        f"{maxima[1] / maxima[0]:.2f}",
        milliseconds(answer[2] for answer in answers),
    ]


def print_isolations(raw):
    table(
        "One device's disk is suspended for 2 s while another device of the guest is synced in a loop:\n"
        "how long a sync of the first hung; syncs of the second meanwhile; what these took before,\n"
        "while and after that; the maximum while by the one before; the slowest answer of the VMM's\n"
        "control socket before, while and after. Milliseconds of an emulated machine: compare in a row",
        ["", "hung", "syncs", "median", "p99", "max", "ratio", "answer"],
        [
            isolation_row(peer, run, values)
            for (peer, run), values in sorted(raw.isolations.items())
        ],
    )


def plot_cells(raw, prefix, columns):
    """Median of each column in thousands, by peer; None where nothing is measured."""
    for peer, text in PEERS.items():
        cells = [raw.syncs.get((prefix + peer, *column)) for column in columns]
        if peer != "host":
            yield text, [statistics.median(c) / 1000 if c else None for c in cells]


def plot_sync(raw):
    return {
        "title": "One sync of a guest: instructions of guest and host together",
        "legend": [", ".join(column) for column in COLUMNS],
        "rows": plot_cells(raw, "", COLUMNS),
    }


def plot_work(raw):
    return {
        "title": "In a file system (DAX): 4 KiB and fsync (write), a transaction of SQLite (wal, persist)",
        "legend": [", ".join(column) for column in WORK],
        "rows": plot_cells(raw, "work-", WORK),
    }


def plot_profile(raw):
    return {
        "title": "One fsync of a guest (tmpfs): where the instructions are",
        "legend": list(PARTS.values()),
        "rows": [
            (text, [raw.profiles[peer].get(part, [0])[0] / 1000 for part in PARTS])
            for peer, text in PEERS.items()
            if peer in raw.profiles
        ],
        "style": "rowstacked",
    }


PLOTS = {"sync": plot_sync, "profile": plot_profile, "work": plot_work}


def print_plot(title, legend, rows, style="clustered"):
    """A script for gnuplot, if there is anything to be seen."""
    rows = [(text, cells) for text, cells in rows if any(cells)]
    if not rows:
        return
    print("$rows << EOD")
    for text, cells in rows:
        print(f'"{text}"', *("-" if cell is None else f"{cell:.2f}" for cell in cells))
    print("EOD")
    print(
        f"""set terminal svg size 900,480 dynamic background rgb 'white'
set title '{title}'
set ylabel 'thousand instructions'
set yrange [0:*]
set style data histograms
set style histogram {style}
set style fill solid 0.8
set boxwidth 0.8
set grid ytics
set xtics rotate by -15
set key top left"""
    )
    plots = [f"$rows using {i + 2}:xtic(1) title \"{text}\"" for i, text in enumerate(legend)]
    print("plot", ", ".join(plots))


def main():
    raw = Raw(sys.argv[-1])
    if sys.argv[1] == "--plot":
        print_plot(**PLOTS[sys.argv[2]](raw))
        return
    for line in raw.head:
        print(line)
    print_syncs(raw)
    print_counts(raw)
    print_cpu(raw)
    print_memory(raw)
    print_behind(raw)
    print_boots(raw)
    print_attaches(raw)
    print_batches(raw)
    print_work(raw)
    print_profiles(raw)
    print_isolations(raw)


if __name__ == "__main__":
    main()
