"""The log is bounded, is JSON, and holds no secret; the report neither."""

from __future__ import annotations

import json
import logging
import secrets
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmstream.core.errors import StoreError
from tmstream.server.state import state_folder
from tmstream.server.tokens import Tokens, read_token
from tmstream.store import logs
from tmstream.store.report import write_report

log = logging.getLogger("tmstream.test")


def lines() -> list[dict[str, str]]:
    text = (logs.log_folder() / "tmstream.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_is_an_object_with_time_level_place_and_text() -> None:
    handler = logs.start()
    log.warning("mic: waiting:\nunplugged %s", "Ω")
    try:
        raise ValueError("boom")
    except ValueError:
        log.exception("a subscriber failed")
    logs.stop(handler)
    first, second = lines()
    assert (first["level"], first["from"], first["text"]) == (
        "warning",
        "tmstream.test",
        "mic: waiting: unplugged Ω",
    )
    assert first["time"].endswith("+00:00")
    assert "ValueError: boom; test_logs.py:" in second["text"]


@given(
    st.binary(min_size=16, max_size=40),
    st.sampled_from(
        [
            "{}",
            "token={}",
            '{{"code": "{}"}}',
            "open http://127.0.0.1:8765/#c={} now",
            "got {} here",
            "session: {}",
            "Authorization: Bearer {}",
        ]
    ),
)
def test_no_secret_stays(raw: bytes, form: str) -> None:
    import base64

    secret = base64.urlsafe_b64encode(raw).decode().rstrip("=").lstrip("-")
    if len(secret) < 20 or secret.upper() == secret or secret.lower() == secret:
        return
    assert secret not in logs.blotted(form.format(secret))


@pytest.mark.parametrize("plain", ["mic: waiting: unplugged", "/home/kiosk/.local/share/tmstream/takes/evening/20261121-190512-000",
                                   "clap triggered at 12:00:03.5", "project demo.tms: opened, 240 examples"])  # fmt: skip
def test_plain_words_stay(plain: str) -> None:
    assert logs.blotted(plain) == plain


def test_the_log_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_FILE_BYTES", 20_000)
    handler = logs.start()
    for i in range(3000):
        log.info("line %d %s", i, "x" * 100)
    log.info("y" * 100_000)
    logs.stop(handler)
    files = list(logs.log_folder().iterdir())
    assert len(files) == logs.FILES
    assert sum(one.stat().st_size for one in files) <= logs.FILES * 21_000
    assert len(lines()[-1]["text"]) == logs.MAX_LINE


def test_an_unwritable_folder_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("in the way")
    handler = logs.start()
    assert handler is None
    log.info("goes on")
    logs.stop(handler)


def test_the_report_holds_what_helps_and_no_secret(tmp_path: Path) -> None:
    folder = state_folder()
    tokens = Tokens(folder)
    code = tokens.new_code("control")
    token = read_token(folder, "control")
    handler = logs.start()
    log.info("opened http://127.0.0.1:8765/#c=%s with %s", code, token)
    logs.stop(handler)
    assert lines()[-1]["text"] == f"opened http://127.0.0.1:8765/#c={logs.BLOT} with {logs.BLOT}"
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text("nodes: {}\n")
    names = write_report(tmp_path / "r.zip", pipeline=pipeline, checks=["PortAudio: found"])
    with zipfile.ZipFile(tmp_path / "r.zip") as pack:
        assert pack.namelist() == names
        everything = b"\n".join(pack.read(name) for name in names).decode()
    assert token not in everything
    assert code not in everything
    assert "control.token" in everything  # by name, with its size
    assert "PortAudio: found" in everything
    assert '"numpy"' in everything
    with pytest.raises(StoreError, match="cannot write the report"):
        write_report(tmp_path / "missing" / "r.zip")


def test_the_secret_was_there_to_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The positive control of the two tests above."""
    monkeypatch.setattr(logs, "blotted", lambda text: text)
    handler = logs.start()
    secret = secrets.token_urlsafe(32)
    log.info("token=%s", secret)
    logs.stop(handler)
    write_report(tmp_path / "r.zip")
    with zipfile.ZipFile(tmp_path / "r.zip") as pack:
        assert secret in pack.read("logs/tmstream.jsonl").decode()
