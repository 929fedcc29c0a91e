"""Models that find points of bodies, hands and faces, as MediaPipe Tasks wants them bundled."""

from __future__ import annotations

from pathlib import Path

from .recipe import packaged, recipe

MEDIAPIPE = "mediapipe==0.10.21"  # the last wheel that carries Google's model files
#: Mean and standard deviation that bring bytes to -1 to 1, and to 0 to 1.
FROM_MINUS_ONE = (127.5, 127.5)
FROM_ZERO = (0.0, 255.0)


def task_bundle(out: Path, parts: dict[str, tuple[bytes, tuple[float, float]]]) -> None:
    """Write a ``.task``: an uncompressed zip of tflite files that say how pictures are normalised.

    ``parts`` maps the name inside the bundle to (tflite model, (mean, standard deviation)).
    """
    import time
    import zipfile

    from mediapipe.tasks.metadata import schema_py_generated as schema
    from mediapipe.tasks.python.metadata.metadata_writers import metadata_info, metadata_writer

    # The metadata writer zips its label file with the time of day: the same file every time.
    time.localtime = lambda *_: time.gmtime(315532800)  # type: ignore[assignment]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as bundle:
        for name, (model, (mean, deviation)) in parts.items():
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
    detector = module("pose_detection/pose_detection.tflite")
    points = module("pose_landmark/pose_landmark_full.tflite")
    task_bundle(out, {
        "pose_detector.tflite": (detector, FROM_MINUS_ONE),
        "pose_landmarks_detector.tflite": (points, FROM_ZERO),
    })  # fmt: skip


@recipe("hands", packages=(MEDIAPIPE,))
def hands(out: Path) -> None:
    """Bundle the palm detector and the 21-point landmark model (full)."""
    detector = module("palm_detection/palm_detection_full.tflite")
    points = module("hand_landmark/hand_landmark_full.tflite")
    task_bundle(out, {
        "hand_detector.tflite": (detector, FROM_ZERO),
        "hand_landmarks_detector.tflite": (points, FROM_ZERO),
    })  # fmt: skip


@recipe("face", packages=(MEDIAPIPE,))
def face(out: Path) -> None:
    """Bundle the face detector for up to two metres and the 468-point mesh."""
    detector = module("face_detection/face_detection_short_range.tflite")
    mesh = with_irises(module("face_landmark/face_landmark.tflite"))
    task_bundle(out, {
        "face_detector.tflite": (detector, FROM_MINUS_ONE),
        "face_landmarks_detector.tflite": (mesh, FROM_ZERO),
    })  # fmt: skip
