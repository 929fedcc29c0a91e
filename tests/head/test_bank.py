"""The bank answers as brute force in float64 would, whatever was added and removed before."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tmstream.head.bank import Bank, receipts
from tmstream.head.learn import learn
from tmstream.head.lesson import lesson_of
from tmstream.head.scratch import Scratch
from tmstream.head.state import fill
from tmstream.head.vote import SOFTNESS

from .lessons import taught, vector

K = 3


def bank(takes: int = 5, labels: int = 3) -> tuple[Bank, Scratch]:
    book = Scratch()
    book.add(taught(labels, takes))
    made = Bank(learn(lesson_of(book.examples()), K))
    fill(made, book.examples())
    return made, book


def brute(bank: Bank, book: Scratch, query: np.ndarray) -> dict[str, tuple[float, float]]:
    """Evidence and distance of every label, in float64 and by the definition."""
    fit, found = bank.fit, {}
    for label in book.labels():
        own = book.examples(label=label)
        rows = np.stack([one.vector for one in own])
        cosines = []
        for view in fit.views:
            a, b = view.apply(rows).astype(float), view.apply(query[None])[0].astype(float)
            cosines.append(a @ b)
        best: dict[str, float] = {}
        for one, value in zip(own, (cosines[0] + np.mean(cosines[1:], axis=0)) / 2, strict=True):
            best[one.take] = max(best.get(one.take, -9.0), value)
        values = np.sort(list(best.values()))[::-1]
        evidence = float(np.log(np.exp(SOFTNESS * values[:K]).mean()) / SOFTNESS)
        found[label] = (evidence, 1 - evidence)
    return found


@settings(max_examples=25)
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 10**6)), max_size=40))
def test_it_is_brute_force_after_any_history(steps: list[tuple[bool, int]]) -> None:
    made, book = bank()
    for i, (adding, number) in enumerate(steps):
        if adding or not book.examples():
            (new,) = taught(1, 1, seed=number)
            import msgspec

            label = ("clap", "snap", "hum")[number % 3]
            new = msgspec.structs.replace(new, id=f"new{i}", label=label, take=f"t{number % 5}")
            book.add([new])
            fill(made, [one for one in book.examples() if one.id == f"new{i}"])
        else:
            gone = sorted(one.id for one in book.examples())[number % len(book.examples())]
            book.delete([gone])
            made.remove(gone)
    query = vector(1, 999)
    wanted, said = brute(made, book, query), made.ask(query, K)
    assert len(made) == len(book.examples())
    assert set(said) == set(wanted)
    for label, (evidence, distance) in wanted.items():
        np.testing.assert_allclose(said[label].evidence, evidence, atol=1e-5)
        np.testing.assert_allclose(said[label].distance, distance, atol=1e-5)


def test_a_removed_example_never_votes_again() -> None:
    made, _ = bank()
    query = vector(0, 3)
    first = receipts(made.ask(query, K), "audio", K)[0]
    made.remove(first.id)
    assert first.id not in {one.id for one in receipts(made.ask(query, K), "audio", 99)}
    made.remove(first.id)  # once more is no mistake


def test_adding_what_is_there_changes_nothing() -> None:
    made, book = bank()
    before = made.ask(vector(0, 77), K)
    fill(made, book.examples())
    assert made.ask(vector(0, 77), K) == before


def test_frames_of_one_take_speak_once() -> None:
    """Thirty frames of one clap must not outvote five different claps."""
    book = Scratch()
    book.add(taught(2, 4))
    for i in range(30):
        (new,) = taught(1, 1, seed=500)
        import msgspec

        book.add([msgspec.structs.replace(new, id=f"frame{i}", take="one take")])
    made = Bank(learn(lesson_of(book.examples()), K))
    fill(made, book.examples())
    spoke = made.ask(vector(0, 500), K)["clap"].nearest
    assert len(spoke) == K
    assert len([who for _, who in spoke if who.startswith("frame")]) == 1


def test_only_the_labels_asked_for_answer() -> None:
    made, _ = bank()
    assert set(made.ask(vector(0, 1), K, {"hum", "nobody"})) == {"hum"}
