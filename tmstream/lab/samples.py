"""Which samples a folder, a table or a list of files holds. Nothing is decoded here."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..core.errors import InputError
from ..store.records import checked_text
from .sample import Kind, Sample, kind_of

#: Columns that say who or what was recorded; any other column is taken only when asked for.
GROUP_COLUMNS = (
    "person", "speaker", "subject", "signer", "singer", "player", "participant", "user", "actor",
    "group", "fold", "session", "recording", "take", "clip", "day", "room", "device", "kit",
)  # fmt: skip
#: Columns with a meaning; a spreadsheet may begin them with a capital.
OURS = frozenset({"file", "label", "start", "end", *GROUP_COLUMNS})
#: Between columns: spreadsheets write semicolons where numbers have a decimal comma.
SEPARATORS = (",", ";", "\t")
#: Points a table can hold in a row, and whose they are.
POINTS: dict[int, Kind] = {33: "body", 21: "hand", 468: "face"}

_NUMBERED = re.compile(r"(?P<point>.+)_(?P<axis>x|y|z|visibility)$")
_MAX_CSV_BYTES = 200_000_000


def find(
    paths: Sequence[Path], table: Path | None = None, columns: Iterable[str] = ()
) -> list[Sample]:
    """Return the samples of files, folders of label folders and tables, in the order given.

    With ``table``, its rows are the samples, and their files are relative to the first path (or to
    the table). ``columns`` are further group columns to keep.

    Raises:
        InputError: a path is missing, or a table cannot be read; the message says which and why.
    """
    keep = (*GROUP_COLUMNS, *columns)
    if table is not None:
        base = next((path for path in paths if path.is_dir()), table.parent)
        return read_table(table, base, keep)
    found: list[Sample] = []
    for path in paths:
        if path.is_dir():
            found.extend(_folder(path, keep))
        elif path.suffix.lower() in (".csv", ".tsv"):
            found.extend(read_table(path, path.parent, keep))
        else:
            # A missing file is a sample that cannot be decoded: the others are still answered.
            found.append(Sample(path, str(path), kind_of(path) or "sound"))
    return found


def _folder(folder: Path, keep: Sequence[str]) -> Iterator[Sample]:
    """Yield one folder a label; without such, what ``labels.csv`` names, or just the files."""
    labels = sorted(one for one in folder.iterdir() if one.is_dir() and one.name[0] not in "._")
    table = folder / "labels.csv"
    inside = [(one, file) for one in labels for file in sorted(one.rglob("*")) if kind_of(file)]
    if not inside and table.is_file():
        yield from read_table(table, folder, keep)
        return
    # A labels.csv beside the label folders still knows who was recorded.
    told = {}
    if inside and table.is_file():
        told = {row.file: row.groups for row in read_table(table, folder, keep)}
    for label, file in inside:
        groups = told.get(file, {})
        kind = kind_of(file)
        assert kind is not None
        yield Sample(file, str(file), kind, label.name, groups=groups)
    for file in sorted(folder.iterdir()):
        kind = kind_of(file)
        if kind is not None and file.is_file() and not inside:
            yield Sample(file, str(file), kind)


def read_table(path: Path, base: Path, keep: Sequence[str] = GROUP_COLUMNS) -> list[Sample]:
    """Return the samples a CSV names, or, of a landmark table, the rows themselves.

    Raises:
        InputError: it cannot be read, lacks a column, or names no file or an impossible label; with
            the line.
    """
    try:
        if path.stat().st_size > _MAX_CSV_BYTES:
            raise InputError(f"{path}: too large for a table of samples")
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            separator = max(SEPARATORS, key=first.count)
            reader = csv.DictReader(file, delimiter=separator, strict=True)
            columns = [_column(name or "") for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            if len(set(columns)) != len(columns):
                raise InputError(f"{path}: two columns have the same name")
            points = _points(columns)
            if points is None and "file" not in columns:
                raise InputError(
                    f"{path}: no column 'file' (and no *_x, *_y columns of 33, 21 or 468 points); "
                    f"it has {', '.join(columns[:8]) or 'none'}"
                )
            rows = list(enumerate(reader, start=1))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a table in UTF-8 ({error})") from error
    kept = [name for name in dict.fromkeys(keep) if name in columns]
    if points is not None:
        return [_landmark_row(path, number, row, points, kept) for number, row in rows]
    return [_file_row(path, base, number, row, kept) for number, row in rows]


def _column(name: str) -> str:
    """Return the name of a column; ours in small letters, as they are written here."""
    name = name.strip()
    return name.lower() if name.lower() in OURS else name


def _number(text: str) -> float:
    """Return a number, also one with a decimal comma; raises `ValueError`."""
    return float(text.replace(",", "."))


def _points(columns: Sequence[str]) -> dict[str, dict[str, str]] | None:
    """Return point -> axis -> column, when the columns are those of 33, 21 or 468 points."""
    found: dict[str, dict[str, str]] = {}
    for column in columns:
        match = _NUMBERED.match(column)
        if match:
            found.setdefault(match["point"], {})[match["axis"]] = column
    whole = {point: axes for point, axes in found.items() if {"x", "y"} <= axes.keys()}
    return whole if len(whole) in POINTS else None


def _groups(row: Mapping[str, str | None], kept: Sequence[str]) -> dict[str, str]:
    return {name: value for name in kept if (value := (row.get(name) or "").strip())}


def _file_row(
    path: Path, base: Path, number: int, row: Mapping[str, str | None], kept: Sequence[str]
) -> Sample:
    name = (row.get("file") or "").strip()
    if not name:
        raise InputError(f"{path}:{number + 1}: names no file")
    file = Path(name) if Path(name).is_absolute() else base / name
    start = end = None
    fault = ""
    try:
        start, end = (_seconds(row, column) for column in ("start", "end"))
        if start is not None and end is not None and end <= start:
            fault = f"ends at {end:g} s before it starts at {start:g} s"
    except InputError as error:
        fault = str(error)
    fault = fault and f"{path.name}:{number + 1} {fault}"
    kind = kind_of(file) or "sound"
    label = _label(path, number, row)
    return Sample(file, name, kind, label, start, end, _groups(row, kept), fault=fault)


def _label(path: Path, number: int, row: Mapping[str, str | None]) -> str | None:
    label = (row.get("label") or "").strip() or None
    try:
        return label and checked_text(label, "label")
    except InputError as error:
        raise InputError(f"{path}:{number + 1}: {error}") from error


def _seconds(row: Mapping[str, str | None], column: str) -> float | None:
    text = (row.get(column) or "").strip()
    if not text:
        return None
    try:
        value = _number(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise InputError(f"has for {column} {text!r}, not a time in seconds")
    return value


def _landmark_row(
    path: Path,
    number: int,
    row: Mapping[str, str | None],
    points: Mapping[str, Mapping[str, str]],
    kept: Sequence[str],
) -> Sample:
    values = np.zeros((len(points), 4), np.float32)
    values[:, 3] = 1.0
    for i, axes in enumerate(points.values()):
        for j, axis in enumerate(("x", "y", "z", "visibility")):
            if axis not in axes:
                continue
            try:
                values[i, j] = _number(row.get(axes[axis]) or "")
            except ValueError:
                # An empty cell is a point that was not seen; it is told when the row is used.
                values[i, j] = np.nan
    label = _label(path, number, row)
    return Sample(
        path, str(path), POINTS[len(points)], label, groups=_groups(row, kept), row=number,
        points=values,
    )  # fmt: skip
