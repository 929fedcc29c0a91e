"""Examples and clips as rows: written once, checked at every reading."""

from __future__ import annotations

import hashlib
import sqlite3
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator, Sequence
from types import UnionType
from typing import Any

import msgspec
import numpy as np

from ..core.errors import InputError
from .records import Clip, Example, NewExample
from .schema import ROW, Damaged, row_crc

_SELECT = (
    f"SELECT {', '.join(f'e.{name}' for name in ROW.split(', '))}, e.crc, v.data "  # noqa: S608
    "FROM example e LEFT JOIN vector v USING (seq)"
)
#: Of the columns in `ROW`, for files from elsewhere.
_TYPES: tuple[type | UnionType, ...] = (
    *(int, str, str, str, str, str | None, str, str, int, int),
    *(str, str | None, int, int, int | None, int, int),
)
_INSERT = f"INSERT INTO example({ROW}, crc) VALUES ({','.join('?' * 18)})"  # noqa: S608


def read_examples(
    db: sqlite3.Connection,
    *,
    space: str | None = None,
    label: str | None = None,
    seqs: Sequence[int] | None = None,
    skip_damaged: bool = False,
) -> Iterator[Example]:
    """Yield the living examples in the order they were taught.

    Raises:
        Damaged: a row or vector is not what was written (unless ``skip_damaged``).
    """
    where, values = ["e.alive = 1"], []
    for column, value in (("space", space), ("label", label)):
        if value is not None:
            where.append(f"e.{column} = ?")
            values.append(value)
    if seqs is not None:
        where.append("e.seq IN (SELECT value FROM json_each(?))")
        values.append(numbers(seqs))
    query = f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY e.seq"
    for row in db.execute(query, values):
        try:
            yield _example(row)
        except Damaged:
            if not skip_damaged:
                raise


def _example(row: tuple[Any, ...]) -> Example:
    *fields, crc, data = row
    if row_crc(*fields) != crc or not all(map(isinstance, fields, _TYPES)):
        raise Damaged(f"example {fields[1]!r} is damaged")
    check_vector(data, fields[15])
    try:
        groups = msgspec.json.decode(fields[6], type=dict[str, str])
    except msgspec.DecodeError as error:
        raise Damaged(f"example {fields[1]!r} has damaged groups") from error
    return Example(
        id=fields[1],
        label=fields[2],
        space=fields[3],
        vector=np.frombuffer(data, "<f4"),
        take=fields[4],
        person=fields[5],
        groups=groups,
        source=fields[7],
        t_us=fields[8],
        end_us=fields[9],
        phase=fields[10],
        augmented_from=fields[11],
        negative=bool(fields[12]),
        created_us=fields[13],
        has_clip=fields[14] is not None,
    )


def numbers(rows: Iterable[int]) -> str:
    """Return row numbers as the JSON array that ``json_each`` takes apart."""
    return msgspec.json.encode(list(rows)).decode()


def made_from(db: sqlite3.Connection, seqs: Iterable[int], *, hidden: bool = False) -> set[int]:
    """Return ``seqs`` with all that was augmented from them, of hidden ones too if asked for."""
    found = set(seqs)
    while True:
        children = db.execute(
            "SELECT seq FROM example WHERE alive >= ? AND augmented_from IN "
            "(SELECT id FROM example WHERE seq IN (SELECT value FROM json_each(?)))",
            (int(not hidden), numbers(found)),
        )
        more = {seq for (seq,) in children} - found
        if not more:
            return found
        found |= more


def without_needless(
    db: sqlite3.Connection, examples: Sequence[NewExample]
) -> Sequence[NewExample]:
    """Return ``examples`` without variants whose parent is gone, was moved, or has some already.

    A parent comes before its variants, and all of them at once. Making them takes minutes: what was
    deleted or erased meanwhile must not come back by them, and others may make them as well.
    """
    wanted: dict[str, str | None] = {}  # parent to label
    found = []
    for one in examples:
        parent = one.augmented_from
        if parent is not None:
            if parent not in wanted:
                wanted[parent] = _label_to_vary(db, parent)
            if wanted[parent] != one.label:
                continue
        found.append(one)
        wanted[one.id or ""] = one.label
    return found


def _label_to_vary(db: sqlite3.Connection, example: str) -> str | None:
    query = (
        "SELECT label FROM example e WHERE id = ? AND alive = 1 AND NOT EXISTS "
        "(SELECT 1 FROM example v WHERE v.augmented_from = e.id AND v.alive = 1)"
    )
    row = db.execute(query, (example,)).fetchone()
    return row[0] if row else None


