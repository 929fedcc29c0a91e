"""Faces from a table of landmarks: taught, asked, varied and embedded again like everything else."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.embed.test_face import face
from tmstream.engine.registry import Registry
from tmstream.lab import choice
from tmstream.lab.classify import classify
from tmstream.lab.pool import Pool
from tmstream.lab.reembed import reembed
from tmstream.lab.samples import find
from tmstream.lab.teach import teach
from tmstream.lab.vary import plan, vary
from tmstream.store.project import Project

LOOKS = {"calm": {}, "gape": {"gape": 0.25}, "wink": {"shut_right": 1.0, "lift": 0.02}}


def table_of(path: Path, seed: int, people: int) -> Path:
    """Write faces in pixels, every person's own a little different."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["label", "person", *(f"f{i}_{axis}" for i in range(468) for axis in "xyz")])
        for person in range(people):
            own = rng.normal(0, 0.0006, (468, 3))
            for label, look in LOOKS.items():
                points = face(**look)[:, :3] + own + rng.normal(0, 0.0003, (468, 3))
                rows.writerow([label, f"{seed}-{person}", *(points * 640).round(2).ravel()])
    return path


def test_a_table_of_faces_goes_the_whole_way(tmp_path: Path) -> None:
    samples = find([table_of(tmp_path / "taught.csv", 1, 5)])
    assert {one.kind for one in samples} == {"face"}
    pipeline = choice.fitting(samples)
    assert pipeline.path.stem == "face"
    asked = find([table_of(tmp_path / "asked.csv", 2, 4)])
    with Project.open(tmp_path / "lab.tms", create=True) as project:
        with Pool(pipeline, Registry.installed()) as pool:
            teach(project, pool, samples)
            pieces, told = plan(project, ["face"], ["wink"])
            vary(project, pool, pieces, told)
        assert told["wink"].variants == 15
        answers = list(classify(project, pipeline, Registry.installed(), asked))
        assert [one.label for one in answers] == [one.label for one in asked]
        assert choice.name_of(project, pipeline) == "face"
        before = expressions(project)
        reembed(project, _head_removed(pipeline), Registry.installed())
        assert {len(one.vector) for one in project.examples()} == {18}
        np.testing.assert_allclose(expressions(project), before, atol=1e-5)


def expressions(project: Project) -> list[list[float]]:
    """Return the part of every vector that says nothing of the head, in an order of its own."""
    return sorted(one.vector[:18].tolist() for one in project.examples())


def _head_removed(pipeline):
    nodes = [
        replace(spec, params={**spec.params, "head": "remove"})
        if spec.type == "face_embedding" else spec
        for spec in pipeline.nodes
    ]  # fmt: skip
    return replace(pipeline, nodes=tuple(nodes))
