"""Learn again beside the show: a background thread works on a copy and hands over a whole state."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ..core.errors import StoreError
from ..maths.quantised import compiler_loaded
from ..store.project import Example, Project
from .bank import Bank
from .learn import Fit
from .state import by_space, decode, encode, fill, fingerprint, learned

log = logging.getLogger(__name__)

#: After learning, rest this many times as long: teaching must not take a core from the show.
REST = 1.0
LONGEST_REST = 2.0  #: seconds


def bank_of(examples: list[Example], fit: Fit) -> Bank:
    """Return a bank filled with ``examples`` of one space."""
    bank = Bank(fit)
    fill(bank, examples)
    if compiler_loaded():
        bank.prepare()
    return bank


def cached_banks(examples: list[Example], k: int, project: Project | None) -> dict[str, Bank]:
    """Return the banks of those spaces that were learned from just these examples before."""
    banks = {}
    for space, taught in by_space(examples).items():
        fit = _cached(project, fingerprint(taught, k))
        if fit is not None:
            banks[space] = bank_of(taught, fit)
    return banks


def refit(examples: list[Example], k: int, project: Project | None) -> dict[str, Bank]:
    """Return a calibrated bank for every space; what was learned before is read from the cache."""
    banks = {}
    for space, taught in by_space(examples).items():
        key = fingerprint(taught, k)
        fit = _cached(project, key)
        if fit is None:
            fit = learned(taught, k, calibrate=True)
            _keep(project, key, fit, taught)
        if fit is not None:
            banks[space] = bank_of(taught, fit)
    return banks


def _cached(project: Project | None, key: str) -> Fit | None:
    data = project.cache(key) if project is not None else None
    return decode(data) if data else None


def _keep(project: Project | None, key: str, fit: Fit | None, taught: list[Example]) -> None:
    """The cache only saves time, so a full disk is no reason to fail."""
    if project is None or fit is None:
        return
    try:
        project.put_cache(key, encode(fit), of=[one.id for one in taught])
    except StoreError as error:
        log.warning("what the head learned is not kept: %s", error)


class Refitter:
    """A daemon thread that runs ``work`` after `ask`, never twice at once, and rests in between."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._turn = threading.Condition()
        self._asked = self._working = self._stopped = False
        self._thread = threading.Thread(target=self._run, name="head-refit", daemon=True)
        self._thread.start()

    def ask(self) -> None:
        """Have the work done soon; asking again before it began changes nothing."""
        with self._turn:
            self._asked = True
            self._turn.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Return whether nothing is left to do, waiting at most ``timeout_s``."""
        with self._turn:
            return self._turn.wait_for(lambda: not (self._asked or self._working), timeout_s)

    def close(self) -> None:
        """End the thread, after the work it is at."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._asked or self._stopped)
                if self._stopped:
                    return
                self._asked, self._working = False, True
            began = time.perf_counter()
            try:
                self._work()
            except Exception:  # the last state goes on answering
                log.exception("the head could not learn again; it answers from what it knew")
            with self._turn:
                self._working = False
                self._turn.notify_all()
                rest = min(REST * (time.perf_counter() - began), LONGEST_REST)
                self._turn.wait_for(lambda: self._stopped, rest)
