import numpy as np
import pytest

from tmstream.backends.models import find_model
from tmstream.backends.onnx import OnnxModel
from tmstream.core.errors import ModelError
from tmstream.core.packet import Absent, Embedding, Features, Image, Landmarks, Packet
from tmstream.core.resources import resource
from tmstream.embed.image import ImageEmbedding, views
from tmstream.embed.onnx import OnnxEmbedding
from tmstream.testing import check_transform, feed, opened


def picture(seed=0, shape=(120, 160, 3)):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return np.kron(small, np.ones((shape[0] // 6, shape[1] // 8, 1), np.uint8))


def test_views_are_what_the_model_was_trained_on():
    grey = np.full((300, 400, 3), 127, np.uint8)
    shown = views(grey)
    assert shown.shape == (2, 3, 224, 224)
    assert np.abs(shown).max() == 0
    left = np.zeros((300, 300, 3), np.uint8)
    left[:, :150] = 255
    plain, mirrored = views(left)
    assert plain[0, 100, 10] > 0 > plain[0, 100, 200]
    assert mirrored[0, 100, 10] < 0 < mirrored[0, 100, 200]


def test_it_keeps_the_promises_of_a_transform():
    packets = [
        Packet(0, Image(picture())),
        Packet(10_000, Image(picture(1))),  # within a fifteenth of a second: passed over
        Packet(100_000, Image(np.zeros((0, 0, 3), np.uint8))),
        Packet(200_000, Image(np.zeros((1, 1, 3), np.uint8))),
        Packet(300_000, Image(np.zeros((64, 64, 3), np.float32))),
        Packet(400_000, Image(np.zeros((64, 64), np.uint8))),
        Packet(500_000, Image(picture(2))),
    ]
    made = check_transform(lambda: opened(ImageEmbedding()), packets)
    assert [type(m.data) for m in made] == [Embedding, *[Absent] * 4, Embedding]
    assert made[0].data.vector.shape == (1280,)
    assert all(m.data.reason == "bad_frame" for m in made[1:5])


def test_a_stream_that_begins_again_is_looked_at_at_once():
    node = opened(ImageEmbedding(hz=1.0))
    times = (9_000_000, 9_500_000, 0, 500_000, 1_000_000)
    made = feed(node, *(Packet(t_us, Image(picture())) for t_us in times))
    assert [one.t_us for one in made] == [9_000_000, 0, 1_000_000]


def test_a_region_is_all_that_counts():
    one, other = picture(0), picture(0)
    other[:, 80:] = 0
    node = {"region": [0.0, 0.0, 0.5, 1.0]}
    a, b = (
        feed(opened(ImageEmbedding(**node)), Packet(0, Image(p)))[0].data.vector
        for p in (one, other)
    )
    np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="region"):
        ImageEmbedding(region=[0.5, 0, 0.4, 1])


def test_a_users_own_model_runs():
    path = str(resource("models") / "image.onnx")
    node = opened(OnnxEmbedding(path=path, space="mine", mean=127, std=128))
    made = feed(node, Packet(0, Image(picture())), Packet(1, Landmarks(np.zeros((33, 4)), "body")))
    assert [m.data.space for m in made] == ["mine"]
    ours = OnnxModel(find_model("image")).run(views(picture())[:1])[0]
    np.testing.assert_allclose(made[0].data.vector, ours, rtol=1e-5)
    assert node.fingerprint != opened(OnnxEmbedding(path=path, mean=0)).fingerprint


def test_features_are_evidence_until_their_last_row():
    node = opened(
        OnnxEmbedding(path=str(resource("models") / "sound_events.onnx"), input="features")
    )
    heard = Features(np.ones((96, 257), np.float32), 0.01)
    (made,) = feed(node, Packet(1_000_000, heard))
    assert made.data.vector.shape == (1024,)
    assert (made.t_us, made.data.end_us) == (1_000_000, 1_950_000)
    (short,) = feed(node, Packet(0, Features(np.ones((2, 3), np.float32), 0.01)))
    assert short.data.reason == "wrong_shape"


def test_a_model_that_does_not_fit_says_so(tmp_path):
    path = str(resource("models") / "image.onnx")
    with pytest.raises(ModelError, match="landmarks"):
        opened(OnnxEmbedding(path=path, input="landmarks"))
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        opened(OnnxEmbedding(path=str(tmp_path / "broken.onnx")))


def test_few_photos_tell_groceries_apart(needs_data):
    import csv

    from tmstream.backends.pictures import decode_picture

    folder = needs_data("grocery_photos")
    with (folder / "labels.csv").open() as file:
        rows = [row for i, row in enumerate(csv.DictReader(file)) if i % 2 == 0]
    node = opened(ImageEmbedding())
    packets = [
        Packet(i * 1_000_000, Image(decode_picture(folder / row["file"])))
        for i, row in enumerate(rows)
    ]
    vectors = np.array([m.data.vector for m in feed(node, *packets)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.array([row["label"] for row in rows])
    taught = np.concatenate([np.flatnonzero(labels == one)[::2] for one in sorted(set(labels))])
    tested = np.setdiff1d(np.arange(len(labels)), taught)
    nearest = taught[(vectors[tested] @ vectors[taught].T).argmax(axis=1)]
    assert (labels[nearest] == labels[tested]).mean() >= 0.75
