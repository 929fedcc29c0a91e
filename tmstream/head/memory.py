"""What the head knows, kept up to date between two packets and learned again in the background.

One thread, the head's lane, owns the answers: it applies changes (told from any thread) and swaps
in what the background learned. A learned state is built from a copy, brought up to date with what
changed meanwhile, and swapped whole, so no answer comes from half a metric.
"""

from __future__ import annotations

import threading
from collections import deque

import msgspec

from ..core.packet import Float32
from ..store.project import Change, Example, Project
from .bank import Bank, Heard
from .refit import Refitter, bank_of, cached_banks, refit
from .state import HeadState, by_space, fill, learned

#: More new examples than this are projected in the background: about 1 ms of work.
LARGE_CHANGE = 100
#: The background hands over when at most this many changes are left for the lane to repeat.
FEW = 4


class _Ready(msgspec.Struct, frozen=True, eq=False):
    banks: dict[str, Bank]
    until: int  #: number of the first change it does not hold


class Memory:
    """Examples and `HeadState` of one head.

    ``steady``: learn in the calling thread, for a graph of files: the same file, the same answer.
    """

    def __init__(self, k: int, project: Project | None, *, steady: bool) -> None:
        self.locked = False
        self.active: frozenset[str] = frozenset()  #: labels that may answer; empty: all
        self.state = HeadState(0, {})
        self.examples: dict[str, Example] = {}
        self._k, self._project, self._steady = k, project, steady
        self._told: deque[Change] = deque()
        self._held: list[Change] = []  #: during a lock
        self._lock = threading.Lock()  # guards examples, log and ready; held for microseconds
        self._log: list[Change] = []
        self._log_start = 0
        self._ready: _Ready | None = None
        self._reload = self._stale = False
        self._refitter: Refitter | None = None

    def open(self, examples: list[Example], active: list[str], *, locked: bool) -> None:
        """Take over what is known, and answer at once; calibrated at once too, if ``steady``."""
        self.examples = {one.id: one for one in examples}
        self.active, self.locked = frozenset(active), locked
        if self._steady:
            self._swap(refit(examples, self._k, self._project))
            return
        self._swap(cached_banks(examples, self._k, self._project))
        missing = [one for one in examples if one.space not in self.state.banks]
        self._swap({**self.state.banks, **_quick(missing, self._k)})
        for bank in self.state.banks.values():
            bank.prepare()
        self._refitter = Refitter(self._learn)
        if missing:
            self._refitter.ask()

    def close(self) -> None:
        """End the background thread."""
        if self._refitter is not None:
            self._refitter.close()

    def tell(self, change: Change) -> None:
        """Have a committed change applied before the next answer. Any thread."""
        self._told.append(change)

    def settled(self, timeout_s: float = 60.0) -> bool:
        """Return whether learning has caught up; the lane must still `settle`."""
        self.settle()
        return self._refitter is None or self._refitter.wait(timeout_s)

    def settle(self) -> None:
        """Apply what was told, and swap in what was learned. Only the lane calls this."""
        if self._ready is not None:
            self._take_over()
        learn = False
        while self._told:
            self._apply(self._told.popleft())
            learn |= self._stale and not self.locked  # what came before a lock is still learned
        if not learn:
            return
        if self._steady:
            self._relearn_now()
        elif self._refitter is not None:
            self._refitter.ask()

    def ask(self, space: str, vector: Float32) -> tuple[Bank, dict[str, Heard]] | None:
        """Return the space's bank and what each label hears in a finite ``vector``.

        None when nothing was taught in this space, or only with vectors of another length.
        """
        bank = self.state.banks.get(space)
        if bank is None or len(bank.fit.views[0].mean) != len(vector):
            return None
        return bank, bank.ask(vector, self._k, self.active or None)

    def dimension(self, space: str) -> int | None:
        """Return how many numbers the examples of a space have, if it has any."""
        bank = self.state.banks.get(space)
        return None if bank is None else len(bank.fit.views[0].mean)

    # In the lane

    def _apply(self, change: Change) -> None:
        """Apply one change; what is taught during a lock waits for its end."""
        if change.reload or "active_labels" in change.settings:
            self.active = frozenset(change.settings.get("active_labels") or ())
        if change.reload or "locked" in change.settings:
            self.locked = bool(change.settings.get("locked"))
        if change.reload:
            self._held.clear()  # they are read again as well
        if change.reload or change.added or change.removed or change.relabelled:
            self._held.append(change)
        if not self.locked:
            held, self._held = self._held, []
            for one in held:
                self._take_in(one)

    def _take_in(self, change: Change) -> None:
        """Write a change down for the background, and answer by it at once."""
        self._stale = True
        if change.reload:
            self._reload = True
            return
        with self._lock:
            change = _written(change, self.examples)
            self._log.append(change)
        if not self._steady:
            banks = dict(self.state.banks)
            _repeat(change if len(change.added) <= LARGE_CHANGE else _only_gone(change), banks,
                    self._k)  # fmt: skip
            self.state = HeadState(self.state.generation, banks)

    def _take_over(self) -> None:
        with self._lock:
            ready, self._ready = self._ready, None
            left = self._log[max(ready.until - self._log_start, 0) :] if ready else []
        if ready is None:
            return
        if any(len(change.added) > LARGE_CHANGE for change in left):
            return  # too much to repeat here; whoever made that change has asked to learn again
        for change in left:
            _repeat(change, ready.banks, self._k)
        self._swap(ready.banks)

    def _relearn_now(self) -> None:
        if self._reload and self._project is not None:
            self.examples = {one.id: one for one in self._project.examples()}
        self._reload = self._stale = False
        self._log.clear()
        self._swap(refit(list(self.examples.values()), self._k, self._project))

    def _swap(self, banks: dict[str, Bank]) -> None:
        self.state = HeadState(self.state.generation + 1, banks)

    # In the background

    def _learn(self) -> None:
        """Build a whole new state from a copy, catch up, and hand it over."""
        if self._reload and self._project is not None:
            self._reread(self._project)
        with self._lock:
            copy = list(self.examples.values())
            done = self._log_start + len(self._log)
            self._log_start, self._log = done, []
            self._ready = None
            self._stale = self._reload
        banks = refit(copy, self._k, self._project)
        while True:
            with self._lock:
                left = self._log[done - self._log_start :]
                if len(left) <= FEW and not any(len(one.added) > LARGE_CHANGE for one in left):
                    self._ready = _Ready(banks, done)
                    return
            for change in left:
                _repeat(change, banks, self._k)
            done += len(left)

    def _reread(self, project: Project) -> None:
        """Take the examples from the file, and repeat what was applied while it was read."""
        self._reload = False
        with self._lock:
            began = len(self._log)
        try:
            fresh = {one.id: one for one in project.examples()}
        except BaseException:
            self._reload = True
            raise
        with self._lock:
            for change in self._log[began:]:
                _written(change, fresh)
            self.examples = fresh


