"""Logs of random designs, to learn from offline; they go on where they were stopped."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from accel_dse import plugins
from accel_dse.chosen_options import chosen_options
from accel_dse.dataset import Dataset, concatenate, texts
from accel_dse.datasets import parquet
from accel_dse.datasets.whole_files import refuse_existing
from accel_dse.errors import FileError, OptionError, SimulatorError
from accel_dse.simulators.base import Simulator
from accel_dse.space import DesignSpace
from accel_dse.workload import Workload

CHUNK = 1_000
"""Designs that are simulated, and kept, at a time."""


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Random designs of a space, each simulated on every one of some networks.

    All networks get the same designs, so that they can be compared design by design. Which they
    are depends on the space, `n` rounded up to whole chunks, and `seed`.

    Attributes:
        space: where designs are drawn from.
        workloads: what runs on them.
        simulator: measures them.
        n: designs for each network.
        seed: fixes the draws.
    """

    space: DesignSpace
    workloads: Sequence[Workload]
    simulator: Simulator
    n: int
    seed: int

    def __post_init__(self) -> None:
        names = [workload.name for workload in self.workloads]
        if not names or len(set(names)) < len(names):
            raise OptionError(f"expected distinct workloads, got {', '.join(names) or 'none'}")
        if self.n < 1:
            raise OptionError(f"expected at least one design, got {self.n}")

    def origin(self) -> dict[str, Any]:
        """All that the rows depend on, as plain data."""
        return {
            "space": self.space.name,
            "space_sha256": self.space.fingerprint(),
            "workloads": {w.name: w.fingerprint() for w in self.workloads},
            "n": self.n,
            "seed": self.seed,
            "simulator": plugins.name_of("simulators", type(self.simulator)),
            "simulator_version": self.simulator.version,
            "simulator_options": chosen_options(self.simulator),
            "package_version": version("accel-dse"),
        }

    def run(self, path: Path, progress: Callable[[int], object] = lambda rows: None) -> Dataset:
        """Simulates what is not there yet, and writes all of it to `path`.

        Finished chunks wait in the folder `path` + `.chunks`; started again, it goes on from
        them. The file is the same as if it had never stopped.

        Args:
            path: a Parquet file.
            progress: called with the number of rows after each chunk.

        Raises:
            FileError: there is such a file, or chunks of another collection, or they cannot be
                written.
            SimulatorError: the simulator failed on a design; chunks before it are kept.
        """
        refuse_existing(path)
        folder = path.with_name(f"{path.name}.chunks")
        self._claim(folder)
        parts = []
        for workload in self.workloads:
            for chunk in range(-(-self.n // CHUNK)):
                place = folder / f"{workload.name}-{chunk:05d}.parquet"
                if not place.exists():
                    parquet.write(self._simulated(workload, chunk), place)
                parts.append(parquet.read(place))
                progress(len(parts[-1]))
        whole = replace(concatenate(parts), origin=self.origin())
        parquet.write(whole, path)
        for place in folder.iterdir():
            place.unlink()
        folder.rmdir()
        return whole

    def _claim(self, folder: Path) -> None:
        """Marks the folder of chunks as this collection's, or checks that it is."""
        mark = folder / "collection.json"
        text = json.dumps(self.origin(), indent=2, sort_keys=True)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if mark.exists() and mark.read_text(encoding="utf-8") != text:
                raise FileError(
                    f"{folder}: holds chunks of another collection",
                    hint="repeat its options to go on with it, or delete the folder",
                )
            mark.write_text(text, encoding="utf-8")
        except OSError as error:
            raise FileError(f"{folder}: cannot be written: {error.strerror}") from error

    def _simulated(self, workload: Workload, chunk: int) -> Dataset:
        """One chunk of rows."""
        drawn = self.space.sample_columns(CHUNK, np.random.default_rng([self.seed, chunk]))
        size = min(CHUNK, self.n - chunk * CHUNK)
        columns = {name: column[:size] for name, column in drawn.items()}
        outcomes = self.simulator.outcomes(workload, columns)
        if outcomes.failures:
            row, error = next(iter(outcomes.failures.items()))
            raise SimulatorError(
                f"{workload.name}: design {chunk * CHUNK + row}: the simulator failed: {error}",
                hint="what is finished is kept; the same command goes on from there",
            )
        return Dataset(
            self.space,
            columns,
            dict(outcomes.metrics.values),
            texts(outcomes.metrics.infeasible),
            texts([workload.name] * size),
            {workload.name: workload},
        )


def checksum(dataset: Dataset) -> str:
    """SHA-256 of all rows, whatever the version of the file format."""
    digest = sha256()
    for name in dataset.space.names:
        digest.update(json.dumps(dataset.columns[name].tolist()).encode())
    for name in sorted(dataset.metrics):
        digest.update(np.ascontiguousarray(dataset.metrics[name]).tobytes())
    for column in (dataset.infeasible, dataset.application):
        digest.update(json.dumps(column.tolist()).encode())
    return digest.hexdigest()
