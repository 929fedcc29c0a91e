"""An exhibit: unattended, locked, private, and started with the machine."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import InputError
from ..core.words import counted
from . import _screen
from ._house import Wishes, run_pipeline
from ._pipeline import load

if TYPE_CHECKING:
    from ..engine.spec import Pipeline


@click.command()
@click.argument("pipeline")
@click.option("--install", is_flag=True, help="Write what starts it with the machine, and stop.")
@click.option("--status", is_flag=True, help="Say how the running exhibit fares, and stop.")
@click.option(
    "--invite", is_flag=True, help="A link for the attendant's phone: good once, a minute."
)
@click.option("--sign", type=click.Path(path_type=Path), help="Write a privacy sign (HTML).")
@click.option("--show", is_flag=True, help="Only the browser, full screen, for ever.")
@click.option("--page", default="sketch/", help="Which page to show: sketch/ or demos/hello/.")
@click.option(
    "--position", metavar="X,Y", callback=lambda _ctx, _param, text: _corner(text),
    help="A corner of the display to show it on.",
)  # fmt: skip
@click.option("--sketch", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER")
@click.option("--port", type=click.IntRange(0, 65535))
@click.option("--health-listen", metavar="HOST:PORT", help="A port for monitors: status only.")
@click.option("--unlocked", is_flag=True, help="Leave teaching as it was left.")
@click.option("--for", "seconds", type=click.FloatRange(0, min_open=True), metavar="SECONDS")
@click.pass_context
def kiosk(
    ctx: click.Context,
    pipeline: str,
    install: bool,
    status: bool,
    invite: bool,
    sign: Path | None,
    show: bool,
    page: str,
    position: str | None,
    sketch: Path | None,
    port: int | None,
    health_listen: str | None,
    unlocked: bool,
    seconds: float | None,
) -> None:
    """Run PIPELINE as an exhibit.

    Teaching is locked (the studio unlocks it, with the control token), nothing raw is kept unless
    the file says "private: false", and systemd's watchdog is fed only while it really works.
    """
    from ..engine.graph import build
    from ..engine.registry import Registry
    from ..lab.kiosk import guarded, stays_home

    read = load(pipeline)
    if status:
        ctx.exit(_status())
    if invite:
        _invite(read)
        return
    if show:
        ctx.exit(_screen.show(page, position))
    # A wrong pipeline is said now, by a person's side, not at the next switching on: by its own
    # lines first, and then as an exhibit, which keeps nothing raw.
    build(read, Registry.installed())
    made = guarded(read, Registry.installed(), health_listen=health_listen)
    build(made, Registry.installed())
    if sign is not None:
        from ..lab.sign import sign as sign_of

        sign.write_text(sign_of(made, Registry.installed()), "utf-8")
        click.echo(f"wrote {sign}: print it and hang it where people come in")
        return
    if install:
        for address in _foreign(sketch):
            click.echo(f"note: the sketch loads {address}: without the network it stays empty")
        _install(
            read,
            _options(sketch, port, health_listen, unlocked=unlocked),
            ["--page", page, *(["--position", position] if position else [])],
            home=stays_home(made, health_listen=health_listen),
        )
        return
    ctx.exit(_run(made, Wishes(
        sketch=sketch, port=port, seconds=seconds, browser=False, page=page, codes=False,
    ), unlocked=unlocked))  # fmt: skip


def _options(
    sketch: Path | None, port: int | None, health_listen: str | None, *, unlocked: bool
) -> list[str]:
    options = []
    if sketch is not None:
        options += ["--sketch", str(sketch.absolute())]
    if port is not None:
        options += ["--port", str(port)]
    if health_listen is not None:
        options += ["--health-listen", health_listen]
    return [*options, "--unlocked"] if unlocked else options


def _run(pipeline: Pipeline, wishes: Wishes, *, unlocked: bool) -> int:
    from ..store import logs
    from ..store.project import Project
    from ..store.report import LastRun, note_run

    handler = logs.start()
    try:
        path, project_path = pipeline.path.absolute(), pipeline.project
        with contextlib.suppress(OSError):
            note_run(LastRun(str(path), str(project_path.absolute()) if project_path else None))
        logs.log.info("kiosk starts %s", path)
        if pipeline.project is not None and not unlocked:
            with Project.open(pipeline.project, create=True) as project:
                if not project.read_only and not project.setting("locked", False):
                    project.set_settings({"locked": True})
        return run_pipeline(pipeline, wishes)
    except Exception:
        logs.log.exception("the engine stopped")
        raise
    finally:
        logs.stop(handler)


def _foreign(sketch: Path | None) -> list[str]:
    """Look at the sketch now rather than at the next switching on.

    Raises:
        InputError: there is no sketch to show.
    """
    from ..lab.kiosk import foreign_scripts

    if sketch is None:
        return []
    if not (sketch / "index.html").is_file():
        raise InputError(f"--sketch {sketch}: no index.html there; make one: tmstream new {sketch}")
    return foreign_scripts(sketch)


def _install(
    pipeline: Pipeline, options: list[str], browser: list[str], *, home: bool = True
) -> None:
    from ..core.resources import state_folder
    from ..lab import kiosk as lab

    path = pipeline.path.absolute()
    if sys.platform.startswith("linux"):
        config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        folder = config / "systemd" / "user"
        files = lab.systemd_units(path, options, browser, home=home)
    else:
        folder = state_folder()
        if sys.platform == "win32":
            files = {"tmstream.xml": lab.windows_task(path, options)}
        else:
            folder = Path.home() / "Library" / "LaunchAgents"
            files = {"org.tmstream.engine.plist": lab.launch_agent(path, options)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
        click.echo(f"wrote {folder / name}")
    for line in _next_steps(folder):
        click.echo(line)


def _next_steps(folder: Path) -> list[str]:
    if sys.platform == "win32":
        return [
            "this was never tried on Windows; tell us how it went. Next:",
            f'  schtasks /create /tn tmstream /xml "{folder / "tmstream.xml"}"',
        ]
    if sys.platform == "darwin":
        agent = folder / "org.tmstream.engine.plist"
        return [
            "this was never tried on macOS; tell us how it went. Next:",
            f'  launchctl load -w "{agent}"',
        ]
    return [
        "next, as the user whom the machine logs in by itself (docs/exhibit.md):",
        "  systemctl --user daemon-reload",
        "  systemctl --user enable --now tmstream.service tmstream-browser.service",
        "then: tmstream kiosk PIPELINE --status",
    ]


def _corner(text: str | None) -> str | None:
    """Return a corner as it was given; the browser itself would silently ignore a wrong one."""
    if text is not None and not re.fullmatch(r"-?\d+,-?\d+", text):
        raise click.BadParameter(f"{text!r} is no corner in pixels, as in 1920,0")
    return text


def _status() -> int:
    try:
        facts = _screen.health()
    except TimeoutError:
        click.echo(f"the engine gave no answer within {_screen.ASK_S:g} s: it is busy, or it hangs")
        return 1
    if facts is None:
        click.echo("the exhibit is not running")
        return 1
    waiting = facts.get("waiting")
    if isinstance(waiting, dict) and waiting:
        for name, why in waiting.items():
            click.echo(f"{name}: {why}")
        return 1
    pages = facts.get("clients", 0)
    click.echo(f"all is well ({counted(pages if isinstance(pages, int) else 0, 'page')} connected)")
    return 0


def _invite(pipeline: Pipeline) -> None:
    """Print a link (and its QR code) that lets one phone in as an attendant."""
    import asyncio
    import io

    import segno

    from ..core.messages import NewCode
    from ..server.ask import ask, running_engine

    running = running_engine()
    code = asyncio.run(ask(NewCode(id="invite", role="attendant"), running=running))["code"]
    host = str(pipeline.server.get("host", "127.0.0.1"))
    names = [*pipeline.server.get("allow_hosts", []), host]
    here = host in ("127.0.0.1", "localhost", "::1")
    scheme = "https" if running.tls else "http"
    link = f"{scheme}://{'localhost' if here else names[0]}:{running.port}/attendant/#c={code}"
    if here:
        click.echo("note: only this machine can open it; docs/exhibit.md says how to let phones in")
    picture = io.StringIO()
    segno.make(link, error="l").terminal(picture, compact=True)
    click.echo(picture.getvalue())
    click.echo(link)
