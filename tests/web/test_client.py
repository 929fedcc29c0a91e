"""tmstream.js in Node: the unit tests beside this file, and what a package registry would want to see."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from . import fake
from .server import Stand

HERE = Path(__file__).parent
CLIENT = HERE.parents[1] / "tmstream" / "web" / "client"


@pytest.fixture
def node() -> str:
    found = shutil.which("node")
    if not found:
        pytest.skip("no Node.js on the PATH; tmstream.js is tested in the browser only")
    return found


def test_unit_tests_pass_in_node(node: str) -> None:
    done = subprocess.run(
        [node, "--test", str(HERE / "client.test.mjs")],
        env={**os.environ, "TMSTREAM_CLIENT": str(CLIENT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "# fail 0" in done.stdout
    assert "# pass 0" not in done.stdout


def test_the_package_names_files_that_exist() -> None:
    package = json.loads((CLIENT / "package.json").read_text("utf-8"))
    named = {package["main"], package["module"], package["types"], *package["files"]}
    assert all((CLIENT / name).is_file() for name in named)
    source = (CLIENT / "tmstream.js").read_text("utf-8")
    assert f'version: "{package["version"]}"' in source


def test_every_member_is_declared() -> None:
    """What a sketch may call is in the TypeScript declarations."""
    source = (CLIENT / "tmstream.js").read_text("utf-8")
    body = source[source.index("class Tmstream {") : source.index("  /** Connect to an engine")]
    declared = (CLIENT / "tmstream.d.ts").read_text("utf-8")
    methods = {
        line.strip().removeprefix("async ").removeprefix("get ").split("(")[0]
        for line in body.splitlines()
        if line.startswith("    ")
        and not line.startswith("     ")
        and line.rstrip().endswith(("{", "}"))
        and "(" in line
    }
    public = {name for name in methods if name.isidentifier()} - {"constructor"}
    assert {"label", "triggered", "ignore", "classifyStart"} <= public
    missing = [name for name in public if not name.startswith("_") and name not in declared]
    assert not missing


def test_a_node_program_hears_an_event_over_a_real_socket(node: str) -> None:
    major = int(subprocess.check_output([node, "--version"], text=True).strip("v\n").split(".")[0])
    if major < 20:
        pytest.skip("this Node.js has no WebSocket of its own")
    program = """
        const { connect } = require(process.argv[1]);
        connect(process.argv[2]).ready.then((tm) => {
          tm.on("trigger", (event) => { console.log(event.label); tm.close(); });
          console.log(tm.connected);
        });
    """
    flags = ["--experimental-websocket"] if major < 22 else []
    with Stand({}) as stand:
        running = subprocess.Popen(
            [node, *flags, "-e", program, str(CLIENT / "tmstream.js"), f"localhost:{stand.port}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert running.stdout is not None
        assert running.stdout.readline() == "true\n"
        stand.say(fake.event("trigger", "clap", 1.0))
        assert running.communicate(timeout=20)[0] == "clap\n"
        assert running.returncode == 0
