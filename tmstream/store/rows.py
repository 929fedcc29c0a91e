"""Examples and clips as rows: written once, checked at every reading."""

from __future__ import annotations

import hashlib
import sqlite3
import time
import uuid
import zlib
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from ..core.errors import InputError
from .records import Clip, Example, NewExample
from .schema import ROW, Damaged, row_crc

_COLUMNS = [f"e.{name.strip()}" for name in ROW.split(",")]


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
        values.append(msgspec.json.encode(list(seqs)).decode())
    query = (
        f"SELECT {', '.join(_COLUMNS)}, e.crc, v.data FROM example e LEFT JOIN vector v USING (seq) "
        f"WHERE {' AND '.join(where)} ORDER BY e.seq"
    )
    for row in db.execute(query, values):
        try:
            yield _example(row)
        except Damaged:
            if not skip_damaged:
                raise


def _example(row: tuple[object, ...]) -> Example:
    *fields, crc, data = row
    (_, id, label, space, take, person, groups, source, t_us, end_us, phase) = fields[:11]
    (augmented_from, negative, created_us, clip, vector_crc, _) = fields[11:]
    if not isinstance(data, bytes) or row_crc(*fields) != crc or zlib.crc32(data) != vector_crc:  # type: ignore[arg-type]
        raise Damaged(f"example {id!r} is damaged")
    return Example(
        id=id, label=label, space=space, vector=np.frombuffer(data, "<f4"), take=take,
        person=person, groups=msgspec.json.decode(groups), source=source, t_us=t_us, end_us=end_us,
        phase=phase, augmented_from=augmented_from, negative=bool(negative), created_us=created_us,
        has_clip=clip is not None,
    )  # type: ignore[arg-type]  # fmt: skip


def insert_examples(
    db: sqlite3.Connection, examples: Sequence[NewExample]
) -> tuple[list[str], list[int], list[int]]:
    """Write examples, hidden; returns all ids, the ``seq`` of the new, and of those known before."""
    now_us = time.time_ns() // 1000
    (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM example").fetchone()
    ids: list[str] = []
    new: list[int] = []
    known: list[int] = []
    for example in examples:
        id = example.id or uuid.uuid4().hex
        ids.append(id)
        found = db.execute("SELECT seq FROM example WHERE id = ?", (id,)).fetchone()
        if found:
            known.append(found[0])
            continue
        last += 1
        data = example.vector.tobytes()
        fields = (
            last, id, example.label, example.space, example.take, example.person,
            msgspec.json.encode(example.groups, order="sorted").decode(), example.source,
            example.t_us, example.end_us, example.phase, example.augmented_from,
            int(example.negative), example.created_us or now_us,
            _insert_clip(db, example.clip), zlib.crc32(data), 0,
        )  # fmt: skip
        marks = ",".join("?" * (len(fields) + 1))
        db.execute(f"INSERT INTO example({ROW}, crc) VALUES ({marks})", (*fields, row_crc(*fields)))
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


def read_clip(db: sqlite3.Connection, id: str) -> Clip | None:
    """Return what was heard or seen with an example, or None; `Damaged` when bits turned."""
    query = "SELECT c.sha256, c.media_type, c.data FROM example e JOIN clip c ON c.seq = e.clip WHERE e.id = ?"
    row = db.execute(query, (id,)).fetchone()
    if row is None:
        return None
    digest, media_type, data = row
    if hashlib.sha256(media_type.encode() + b"\n" + data).digest() != digest:
        raise Damaged(f"the clip of example {id!r} is damaged")
    return Clip(data, media_type)


def dimensions(db: sqlite3.Connection) -> dict[str, int]:
    """Return the dimension of each space that has living examples."""
    found: dict[str, int] = {}
    for (space,) in db.execute("SELECT DISTINCT space FROM example WHERE alive = 1 ORDER BY space"):
        query = (
            "SELECT length(data) / 4 FROM example JOIN vector USING (seq) "
            "WHERE alive = 1 AND space = ? LIMIT 1"
        )
        found[space] = db.execute(query, (space,)).fetchone()[0]
    return found


def check_dimensions(known: dict[str, int], examples: Sequence[NewExample]) -> None:
    """Raise `InputError` unless every space keeps to one dimension."""
    known = dict(known)
    for example in examples:
        size = known.setdefault(example.space, example.vector.size)
        if example.vector.size != size:
            raise InputError(
                f"a vector of {example.space!r} has {example.vector.size} numbers, but the "
                f"project's have {size}: another embedder made them (tmstream reembed)"
            )
