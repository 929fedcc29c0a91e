"""The search and its growth, beside scikit-learn, tfjs' knn-classifier and the memory itself.

Each figure, ours and a peer's, is the least of its rounds, taken in turns: whatever else the
machine does only adds to it. What runs in this process is timed by the processor time of its one
thread, so that a round of 5 ms is not longer for being interrupted more often than one of 1 ms;
beside Node.js both are timed by the clock on the wall.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from tmstream.core.packet import Float32
from tmstream.head.bank import Bank
from tmstream.head.learn import Fit
from tmstream.head.openset import Limit
from tmstream.head.rows import Rows
from tmstream.maths.metric import identity
from tmstream.maths.neighbours import unit_rows

from .measure import Row, us

LABELS = 20
TURNS = 9
#: What `npm install` fetches once, into a folder outside the checkout.
PACKAGES = ("@tensorflow/tfjs@4.22.0", "@tensorflow-models/knn-classifier@1.2.6")
SCRIPT = """
const tf = require('@tensorflow/tfjs');
const knn = require('@tensorflow-models/knn-classifier');
const [n, d, labels] = process.argv.slice(2).map(Number);
const lines = require('readline').createInterface({input: process.stdin});
(async () => {
  await tf.setBackend('cpu');
  const head = knn.create();
  for (let c = 0; c < labels; c++) {
    const rows = tf.randomNormal([n / labels, d]);
    head.setClassifierDataset({...head.getClassifierDataset(), [c]: rows});
  }
  const query = tf.randomNormal([d]);
  await head.predictClass(query, 5);
  console.log('ready');
  for await (const line of lines) {  // one turn a line
    let t = performance.now();
    await head.predictClass(query, 5);
    const predict = (performance.now() - t) / 1e3;
    t = performance.now();
    head.addExample(query, 0);
    await head.predictClass(query, 5);
    console.log(JSON.stringify([predict, (performance.now() - t) / 1e3]));
  }
})();
"""


def bank_of(rows: Float32) -> Bank:
    """Return a bank of ``rows`` in `LABELS` labels, every row a take, by the plain cosine."""
    limit = Limit(0.3, 0.6)
    fit = Fit((identity(rows.shape[1]),), 13.0, {}, limit, 0.9)
    bank = Bank(fit)
    names = [f"{i:08d}" for i in range(len(rows))]
    labels = [f"label {i % LABELS}" for i in range(len(rows))]
    for start in range(0, len(rows), 4096):
        part = slice(start, start + 4096)
        count = len(names[part])
        bank.add(names[part], labels[part], names[part], rows[part], [False] * count)
    bank.prepare()
    return bank


def one_label(rows: Float32) -> Rows:
    """Return the rows of one label, every row a take."""
    made = Rows(rows.shape[1])
    for i, row in enumerate(rows):
        made.add(f"{i:08d}", "label", f"{i:08d}", row)
    made.prepare()
    return made


@contextmanager
def tfjs(rows: int, dimensions: int) -> Iterator[Callable[[], tuple[float, float]] | None]:
    """Give a call that lets tfjs' knn-classifier (cpu backend) vote, then learn one and vote.

    It returns the seconds of both. Between calls Node.js waits. None without Node and npm.
    """
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        yield None
        return
    folder = Path(tempfile.gettempdir()) / "tmstream-bench" / "tfjs"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules" / "@tensorflow-models").is_dir():
        subprocess.run(
            [npm, "install", "--silent", "--no-audit", "--no-fund", *PACKAGES],
            cwd=folder, check=False, timeout=300, capture_output=True,
        )  # fmt: skip
    (folder / "time.js").write_text(SCRIPT)
    command = [node, "time.js", str(rows), str(dimensions), str(LABELS)]
    with subprocess.Popen(
        command, cwd=folder, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        asked, said = child.stdin, child.stdout
        assert asked is not None
        assert said is not None

        def turn() -> tuple[float, float]:
            print(file=asked, flush=True)
            voting, adding = json.loads(said.readline())
            return voting, adding

        started = any(line.strip() == "ready" for line in iter(said.readline, ""))
        yield turn if started else None
        asked.close()


def least(
    *works: Callable[[], object],
    rounds: int = 99,
    clock: Callable[[], float] = time.thread_time,
) -> list[float]:
    """Return the least seconds of each, called in turn ``rounds`` times."""
    found = [math.inf] * len(works)
    for _ in range(rounds):
        for i, work in enumerate(works):
            began = clock()
            work()
            found[i] = min(found[i], clock() - began)
    return found


def read(matrix: Float32) -> None:
    """Read every byte of ``matrix`` once, as fast as one thread can."""
    flat = matrix.reshape(-1)
    np.dot(flat, flat)


def rows() -> Iterator[Row]:
    """Yield the figures."""
    rng = np.random.default_rng(0)
    matrix = unit_rows(rng.normal(size=(100_000, 96)).astype(np.float32))
    query = unit_rows(rng.normal(size=(1, 96)))[0]
    bank, alone = bank_of(matrix), one_label(matrix)
    oracle = KNeighborsClassifier(5, metric="cosine", algorithm="brute")
    oracle.fit(matrix, np.arange(100_000) % LABELS)
    asking, theirs, reading, plain = least(
        lambda: bank.ask(query, 5),
        lambda: oracle.predict(query[None]),
        lambda: read(matrix),
        lambda: alone.best(query, 10),
    )
    ratio = theirs / plain
    yield Row("nearest 10 of 100,000 x 96", us(plain), f"scikit-learn {us(theirs)}", ratio,
              ">= 10x scikit-learn", ratio >= 10)  # fmt: skip
    yield Row("... beside just reading the matrix once", us(plain), f"read {us(reading)}",
              plain / reading, "<= 1.3x", plain <= 1.3 * reading)  # fmt: skip
    yield Row("the whole vote over them, 20 labels", us(asking), f"scikit-learn {us(theirs)}",
              theirs / asking, ">= 5x", theirs / asking >= 5)  # fmt: skip
    small = bank_of(matrix[:100])
    new = [0]

    def add(to: Bank, count: int = 20) -> None:
        for _ in range(count):
            new[0] += 1
            to.add([f"new{new[0]}"], ["label 0"], [f"new{new[0]}"], query[None], [False])

    few, many = least(lambda: add(small), lambda: add(bank))
    yield Row("add one example at 100,000 beside at 100", us(many / 20), us(few / 20), many / few,
              "<= 1.3x", many <= 1.3 * few)  # fmt: skip
    yield from beside_tfjs(bank, query, lambda: add(bank, 1))
    yield from a_million(rng)


def beside_tfjs(bank: Bank, query: Float32, add: Callable[[], None]) -> Iterator[Row]:
    """Yield a vote, and an example added and a vote, in turns with `SCRIPT`."""

    def add_then_vote() -> None:
        add()
        bank.ask(query, 5)

    with tfjs(100_000, 96) as turn:
        if turn is None:
            print("   no Node.js with npm: tfjs' knn-classifier is not compared")
            return
        turns = []
        for _ in range(TURNS):
            theirs = turn()
            ours = least(
                lambda: bank.ask(query, 5), add_then_vote, rounds=11, clock=time.perf_counter
            )
            turns.append((*ours, *theirs))
    voting, adding, their_vote, their_add = np.min(turns, axis=0)
    for what, ours, peer, goal in (
        ("vote", voting, their_vote, 40),
        ("add one, then vote", adding, their_add, 100),
    ):
        yield Row(f"{what}, 100,000 x 96", us(ours), f"tfjs cpu {us(peer)}", peer / ours,
                  f">= {goal}x tfjs cpu", peer / ours >= goal)  # fmt: skip


def a_million(rng: np.random.Generator) -> Iterator[Row]:
    """Yield a search of a million rows; how long reading them takes is the reason of what it is."""
    million = unit_rows(rng.normal(size=(1_000_000, 24)).astype(np.float32))
    query = million[0]
    bank, alone = bank_of(million), one_label(million)
    searching, voting, reading = least(
        lambda: alone.best(query, 10),
        lambda: bank.ask(query, 5),
        lambda: read(million),
    )
    what = f"read {us(reading)}"
    yield Row("nearest 10 of a million in metric space (24)", us(searching), what,
              searching / reading, f"<= 5 ms, <= 100 MB ({million.nbytes / 1e6:.0f})",
              searching <= 5e-3 and million.nbytes <= 100e6)  # fmt: skip
    yield Row("... beside just reading them once", us(searching), what, searching / reading,
              "<= 1.5x", searching <= 1.5 * reading)  # fmt: skip
    yield Row("the whole vote over them, 20 labels", us(voting), what, voting / reading,
              "<= 2x reading", voting <= 2 * reading)  # fmt: skip