def _written(change: Change, examples: dict[str, Example]) -> Change:
    """Write a change into ``examples``; returns it with what is relabelled removed and added."""
    moved = tuple(
        msgspec.structs.replace(examples[moving], label=label)
        for moving, label in change.relabelled.items()
        if moving in examples
    )
    for gone in change.removed:
        examples.pop(gone, None)
    examples.update((one.id, one) for one in (*change.added, *moved))
    if not moved:
        return change
    removed = (*change.removed, *(one.id for one in moved))
    return msgspec.structs.replace(change, added=(*change.added, *moved), removed=removed)


def _only_gone(change: Change) -> Change:
    """Return what is removed for good: an example under a new label answers to the old so long."""
    staying = {one.id for one in change.added}
    return Change(removed=tuple(one for one in change.removed if one not in staying))


def _repeat(change: Change, banks: dict[str, Bank], k: int) -> None:
    """Apply a change to banks: what is known is removed, what is new is added, each O(d)."""
    for gone in change.removed:
        for bank in banks.values():
            bank.remove(gone)
    for space in [space for space, bank in banks.items() if not len(bank)]:
        del banks[space]
    for space, added in by_space(change.added).items():
        if space in banks:
            fill(banks[space], added)
        else:
            banks.update(_quick(added, k))


def _quick(examples: list[Example], k: int) -> dict[str, Bank]:
    """Return banks that answer at once, by the shipped limits."""
    banks = {}
    for space, taught in by_space(examples).items():
        fit = learned(taught, k, calibrate=False)
        if fit is not None:
            banks[space] = bank_of(taught, fit)
    return banks
