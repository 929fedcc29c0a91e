"""The command line: one thin file a command, and none of them imported before it is asked for."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from .. import __version__
from ..core.errors import ContractError, SpecError, TmstreamError
from ._lazy import LazyGroup

__all__ = ["cli", "main"]

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130

#: A native pool that spins costs four times the CPU it saves; read when numpy is first imported.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: tmstream demo. Then: tmstream COMMAND --help.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
@click.version_option(__version__, prog_name="tmstream")
def cli(debug: bool) -> None:
    """Teach a few examples of a sound, pose or picture; stream what is recognised to p5.js."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command, and end the process with the status the contract names.

    0 done, 1 a failure explained in one line, 2 wrong usage or an invalid pipeline, 130 Ctrl-C.
    """
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started us, or a window without a console
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - stays open
            setattr(sys, name, nowhere)
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments[:1]
    try:
        status = cli.main(args=arguments, prog_name="tmstream", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain once more when it flushes.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = FAILED
    except (KeyboardInterrupt, click.Abort) as error:
        # click has put its own in the place of Ctrl-C, and of a question answered with no.
        first = error if isinstance(error, KeyboardInterrupt) else error.__cause__
        told = "nothing was done" if first is None else str(first)
        click.echo(f"interrupted{told and f': {told}'}", err=True)
        status = INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        status = WRONG_USAGE
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context is not None else ""
        click.echo(f"error: {error.format_message()}{hint}", err=True)
        status = error.exit_code
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, one line explains it
        if debug:
            traceback.print_exception(error)
        line, status = explained(error)
        click.echo(f"error: {line}", err=True)
    sys.exit(status if isinstance(status, int) else 0)


def explained(error: BaseException) -> tuple[str, int]:
    """Return the one line that says what went wrong, and the exit status it stands for."""
    first = _leaf(error)
    if isinstance(first, KeyboardInterrupt):
        return "interrupted", INTERRUPTED
    if isinstance(first, BrokenPipeError):
        return "the reader of this output has gone", FAILED
    text = " ".join(str(first).split())
    if isinstance(first, SpecError | ContractError):
        return text, WRONG_USAGE
    if isinstance(first, TmstreamError | OSError):
        return text, FAILED
    return (
        f"unexpected {type(first).__name__}: {text} (tmstream --debug ... shows where)",
        FAILED,
    )


def _leaf(error: BaseException) -> BaseException:
    """Return the exception that says most: one raised on purpose, wherever it is in a group."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [_leaf(one) for one in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, TmstreamError)), leaves[0])
