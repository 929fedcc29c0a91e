"""Run a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ._house import Wishes, run_pipeline
from ._pipeline import load


def _pairs(texts: tuple[str, ...], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise click.UsageError(f"{option} takes NAME=VALUE, not {text!r}")
        pairs[key] = value
    return pairs


@click.command()
@click.argument("pipeline")
@click.option("--set", "values", multiple=True, metavar="NODE.PARAM=VALUE", help="Over the YAML.")
@click.option(
    "--source", "sources", multiple=True, metavar="NODE=FILE",
    help="Replace a live source by a file of its kind, or by 'browser': the studio page's own.",
)  # fmt: skip
@click.option("--project", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.option(
    "--sketch", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
    help="Serve your own sketch at /sketch/.",
)  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--for", "seconds", type=click.FloatRange(0, min_open=True), metavar="SECONDS")
@click.option("--print", "prints", is_flag=True, help="Print each message as a line of JSON.")
@click.option("--realtime", is_flag=True, help="Play files at the pace they were recorded.")
@click.option("--no-browser", is_flag=True, help="Do not open the studio.")
def run(
    pipeline: str,
    values: tuple[str, ...],
    sources: tuple[str, ...],
    project: Path | None,
    sketch: Path | None,
    port: int | None,
    seconds: float | None,
    prints: bool,
    realtime: bool,
    no_browser: bool,
) -> int:
    """Run PIPELINE: a YAML file, or the name of a shipped one (sound, body, hands ...).

    Without live sources it ends with its files; otherwise with Ctrl-C, or after --for SECONDS.
    """
    from ..engine.spec import value_of

    settings: dict[str, Any] = {k: value_of(v) for k, v in _pairs(values, "--set").items()}
    if wrong := next((key for key in settings if "." not in key), None):
        raise click.UsageError(f"--set takes NODE.PARAM=VALUE, not {wrong!r}")
    wishes = Wishes(
        settings, _pairs(sources, "--source"), project, sketch, port, seconds, prints, realtime,
        not no_browser,
    )  # fmt: skip
    return run_pipeline(load(pipeline), wishes)
