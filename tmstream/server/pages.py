"""The HTTP side: which file an address means, and with which headers it leaves.

The studio is served under ``127.0.0.1`` and the sketches under ``localhost``: two origins, so that
no sketch can inherit control. A page asked for under the other name is sent on to its own.
"""

from __future__ import annotations

import json
import mimetypes
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from ..core.resources import PACKAGE, resource
from .policy import Door

MOST_BYTES = 64 * 1024 * 1024

_TEXT = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".csv": "text/csv",
    ".ts": "text/plain",
}

#: Where people's own sketches load p5 from when they were written for the p5 editor.
_LIBRARIES = "https://cdn.jsdelivr.net https://cdnjs.cloudflare.com https://unpkg.com"


#: The library for sketches, at addresses short enough to remember.
_CLIENT_FILES = ("/tmstream.js", "/tmstream.mjs", "/tmstream.d.ts")
#: First parts of the addresses that belong to the sketches' origin.
_SKETCH_SIDE = ("/sketch", "/demos", "/vendor", "/attendant")


class Page(NamedTuple):
    """One answer over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


class Roots(NamedTuple):
    """Where the files of each part of the site are."""

    studio: Path
    client: Path
    demos: Path
    sketch: Path | None = None
    attendant: Path | None = None


def shipped_roots(sketch: str | None = None) -> Roots:
    """Return the folders of this installation, and of a person's own sketch."""
    web = PACKAGE / "web"
    own = Path(sketch).expanduser().resolve() if sketch is not None else None
    return Roots(web / "studio", web / "client", resource("demos"), own, web / "attendant")


def text(status: int, body: str, **headers: str) -> Page:
    """Return a line of plain text."""
    return Page(
        status, {**_common(), "Content-Type": "text/plain; charset=utf-8", **headers}, body.encode()
    )


def health(facts: dict[str, object] | None) -> Page:
    """Return the bare fact that the engine runs, readable by any page; ``facts`` for our own."""
    body = json.dumps({"ok": True, "engine": "tmstream", **(facts or {})})
    open_to_all = {
        **_common(),
        "Content-Type": "application/json; charset=utf-8",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return Page(200, open_to_all, body.encode() + b"\n")


def download(found: tuple[str, bytes] | None) -> Page:
    """Return a file to be kept under its name, which may be anybody's words."""
    if found is None:
        return text(404, "not found, or fetched before\n")
    kept = {
        **_common(),
        "Cache-Control": "no-store",
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found[0], safe='')}",
    }
    return Page(200, kept, found[1])


def find(roots: Roots, door: Door, host: str, target: str, byte_range: str | None = None) -> Page:
    """Return the page at ``target`` (path and query, as sent) under the checked name ``host``."""
    path = unquote(target.partition("?")[0].partition("#")[0])
    if "\0" in path or "\\" in path or not path.startswith("/"):
        return text(400, "bad address\n")
    if path == "/favicon.ico":  # sent on to the studio, it would be an error in a sketch's console
        return Page(204, _common(), b"")
    if path in _CLIENT_FILES:
        return _file(roots.client, path.removeprefix("/"), _client_headers(), byte_range)
    if path.startswith("/client/"):
        return _file(roots.client, path.removeprefix("/client/"), _client_headers(), byte_range)
    on_sketch_side = f"/{path.split('/')[1]}" in _SKETCH_SIDE
    if on_sketch_side and host == "127.0.0.1":
        return _move(door, "localhost", target)
    if not on_sketch_side and host != "127.0.0.1":
        return (
            _move(door, "127.0.0.1", target)
            if host in ("localhost", "[::1]")
            else _studio_elsewhere()
        )
    if path in _SKETCH_SIDE:
        return Page(308, {**_common(), "Location": path + "/"})
    if path.startswith("/attendant/") and roots.attendant is not None:
        headers = _attendant_headers(door)
        return _file(roots.attendant, path.removeprefix("/attendant/"), headers, byte_range)
    if path.startswith("/sketch/"):
        if roots.sketch is None:
            return text(
                404, "no sketch was given; start with: tmstream run PIPELINE --sketch FOLDER\n"
            )
        headers = _sketch_headers(door, own=True)
        return _file(roots.sketch, path.removeprefix("/sketch/"), headers, byte_range)
    if path.startswith("/demos/"):
        headers = _sketch_headers(door, own=False, demos=roots.demos)
        return _file(roots.demos, path.removeprefix("/demos/"), headers, byte_range)
    if path.startswith("/vendor/"):
        modules = roots.demos / "node_modules"
        return _file(modules, path.removeprefix("/vendor/"), _client_headers(), byte_range)
    return _file(roots.studio, path.removeprefix("/"), studio_headers(door), byte_range)


