"""What makes a pipeline an exhibit: guarded, looked after, and started with the machine."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.sax.saxutils import escape

from ..core.node import Transform
from ..core.packet import Audio, Scores
from ..engine.registry import Registry
from ..engine.spec import NodeSpec, Pipeline

NAME = "tmstream"
WATCHDOG_S = 30
LOOPBACK = ("127.0.0.1", "localhost", "::1")
DESKTOP_S = 20.0  #: for a desktop that is still starting to answer
#: A sketch makes sound without a click, fills the screen, and never asks anybody anything.
CHROMIUM_FLAGS = (
    "--kiosk",
    "--noerrdialogs",
    # After a power cut it would offer to restore its pages.
    "--disable-session-crashed-bubble",
    "--hide-crash-restore-bubble",
    # The keyring of a user who is logged in by the machine is locked, and asks for a password.
    "--password-store=basic",
    "--no-first-run",
    "--no-default-browser-check",
    "--autoplay-policy=no-user-gesture-required",
    "--overscroll-history-navigation=0",
    "--disable-pinch",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
)
HOME_ONLY = """\
# A user manager without the right to load BPF passes over these two; see docs/exhibit.md.
IPAddressDeny=any
IPAddressAllow=localhost
"""
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
    # -P: a random.py in the home folder, where services start, must not stand in for Python's own.
    return [sys.executable, "-P", "-m", "tmstream", *arguments]


def stays_home(pipeline: Pipeline, *, health_listen: str | None = None) -> bool:
    """Tell whether nothing of the pipeline is meant for another machine."""
    hosts = [str(pipeline.server.get("host", LOOPBACK[0]))]
    if health_listen is not None:
        hosts.append(health_listen.rpartition(":")[0].strip("[]"))
    hosts += [
        str(spec.params.get("host", LOOPBACK[0])) for spec in pipeline.nodes if spec.type == "osc"
    ]
    return all(host in LOOPBACK for host in hosts)


def show_windows() -> None:
    """Leave GNOME's overview, in which it starts: a window opened there stays small in it."""
    gdbus = shutil.which("gdbus")
    if gdbus is not None and "GNOME" in os.environ.get("XDG_CURRENT_DESKTOP", "").split(":"):
        shell = ["--dest", "org.gnome.Shell", "--object-path", "/org/gnome/Shell"]
        call = ["--method", "org.freedesktop.DBus.Properties.Set"]
        words = [*shell, *call, "org.gnome.Shell", "OverviewActive", "<false>"]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                [gdbus, "call", "--session", *words],
                check=False, capture_output=True, timeout=DESKTOP_S,
            )  # fmt: skip


@dataclass
class PageWatch:
    """Tells when a page that was connected is gone, though its browser lives: it has crashed."""

    patience: int  #: looks without a page before that is said
    _seen: bool = field(default=False, init=False)
    _without: int = field(default=0, init=False)

    def gone(self, pages: int | None) -> bool:
        """Take one look: how many pages the engine has, or None when it does not answer."""
        if pages is None:  # a page cannot connect then, and will by itself
            self._without = 0
        elif pages:
            self._seen, self._without = True, 0
        else:
            self._without += self._seen
        return self._without >= self.patience


def foreign_scripts(sketch: Path) -> list[str]:
    """Return the addresses on the network that a sketch's page loads scripts from."""
    text = (sketch / "index.html").read_text("utf-8", errors="replace")
    return re.findall(r"""<script[^>]*\bsrc\s*=\s*["']?(https?://[^"'\s>]+)""", text)


def browser_command(url: str, profile: Path, *, position: str | None = None) -> list[str] | None:
    """Return the line that shows ``url`` full screen, or None without a browser that can.

    ``position`` is ``X,Y``: a corner of the display it belongs on.
    """
    for name in CHROMIUMS:
        if (found := shutil.which(name)) is not None:
            place = [f"--window-position={position}"] if position else []
            if position and sys.platform.startswith("linux"):
                # Wayland lets no window choose its place; through Xwayland it may.
                place.append("--ozone-platform=x11")
            return [found, *CHROMIUM_FLAGS, f"--user-data-dir={profile}", *place, url]
    if (found := shutil.which("firefox")) is not None:
        return [found, "--kiosk", "--profile", str(profile), url]
    return None


def systemd_units(
    pipeline: Path,
    options: Sequence[str],
    browser: Sequence[str] | None = None,
    *,
    home: bool = True,
) -> dict[str, str]:
    """Return systemd *user* units by file name: a system unit often has no microphone.

    ``options`` are those of the engine; ``browser`` those of the page it shows, None for no page.
    ``home``: whether it has nobody to answer on another machine, so that all others may be refused.
    """
    walls = HOME_ONLY if home else ""
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
# A cold, busy machine is slow after a power cut: killed while it starts, it might never run.
TimeoutStartSec=300
TimeoutStopSec=10
MemoryMax=2G
NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
{walls}
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
