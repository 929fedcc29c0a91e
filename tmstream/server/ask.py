"""Ask the engine that this user has running to do something: a native program at the door."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from ..core import messages as m
from ..core.errors import DeviceError, InputError
from .sockets import wire_log
from .state import Running, find_running, state_folder
from .tokens import read_token

ANSWER_S = 60.0  #: an evaluation takes its time


def running_engine() -> Running:
    """Return where this user's engine listens.

    Raises:
        DeviceError: none is running.
    """
    running = find_running(state_folder())
    if running is None:
        raise DeviceError("no engine is running; start one with: tmstream run PIPELINE")
    return running


async def ask(command: m.Command, *, running: Running | None = None) -> Any:
    """Send one command with the control token and return its result.

    Raises:
        DeviceError: no engine of this user is running, or it went away.
        InputError: it refused the command.
    """
    running = running or running_engine()
    scheme, context = ("wss", _own_certificate()) if running.tls else ("ws", None)
    address = f"{scheme}://127.0.0.1:{running.port}/ws"
    auth = m.Auth(id="auth", token=read_token(state_folder(), "control"))
    try:
        async with (
            asyncio.timeout(ANSWER_S),
            connect(
                address, ssl=context, compression=None, proxy=None, logger=wire_log, max_size=None
            ) as socket,
        ):
            await _reply(socket, auth)
            return await _reply(socket, command)
    except (OSError, WebSocketException) as error:
        raise DeviceError(
            f"no engine answers at port {running.port}; "
            f"start one with: tmstream run PIPELINE ({error})"
        ) from None


async def _reply(socket: Any, command: m.Command) -> Any:
    await socket.send(msgspec.json.encode(command).decode())
    async for text in socket:
        message = msgspec.json.decode(text)
        if message.get("type") == "reply" and message.get("id") == command.id:
            if not message["ok"]:
                raise InputError(message["error"]["message"])
            return message.get("result")
    raise DeviceError("the engine closed the connection without an answer")


def _own_certificate() -> ssl.SSLContext:
    """The engine's certificate names the exhibit, not 127.0.0.1; nothing leaves this machine."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
