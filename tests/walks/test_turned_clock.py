"""P9: the wall clock may be turned; only the monotonic clock decides anything."""

from __future__ import annotations

import ast
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.walks.house import LISTENS, SEEN, answers, house, performance, registry
from tmstream.core.packet import Audio, Packet
from tmstream.engine.registry import Registry
from tmstream.store.project import Project

PACKAGE = Path(__file__).resolve().parents[2] / "tmstream"

#: Who may ask for the date, and what for: a name, a date on disk, never a decision of the engine.
WALL_CLOCK = {
    "core/clock.py": "the offset that hello tells",
    "store/rows.py": "the date of an example",
    "store/journal.py": "the date of a change",
    "store/changes.py": "the date of a snapshot",
    "store/backups.py": "the name of a day's backup, the age of an unfinished one",
    "store/tape.py": "the name of a recording, the age of its oldest part on the disk",
    "store/logs.py": "the date of a line of the log",
    "lab/lint.py": "when an example was taught, as people say it",
    "lab/workbench.py": "the name of a file that is kept",
    "cli/_listen.py": "the name of a take",
    "cli/journal.py": "a date as people write it",
}

CLOCKS = {
    "time": {"time", "time_ns", "localtime", "gmtime", "strftime", "ctime", "asctime"},
    "datetime": {"now", "utcnow", "today", "fromtimestamp"},
    "date": {"today", "fromtimestamp"},
}


def asks_for_the_date(path: Path) -> bool:
    """Whether a file reads the wall clock."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            of = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if node.attr in CLOCKS.get(of, ()):
                return True
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            asked = {one.name for one in node.names} & CLOCKS["time"]
            if asked:
                return True
    return False


def check_nobody_else_asks(package: Path) -> None:
    asking = {
        one.relative_to(package).as_posix()
        for one in package.rglob("*.py")
        if asks_for_the_date(one)
    }
    assert asking <= set(WALL_CLOCK), "asks for the date"


def test_p9_only_names_and_dates_come_from_the_wall_clock() -> None:
    check_nobody_else_asks(PACKAGE)
    unused = [name for name in WALL_CLOCK if not asks_for_the_date(PACKAGE / name)]
    assert unused == [], "no longer asks: take it from the list"


@pytest.mark.parametrize("line", [
    "import time\nlate = time.time() > 5\n", "from time import time_ns\nnow = time_ns()\n",
    "import datetime\nnow = datetime.datetime.now()\n", "from datetime import date\nday = date.today()\n",
])  # fmt: skip
def test_p9_control_a_decision_by_the_date_is_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "decide").mkdir()
    (tmp_path / "decide/events.py").write_text(line)
    with pytest.raises(AssertionError, match="asks for the date"):
        check_nobody_else_asks(tmp_path)


@dataclass
class Performer:
    """Claps and whistles for eight seconds."""

    gives: ClassVar[tuple[type, ...]] = (Audio,)

    async def packets(self) -> AsyncIterator[Packet[Any]]:
        async for packet in performance().packets():
            yield self.stamped(packet)

    def stamped(self, packet: Packet[Any]) -> Packet[Any]:
        return packet


@dataclass
class Dated(Performer):
    """The same, but its time is that of the wall clock."""

    _zero_ns: int | None = None

    def stamped(self, packet: Packet[Any]) -> Packet[Any]:
        apart_ns = time.time_ns() - time.monotonic_ns()
        self._zero_ns = apart_ns if self._zero_ns is None else self._zero_ns
        turned_s = round((apart_ns - self._zero_ns) / 1e9)  # 0 unless somebody turns it
        return Packet(packet.t_us + turned_s * 10**6, packet.data)


def check_same_answers(nodes: Registry, taught: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn the clock by a day to and fro at each question, and compare with a quiet run."""
    house(LISTENS % "performer", taught, nodes=nodes)
    told = answers()
    assert {label for _, label in told} == {"clap", "whistle"}
    SEEN.clear()
    real, turns = time.time_ns, iter(range(10**9))

    def turned() -> int:
        return real() + (-1) ** next(turns) * 86400 * 10**9

    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", turned)
        patch.setattr(time, "time", lambda: turned() / 1e9)
        house(LISTENS % "performer", taught, nodes=nodes)
    assert answers() == told, "another answer"


def test_p9_a_turned_clock_changes_no_answer(
    taught: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_same_answers(registry(performer=Performer), taught, monkeypatch)


def test_p9_control_a_source_that_stamps_with_the_date_is_found_out(
    taught: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AssertionError, match="another answer"):
        check_same_answers(registry(performer=Dated), taught, monkeypatch)
