"""The log: one JSON object a line, bounded on disk, without secrets and without pictures.

Five files of two megabytes at most, in ``TMSTREAM_STATE/logs``. Whatever looks like a token, or is
one, is blotted out before it is written; a line is cut at `MAX_LINE` signs.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from ..core.resources import state_folder

log = logging.getLogger("tmstream")

MAX_FILE_BYTES = 2_000_000
FILES = 5
MAX_LINE = 4000
BLOT = "[secret]"

#: Long url-safe words (tokens, sessions, one-time codes), and whatever is named like a secret.
_SECRETS = re.compile(
    r"""(?ix) (?: \b(?:token|code|session|secret|password|authorization|cookie)\b
                  ["']? \s* [:=] \s* (?:bearer\s+)? ["']? | \#c= )
              (?P<named> [^\s"',;&}]+ )
        | (?<![\w/.-]) (?P<long> (?-i:(?=[\w-]*[A-Z])(?=[\w-]*[a-z])) [\w-]{20,} ) (?![\w/.-])"""
)


def blotted(text: str) -> str:
    """Return ``text`` with everything that may be a secret blotted out."""

    def blot(found: re.Match[str]) -> str:
        group = "named" if found["named"] is not None else "long"
        start, end = found.span(group)
        return text[found.start() : start] + BLOT + text[end : found.end()]

    return _SECRETS.sub(blot, text)


class Lines(logging.Formatter):
    """Formats a record as one line of JSON: ``time`` (UTC), ``level``, ``from``, ``text``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            # The place, not the values: a traceback's source lines hold no data.
            last = traceback.extract_tb(record.exc_info[2])[-3:]
            where = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(last))
            text += f" ({type(record.exc_info[1]).__name__}: {record.exc_info[1]}; {where})"
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "text": blotted(" ".join(text.split()))[:MAX_LINE],
        }
        return json.dumps(line, ensure_ascii=False)


def log_folder() -> Path:
    """Return where the logs are."""
    return state_folder() / "logs"


def start(level: int = logging.INFO) -> logging.Handler | None:
    """Write the log of ``tmstream`` from now on; an unwritable disk is no reason to stop."""
    folder = log_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = RotatingFileHandler(
            folder / "tmstream.jsonl",
            maxBytes=MAX_FILE_BYTES,
            backupCount=FILES - 1,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except OSError:
        return None
    handler.setFormatter(Lines())
    handler.setLevel(level)
    # A full disk must not print a traceback a line.
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    log.addHandler(handler)
    log.setLevel(min(level, log.level or level))
    return handler


def stop(handler: logging.Handler | None) -> None:
    """Close what `start` opened; with the last of them the level is nobody's any more."""
    if handler is not None:
        log.removeHandler(handler)
        handler.close()
        if not log.handlers:
            log.setLevel(logging.NOTSET)
