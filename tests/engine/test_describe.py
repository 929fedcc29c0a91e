"""What a client is told about the pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from tmstream.core.messages import GraphNode, LiveParameter
from tmstream.core.resources import resource
from tmstream.engine.describe import hello
from tmstream.engine.graph import Graph, build
from tmstream.engine.registry import Registry
from tmstream.engine.spec import read

NODES = """
nodes:
  cam:  {type: walker, picture: true}
  who:  {type: body_landmarks, from: cam}
  pose: {type: body_embedding, from: who}
  head: {type: knn, from: pose, strictness: 0.9}
  out:  {type: websocket, from: [head, cam]%s}
"""


@pytest.fixture
def graph_of(tmp_path: Path):  # type: ignore[no-untyped-def]
    def built(nodes: str) -> Graph:
        (tmp_path / "p.yaml").write_text(nodes)
        return build(read(tmp_path / "p.yaml"), Registry.installed())

    return built


def test_the_greeting_draws_the_graph_and_says_what_can_be_changed(graph_of) -> None:  # type: ignore[no-untyped-def]
    graph = graph_of(NODES % "")
    said = hello(graph, None, "1.2")
    assert (said.version, said.pipeline, said.project) == ("1.2", "p.yaml", None)
    assert GraphNode("out", "websocket", ["head", "cam"]) in said.graph
    assert [one.name for one in said.graph] == ["cam", "who", "pose", "head", "out"]
    assert said.live == [
        LiveParameter("who", "focus", "all"),
        LiveParameter("head", "strictness", 0.9),
    ]
    # What `set` does to a slot is what the next visitor is told.
    graph.slots["head"].params = {**graph.slots["head"].params, "strictness": 0.2}
    assert LiveParameter("head", "strictness", 0.2) in hello(graph, None, "1.2").live


@pytest.mark.parametrize(
    ("private", "share", "video", "shares"),
    [
        ("", "", True, False),
        ("", ", share_video: true", True, True),
        ("private: true\n", ", share_video: true", False, False),
    ],
)
def test_the_camera_is_named_unless_the_exhibit_is_private(
    graph_of,  # type: ignore[no-untyped-def]
    private: str,
    share: str,
    video: bool,
    shares: bool,
) -> None:
    said = hello(graph_of(private + NODES % share), None, "")
    assert ("video" in said.streams) == video
    assert said.shares_video == shares
    assert {"prediction", "status"} <= set(said.streams)
    assert "spectrum" not in said.streams


@pytest.mark.parametrize("name", ["body", "hands", "gesture", "image", "duet"])
def test_shipped_pipelines_show_their_camera_to_the_studio_alone(name: str) -> None:
    said = hello(
        build(read(resource("pipelines") / f"{name}.yaml"), Registry.installed()), None, ""
    )
    assert "video" in said.streams
    assert not said.shares_video
