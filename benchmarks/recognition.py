"""Recognition on real data: few examples, other people and recordings, beside two plain peers.

Every sample goes the road of `tmstream teach`: the shipped pipelines' own nodes embed it. Per set,
groups (speakers, people, videos, folds) are held out in turn; of the others, ``shots`` samples a
label teach. Sets without groups: repeated random draws. `surface_taps`: the first half of each
recording teaches, the second is asked.

``vote`` is the share whose own label came first, as goals and peers (who turn nobody away) are
measured; ``answered`` counts a member that was turned away as an error, and beside it stands what
logistic regression has left when the same samples are turned away. Where a goal is missed,
``ceiling`` says what logistic regression reaches by all samples of all other groups.

    make bench ARGS=recognition          (reads TMSTREAM_DATA, or ../shared/data)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from tmstream.core.packet import Gap, Packet, Scores
from tmstream.head.knn import Knn
from tmstream.head.openset import area
from tmstream.head.scratch import Scratch
from tmstream.lab.classify import Answer, combined
from tmstream.testing import FakeServices

from .measure import Row
from .peers import ceiling, peers
from .sets import DATA, SETS, Set, Table, draws

K = 5
MOST_SHOWN = 60


class Taught:
    """A head of the shipped kind, taught some samples, asked others as `tmstream classify` does."""

    def __init__(self, table: Table, samples: Iterable[int], strictness: float = 0.5) -> None:
        self._table, self._head, self._now_us = table, Knn(k=K, strictness=strictness), 0
        book = Scratch()
        book.add(table.examples(samples))
        self._head.open(FakeServices(), book)

    def ask(self, sample: int) -> Answer:
        """Return the answer to one sample."""
        heard = self._table.heard[sample]
        found: list[Packet[Scores]] = []
        for packet in heard.embeddings:
            data = msgspec.structs.replace(packet.data, end_us=packet.data.end_us + self._now_us)
            found += self._head.process(Packet(packet.t_us + self._now_us, data))
        self._now_us += 60_000_000
        list(self._head.process(Packet(self._now_us, Gap("another sample"))))
        # Two spaces of one frame give two answers; the later one knows both.
        last = {(one.data.end_us, one.data.subject, one.data.take): one for one in found}
        return combined(heard, list(last.values()))


@dataclass
class Measured:
    """What one set gave at one number of shots: means over the draws."""

    groups: int
    vote: float  #: accuracy of the first label
    answered: float  #: accuracy, a wrong rejection being an error
    peers: dict[str, float]
    peer_answered: float  #: of logistic regression, when our rejections count as its errors
    area: float | None
    rejected: float  #: of strangers
    lost: float  #: of members whose own label was nearest


def measure(table: Table, one: Set, shots: int, times: int = 8, strangers: int = 3) -> Measured:
    """Teach and ask by the protocol; then leave labels out of teaching, and show them."""
    rng = np.random.default_rng(7)
    vote: list[float] = []
    ours: list[float] = []
    left: list[float] = []
    theirs: dict[str, list[float]] = {}
    areas: list[float] = []
    rejected: list[bool] = []
    lost: list[bool] = []
    for taught, asked in draws(table, one, shots, times):
        wanted = table.labels[asked]
        head = Taught(table, taught)
        answers = [head.ask(i) for i in asked]
        first = np.array([one.results[0].label if one.results else "" for one in answers])
        kept = np.array([one.label is not None for one in answers])
        vote.append(float((first == wanted).mean()))
        ours.append(float(((first == wanted) & kept).mean()))
        others_say = peers(table, taught, asked)
        left.append(float(((others_say["logistic"] == wanted) & kept).mean()))
        for name, said in others_say.items():
            theirs.setdefault(name, []).append(float((said == wanted).mean()))
        for label in rng.permutation(np.unique(table.labels[taught]))[:strangers]:
            rest = Taught(table, taught[table.labels[taught] != label])
            shown = rng.permutation(asked)
            known = [i for i in shown if table.labels[i] != label][:MOST_SHOWN]
            strange = [i for i in shown if table.labels[i] == label][:MOST_SHOWN]
            members = [(i, rest.ask(i)) for i in known]
            right = [a for i, a in members if a.results and a.results[0].label == table.labels[i]]
            others = [rest.ask(i) for i in strange]
            if right and others:
                areas.append(area(_far(right), _far(others)))
                rejected += [answer.label is None for answer in others]
                lost += [answer.label is None for answer in right]
    return Measured(
        len(np.unique(table.groups)),
        float(np.mean(vote)),
        float(np.mean(ours)),
        {name: float(np.mean(values)) for name, values in theirs.items()},
        float(np.mean(left)),
        float(np.mean(areas)) if areas else None,
        float(np.mean(rejected)) if rejected else 0.0,
        float(np.mean(lost)) if lost else 0.0,
    )


def _far(answers: list[Answer]) -> npt.NDArray[np.float64]:
    return np.array([-a.results[0].closeness if a.results else 0.0 for a in answers])


def rows() -> Iterator[Row]:
    """Yield the table of goals; without the data, nothing."""
    if not DATA.is_dir():
        print(f"   no real data at {DATA} (set TMSTREAM_DATA)")
        return
    for one in SETS:
        table = Table(one)
        for shots, goal in one.goals.items():
            found = measure(table, one, shots)
            knn, logistic = found.peers["knn"], found.peers["logistic"]
            met = found.vote >= goal and found.vote >= logistic
            yield Row(
                f"{one.name}, {shots}-shot, {found.groups} groups",
                f"vote {found.vote:.3f} answered {found.answered:.3f}",
                f"kNN {knn:.3f} LR {logistic:.3f} ({found.peer_answered:.3f})"
                + ("" if met else f" ceiling {ceiling(table):.3f}"),
                found.vote / max(logistic, 1e-9),
                f">= {goal} and >= LR",
                met,
            )
            if shots == 5 and found.area is not None:
                yield Row(
                    f"{one.name}, open set, {shots}-shot",
                    f"area {found.area:.3f}",
                    f"lost {found.lost:.0%}",
                    found.rejected,
                    (f">= {one.area}, " if one.area else "") + ">= 70 % rejected, <= 10 % lost",
                    found.area >= (one.area or 0) and found.rejected >= 0.7 and found.lost <= 0.1,
                )
