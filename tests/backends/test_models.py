"""Models are checked before they are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tmstream.backends import models, onnx
from tmstream.backends.models import catalogue, find_model
from tmstream.backends.onnx import OnnxModel
from tmstream.core.errors import ModelError
from tmstream.core.resources import resource

TABLE = """
[tiny]
task = "t"
file = "tiny.onnx"
sha256 = "{sha256}"
source = "s"
licence = "MIT"
licence_file = "licence.txt"
input = "i"
output = "o"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny.onnx").write_bytes(b"not a graph")
    known = find_model("", path=str(tmp_path / "tiny.onnx")).sha256
    (tmp_path / "models.toml").write_text(TABLE.format(sha256=known))
    return tmp_path


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_shipped_model_is_the_one_that_models_toml_names(name: str) -> None:
    entry = find_model(name).entry
    assert entry is not None
    assert (resource("models") / entry.licence_file).stat().st_size > 500


def check_flipped_bits(folder: Path) -> None:
    """Flip each bit of a model: it is reported, and never handed to anybody."""
    path = folder / "tiny.onnx"
    good = path.read_bytes()
    assert find_model("tiny", folder=folder).entry is not None
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bad)
        # Written within one tick of the file system's clock, as no user could.
        models._hash.cache_clear()
        with pytest.raises(ModelError, match=r"model tiny: .*damaged.*build\.py tiny"):
            find_model("tiny", folder=folder)
    path.write_bytes(good)
    models._hash.cache_clear()
    assert find_model("tiny", folder=folder).entry is not None


def test_p10_a_flipped_bit_is_reported_and_never_loaded(folder: Path) -> None:
    check_flipped_bits(folder)


def test_p10_control_a_lookup_without_the_hash_is_found_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = find_model("tiny", folder=folder).sha256
    monkeypatch.setattr(models, "_sha256", lambda path, what: known)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check_flipped_bits(folder)


def test_a_missing_file_and_an_unknown_name_are_one_clear_line(folder: Path) -> None:
    (folder / "tiny.onnx").unlink()
    with pytest.raises(ModelError, match="model tiny: cannot read"):
        find_model("tiny", folder=folder)
    with pytest.raises(ModelError, match=r"'huge' is not in models\.toml; it has tiny"):
        find_model("huge", folder=folder)


def test_a_malformed_table_is_one_clear_line(folder: Path) -> None:
    (folder / "models.toml").write_text("[tiny]\nfile = 3\n")
    with pytest.raises(ModelError, match=r"models\.toml: "):
        find_model("tiny", folder=folder)
    with pytest.raises(ModelError, match="cannot be read"):
        catalogue(folder / "nowhere")


def test_a_file_the_user_brings_is_hashed_and_must_be_a_model(folder: Path) -> None:
    own = find_model("", path=str(folder / "tiny.onnx"))
    assert own.entry is None
    with pytest.raises(ModelError, match="onnxruntime cannot load it"):
        OnnxModel(own)
    with pytest.raises(ModelError, match="cannot read"):
        find_model("", path=str(folder / "none.onnx"))


def test_a_file_that_changed_is_hashed_anew(folder: Path) -> None:
    before = find_model("", path=str(folder / "tiny.onnx")).sha256
    (folder / "tiny.onnx").write_bytes(b"another graph")
    assert find_model("", path=str(folder / "tiny.onnx")).sha256 != before


def test_a_session_keeps_to_its_threads_and_to_one_input(monkeypatch: pytest.MonkeyPatch) -> None:
    model = find_model("speech_encoder")
    for threads in (1, 2):
        options = OnnxModel(model, threads=threads).session.get_session_options()
        assert (options.intra_op_num_threads, options.inter_op_num_threads) == (threads, 1)
    monkeypatch.setattr(onnx, "MASK", "another name")
    with pytest.raises(ModelError, match="one input, found input_values, attention_mask"):
        OnnxModel(model)
