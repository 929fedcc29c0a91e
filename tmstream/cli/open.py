"""The running engine's studio, and who else may listen."""

from __future__ import annotations

import webbrowser

import click

from ._house import has_screen


@click.command("open")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def open_studio(no_browser: bool) -> None:
    """Open the studio of the engine that runs on this machine.

    The address holds a code that is good once, for a minute.
    """
    import asyncio

    from ..core.messages import NewCode
    from ..server.ask import ask, running_engine

    running = running_engine()
    code = asyncio.run(ask(NewCode(id="open"), running=running))["code"]
    url = f"{'https' if running.tls else 'http'}://127.0.0.1:{running.port}/#c={code}"
    click.echo(url)
    if not no_browser and has_screen():
        webbrowser.open(url)


@click.command("allow-origin")
@click.argument("url")
def allow_origin(url: str) -> None:
    """Let pages of URL (such as https://preview.p5js.org) listen; never more than that.

    An engine that runs already lets them in at once.
    """
    from ..server.state import allow_origin as allow
    from ..server.state import state_folder

    click.echo(f"pages of {allow(state_folder(), url)} may listen")
