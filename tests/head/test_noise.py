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
from tmstream.head.noise import NOISE_NEARER, noise_begins, noise_of, shipped
from tmstream.head.openset import OPPOSITE, Limit
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


def test_noise_that_resembles_a_label_is_not_held_against_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, _ = known(monkeypatch, np.concatenate([around(5), around(0)]))
    like_clap, others = made.fit.alike["clap"], made.fit.alike["snap"]
    assert like_clap
    assert min(like_clap) >= 40  # of the second half
    assert others == ()
    assert say(made, vector(0, 99)).label == "clap"
    assert say(made, BETWEEN).rejected == "too_far"  # other noise still is


def test_a_take_with_one_good_look_needs_no_mercy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Early looks at a word resemble keys; the word itself does not, so keys stay keys."""
    book = Scratch()
    early = [
        msgspec.structs.replace(one, id=f"early-{i}", vector=vector(5, 900 + i))
        for i, one in enumerate(taught(1, 10))
    ]
    book.add([*taught(3, 10), *early])  # of the same takes
    monkeypatch.setattr(learn, "noise_of", lambda _space, _dimensions: around(5))
    lesson = lesson_of(book.examples())
    assert learn.learn(lesson, K).alike["clap"] == ()
    alone = [e for e in book.examples() if e.label != "clap" or e.id.startswith("early")]
    assert learn.learn(lesson_of(alone), K).alike["clap"] != ()


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


def test_a_limit_ends_where_noise_begins() -> None:
    limit = Limit(typical=0.2, far=0.5)
    assert limit.within(0.6) == limit
    assert limit.within(0.3) == Limit(0.2, 0.3)
    assert limit.within(0.1) == Limit(0.1, 0.1)
    assert limit.within(-1e-7).closeness(0.3) == 0


def test_the_nearest_rows_speak_and_must_be_plainly_nearer() -> None:
    similarities = np.random.default_rng(0).uniform(-1, 1, size=(4, 30)).astype(np.float32)
    best = np.sort(similarities.astype(float), axis=1)[:, -K:]
    evidence = np.log(np.exp(SOFTNESS * best).mean(axis=1)) / SOFTNESS
    begins = noise_begins(similarities, K)
    np.testing.assert_allclose(begins, (1 - evidence) / NOISE_NEARER, rtol=1e-5)
    assert (begins > 1 - evidence).all()
    np.testing.assert_allclose(
        noise_begins(similarities, K, (3, 7)), noise_begins(np.delete(similarities, (3, 7), 1), K)
    )
    assert noise_begins(similarities[:, :2], K).shape == (4,)
    assert noise_begins(similarities, K, range(30)).tolist() == [OPPOSITE] * 4


def test_what_is_clear_of_noise_is_kept_with_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = known(monkeypatch, around(5))
    again = decode(encode(made.fit))
    assert again is not None
    assert (again.space, again.alike) == ("audio", made.fit.alike)
    assert set(again.alike) == {"clap", "hum", "snap"}


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
