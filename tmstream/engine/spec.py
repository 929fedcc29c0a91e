"""The YAML on paper: names, values and the lines they stand on. No node is built here.

YAML 1.2, so ``on``, ``off``, ``yes`` and ``no`` are labels, not booleans. Tags, aliases and names
written twice are refused: a pipeline is data, and a small one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ..core.errors import SpecError
from .nearest import did_you_mean

_CORE = "tag:yaml.org,2002:"
_MAX_BYTES = 1_000_000
_KEYS = ("nodes", "server", "project", "private", "realtime")


@dataclass(frozen=True)
class NodeSpec:
    """One entry under ``nodes:``. Whatever is not ``type`` or ``from`` is a parameter."""

    name: str
    type: str
    sources: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    #: The parameters without those that the project has set: what an undone setting returns to.
    written: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Pipeline:
    """A pipeline file as read; ``lines`` maps a dotted field to its line, counted from 1."""

    path: Path
    nodes: tuple[NodeSpec, ...]
    server: Mapping[str, Any] = field(default_factory=dict)
    project: Path | None = None
    private: bool = False
    realtime: bool = False
    lines: Mapping[str, int] = field(default_factory=dict)

    def where(self, name: str) -> str:
        """Return ``file:line: name``, as every complaint begins."""
        line = next((self.lines[n] for n in _outward(name) if n in self.lines), None)
        return f"{self.path}:{line}: {name}" if line else f"{self.path}: {name}"

    def with_node(self, spec: NodeSpec) -> Pipeline:
        """Return the pipeline with the node of that name replaced."""
        return replace(self, nodes=tuple(spec if n.name == spec.name else n for n in self.nodes))

    def node(self, name: str) -> NodeSpec:
        """Return the node of that name.

        Raises:
            SpecError: there is none; the nearest name is offered.
        """
        for spec in self.nodes:
            if spec.name == name:
                return spec
        names = [spec.name for spec in self.nodes]
        raise SpecError(f"{self.path}: no node named {name!r}{did_you_mean(name, names)}")


def read(path: Path) -> Pipeline:
    """Read a pipeline file.

    Raises:
        SpecError: naming file, line and field.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{path}: cannot read the pipeline: {error.strerror}") from error
    if len(raw) > _MAX_BYTES:
        raise SpecError(f"{path}: {len(raw)} bytes is too large for a pipeline")
    try:
        return parse(raw.decode("utf-8"), path)
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error


def parse(text: str, path: Path = Path("<pipeline>")) -> Pipeline:
    """Read a pipeline from text; ``path`` is for messages and for relative files."""
    document, lines = _load(text, path)
    sketch = Pipeline(path, (), lines=lines)
    if not isinstance(document, dict):
        raise SpecError(f"{path}: expected a mapping with 'nodes:'")
    for key in document:
        if key not in _KEYS:
            raise SpecError(f"{sketch.where(str(key))}: unknown{did_you_mean(str(key), _KEYS)}")
    nodes = _expect(sketch, "nodes", document.get("nodes"), dict, "a mapping of node names")
    if not nodes:
        raise SpecError(f"{sketch.where('nodes')}: no node in it")
    project = document.get("project")
    if project is not None:
        project = path.parent / Path(_expect(sketch, "project", project, str, "a file name"))
    flags = {
        key: _expect(sketch, key, document.get(key, False), bool, "true or false")
        for key in ("private", "realtime")
    }
    return replace(
        sketch,
        nodes=tuple(_node(sketch, name, entry) for name, entry in nodes.items()),
        server=_expect(sketch, "server", document.get("server", {}), dict, "a mapping"),
        project=project,
        **flags,
    )


def value_of(text: str) -> Any:
    """Return a value written on the command line as YAML would read it (``0.7``, ``[a, b]``)."""
    return _load(text, Path("--set"))[0]


def _node(sketch: Pipeline, name: Any, entry: Any) -> NodeSpec:
    field_name = f"nodes.{name}"
    if not isinstance(name, str) or not name or "." in name:
        raise SpecError(f"{sketch.where(field_name)}: a node's name is text without dots")
    entry = _expect(sketch, field_name, entry, dict, "a mapping with a 'type'")
    if "type" not in entry:
        raise SpecError(f"{sketch.where(field_name)}: has no 'type'")
    kind = _expect(sketch, f"{field_name}.type", entry["type"], str, "a node type")
    feeds = entry.get("from", [])
    feeds = [feeds] if isinstance(feeds, str) else feeds
    if not isinstance(feeds, list) or not all(isinstance(one, str) for one in feeds):
        raise SpecError(
            f"{sketch.where(field_name + '.from')}: expected a node name or a list of them"
        )
    params = {str(key): value for key, value in entry.items() if key not in ("type", "from")}
    return NodeSpec(name, kind, tuple(dict.fromkeys(feeds)), params)


def _expect(sketch: Pipeline, name: str, value: Any, kind: type, words: str) -> Any:
    if not isinstance(value, kind):
        raise SpecError(f"{sketch.where(name)}: expected {words}, got {value!r}")
    return value


def _outward(name: str) -> Iterable[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]


def _load(text: str, path: Path) -> tuple[Any, dict[str, int]]:
    if text.startswith("%") or "\n%" in text:
        raise SpecError(f"{path}: YAML directives (%...) are not allowed")
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
        if root is None:
            return None, {}
        lines: dict[str, int] = {}
        return _plain(yaml, root, "", lines, set(), path), lines
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark is not None else ""
        what = " ".join(str(error.problem or error.context or error).split())
        hint = "; indent with spaces" if r"'\t'" in what else ""
        raise SpecError(f"{path}{line}: not readable as YAML: {what}{hint}") from error
    except SpecError:
        raise
    except (YAMLError, ValueError, RecursionError) as error:
        what = " ".join(str(error).split())
        raise SpecError(f"{path}: not readable as YAML: {what}") from error


def _plain(
    yaml: YAML, node: Node, name: str, lines: dict[str, int], seen: set[int], path: Path
) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(name, line)
    here = f"{path}:{line}: {name}: " if name else f"{path}:{line}: "
    if id(node) in seen:
        raise SpecError(f"{here}aliases (*name) are not allowed; write the value again")
    seen.add(id(node))
    if not str(node.tag).startswith(_CORE):
        raise SpecError(f"{here}tags ({node.tag}) are not allowed")
    if node.tag == f"{_CORE}merge":
        raise SpecError(f"{here}merging (<<) is not allowed; write the values again")
    if isinstance(node, ScalarNode):
        return yaml.constructor.construct_object(node)
    if isinstance(node, SequenceNode):
        return [
            _plain(yaml, item, f"{name}[{i}]", lines, seen, path)
            for i, item in enumerate(node.value)
        ]
    assert isinstance(node, MappingNode)
    mapping: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = _plain(yaml, key_node, f"{name}.?" if name else "?", {}, seen, path)
        key_line = key_node.start_mark.line + 1
        if isinstance(key, (list, dict)) or key in mapping:
            what = "is not a name" if isinstance(key, (list, dict)) else "appears twice"
            raise SpecError(f"{path}:{key_line}: {name + '.' if name else ''}{key}: {what}")
        inner = f"{name}.{key}" if name else str(key)
        lines[inner] = key_line
        mapping[key] = _plain(yaml, value_node, inner, lines, seen, path)
    return mapping
