"""The list of commands: names and one-liners here, modules only when a command is called."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from ..core.words import nearest

#: Sections of ``--help``; each command is ``cli.MODULE:FUNCTION`` and what it does in a line.
SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Show": {
        "demo": ("demo:demo", "Hear and see it work: a performer of its own, or you."),
        "run": ("run:run", "Run a pipeline."),
        "open": ("open:open_studio", "Open the studio of the running engine in a browser."),
        "replay": ("replay:replay", "Let a recorded evening happen once more."),
        "kiosk": ("kiosk:kiosk", "Run unattended, and start with the machine."),
        "new": ("new:new", "Make a folder with a p5 sketch to start from."),
        "allow-origin": ("open:allow_origin", "Let pages of another address listen."),
    },
    "Teach": {
        "teach": ("teach:teach", "Teach from a folder, a table, or the microphone."),
        "classify": ("classify:classify", "Say what is in files."),
        "evaluate": ("evaluate:evaluate", "Judge a project on people and takes it was not taught."),
        "tune": ("tune:tune", "Choose settings by measuring, and say what it gained."),
        "lint": ("lint:lint", "Find what is wrong with the examples, and how to mend it."),
        "augment": ("augment:augment", "Make variants of what was taught, or delete them."),
        "reembed": ("reembed:reembed", "Make the examples' vectors again from their clips."),
    },
    "Project": {
        "info": ("info:info", "Say what a project holds."),
        "undo": ("journal:undo", "Take back the last change."),
        "redo": ("journal:redo", "Make a change again that was taken back."),
        "snapshot": ("journal:snapshot", "Name the present state."),
        "restore": ("journal:restore", "Return to a named state."),
        "snapshots": ("journal:snapshots", "List the named states."),
        "erase": ("erase:erase", "Remove a person, a label or a time for good."),
        "export": ("copy:export", "Write a copy of a project as one plain file."),
        "import": ("copy:import_", "Add the examples of one project to another."),
    },
    "Look": {
        "check": ("check:check", "Check a pipeline without running it."),
        "nodes": ("nodes:nodes", "List the node types, or explain one."),
        "devices": ("devices:devices", "List microphones and cameras."),
        "doctor": ("doctor:doctor", "Look at this machine, and say what to install."),
        "schema": ("schema:schema", "Print the JSON Schema of pipelines or of messages."),
    },
}


class LazyGroup(click.Group):
    """Knows its commands by name; imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for section in SECTIONS.values():
            if cmd_name in section:
                module, _, function = section[cmd_name][0].partition(":")
                command: Any = getattr(import_module(f"{__package__}.{module}"), function)
                assert isinstance(command, click.Command)
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0]!r}{nearest(args[0], names)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, line) for name, (_, line) in section.items()])
