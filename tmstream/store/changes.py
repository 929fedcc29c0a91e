"""What can be done to a project: each verb becomes one operation of the journal.

Every function runs inside a transaction on the writer's thread and returns its answer with the
news for subscribers. Unknown labels, ids and names raise `InputError`.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..core.errors import InputError
from ..core.words import counted
from . import journal, rows, values
from .patch import Patch, apply
from .records import Change, NewExample, checked_text
from .schema import row_crc
from .words import PAST, quoted, taught


def add(
    db: sqlite3.Connection,
    examples: Sequence[NewExample],
    *,
    batch: str = "",
    verb: str = "add",
    revive: bool = False,
    settings: Mapping[str, Any] | None = None,
    since: int | None = None,
) -> tuple[list[str], Change]:
    """Store checked examples, and ``settings`` with them; those whose id is known stay as they are.

    With ``revive``, known ones that were deleted come back (an import brings them back). Without,
    variants are left out of what is not here any more, or has some.
    """
    journal.check_stands(db, since)
    if not revive:
        examples = rows.without_needless(db, examples)
    rows.check_dimensions(db, examples)
    ids, new, known = rows.insert_examples(db, examples)
    show = new + known if revive else new
    summary = taught(verb, len(show), (example.label for example in examples))
    patch = Patch(show=show, settings=dict(settings or {}) if show else {})
    return ids, journal.record(db, verb, summary, patch, batch)


def replace(
    db: sqlite3.Connection,
    space: str,
    examples: Sequence[NewExample],
    settings: Mapping[str, Any] | None = None,
) -> tuple[list[str], Change]:
    """Put ``examples`` in the place of all of ``space``, whose dimension may change by that."""
    query = "SELECT seq FROM example WHERE alive = 1 AND space = ?"
    old = [seq for (seq,) in db.execute(query, (space,))]
    if any(example.space != space for example in examples):
        raise InputError(f"all the new examples must be of the space {space!r}")
    rows.check_dimensions(db, examples, replacing=space)
    ids, new, known = rows.insert_examples(db, examples)
    if known:
        raise InputError("an example made anew needs a new id")
    summary = f"made {counted(len(new), 'example')} of {quoted(space)} anew"
    patch = Patch(show=new, hide=old, settings=dict(settings or {}))
    return ids, journal.record(db, "replace", summary, patch)


def delete(db: sqlite3.Connection, ids: Sequence[str], *, batch: str = "") -> tuple[None, Change]:
    """Hide examples, and what was augmented from them; those already hidden stay so."""
    patch = Patch(hide=_family(db, ids))
    summary = f"deleted {counted(len(patch.hide), 'example')}"
    return None, journal.record(db, "delete", summary, patch, batch)


def delete_label(db: sqlite3.Connection, label: str) -> tuple[None, Change]:
    """Hide a label with all its examples."""
    patch = Patch(hide=_labelled(db, label), settings=_scene(db, label, None))
    summary = f"deleted {quoted(label)} with {counted(len(patch.hide), 'example')}"
    return None, journal.record(db, "delete_label", summary, patch)


def rename_label(db: sqlite3.Connection, label: str, to: str) -> tuple[None, Change]:
    """Give a label another name; an existing name merges the two."""
    to = checked_text(to, "label")
    patch = Patch(labels={to: _labelled(db, label)}, settings=_scene(db, label, to))
    taken = db.execute("SELECT 1 FROM example WHERE alive = 1 AND label = ?", (to,)).fetchone()
    verb = "merge" if taken and to != label else "rename"
    summary = f"{PAST[verb]} {quoted(label)} {'into' if verb == 'merge' else 'to'} {quoted(to)}"
    return None, journal.record(db, verb, summary, patch)


def relabel(db: sqlite3.Connection, ids: Sequence[str], label: str) -> tuple[None, Change]:
    """Move examples, and what was augmented from them, to a label, new or known."""
    label = checked_text(label, "label")
    patch = Patch(labels={label: _family(db, ids)})
    summary = f"moved {counted(len(patch.labels[label]), 'example')} to {quoted(label)}"
    return None, journal.record(db, "relabel", summary, patch)


def set_settings(
    db: sqlite3.Connection, settings: Mapping[str, Any], *, batch: str = ""
) -> tuple[None, Change]:
    """Keep JSON values; None removes one."""
    try:
        # The standard encoder: msgspec's writes NaN as null, which would remove the setting.
        plain = json.loads(json.dumps(dict(settings), allow_nan=False))
        msgspec.json.encode(plain)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"settings must be JSON values: {error}") from error
    for key in plain:
        checked_text(key, "a setting's name")
    show = {key: value for key, value in plain.items() if key in journal.OF_THE_SHOW}
    _, _, change = apply(db, Patch(settings=show))
    if kept := {key: value for key, value in plain.items() if key not in show}:
        summary = f"set {', '.join(sorted(kept))}"
        change = journal.record(db, "set", summary, Patch(settings=kept), batch)
        change = msgspec.structs.replace(change, settings=show | change.settings)
    return None, change


def snapshot(db: sqlite3.Connection, name: str) -> tuple[None, Change]:
    """Name the present state."""
    name = checked_text(name, "a snapshot's name")
    if db.execute("SELECT 1 FROM snapshot WHERE name = ?", (name,)).fetchone():
        raise InputError(f"there is already a snapshot {name!r}; choose another name")
    row = (name, values.state(db, "head"), time.time_ns() // 1000)
    db.execute("INSERT INTO snapshot VALUES (?,?,?,?)", (*row, row_crc(*row)))
    return None, Change()


def restore(db: sqlite3.Connection, name: str) -> tuple[None, Change]:
    """Return to a named state, as one step that can be undone."""
    query = "SELECT name, op, created_us, crc FROM snapshot WHERE name = ?"
    row = db.execute(query, (checked_text(name, "a snapshot's name"),)).fetchone()
    if row is None or row_crc(*row[:-1]) != row[-1]:
        raise InputError(f"there is no snapshot {name!r}")
    return None, journal.restore(db, row[1], f"restored {quoted(name)}")


def _family(db: sqlite3.Connection, ids: Sequence[str]) -> list[int]:
    """Return the rows of ``ids``, and of what was augmented from them and lives: as one, they go.

    A variant that outlived its parent would go on voting for what somebody took back.
    """
    found = []
    for one in ids:
        row = db.execute("SELECT seq FROM example WHERE id = ?", (one,)).fetchone()
        if row is None:
            raise InputError(f"there is no example {one!r}")
        found.append(row[0])
    return [*dict.fromkeys(found), *sorted(rows.made_from(db, found).difference(found))]


def _labelled(db: sqlite3.Connection, label: str) -> list[int]:
    query = "SELECT seq FROM example WHERE alive = 1 AND label = ? ORDER BY seq"
    found = [seq for (seq,) in db.execute(query, (checked_text(label, "label"),))]
    if not found:
        raise InputError(f"there is no label {quoted(label)}")
    return found


def _scene(db: sqlite3.Connection, label: str, to: str | None) -> dict[str, Any]:
    return scene_after(values.setting(db, "active_labels"), label, to)


def scene_after(active: Any, label: str, to: str | None) -> dict[str, Any]:
    """Return the setting "active_labels" with ``label`` replaced (or gone), if it names it."""
    if not isinstance(active, list) or label not in active:
        return {}
    renamed = [to if one == label else one for one in active]
    return {"active_labels": list(dict.fromkeys(one for one in renamed if one is not None))}
