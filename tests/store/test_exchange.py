"""What is exported comes back equal; what is hostile does not come in."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tmstream.core.errors import InputError, StoreError
from tmstream.store import exchange, listing
from tmstream.store.project import Clip, Example, NewExample, Project

New = Callable[..., NewExample]


def plain(examples: list[Example]) -> list[dict[str, Any]]:
    return [{**msgspec.structs.asdict(one), "vector": one.vector.tobytes()} for one in examples]


def fill(project: Project) -> None:
    rng = np.random.default_rng(3)
    labels = ["clap", "../../etc/x", ".hidden", "höhe: 3/4", "CON", "a" * 300]
    for number, label in enumerate(labels * 3):
        clip = Clip(rng.bytes(100 + number), ("audio/flac", "image/jpeg")[number % 2])
        vector = rng.normal(size=13).astype(np.float32)
        fields: dict[str, Any] = {"person": "Ada", "groups": {"room": "hall"}, "phase": "final"}
        if number % 5 == 0:
            fields = {"clip": clip, "negative": number == 10}
        project.add([NewExample(label, "audio", vector, f"t{number}", source="mic", **fields)])
    project.set_settings({"space:audio": "model 1", "pipeline": "sound", "locked": True})
    project.delete([project.examples()[1].id])


def test_an_export_comes_back_equal(project: Project, tmp_path: Path) -> None:
    fill(project)
    told = exchange.export(project, tmp_path / "out.zip")
    assert told["examples"] == len(project.examples())
    with pytest.raises(StoreError, match="exists already"):
        exchange.export(project, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        archive.extractall(tmp_path / "unpacked")
        table = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))
    for name in names:
        assert not name.startswith(("/", "."))
        assert ".." not in name.split("/")
        assert not set(name) & set(r'\:*?"<>|')
    assert {row["file"] for row in table} <= set(names)
    assert {row["label"] for row in table} <= set(project.labels())
    for number, source in enumerate((tmp_path / "out.zip", tmp_path / "unpacked", project.path)):
        with Project.open(tmp_path / f"new{number}.tms", create=True) as again:
            told = exchange.bring_in(source, again)
            assert told["added"] == len(project.examples())
            assert plain(again.examples()) == plain(project.examples())
            for one in project.examples():
                assert again.clip(one.id) == project.clip(one.id)
            assert again.settings() == {"space:audio": "model 1", "pipeline": "sound"}
            assert exchange.bring_in(source, again)["added"] == 0
            again.undo()
            assert again.examples() == []
            assert exchange.bring_in(source, again)["added"] == told["added"], "they come back"


def test_another_embedders_vectors_stay_out(project: Project, example: New, tmp_path: Path) -> None:
    fill(project)
    exchange.export(project, tmp_path / "out.zip")
    with Project.open(tmp_path / "b.tms", create=True) as other:
        other.set_settings({"space:audio": "model 2"})
        with pytest.raises(InputError, match="reembed"):
            exchange.bring_in(tmp_path / "out.zip", other)
        other.set_settings({"space:audio": None})
        other.add([example(d=5)])
        with pytest.raises(InputError, match="another embedder"):
            exchange.bring_in(project.path, other)
        assert len(other.examples()) == 1


def line(**fields: Any) -> dict[str, Any]:
    return {"id": "a", "label": "clap", "space": "s", "vector": [1, 2], "take": "t", **fields}


def zipped(path: Path, members: dict[str, bytes], **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def hostile(tmp_path: Path) -> dict[str, Path]:
    good = json.dumps(line()).encode()
    late = b"\n".join([good] * 600 + [b'{"id": 1}'])
    cut = zipped(tmp_path / "cut.zip", {"examples.jsonl": good * 1})
    cut.write_bytes(cut.read_bytes()[:-30])
    text = tmp_path / "text.zip"
    text.write_text("hello")
    stranger = tmp_path / "stranger.tms"
    with sqlite3.connect(stranger) as db:
        db.execute("CREATE VIEW example AS SELECT 1 AS seq")
    db.close()
    found = {"cut": cut, "text": text, "stranger": stranger, "missing": tmp_path / "no.zip"}
    members = {
        "empty": b"",
        "pickle": pickle.dumps(line()),
        "list": b"[1, 2]",
        "nan": json.dumps(line(vector=[1, float("nan")])).encode(),
        "huge": json.dumps(line(vector=[1e300])).encode(),
        "ragged": good + b"\n" + json.dumps(line(id="b", vector=[1])).encode(),
        "id": json.dumps(line(id="../x")).encode(),
        "type": json.dumps(line(vector="AAAA")).encode(),
        "phase": json.dumps(line(phase="x")).encode(),
        "future": json.dumps(line(created_us=2**62)).encode(),
        "nameless": good + b"\n" + json.dumps(line(id="b", label=" ")).encode(),
        "bomb": b"\n" * 40_000_000,
        "late": late,
    }
    for name, data in members.items():
        found[name] = zipped(tmp_path / f"{name}.zip", {"examples.jsonl": data})
    big = {"examples.jsonl": json.dumps(line(clip="clap/a.flac")).encode()}
    big["clap/a.flac"] = os.urandom(2**20) * 5
    found["big clip"] = zipped(tmp_path / "clip.zip", big)
    found["no examples"] = zipped(tmp_path / "none.zip", {"clap/a.wav": b"RIFF"})
    del found["empty"]
    return found


SAID = {
    "cut": "cut.zip: is not a whole zip file",
    "ragged": "ragged.zip: example 2: a vector of 's' has 1 numbers, not 2",
    "nameless": "nameless.zip: example 2: label must not be empty",
    "future": "future.zip: example 1: created_us is no time",
}


def test_hostile_archives_change_nothing(project: Project, tmp_path: Path) -> None:
    for name, path in hostile(tmp_path).items():
        with pytest.raises(InputError) as caught:
            exchange.bring_in(path, project)
        assert SAID.get(name, "") in str(caught.value)
        assert project.examples() == [], name
        assert project.info()["journal_steps"] == 0, name


def test_names_in_an_archive_are_never_paths(project: Project, tmp_path: Path) -> None:
    secret = tmp_path / "secret.flac"
    secret.write_bytes(b"private")
    lines = [
        json.dumps(line(id=f"a{number}", clip=clip))
        for number, clip in enumerate([str(secret), "../secret.flac", "link.flac", "gone.flac"])
    ]
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "examples.jsonl").write_text("\n".join(lines))
    (folder / "link.flac").symlink_to(secret)
    exchange.bring_in(folder, project)
    assert len(project.examples()) == 4
    assert not any(one.has_clip for one in project.examples())


def test_a_line_without_end_is_not_read_to_its_end(project: Project, tmp_path: Path) -> None:
    good = json.dumps(line()).encode()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "examples.jsonl").write_bytes(b" " * (listing.MAX_LINE_BYTES + 1) + good)
    with pytest.raises(InputError, match="too long"):
        exchange.bring_in(tmp_path / "in", project)
    (tmp_path / "in" / "examples.jsonl").write_bytes(b" " * 1000 + good)
    assert exchange.bring_in(tmp_path / "in", project)["added"] == 1


def test_two_members_of_one_name(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("examples.jsonl", json.dumps(line()))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("examples.jsonl", json.dumps(line(label="other")))
    with pytest.raises(InputError, match="two files"):
        exchange.bring_in(path, project)


@given(data=st.binary(max_size=300))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_bytes_are_an_explained_refusal_or_examples(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    with Project.open(folder / "a.tms", create=True) as project:
        for source in (folder / "x.tms", folder / "in"):
            source.mkdir() if source.suffix == "" else None
            target = source / "examples.jsonl" if source.is_dir() else source
            target.write_bytes(data)
            try:
                exchange.bring_in(source, project)
            except InputError:
                assert project.examples() == []


def test_turned_bits_in_a_packed_file_are_explained(
    project: Project, example: New, tmp_path: Path
) -> None:
    project.add([example(id=f"a{i}", d=64) for i in range(20)])
    exchange.export(project, tmp_path / "out.zip")
    whole = (tmp_path / "out.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        packed = archive.getinfo("examples.jsonl").compress_size
    start = whole.index(b"examples.jsonl") + len("examples.jsonl") + 20  # past the local header
    for at in range(start + 10, start + packed - 10, 7):
        bad = tmp_path / "bad.zip"
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with pytest.raises(InputError):
            exchange.bring_in(bad, project)


@pytest.mark.parametrize(
    ("bounds", "why"),
    [
        (listing.Bounds(1, 10**8, 10_000), "holds 2 files, more than 1"),
        (listing.Bounds(2, 10**6, 10_000), "unpacks to more than 0 GB"),
        (listing.Bounds(2, 10**8, 100), "packed too well"),
    ],
)
def test_each_door_has_its_own_bounds_for_a_zip(
    tmp_path: Path, bounds: listing.Bounds, why: str
) -> None:
    packed = tmp_path / "two.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(2 * 2**20))
        archive.writestr("b", b"")
    with listing.opened_zip(packed, "two.zip", listing.Bounds(2, 10**8, 10_000)) as archive:
        assert archive.namelist() == ["a", "b"]
    with pytest.raises(InputError, match=why), listing.opened_zip(packed, "two.zip", bounds):
        pass