def studio_headers(door: Door) -> dict[str, str]:
    """Return the studio's strict content policy and its companions."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; font-src 'self'; "
        f"connect-src 'self' {_sockets(door, '127.0.0.1')}; "
        "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "object-src 'none'"
    )
    return {
        **_common(),
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(self)",
        "X-Frame-Options": "DENY",
    }


def _attendant_headers(door: Door) -> dict[str, str]:
    """The attendant's page may talk to this engine, and see and hear nothing."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"connect-src 'self' {_sockets(door, 'localhost')}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        **_common(),
        "Content-Security-Policy": policy,
        "Permissions-Policy": "camera=(), microphone=()",
        "X-Frame-Options": "DENY",
    }


def _sketch_headers(door: Door, *, own: bool, demos: Path | None = None) -> dict[str, str]:
    """p5 2.x compiles its shader strands with eval, and writes inline styles.

    A demo may fall back on one pinned address for p5. A person's own sketch is their own code: it
    may have inline scripts and the usual libraries. Neither can talk to anything but this engine.
    """
    scripts = f"'unsafe-inline' {_LIBRARIES}" if own else p5_address(demos or Path())
    policy = (
        f"default-src 'self'; script-src 'self' 'unsafe-eval' {scripts}; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
        "media-src 'self' blob: data:; "
        f"font-src 'self' data:; connect-src 'self' blob: data: {_sockets(door, 'localhost')}; "
        "worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
        "object-src 'none'"
    )
    return {**_common(), "Content-Security-Policy": policy}


@cache
def p5_address(demos: Path) -> str:
    """Return the pinned addresses of p5 named by the demos' ``package.json``."""
    try:
        package = json.loads((demos / "package.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    versions = [
        spec.rpartition("@")[2]
        for name, spec in package.get("dependencies", {}).items()
        if name == "p5" or "npm:p5@" in spec
    ]
    pinned = [one for one in versions if re.fullmatch(r"\d+\.\d+\.\d+[\w.-]*", one)]
    return " ".join(f"https://cdn.jsdelivr.net/npm/p5@{one}/lib/p5.min.js" for one in pinned)


def _client_headers() -> dict[str, str]:
    """The client library and p5 may be loaded by pages from anywhere: there is nothing in them."""
    return {
        **_common(),
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }


def _common() -> dict[str, str]:
    return {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }


def _sockets(door: Door, name: str) -> str:
    """Name our sockets: older browsers do not count them as 'self'."""
    names = (name, *door.names) if name == "localhost" else (name,)
    scheme = "wss" if door.tls else "ws"
    return " ".join(f"{scheme}://{one}" for each in names for one in door.authorities(each))


def _move(door: Door, name: str, target: str) -> Page:
    authority = door.authorities(name)[-1]
    # A target beginning with // would be read as another host's address.
    return Page(307, {**_common(), "Location": f"{door.scheme}://{authority}/{target.lstrip('/')}"})


def _studio_elsewhere() -> Page:
    return text(404, "the studio is only served on the machine itself, under 127.0.0.1\n")


def _file(root: Path, name: str, headers: dict[str, str], byte_range: str | None) -> Page:
    """Read a file below ``root``; a folder means its ``index.html``; nothing leads out of it."""
    try:
        path = (root / name.lstrip("/")).resolve()
        inside = path.is_relative_to(root.resolve())
        parts = path.relative_to(root.resolve()).parts if inside else ()
        hidden = any(part.startswith(".") for part in parts)
        if inside and not hidden and path.is_dir():
            if name and not name.endswith("/"):
                last = name.rstrip("/").rpartition("/")[2]
                return Page(308, {**headers, "Location": f"{quote(last)}/"})
            path = path / "index.html"
        if not inside or hidden or not path.is_file():
            return text(404, "not found\n")
        size = path.stat().st_size
        if size > MOST_BYTES:
            return text(413, f"files are served up to {MOST_BYTES // 2**20} MiB\n")
        body = path.read_bytes()
    except (OSError, ValueError):
        return text(404, "not found\n")
    kind = _TEXT.get(path.suffix.lower())
    media = f"{kind}; charset=utf-8" if kind else mimetypes.guess_type(path.name)[0]
    headers = {
        **headers,
        "Content-Type": media or "application/octet-stream",
        "Accept-Ranges": "bytes",
    }
    return _part(body, byte_range, headers)


def _part(body: bytes, byte_range: str | None, headers: dict[str, str]) -> Page:
    """Answer one range: Safari plays no sound or video without."""
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", byte_range or "")
    if found is None or found.group(0) == "bytes=-":
        return Page(200, headers, body)
    first, last = found.groups()
    start = int(first) if first else max(0, len(body) - int(last))
    stop = min(int(last), len(body) - 1) if first and last else len(body) - 1
    if start > stop:
        return Page(416, {**headers, "Content-Range": f"bytes */{len(body)}"})
    span = {**headers, "Content-Range": f"bytes {start}-{stop}/{len(body)}"}
    return Page(206, span, body[start : stop + 1])
