from __future__ import annotations

import os
from pathlib import Path

import pytest

from tmstream.core.errors import InputError
from tmstream.server.tokens import CODE_LIFE_S, SESSION_IDLE_S, Tokens, read_token
from tmstream.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tokens(tmp_path: Path, clock: FakeClock) -> Tokens:
    return Tokens(tmp_path, lambda: clock.now_us() / 1e6)


def test_two_tokens_are_made_once_for_their_owner_alone(tmp_path: Path, tokens: Tokens) -> None:
    control, viewer = read_token(tmp_path, "control"), read_token(tmp_path, "viewer")
    assert control != viewer
    assert min(len(control), len(viewer)) >= 43
    assert read_token(tmp_path, "control") == control
    if os.name == "posix":
        assert (tmp_path / "control.token").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["control.token", "viewer.token"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
def test_a_token_that_others_could_read_is_closed_again(tmp_path: Path) -> None:
    read_token(tmp_path, "control")
    (tmp_path / "control.token").chmod(0o644)
    read_token(tmp_path, "control")
    assert (tmp_path / "control.token").stat().st_mode & 0o777 == 0o600


def test_an_emptied_token_file_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "control.token").write_text("\n")
    with pytest.raises(InputError, match="holds no token"):
        read_token(tmp_path, "control")


def test_each_token_is_worth_its_role(tmp_path: Path, tokens: Tokens) -> None:
    for role in ("control", "viewer"):
        grant = tokens.trade(token=read_token(tmp_path, role))
        assert grant is not None
        assert grant.role == role
        assert tokens.trade(token=grant.session) == grant


@pytest.mark.parametrize("wrong", ["", "x" * 43, "\ud800", "control"])
def test_anything_else_is_worth_nothing(tokens: Tokens, wrong: str) -> None:
    assert tokens.trade(token=wrong) is None
    assert tokens.trade(code=wrong) is None
    assert tokens.trade() is None


def test_a_code_opens_once(tokens: Tokens) -> None:
    code = tokens.new_code("viewer")
    first = tokens.trade(code=code)
    assert first is not None
    assert first.role == "viewer"
    assert tokens.trade(code=code) is None
    assert tokens.trade(token=code) is None


def test_a_code_and_a_session_run_out(tokens: Tokens, clock: FakeClock) -> None:
    code, late = tokens.new_code(), tokens.new_code()
    clock.sleep(CODE_LIFE_S - 1)
    grant = tokens.trade(code=code)
    assert grant is not None
    clock.sleep(2)
    assert tokens.trade(code=late) is None
    clock.sleep(SESSION_IDLE_S - 10)
    assert tokens.trade(token=grant.session) == grant
    clock.sleep(SESSION_IDLE_S - 10)
    assert tokens.trade(token=grant.session) == grant
    clock.sleep(SESSION_IDLE_S + 10)
    assert tokens.trade(token=grant.session) is None


def test_nothing_secret_is_kept_in_memory(tmp_path: Path, tokens: Tokens) -> None:
    code = tokens.new_code()
    grant = tokens.trade(code=tokens.new_code())
    assert grant is not None
    kept = repr(vars(tokens))
    for secret in (code, grant.session, read_token(tmp_path, "control")):
        assert secret not in kept


def test_sessions_do_not_pile_up(tmp_path: Path, tokens: Tokens) -> None:
    token = read_token(tmp_path, "viewer")
    for _ in range(1100):
        assert tokens.trade(token=token)
    assert len(tokens._sessions) == 1000