def check_vector(data: bytes | None, crc: int) -> None:
    """Raise `Damaged` unless ``data`` is the vector that was written."""
    if not isinstance(data, bytes) or zlib.crc32(data) != crc:
        raise Damaged("a vector of the project is damaged")
    # A checksum is no proof: a file from elsewhere may hold anything, and one NaN wins every vote.
    if len(data) % 4 or not data or not np.isfinite(np.frombuffer(data, "<f4")).all():
        raise Damaged("a vector of the project is no row of finite numbers")


def insert_examples(
    db: sqlite3.Connection, examples: Sequence[NewExample]
) -> tuple[list[str], list[int], list[int]]:
    """Write examples, hidden; returns all ids, the ``seq`` of new ones, and of known ones."""
    now_us = time.time_ns() // 1000
    (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM example").fetchone()
    ids: list[str] = []
    new: list[int] = []
    known: list[int] = []
    for example in examples:
        name = example.id or uuid.uuid4().hex
        ids.append(name)
        found = db.execute("SELECT seq FROM example WHERE id = ?", (name,)).fetchone()
        if found:
            known.append(found[0])
            continue
        last += 1
        data = example.vector.tobytes()
        fields = (
            last, name, example.label, example.space, example.take, example.person,
            msgspec.json.encode(example.groups, order="sorted").decode(), example.source,
            example.t_us, example.end_us, example.phase, example.augmented_from,
            int(example.negative), example.created_us or now_us,
            _insert_clip(db, example.clip), zlib.crc32(data), 0,
        )  # fmt: skip
        db.execute(_INSERT, (*fields, row_crc(*fields)))
        db.execute("INSERT INTO vector VALUES (?,?)", (last, data))
        new.append(last)
    return ids, new, known


def _insert_clip(db: sqlite3.Connection, clip: Clip | None) -> int | None:
    """Return the row of ``clip``; the examples of one take share one."""
    if clip is None:
        return None
    digest = hashlib.sha256(clip.media_type.encode() + b"\n" + clip.data).digest()
    found = db.execute("SELECT seq FROM clip WHERE sha256 = ?", (digest,)).fetchone()
    if found:
        return int(found[0])
    row = (digest, clip.media_type, clip.data)
    cursor = db.execute("INSERT INTO clip(sha256, media_type, data) VALUES (?,?,?)", row)
    return cursor.lastrowid


def read_clip(db: sqlite3.Connection, example: str) -> Clip | None:
    """Return what was heard or seen with an example, or None; `Damaged` when bits turned."""
    query = (
        "SELECT c.sha256, c.media_type, c.data FROM example e JOIN clip c ON c.seq = e.clip "
        "WHERE e.id = ?"
    )
    row = db.execute(query, (example,)).fetchone()
    if row is None:
        return None
    digest, media_type, data = row
    if hashlib.sha256(media_type.encode() + b"\n" + data).digest() != digest:
        raise Damaged(f"the clip of example {example!r} is damaged")
    return Clip(data, media_type)


def labels(db: sqlite3.Connection) -> list[str]:
    """Return the labels that have living examples other than negatives, sorted."""
    # Asked every second: of 20,000 rows `DISTINCT ... WHERE negative = 0` looks at each, 48 times
    # as long.
    query = (
        "SELECT DISTINCT label FROM (SELECT DISTINCT space, label FROM example WHERE alive = 1) d "
        "WHERE EXISTS (SELECT 1 FROM example e WHERE e.alive = 1 AND e.negative = 0 "
        "AND e.space = d.space AND e.label = d.label) ORDER BY label"
    )
    return [label for (label,) in db.execute(query)]


def dimensions(db: sqlite3.Connection) -> dict[str, int]:
    """Return the dimension of each space that has living examples."""
    query = "SELECT DISTINCT space FROM example WHERE alive = 1 ORDER BY space"
    found = {space: _dimension(db, space) for (space,) in db.execute(query)}
    return {space: size for space, size in found.items() if size is not None}


def _dimension(db: sqlite3.Connection, space: str) -> int | None:
    row = db.execute(
        "SELECT length(data) / 4 FROM example JOIN vector USING (seq) "
        "WHERE alive = 1 AND space = ? LIMIT 1",
        (space,),
    ).fetchone()
    return row[0] if row else None


def check_dimensions(
    db: sqlite3.Connection, examples: Sequence[NewExample], *, replacing: str | None = None
) -> None:
    """Raise `InputError` unless every space keeps to one dimension."""
    names = {example.space for example in examples} - {replacing}
    known = {space: size for space in names if (size := _dimension(db, space)) is not None}
    for example in examples:
        size = known.setdefault(example.space, example.vector.size)
        if example.vector.size != size:
            raise InputError(
                f"a vector of {example.space!r} has {example.vector.size} numbers, but the "
                f"project's have {size}: another embedder made them (tmstream reembed)"
            )
