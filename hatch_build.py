"""What goes into a wheel beside the package: pipelines, models, demos, and p5 from npm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("pipelines", "models", "demos")
UNWANTED = {"node_modules", "__pycache__"}
#: Of node_modules only what a sketch loads: the minified p5 of both generations, and its licence.
FROM_NPM = ("lib/p5.min.js", "license.txt", "package.json")


class Resources(BuildHookInterface):
    """Put resources where `tmstream.core.resources` looks for them in a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name every file to include; an editable install reads them from the checkout."""
        if version == "editable":
            return
        root = Path(self.root)
        for folder in FOLDERS:
            for path in sorted((root / folder).rglob("*")):
                name = path.relative_to(root)
                hidden = path.name[0] == "." or UNWANTED & set(name.parts)
                if path.is_file() and not hidden:
                    build_data["force_include"][str(path)] = f"tmstream/{name.as_posix()}"
        for package in (root / "demos" / "node_modules").glob("p5*"):
            for wanted in FROM_NPM:
                if (package / wanted).is_file():
                    name = (package / wanted).relative_to(root)
                    build_data["force_include"][str(package / wanted)] = (
                        f"tmstream/{name.as_posix()}"
                    )
