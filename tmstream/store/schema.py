"""The tables of a project file, and the road from every older version to this one."""

from __future__ import annotations

import mimetypes
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ..core.errors import StoreError

#: "tms1" in ASCII, in the header of every project file.
APPLICATION_ID = 0x746D7331

#: What is called so, and cannot be read, was a project.
ENDING = ".tms"

#: Columns of ``example`` that its ``crc`` covers, in this order.
ROW = (
    "seq, id, label, space, take, person, groups, source, t_us, end_us, phase, augmented_from, "
    "negative, created_us, clip, vector_crc, alive"
)
#: Columns of ``op`` that its ``crc`` covers.
OP = "id, parent, next, verb, summary, batch, forward, inverse, created_us"

#: Step n leads from version n to version n + 1. Never edit a step that was released; add one.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE clip(
            seq INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, media_type TEXT NOT NULL,
            data BLOB NOT NULL) STRICT""",
        """CREATE TABLE example(
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, label TEXT NOT NULL,
            space TEXT NOT NULL, take TEXT NOT NULL, person TEXT, groups TEXT NOT NULL,
            source TEXT NOT NULL, t_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
            phase TEXT NOT NULL, augmented_from TEXT, negative INTEGER NOT NULL,
            created_us INTEGER NOT NULL, clip INTEGER REFERENCES clip(seq),
            vector_crc INTEGER NOT NULL, alive INTEGER NOT NULL CHECK (alive IN (0, 1)),
            crc INTEGER NOT NULL) STRICT""",
        "CREATE INDEX example_alive ON example(space, label) WHERE alive = 1",
        "CREATE INDEX example_clip ON example(clip)",
        # Apart from example, so that hiding or renaming a row does not rewrite its vector.
        """CREATE TABLE vector(
            seq INTEGER PRIMARY KEY REFERENCES example(seq), data BLOB NOT NULL) STRICT""",
        """CREATE TABLE setting(
            key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) STRICT""",
        """CREATE TABLE op(
            id INTEGER PRIMARY KEY, parent INTEGER REFERENCES op(id), next INTEGER,
            verb TEXT NOT NULL, summary TEXT NOT NULL, batch TEXT NOT NULL, forward TEXT NOT NULL,
            inverse TEXT NOT NULL, created_us INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT""",
        """CREATE TABLE snapshot(
            name TEXT PRIMARY KEY, op INTEGER NOT NULL REFERENCES op(id),
            created_us INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT""",
        """CREATE TABLE state(
            key TEXT PRIMARY KEY, value INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT""",
        """INSERT INTO op VALUES (0, NULL, NULL, 'begin', '', '', '{}', '{}', 0,
            row_crc(0, NULL, NULL, 'begin', '', '', '{}', '{}', 0))""",
        "INSERT INTO state VALUES ('head', 0, row_crc('head', 0))",
        "INSERT INTO state VALUES ('revision', 0, row_crc('revision', 0))",
    ),
    (
        """CREATE TABLE cache(
            seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, data BLOB NOT NULL,
            crc INTEGER NOT NULL) STRICT""",
    ),
)
VERSION = len(MIGRATIONS)

#: Makes questions quicker, and is no version of its own: older readers keep it up to date as well.
INDEXES = (
    "CREATE INDEX IF NOT EXISTS example_parent ON example(augmented_from) "
    "WHERE augmented_from IS NOT NULL",
)


class Damaged(StoreError):
    """The file is not what was written: cut short, overwritten, or bits turned."""


class Foreign(Damaged):
    """No project at all: another kind of file, or a project whose beginning is lost."""

    def __init__(self, path: Path) -> None:
        kind, _ = mimetypes.guess_type(path.name)
        super().__init__(
            f"{path}: is {f'{kind}, ' if kind else ''}not a tmstream project; recordings, pictures "
            "and films are taught, from one folder a label: tmstream teach PROJECT FOLDER"
        )


def row_crc(*fields: str | int | None) -> int:
    """Return the CRC-32 of a row: its columns as a JSON array in UTF-8."""
    return zlib.crc32(msgspec.json.encode(fields))


def connect(path: Path, mode: str = "rw") -> sqlite3.Connection:
    """Return a connection in autocommit mode; ``mode`` is rwc, rw, ro, or immutable.

    ``immutable`` reads without any lock or side file, for media that cannot be written.
    """
    query = "mode=ro&immutable=1" if mode == "immutable" else f"mode={mode}"
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?{query}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=5.0,
    )
    try:
        prepared(db)
        if mode in ("rw", "rwc"):
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")
    except BaseException:
        db.close()
        raise
    return db


def prepared(db: sqlite3.Connection) -> sqlite3.Connection:
    """Give a connection our checksum, and no trust in the file it reads."""
    db.create_function("row_crc", -1, row_crc, deterministic=True)
    for pragma in (
        "trusted_schema = OFF",
        "cell_size_check = ON",
        "foreign_keys = ON",
        "busy_timeout = 5000",
        "temp_store = MEMORY",
    ):
        db.execute(f"PRAGMA {pragma}")
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done inside, durably, or nothing of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into a `StoreError` that says which file and what to do."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise Damaged(f"{path}: the project file is damaged ({error})") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorname", "")
        if code == "SQLITE_FULL":
            raise StoreError(f"{path}: the disk is full; make room and try again") from error
        if code.startswith("SQLITE_BUSY") or code.startswith("SQLITE_LOCKED"):
            raise StoreError(f"{path}: another program keeps the project locked") from error
        if code.startswith("SQLITE_CANTOPEN"):
            raise StoreError(f"{path}: cannot be opened ({error})") from error
        if code.startswith("SQLITE_READONLY"):
            raise StoreError(f"{path}: may only be read here") from error
        if code == "SQLITE_NOTADB" and path.suffix != ENDING:
            raise Foreign(path) from error
        # The module's own "Could not decode to UTF-8" carries no code.
        damage = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")
        if code.startswith(damage) or "decode" in str(error):
            raise Damaged(f"{path}: the project file is damaged ({error})") from error
        raise StoreError(f"{path}: {error}") from error


def version_of(db: sqlite3.Connection, path: Path) -> int:
    """Return the version of a project; 0 for an empty file.

    Raises:
        Damaged: it is another kind of file, or carries triggers or views, which we never write.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    kinds = {kind for (kind,) in db.execute("SELECT DISTINCT type FROM sqlite_master")}
    if not kinds and application == version == 0:
        return 0
    if application != APPLICATION_ID or version < 1:
        if path.suffix != ENDING:
            raise Foreign(path)
        raise Damaged(f"{path}: is not a tmstream project")
    if kinds - {"table", "index"}:
        raise Damaged(f"{path}: contains triggers or views; no tmstream project does")
    return int(version)


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring a project from ``version`` to `VERSION`, wholly or not at all."""
    with transaction(db):
        for step in MIGRATIONS[version:]:
            for statement in step:
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
