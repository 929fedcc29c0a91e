"""A label ends where common noise begins, unless it is noise itself."""

from __future__ import annotations

from itertools import islice

import msgspec
import numpy as np
import pytest

from benchmarks.noises import sounds, vectors
from tmstream.head import bank, learn
from tmstream.head.bank import Bank
from tmstream.head.judge import Answers
from tmstream.head.lesson import lesson_of
from tmstream.head.noise import noise_evidence, noise_of, shipped
from tmstream.head.openset import NOISE_NEARER, Limit
from tmstream.head.scratch import Scratch
from tmstream.head.state import decode, encode, fill
from tmstream.head.verdict import Verdict, verdict
from tmstream.head.vote import SOFTNESS
from tmstream.maths.neighbours import unit_rows

from .lessons import CENTRES, taught, vector

K = 5
#: Between the first label and noise around the sixth centre, nearer to noise.
BETWEEN = (0.45 * CENTRES[0] + 0.55 * CENTRES[5]).astype(np.float32)


def around(label: int) -> np.ndarray:
    return np.stack([vector(label, 7000 + i) for i in range(40)])


def known(monkeypatch: pytest.MonkeyPatch, noise: np.ndarray | None) -> tuple[Bank, Scratch]:
    """Return a bank of three labels where this is the noise there is."""
    for module in (learn, bank):
        monkeypatch.setattr(module, "noise_of", lambda _space, _dimensions: noise)
    book = Scratch()
    book.add(taught(3, 10))
    made = Bank(learn.learn(lesson_of(book.examples()), K))
    fill(made, book.examples())
    return made, book


def say(made: Bank, query: np.ndarray, strictness: float = 0.5) -> Verdict:
    where = ("audio", None, 0, 1)
    return verdict(made.ask(query, K), made.fit, where, k=K, strictness=strictness)


def test_what_is_nearer_to_noise_is_no_label(monkeypatch: pytest.MonkeyPatch) -> None:
    without, _ = known(monkeypatch, None)
    beside, _ = known(monkeypatch, around(5))
    assert say(without, BETWEEN).label == "clap"
    assert say(beside, BETWEEN).rejected == "too_far"
    assert say(beside, BETWEEN).opinions[0].closeness < say(without, BETWEEN).opinions[0].closeness
    assert say(beside, vector(0, 99)).label == "clap"
    assert say(beside, BETWEEN, strictness=0.0).label == "clap"


def test_a_label_that_is_noise_itself_is_still_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = known(monkeypatch, np.concatenate([around(0), around(5)]))
    assert made.fit.clear == {"snap", "hum"}
    assert say(made, vector(0, 99)).label == "clap"


def test_judging_turns_away_what_the_show_would(monkeypatch: pytest.MonkeyPatch) -> None:
    made, book = known(monkeypatch, around(5))
    asked = np.stack([BETWEEN, *(vector(i % 3, 300 + i, spread=2.5) for i in range(60))])
    lesson = lesson_of(book.examples())
    for strictness in (0.3, 0.5, 0.8):
        judged = Answers(made.fit, lesson, asked, K, strictness).label
        told = [lesson.labels[code] if code >= 0 else None for code in judged]
        shown = [say(made, one, strictness) for one in asked]
        assert told == [None if one.rejected == "too_far" else one.opinions[0].label
                        for one in shown]  # fmt: skip


def test_a_limit_ends_where_noise_is_plainly_nearer() -> None:
    limit = Limit(typical=0.2, far=0.5)
    assert limit.within(0.5 * NOISE_NEARER) == limit
    assert limit.within(0.4) == Limit(0.2, 0.4 / NOISE_NEARER)
    assert limit.within(0.1) == Limit(0.1 / NOISE_NEARER, 0.1 / NOISE_NEARER)
    assert limit.within(-1e-7).closeness(0.3) == 0


def test_a_clap_may_lie_a_hundredth_nearer_to_a_knock(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = known(monkeypatch, around(5))
    heard = made.ask(BETWEEN, K)
    claps = heard["clap"]
    for share, label in ((0.99, "clap"), (0.85, None)):
        beside = msgspec.structs.replace(claps, noise=claps.distance * share)
        said = verdict({**heard, "clap": beside}, made.fit, ("audio", None, 0, 1), k=K, strictness=0.5)  # fmt: skip
        assert said.label == label


def test_the_nearest_rows_speak() -> None:
    similarities = np.random.default_rng(0).normal(size=(4, 30)).astype(np.float32)
    best = np.sort(similarities.astype(float), axis=1)[:, -K:]
    wanted = np.log(np.exp(SOFTNESS * best).mean(axis=1)) / SOFTNESS
    np.testing.assert_allclose(noise_evidence(similarities, K), wanted, rtol=1e-5)
    assert noise_evidence(similarities[:, :2], K).shape == (4,)


def test_what_is_clear_of_noise_is_kept_with_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = known(monkeypatch, around(5))
    again = decode(encode(made.fit))
    assert again is not None
    assert (again.space, again.clear) == ("audio", {"clap", "hum", "snap"})


def test_no_noise_fits_other_spaces_or_vectors() -> None:
    size = np.load(shipped("audio")).shape[1]
    assert noise_of("audio", size) is not None
    assert noise_of("audio", size - 1) is None
    assert noise_of("image", size) is None


def test_the_shipped_noise_is_what_the_embedder_hears_today() -> None:
    """When this fails, the embedder has changed: run ``python -m benchmarks.noises``."""
    made = np.stack([one for sound in islice(sounds(), 24, 34) for one in vectors(sound)])
    rows = np.load(shipped("audio")).astype(np.float32)
    nearest = (unit_rows(made) @ unit_rows(rows).T).max(axis=1)
    # Of everything made, 256 in 609 were kept.
    assert 0.25 < (nearest > 0.999).mean() < 0.6
