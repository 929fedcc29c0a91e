"""The door to onnxruntime: a session that leaves the other cores alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..core.errors import ModelError
from .models import Model

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

#: Threads inside one operator: a live session paced by its source spins idle workers (1.4x faster
#: for 4x the CPU, measured on the speech embedding), a batch keeps them busy.
LIVE_THREADS, BATCH_THREADS = 1, 2
MASK = "attention_mask"


class OnnxModel:
    """A loaded model with one input: ``run`` takes an array and returns its first output.

    A second input named ``attention_mask`` is given ones: everything that is handed in counts.
    """

    def __init__(self, model: Model, *, threads: int = LIVE_THREADS) -> None:
        """Load the file.

        Raises:
            ModelError: onnxruntime cannot read it, or it has several inputs.
        """
        self.session = _session(model, threads)
        inputs = [one for one in self.session.get_inputs() if one.name != MASK]
        self._masked = len(inputs) < len(self.session.get_inputs())
        if len(inputs) != 1:
            names = ", ".join(one.name for one in inputs)
            raise ModelError(f"{model.path}: wanted a model with one input, found {names}")
        self.input_name: str = inputs[0].name
        self.input_shape: list[int | str | None] = list(inputs[0].shape)
        self.input_type: str = inputs[0].type
        self._outputs = [self.session.get_outputs()[0].name]
        self.output_shape: list[int | str | None] = list(self.session.get_outputs()[0].shape)

    def run(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the first output for one input array."""
        feed = {self.input_name: values}
        if self._masked:
            feed[MASK] = np.ones(values.shape[:2], np.int64)
        made: npt.NDArray[np.float32] = self.session.run(self._outputs, feed)[0]
        return made


def _session(model: Model, threads: int) -> InferenceSession:
    # Imported here: 0.2 s that no command without a model should pay.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(model.path), options, ["CPUExecutionProvider"])
    # onnxruntime's errors share no base class below Exception.
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{model.path}: onnxruntime cannot load it: {reason}") from error
