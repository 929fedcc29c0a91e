"""``make bench``: every module's rows as one table. ``make bench ARGS="audio knn"`` runs some."""

from __future__ import annotations

import importlib
import os
import sys

# One thread per native pool: two modalities already keep two cores busy.
for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(pool, "1")

MODULES = ("engine", "audio", "knn", "fanout", "vision", "studio", "start", "faces", "recognition")


def main() -> int:
    """Print rows as they come; exit 1 when a goal is missed."""
    wanted = sys.argv[1:] or MODULES
    missed = 0
    print(f"{'what':58} {'ours':>14} {'peer / limit':>22} {'ratio':>8}  goal")
    for name in wanted:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"-- {name}: {(module.__doc__ or '').splitlines()[0]}")
        for what, ours, peer, ratio, goal, met in module.rows():
            missed += not met
            mark = "  " if met else "! "
            print(f"{mark}{what:56} {ours:>14} {peer:>22} {ratio:8.2f}  {goal}", flush=True)
    print(f"{missed} goals missed" if missed else "every goal met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
