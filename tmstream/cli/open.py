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

    from ..core.errors import InputError
    from ..server.state import find_running, state_folder

    folder = state_folder()
    running = find_running(folder)
    if running is None:
        raise InputError("no engine runs on this machine; start one with: tmstream run PIPELINE")
    code = asyncio.run(_ask_for_code(folder, running.port, running.tls))
    scheme = "https" if running.tls else "http"
    url = f"{scheme}://127.0.0.1:{running.port}/#c={code}"
    click.echo(url)
    if not no_browser and has_screen():
        webbrowser.open(url)


async def _ask_for_code(folder: object, port: int, tls: bool) -> str:
    """Trade the control token for a one-time code, over the engine's own socket."""
    import json
    import ssl
    from pathlib import Path

    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    from ..core.errors import InputError
    from ..server.tokens import read_token

    token = read_token(Path(str(folder)), "control")
    context = ssl.create_default_context() if tls else None
    if context is not None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # our own loopback
    try:
        address = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/ws"
        async with connect(address, ssl=context, open_timeout=3, max_size=2**22) as socket:
            await socket.send(json.dumps({"type": "auth", "id": 1, "token": token}))
            await _reply(socket, 1)
            await socket.send(json.dumps({"type": "new_code", "id": 2}))
            made = await _reply(socket, 2)
    except (OSError, TimeoutError, WebSocketException) as error:
        raise InputError(f"the engine on port {port} does not answer ({error})") from error
    code = made["code"] if isinstance(made, dict) else made
    return str(code)


async def _reply(socket: object, number: int) -> object:
    import asyncio
    import json
    from typing import Any, cast

    from ..core.errors import InputError

    async with asyncio.timeout(3):
        async for text in cast(Any, socket):
            said = json.loads(text)
            if said.get("type") == "reply" and said.get("id") == number:
                if not said["ok"]:
                    raise InputError(said["error"]["message"])
                return cast(object, said.get("result"))
    raise InputError("the engine closed the connection")


@click.command("allow-origin")
@click.argument("url")
def allow_origin(url: str) -> None:
    """Let pages of URL (such as https://preview.p5js.org) listen; never more than that.

    An engine that runs already lets them in at once.
    """
    from ..server.state import allow_origin as allow
    from ..server.state import state_folder

    click.echo(f"pages of {allow(state_folder(), url)} may listen")
