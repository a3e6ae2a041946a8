"""Fitted models as ONNX files: all that is needed to predict, in one file, without PyTorch.

The graph takes `one_hot` `(n, fields)` and, if it knows several applications, `context`
`(n, features)`; it gives `standardized`
`(n, members, outputs)`; the metadata say what they mean: the space, the application features, and
how a metric follows from its output.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from accel_dse.datasets import parquet
from accel_dse.errors import DseError, FileError
from accel_dse.surrogates.field_predictor import FieldPredictor, Singles, predictor_of

METADATA = "accel_dse"
"""Key of the metadata, whose value is JSON."""

SCHEMA_VERSION = 2
"""Of the metadata."""


@dataclass(frozen=True, eq=False)
class OnnxMembers:
    """Networks run by ONNX Runtime; see `Members`."""

    session: Any

    def __call__(self, one_hot: Singles, context: Singles) -> Singles:
        """See `Members`."""
        inputs = {"one_hot": one_hot, "context": context} if context.size else {"one_hot": one_hot}
        answers = self.session.run(["standardized"], inputs)[0]
        return np.asarray(answers, dtype=np.float32)


def read(path: Path) -> FieldPredictor:
    """The predictor in an ONNX file that `export` made.

    Raises:
        FileError: it is not one, or ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise FileError(
            f"{path}: needs ONNX Runtime", hint="pip install 'accel-dse[export]'"
        ) from error
    content = _bytes(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised, too
    options.intra_op_num_threads = 1  # matrices this small are split at a loss
    try:
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
        text = session.get_modelmeta().custom_metadata_map.get(METADATA, "")
    except Exception as error:  # ONNX Runtime's errors have no other base in common
        if not type(error).__module__.startswith("onnxruntime"):
            raise
        raise FileError(f"{path}: is no readable ONNX file: {parquet.first_line(error)}") from error
    try:
        about = json.loads(text or "{}")
        if about and about["schema_version"] != SCHEMA_VERSION:
            raise FileError(
                f"schema_version: {about['schema_version']!r} is not known",
                hint=f"this version reads {SCHEMA_VERSION}; accel-dse export makes it anew",
            )
        space = parquet.space_of(about["space"], "metadata")
        return predictor_of(about["predictor"], space, OnnxMembers(session))
    except KeyError as error:
        raise FileError(f"{path}: metadata: {error.args[0]}: missing") from error
    except (DseError, TypeError, ValueError) as error:
        hint = error.hint if isinstance(error, DseError) else ""
        raise FileError(f"{path}: metadata: {error}", hint=hint) from error


def fingerprint(path: Path) -> str:
    """What tells two models apart, as 64 hexadecimal digits (SHA-256)."""
    return sha256(_bytes(path)).hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error
