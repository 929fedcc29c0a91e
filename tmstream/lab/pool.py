"""Embed many samples on two cores, in order; each is walked alone, so the answers are the same."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack

from ..engine.graph import Graph
from ..engine.registry import Registry
from ..engine.spec import Pipeline
from .embedder import Embedder, Heard
from .part import WORDS, graph_for, kinds_of
from .sample import Kind, Sample, kind_of

#: Samples embedded ahead of the one that is being waited for: they hold their sound or picture.
AHEAD = 16
WORKERS = 2


class Pool:
    """Workers with models that stay loaded from one batch of samples to the next."""

    def __init__(self, pipeline: Pipeline, registry: Registry, workers: int = WORKERS) -> None:
        self._pipeline, self._registry, self._count = pipeline, registry, workers
        self._graphs: dict[Kind, Graph] = {}
        self._able = frozenset(kinds_of(pipeline, registry))
        self.fingerprints: dict[str, str] = {}  #: what each embedding node was made of
        self._jobs: list[tuple[Sample, Future[Heard]]] = []
        self._next = 0
        self._ended = False
        self._changed = threading.Condition()
        self._room = threading.Semaphore(AHEAD)
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_error: object) -> None:
        with self._changed:
            self._ended = True
            self._jobs.clear()
            self._changed.notify_all()
        for _thread in self._threads:
            self._room.release()
        for thread in self._threads:
            thread.join()

    def check(self, samples: Iterable[Sample]) -> None:
        """Raise `InputError` when the pipeline embeds none of the kinds of ``samples``."""
        kinds = list(dict.fromkeys(sample.kind for sample in samples))
        if not self._able.intersection(kinds):
            for kind in kinds:
                graph_for(self._pipeline, self._registry, kind)

    def embed(self, samples: Sequence[Sample]) -> Iterator[Heard]:
        """Yield what each sample gives, in order; of a kind that is not embedded, that it is not.

        Raises:
            ModelError: a model is missing or damaged.
        """
        found = self._embedded([sample for sample in samples if sample.kind in self._able])
        for sample in samples:
            yield next(found) if sample.kind in self._able else _of_another_kind(sample)

    def _embedded(self, samples: Sequence[Sample]) -> Iterator[Heard]:
        for kind in dict.fromkeys(sample.kind for sample in samples):
            if kind not in self._graphs:
                self._graphs[kind] = graph_for(self._pipeline, self._registry, kind)
        jobs = [(sample, Future[Heard]()) for sample in samples]
        with self._changed:
            self._jobs, self._next = jobs, 0
            self._changed.notify_all()
        for _ in range(len(self._threads), min(self._count, len(samples))):
            thread = threading.Thread(target=self._work, name="lab", daemon=True)
            self._threads.append(thread)
            thread.start()
        for i, (_, future) in enumerate(jobs):
            heard = future.result()
            jobs[i] = (heard.sample, Future())  # lets go of what was heard
            self._room.release()
            yield heard

    def _work(self) -> None:
        with ExitStack() as open_ones:
            embedders: dict[Kind, Embedder] = {}
            while (job := self._job()) is not None:
                sample, future = job
                try:
                    if sample.kind not in embedders:
                        made = Embedder(self._graphs[sample.kind], stopped=lambda: self._ended)
                        embedders[sample.kind] = open_ones.enter_context(made)
                        self.fingerprints |= made.fingerprints()
                    future.set_result(embedders[sample.kind].embed(sample))
                except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                    future.set_exception(error)

    def _job(self) -> tuple[Sample, Future[Heard]] | None:
        self._room.acquire()
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._next < len(self._jobs))
            if self._ended:
                return None
            job = self._jobs[self._next]
            self._next += 1
            return job


def _of_another_kind(sample: Sample) -> Heard:
    """Say that the pipeline has no use for a sample."""
    why = f"this pipeline takes no {WORDS[sample.kind]}"
    if sample.points is None and kind_of(sample.file) is None:
        why = "neither sound, picture nor film by its name"
    return Heard(sample, reason="cannot_decode", note=why)
