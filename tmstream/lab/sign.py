"""A sign for the wall, made from the pipeline: what is sensed, what is kept, and where it goes."""

from __future__ import annotations

import ipaddress
from html import escape

from ..core.packet import Audio, Image
from ..engine.registry import Registry
from ..engine.spec import NodeSpec, Pipeline

_STYLE = """
@page { size: A4; margin: 20mm }
body { font: 16pt/1.45 system-ui, sans-serif; max-width: 170mm; margin: 15mm auto; color: #000; background: #fff }
h1 { font-size: 34pt; line-height: 1.1; margin: 0 0 8mm }
h2 { font-size: 18pt; margin: 8mm 0 1mm }
p, li { margin: 0 0 2mm }
small { font-size: 10pt }
"""  # noqa: E501 - a style sheet


def sign(pipeline: Pipeline, registry: Registry) -> str:
    """Return a printable page of HTML; every sentence on it is read off the pipeline."""
    senses = _senses(pipeline, registry)
    title = " and ".join(senses) if senses else "No sense"
    title = f"{title[0].upper()}{title[1:]} in use"
    parts = [
        f"<h1>{escape(title)}</h1>",
        *_section("What is sensed", _sensed(senses)),
        *_section("What is kept", kept(pipeline, registry)),
        *_section("Where it goes", leaves(pipeline)),
    ]
    made = f"{pipeline.path.name}, made by tmstream kiosk --sign"
    foot = f"<small>{escape(made)}</small>"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Privacy</title>'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join([*parts, foot]) + "\n</body></html>\n"
    )


def _section(title: str, lines: list[str]) -> list[str]:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return [f"<h2>{escape(title)}</h2>", f"<ul>{items}</ul>"]


def _senses(pipeline: Pipeline, registry: Registry) -> list[str]:
    live = [
        spec
        for spec in pipeline.nodes
        if not spec.sources and getattr(registry[spec.type], "live", False)
    ]
    gives = {kind for spec in live for kind in registry[spec.type].gives}
    return [word for kind, word in ((Audio, "microphone"), (Image, "camera")) if kind in gives]


def _sensed(senses: list[str]) -> list[str]:
    lines = []
    if "microphone" in senses:
        lines.append("Sound is turned into a few numbers a second, to tell taught sounds apart.")
    if "camera" in senses:
        lines.append("Pictures are turned into numbers, such as where joints are, and let go.")
    return lines or ["Nothing: no microphone and no camera is connected."]


def kept(pipeline: Pipeline, registry: Registry) -> list[str]:
    """Return what stays on the disk, one sentence each."""
    lines = []
    for spec in pipeline.nodes:
        if spec.type == "recorder":
            lines.append(_recorded(pipeline, spec, registry))
    if pipeline.private:
        lines.append("No sound and no picture is ever written to the disk.")
        if pipeline.project is not None:
            lines.append("Examples that staff teach are kept as numbers, until staff erase them.")
    elif pipeline.project is not None:
        lines.append(
            "Examples that staff teach are kept with a short sound or picture, until staff erase "
            "them. Visitors are not recorded."
            if not any(spec.type == "recorder" for spec in pipeline.nodes)
            else "Examples that staff teach are kept with a short sound or picture."
        )
    if not pipeline.private:
        lines.append("The last 20 seconds are held in memory, and lost when it is switched off.")
    return lines


def _recorded(pipeline: Pipeline, spec: NodeSpec, registry: Registry) -> str:
    kinds = {kind for source in spec.sources for kind in registry.gives(pipeline.node(source).type)}
    what = [word for kind, word in ((Audio, "sound"), (Image, "pictures")) if kind in kinds]
    what = [] if pipeline.private else what
    hours = float(spec.params.get("max_hours", registry["recorder"].max_hours))
    length = f"{hours:g} hour{'s' * (hours != 1)}" if hours < 72 else f"{hours / 24:g} days"
    return f"{(' and '.join(what) or 'what was recognised').capitalize()} of the last {length}."


def leaves(pipeline: Pipeline) -> list[str]:
    """Return what leaves this machine, one sentence each."""
    lines = []
    if not _here(str(pipeline.server.get("host", "127.0.0.1"))):
        lines.append("What is recognised can be read in this building's network.")
    for spec in pipeline.nodes:
        host = str(spec.params.get("host", "127.0.0.1"))
        if spec.type == "osc" and not _here(host):
            lines.append(f"What is recognised is sent to {host}, in this building's network.")
    return [*lines, "No sound and no picture leaves this machine."] if lines else [
        "Nothing leaves this machine."
    ]  # fmt: skip


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
