"""One door to datasets: Parquet files and trial logs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accel_dse.dataset import Dataset, concatenate, of_trials
from accel_dse.datasets import parquet
from accel_dse.errors import FileError, WorkloadError
from accel_dse.trial_log import TrialLog
from accel_dse.workload import Workload
from accel_dse.workloads.zoo import NETWORKS


def read_logs(places: Sequence[str], known: Mapping[str, Workload] | None = None) -> Dataset:
    """All rows of Parquet files and trial logs of one space.

    Args:
        places: paths of Parquet files (`.parquet`), paths or URLs of trial logs.
        known: name -> workload, to have the layers of networks that trial logs only name.

    Raises:
        FileError: a Parquet file is not a dataset, or holds no row.
        LogError: a trial log cannot be read.
        OptionError: they do not fit together.
    """
    return concatenate([read_log(place, known or {}) for place in places])


def read_log(place: str, known: Mapping[str, Workload]) -> Dataset:
    """The rows of one Parquet file or trial log; see `read_logs`."""
    if Path(place).suffix == ".parquet":
        dataset = parquet.read(Path(place))
    else:
        dataset = _of_log(TrialLog(place), known)
    if not len(dataset):
        raise FileError(f"{place}: holds no finished trial: there is nothing to learn from")
    return dataset


def _of_log(log: TrialLog, known: Mapping[str, Workload]) -> Dataset:
    study = log.study()
    content: dict[str, Any] = dict(study.problem["space"])
    del content["sha256"]
    space = parquet.space_of({"version": 1, **content}, log.place)
    workloads = {
        entry["name"]: _network(entry["name"], entry["sha256"], known, log.place)
        for entry in study.problem["workloads"]
    }
    origin = {
        "log": log.place,
        "optimizer": study.optimizer,
        "seed": study.seed,
        "simulator": study.simulator,
        "simulator_version": study.simulator_version,
        "simulator_options": dict(study.simulator_options),
    }
    return of_trials(log.read(), space, workloads, origin)


def _network(name: str, sha256: str, known: Mapping[str, Workload], place: str) -> Workload | None:
    """The network that ran, from `known` or the zoo; None if it is in neither."""
    if name in known:
        workload = known[name]
    elif name in NETWORKS:
        workload = NETWORKS[name]()
    else:
        return None
    if workload.fingerprint() == sha256:
        return workload
    if name not in known:
        return None
    raise WorkloadError(
        f"{place}: workload {name!r} is not the network of that name that ran",
        hint="its layers have changed since",
    )
