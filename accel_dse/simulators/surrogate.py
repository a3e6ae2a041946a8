"""A fitted model in the place of a simulator."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from accel_dse.errors import FileError
from accel_dse.metrics import Metrics
from accel_dse.simulators.base import Columns, Simulator
from accel_dse.surrogates.base import Predictor
from accel_dse.workload import Workload

DOUBTFUL = 0.5
"""Likelihood of working below which a design counts as one that does not."""


@dataclass(frozen=True, kw_only=True)
class SurrogateSimulator(Simulator):
    """Answers by a model that `accel-dse fit` made: a folder, or an ONNX file exported from one.

    Metrics are those that the model predicts. A design that the model thinks more likely not to
    work than to is infeasible. An ONNX file needs ONNX Runtime, and no PyTorch.

    Attributes:
        path: the folder or the file.
        sha256: of the model; worked out from the file if it is not given, and checked if it is.
    """

    version: ClassVar[str] = "1"

    path: str
    sha256: str = ""
    _predictor: Predictor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        path = Path(self.path)
        predictor, found = _load(path)
        if self.sha256 not in ("", found):
            raise FileError(f"{path}: is another model than sha256={self.sha256[:16]}... names")
        object.__setattr__(self, "_predictor", predictor)
        object.__setattr__(self, "sha256", found)

    def simulate(self, workload: Workload, designs: Columns) -> Metrics:
        """Predicts the metrics of `n` designs on `workload`."""
        predictor = self._predictor.with_application(workload)
        prediction = predictor.predict(designs, workload.name)
        works = prediction.works >= DOUBTFUL
        return Metrics(
            {name: np.where(works, values, np.nan) for name, values in prediction.metrics.items()},
            tuple(
                "" if good else f"predicted not to work (likelihood of working {p:.2f})"
                for good, p in zip(works, prediction.works)
            ),
        )


def _load(path: Path) -> tuple[Predictor, str]:
    """The model at `path`, and what tells it from others."""
    if path.suffix == ".onnx":
        from accel_dse.surrogates import onnx_model

        return onnx_model.read(path), onnx_model.fingerprint(path)
    if not path.is_dir():
        raise FileError(
            f"{path}: is no model", hint="give a folder of accel-dse fit, or an .onnx file"
        )
    from accel_dse.surrogates import model_folder

    return model_folder.read(path).predictor, model_folder.fingerprint(path)
