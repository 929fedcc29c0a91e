"""What makes a pipeline an exhibit: guarded, looked after, and started with the machine."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import escape

from ..core.node import Transform
from ..core.packet import Audio, Scores
from ..engine.registry import Registry
from ..engine.spec import NodeSpec, Pipeline

NAME = "tmstream"
WATCHDOG_S = 30
#: A sketch makes sound without a click, fills the screen, and never asks anybody anything.
CHROMIUM_FLAGS = (
    "--kiosk",
    "--noerrdialogs",
    "--disable-session-crashed-bubble",
    "--no-first-run",
    "--no-default-browser-check",
    "--autoplay-policy=no-user-gesture-required",
    "--overscroll-history-navigation=0",
    "--disable-pinch",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
)
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge")


def guarded(
    pipeline: Pipeline, registry: Registry, *, health_listen: str | None = None
) -> Pipeline:
    """Return the pipeline as an exhibit runs it.

    Private unless the file itself says ``private: false``, and with a caretaker that knows which
    nodes each source must reach.
    """
    if "private" not in pipeline.lines:
        pipeline = replace(pipeline, private=True)
    if any(spec.type == "caretaker" for spec in pipeline.nodes):
        return pipeline
    chains: dict[str, list[str]] = {}
    heard: list[str] = []
    for spec in pipeline.nodes:
        factory = registry[spec.type]
        if not spec.sources:
            chains[spec.name] = [
                reader.name
                for reader in pipeline.nodes
                if spec.name in reader.sources and isinstance(registry[reader.type], Transform)
            ]
        gives = getattr(factory, "gives", ())
        if (not spec.sources and Audio in gives) or Scores in gives:
            heard.append(spec.name)
    heard = heard or list(chains)[:1]
    params = {"chains": chains, "health_listen": health_listen}
    care = NodeSpec(_free(pipeline, "caretaker"), "caretaker", tuple(heard), params)
    return replace(pipeline, nodes=(*pipeline.nodes, care))


def _free(pipeline: Pipeline, name: str) -> str:
    taken = {spec.name for spec in pipeline.nodes}
    return next(one for one in (name, *(f"{name}{i}" for i in range(2, 99))) if one not in taken)


def command(*arguments: str) -> list[str]:
    """Return the command line that starts this installation with these arguments."""
    return [sys.executable, "-m", "tmstream", *arguments]


def browser_command(url: str, profile: Path, *, position: str | None = None) -> list[str] | None:
    """Return the line that shows ``url`` full screen, or None without a browser that can.

    ``position`` is ``X,Y``: a corner of the display it belongs on.
    """
    for name in CHROMIUMS:
        if (found := shutil.which(name)) is not None:
            place = [f"--window-position={position}"] if position else []
            return [found, *CHROMIUM_FLAGS, f"--user-data-dir={profile}", *place, url]
    if (found := shutil.which("firefox")) is not None:
        return [found, "--kiosk", "--profile", str(profile), url]
    return None


def systemd_units(
    pipeline: Path, options: Sequence[str], browser: Sequence[str] | None = None
) -> dict[str, str]:
    """Return systemd *user* units by file name: a system unit often has no microphone.

    ``options`` are those of the engine; ``browser`` those of the page it shows, None for no page.
    """
    engine = _systemd_line(command("kiosk", str(pipeline), *options))
    units = {
        f"{NAME}.service": f"""\
# Made by: tmstream kiosk {pipeline.name} --install
[Unit]
Description=tmstream engine ({_percent(pipeline.name)})
After=pipewire-pulse.service pulseaudio.service
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={engine}
Restart=always
RestartSec=2
# Fed only while packets move or a device is openly awaited.
WatchdogSec={WATCHDOG_S}
WatchdogSignal=SIGKILL
TimeoutStartSec=120
TimeoutStopSec=10
MemoryMax=2G
NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
# A user manager without the right to load BPF passes over these two; see docs/exhibit.md.
IPAddressDeny=any
IPAddressAllow=localhost

[Install]
WantedBy=default.target
"""
    }
    if browser is not None:
        show = _systemd_line(command("kiosk", str(pipeline), "--show", *browser))
        units[f"{NAME}-browser.service"] = f"""\
# Made by: tmstream kiosk {pipeline.name} --install
[Unit]
Description=tmstream sketch, full screen
After=graphical-session.target {NAME}.service
StartLimitIntervalSec=0

[Service]
ExecStart={show}
Restart=always
RestartSec=2

[Install]
WantedBy=graphical-session.target
"""
    return units


def _systemd_line(words: Sequence[str]) -> str:
    return " ".join(
        '"' + _percent(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$") + '"'
        for word in words
    )


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def windows_task(pipeline: Path, options: Sequence[str]) -> str:
    """Return a Task Scheduler entry that starts the engine at logon, for ever. Untried."""
    program, *rest = command("kiosk", str(pipeline), *options)
    arguments = " ".join(f'"{word}"' for word in rest)
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>tmstream engine</Description></RegistrationInfo>
  <Triggers><LogonTrigger><Enabled>true</Enabled></LogonTrigger></Triggers>
  <Principals>
    <Principal id="Author"><LogonType>InteractiveToken</LogonType></Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec><Command>{escape(program)}</Command><Arguments>{escape(arguments)}</Arguments></Exec>
  </Actions>
</Task>
"""


def launch_agent(pipeline: Path, options: Sequence[str]) -> str:
    """Return a macOS launch agent that keeps the engine running. Untried."""
    words = "\n".join(
        f"    <string>{escape(word)}</string>" for word in command("kiosk", str(pipeline), *options)
    )
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key><string>org.tmstream.engine</string>
  <key>ProgramArguments</key>
  <array>
{words}
  </array>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key><true/>
  <key>ProcessType</key><string>Interactive</string>
</dict>
</plist>
"""
