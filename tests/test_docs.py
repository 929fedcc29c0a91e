"""The docs tell what works today: reference pages match the code, and links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("demos/*/README.md")])


@pytest.mark.parametrize("name", ["nodes.md", "messages.md"])
def test_the_reference_is_what_the_code_says(name: str) -> None:
    found = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert found is not None
    assert found.loader is not None
    reference = importlib.util.module_from_spec(found)
    found.loader.exec_module(reference)
    written = (ROOT / "docs" / name).read_text("utf-8")
    assert written == reference.PAGES[name](), "run: .venv/bin/python docs/reference.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_in_the_docs_exist(page: Path) -> None:
    from click import Context

    from tmstream.cli import cli

    known = set(cli.list_commands(Context(cli)))
    for block in re.findall(r"```(?:sh|bash|)\n(.*?)```", page.read_text("utf-8"), re.S):
        for command in re.findall(r"^\s*(?:\.venv/bin/)?tmstream ([a-z-]+)", block, re.M):
            assert command in known, f"{page.name}: tmstream {command}"


def test_the_node_of_ones_own_runs_as_it_is_written() -> None:
    import numpy as np

    from tmstream.core.packet import Audio, Packet
    from tmstream.testing import feed

    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.S)
    made: dict[str, Any] = {}
    exec(source, made)
    (out,) = feed(made["Louder"](gain=3.0), Packet(0, Audio(np.ones(4, np.float32), 16000)))
    assert out.data.samples.tolist() == [3.0] * 4


def test_every_docs_page_can_be_found_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for page in ROOT.glob("docs/*.md"):
        assert f"docs/{page.name}" in readme, page.name
