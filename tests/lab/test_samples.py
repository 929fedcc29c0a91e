from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.lab.conftest import sounds_folder
from tmstream.core.errors import InputError
from tmstream.lab.samples import find


def table(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_a_folder_holds_one_folder_a_label(tmp_path: Path) -> None:
    sounds_folder(tmp_path, 2, ("clap", "hum"))
    (tmp_path / "clap" / "notes.txt").write_text("not a sample")
    found = find([tmp_path])
    assert [(one.label, one.file.name, one.kind) for one in found] == [
        ("clap", "0.wav", "sound"), ("clap", "1.wav", "sound"),
        ("hum", "0.wav", "sound"), ("hum", "1.wav", "sound"),
    ]  # fmt: skip


def test_a_table_beside_label_folders_tells_who_was_recorded(tmp_path: Path) -> None:
    sounds_folder(tmp_path, 1, ("clap",))
    table(tmp_path / "labels.csv", "file,label,speaker,width\nclap/0.wav,clap,anna,640\n")
    (one,) = find([tmp_path])
    assert one.person == "anna"
    assert "width" not in one.groups, "a measure is not a group: it would forbid every fold"


def test_a_table_names_spans_and_groups(tmp_path: Path) -> None:
    csv = table(
        tmp_path / "events.csv",
        "\ufefffile,label,start,end,person\ntake.flac,clap,1.5,2,bo\ntake.flac,snap,3,3.5,bo\n",
    )
    first, second = find([], csv)
    assert (first.label, first.start_s, first.end_s, first.person) == ("clap", 1.5, 2.0, "bo")
    assert first.file == tmp_path / "take.flac"
    assert (first.take, second.take) == (None, None), "two events of one recording are two takes"


def test_rows_of_33_or_21_points_are_samples(tmp_path: Path) -> None:
    names = [f"p{i}_{axis}" for i in range(21) for axis in "xy"]
    values = ",".join(str(i / 10) for i in range(42))
    csv = table(tmp_path / "hands.csv", f"label,{','.join(names)}\nfist,{values}\n")
    (one,) = find([csv])
    assert (one.kind, one.label, one.row) == ("hand", "fist", 1)
    assert one.points is not None
    assert one.points.shape == (21, 4)
    assert np.allclose(one.points[1, :2], [0.2, 0.3])
    assert (one.points[:, 3] == 1).all()


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffFile;Label;Start;End;Speaker\r\na.wav;clap;0,5;1,25;Zoë\r\n",
        "file\tlabel\tstart\tend\tspeaker\na.wav\tclap\t0.5\t1.25\tZoë\n",
        " file , label,start,end,speaker\r a.wav , clap,.5,1.25,Zoë",
        '"file","label","start","end","speaker"\n"a.wav","clap","0,5",1.25,"Zoë"\n',
    ],
)
def test_a_table_comes_as_a_spreadsheet_writes_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.csv").write_bytes(text.encode())
    (one,) = find([], tmp_path / "labels.csv")
    assert (one.name, one.label, one.start_s, one.end_s) == ("a.wav", "clap", 0.5, 1.25)
    assert one.groups == {"speaker": "Zoë"}


def test_a_row_that_is_too_short_lacks_its_points(tmp_path: Path) -> None:
    names = ";".join(f"p{i}_{axis}" for i in range(21) for axis in "xy")
    values = ";".join(f"{i},5" for i in range(42))
    whole, short = find([table(tmp_path / "a.csv", f"label;{names}\na;{values}\nb;1,5\n")])
    assert whole.points is not None
    assert whole.points[20, :2].tolist() == [40.5, 41.5]
    assert short.points is not None
    assert short.points[0, 0] == 1.5
    assert np.isnan(short.points[1:, :2]).all()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no column 'file'"),
        ("name,label\na.wav,clap\n", "no column 'file'"),
        ("file,label\n,clap\n", ":2: names no file"),
        ("file,file\na,b\n", "same name"),
        ("file,label\na.wav,a\nb.wav,\a\n", ":3: label contains control characters"),
        (f"file,label\na.wav,{'x' * 501}\n", ":2: label is longer than 500"),
    ],
)
def test_a_wrong_table_says_where(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        find([], table(tmp_path / "labels.csv", text))


@pytest.mark.parametrize(
    ("span", "says"),
    [
        ("soon,", "labels.csv:3 has for start 'soon', not a time in seconds"),
        ("-1,2", "labels.csv:3 has for start '-1'"),
        ("0,nan", "labels.csv:3 has for end 'nan'"),
        ("2,1", "labels.csv:3 ends at 1 s before it starts at 2 s"),
    ],
)
def test_a_wrong_span_spoils_no_other(tmp_path: Path, span: str, says: str) -> None:
    text = f"file,label,start,end\na.wav,clap,,\na.wav,clap,{span}\na.wav,clap,1,2\n"
    found = find([], table(tmp_path / "labels.csv", text))
    assert [one.fault[: len(says)] for one in found] == ["", says, ""]


def test_a_binary_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(b"file,label\n\xff\xfe\n")
    with pytest.raises(InputError, match="not a table"):
        find([], path)


def test_files_keep_their_order_and_a_missing_one_is_still_a_sample(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(10), 16000)
    found = find([tmp_path / "gone.wav", tmp_path / "a.wav"])
    assert [one.file.name for one in found] == ["gone.wav", "a.wav"]
