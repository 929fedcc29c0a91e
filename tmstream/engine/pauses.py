"""Short pauses: how long a thread of a live engine may have to wait for the interpreter."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: After this long a thread in pure Python makes way. A lane gives up the interpreter's lock in
#: every large numpy call and has to win it back: beside two busy threads an answer took 22 ms
#: (p99 119) at Python's usual 5 ms, 2.2 ms (p99 10) at this; shorter gains nothing.
SWITCH_S = 0.0005


@contextmanager
def short_pauses() -> Iterator[None]:
    """Within it threads make way sooner, and what exists by now is left to no garbage collection.

    A full collection holds every thread: 16 ms with what a pipeline has imported and loaded, under
    1 ms with what came afterwards. It is done once on entering. Both hold for the whole process.
    """
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before_s)
