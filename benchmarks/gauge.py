"""What a process and its children hold, measured through /proc, and whether it was flat."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

#: What may remain of noise: the allocator keeps pages, and a measure is taken while work goes on.
NOISE_MB = 6.0
MB_AN_HOUR = 1.0
HANDLES = 2.0

#: Of `/proc/PID/status`. Pages of files are left out: the system maps and drops those of libraries
#: as it likes (a day in a fresh checkout held 160 MB more of them than one in an old one).
HELD = ("RssAnon:", "RssShmem:")


class Sample(NamedTuple):
    """What the process holds at one instant."""

    at_s: float
    held_mb: float
    threads: int  #: native ones too
    files: int  #: descriptors of any kind
    processes: int  #: children, dead ones that nobody waited for too
    children_mb: float  #: all children together
    eye_mb: float  #: the landmark process that is watched, 0 without


class Verdict(NamedTuple):
    """One row of the table."""

    what: str
    found: str
    goal: str
    met: bool


def children() -> dict[int, str]:
    """Return the command lines of this process's children by their ids, "" for dead ones."""
    found = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            stat = Path(entry.path, "stat").read_text()
            if int(stat.rpartition(")")[2].split()[1]) == os.getpid():
                line = Path(entry.path, "cmdline").read_bytes()
                found[int(entry.name)] = line.replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it ended just now
            continue
    return found


def landmarkers(task: str) -> list[int]:
    """Return the ids of the living landmark processes of this task ("body", "hands")."""
    return [pid for pid, line in children().items() if f"landmarker_worker {task} " in line]


def held_mb(pid: int) -> float:
    """Return the memory a process holds for itself or shares, 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(HELD)) / 1e6


def look(began_s: float, eye: int | None = None) -> Sample:
    """Measure this process; ``eye`` is the landmark process to watch."""
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a Path for each would be counted too
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    held = [held_mb(pid) for pid in children()]
    eye_mb = held_mb(eye) if eye else 0.0
    at_s = time.perf_counter() - began_s
    return Sample(at_s, held_mb(os.getpid()), threads, files, len(held), sum(held), eye_mb)


def growth(values: Sequence[float]) -> float:
    """Return by how much evenly taken ``values`` grew, from the first tenth's median to the last's.

    A straight line through them would make half as much again of one step in the middle, and
    overlook one near the end.
    """
    tenth = max(1, len(values) // 10)
    grown = float(np.median(values[-tenth:]) - np.median(values[:tenth]))
    return grown * len(values) / max(1, len(values) - tenth)


def judge_samples(samples: Sequence[Sample], speed: float) -> list[Verdict]:
    """Return whether memory, threads, files and processes were flat over the second half."""
    half = [one for one in samples if one.at_s >= samples[-1].at_s / 2]
    hours = (half[-1].at_s - half[0].at_s) * speed / 3600
    most = max(NOISE_MB, MB_AN_HOUR * hours)
    table = []
    for name, what in (("held_mb", "memory"), ("eye_mb", "memory of a landmark process")):
        grown = growth([getattr(one, name) for one in half])
        found = f"{grown:+.1f} MB in {hours:.1f} h"
        table.append(
            Verdict(f"{what} grown in the second half", found, f"< {most:.1f} MB", grown < most)
        )
    middle = len(half) // 2
    for name, more in (("threads", HANDLES), ("files", HANDLES), ("processes", 0.0)):
        early, late = (
            float(np.median([getattr(one, name) for one in part]))
            for part in (half[:middle], half[middle:])
        )
        table.append(Verdict(name, f"{early:g} -> {late:g}", f"+{more:g}", late <= early + more))
    return table
