"""Pieces of files: in order, within bounds, and no name is ever a path."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.core.errors import InputError
from tmstream.server import uploads
from tmstream.server.uploads import FORGOTTEN_S, OFFER_S, PIECE, Uploads, shown_name


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(clock: Clock) -> Iterator[Uploads]:
    made = Uploads(clock)
    yield made
    made.close()


def piece(number: int, offset: int, data: bytes, kind: int = PIECE, zero: int = 0) -> bytes:
    return struct.pack("<BBHIII", kind, 0, 0, number, offset, zero) + data


def test_a_file_comes_in_pieces(desk: Uploads) -> None:
    number = desk.begin("../../home/../clap.wav", 6, "clap")
    desk.put(piece(number, 0, b"abcd"))
    with pytest.raises(InputError, match="not come whole"):
        desk.take([number])
    desk.put(piece(number, 4, b"ef"))
    (file,) = desk.take([number])
    assert (file.name, file.label, file.path.read_bytes()) == ("clap.wav", "clap", b"abcdef")
    assert file.path.parent == desk.folder
    assert stat.S_IMODE(desk.folder.stat().st_mode) == 0o700
    with pytest.raises(InputError, match="not come whole"):
        desk.take([number])


@pytest.mark.parametrize(
    "frame",
    [piece(1, 1, b"x"), piece(1, 0, b"1234567"), piece(9, 0, b"x"), piece(1, 0, b""),
     piece(1, 0, b"x", zero=1), piece(1, 0, b"x", kind=5), b"\x04", b""],
    ids=["hole", "too long", "unknown", "no bytes", "no zero", "other kind", "cut", "nothing"],
)  # fmt: skip
def test_pieces_that_do_not_fit_are_refused(desk: Uploads, frame: bytes) -> None:
    desk.begin("a.wav", 6)
    with pytest.raises(InputError):
        desk.put(frame)


@pytest.mark.parametrize("size", [0, -1, uploads.MOST_FILE_BYTES + 1])
def test_sizes_are_bounded(desk: Uploads, size: int) -> None:
    with pytest.raises(InputError, match=r"a\.wav"):
        desk.begin("a.wav", size)


def test_all_together_are_bounded(desk: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_BYTES", 10)
    desk.begin("a", 6)
    with pytest.raises(InputError, match="too much at once"):
        desk.begin("b", 6)
    monkeypatch.setattr(uploads, "MOST_FILES", 1)
    with pytest.raises(InputError, match="too much at once"):
        desk.begin("c", 1)


def test_what_nobody_goes_on_with_is_forgotten(desk: Uploads, clock: Clock) -> None:
    number = desk.begin("a", 6)
    clock.now_s = FORGOTTEN_S + 1
    desk.begin("b", 6)
    with pytest.raises(InputError, match="no upload"):
        desk.put(piece(number, 0, b"x"))
    assert len(list(desk.folder.iterdir())) == 1


def test_an_offer_is_good_once_and_soon(desk: Uploads, clock: Clock) -> None:
    def offered() -> tuple[Path, str]:
        path = desk.folder / "out"
        path.write_bytes(b"zip")
        return path, desk.offer(path, "my.zip")

    path, url = offered()
    assert desk.fetch("/download/guess") is None
    assert desk.fetch(url) == ("my.zip", b"zip")
    assert desk.fetch(url) is None
    assert not path.exists()
    path, url = offered()
    clock.now_s = OFFER_S + 1
    assert desk.fetch(url) is None
    assert not path.exists()


def test_nothing_is_left_behind(desk: Uploads) -> None:
    desk.begin("a", 6)
    folder = desk.folder
    desk.close()
    assert not folder.exists()


@given(st.text(max_size=300))
def test_any_name_can_be_shown(name: str) -> None:
    shown = shown_name(name)
    assert shown
    assert len(shown) <= 120
    assert not set(shown) & set("/\\\0\n\r")
