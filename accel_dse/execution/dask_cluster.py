"""A Dask cluster as an executor. Needs the extra `dask`; imported only when one is asked for.

What measures designs (problem and simulator) travels once, as a plugin of the workers, so that a
task is a few hundred bytes, a worker keeps what its simulator has running, and one that joins later
is equipped before it gets a task. Time limits are the simulator's guard's: Dask cannot end a task
that runs. Dask pickles what travels: scheduler and workers must be the user's own.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from accel_dse.errors import OptionError
from accel_dse.execution.crew import WorkerLostError
from accel_dse.files import read_yaml
from accel_dse.files.mistakes import Mistakes

try:
    import dask
    from distributed import Client, KilledWorker, Worker, WorkerPlugin
except ImportError as missing:
    raise OptionError(
        f"a Dask cluster needs a package that is missing: {missing.name}",
        hint="pip install 'accel-dse[dask]'",
    ) from missing

SETTINGS = {
    # After the default of 15 s a cluster closes a worker that just restarts, for good: when
    # workers die often, none is left. Source: distributed/deploy/spec.py.
    "distributed.deploy.lost-worker-timeout": "1h",
    # How many workers a task may lose: an evicted worker says nothing of the tasks it had.
    "distributed.scheduler.allowed-failures": 10,
}

CONNECT_S = 20.0
"""How long to look for a scheduler."""

EQUIP_TRIES = 20
"""How often to try, a second apart, to reach all workers while some die."""

_equipped: dict[str, Any] = {}
"""On a worker: key -> what measures designs. Filled by `Equipment`."""


class Equipment(WorkerPlugin):  # type: ignore[misc, unused-ignore]  # untyped where there is no Dask
    """Brings what measures designs to every worker of a cluster.

    Args:
        key: what tasks call it by.
        measure: it.
    """

    def __init__(self, key: str, measure: Callable[..., Any]) -> None:
        self.name, self.key, self.measure = f"accel_dse-{key}", key, measure

    def setup(self, worker: Worker) -> None:
        """Makes it known to the tasks of this worker."""
        _equipped[self.key] = self.measure

    def teardown(self, worker: Worker) -> None:
        """Forgets it, and ends what its simulator has running."""
        measure = _equipped.pop(self.key, None)
        if simulator := getattr(measure, "simulator", None):
            simulator.close()


def _measure(key: str, *arguments: Any) -> Any:
    return _equipped[key](*arguments)


class DaskExecutor(Executor):
    """Runs what it is given on the workers of a cluster.

    Args:
        client: of the cluster.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._inner = client.get_executor(pure=False, retries=0)
        self._keys: dict[int, tuple[str, Callable[..., Any]]] = {}

    @property
    def size(self) -> int:
        """How many tasks the cluster runs at a time, at present."""
        return sum(self.client.nthreads().values())

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Has a worker call `fn`, which is sent to all workers the first time."""
        if id(fn) not in self._keys:
            self._keys[id(fn)] = (self._equip(fn), fn)
        there = self._inner.submit(_measure, self._keys[id(fn)][0], *args)
        here: Future[Any] = Future()
        here.add_done_callback(lambda _: there.cancel() if here.cancelled() else None)
        there.add_done_callback(lambda _: _pass_on(there, here))
        return here

    def _equip(self, measure: Callable[..., Any]) -> str:
        """Brings `measure` to all workers; again where one died just then, which stops it."""
        key = uuid.uuid4().hex
        for tries_left in reversed(range(EQUIP_TRIES)):
            try:
                self.client.register_plugin(Equipment(key, measure))
                break
            except OSError:  # what Dask calls a closed connection
                if not tries_left:
                    raise
                time.sleep(1.0)
        return key

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes back what was sent to the workers; the cluster stays."""
        for key, _ in self._keys.values():
            with suppress(Exception):  # the cluster may be gone
                self.client.unregister_worker_plugin(f"accel_dse-{key}")
        self._keys.clear()


def _pass_on(there: Future[Any], here: Future[Any]) -> None:
    if here.cancelled():
        return
    if there.cancelled():
        here.cancel()
    elif error := there.exception():
        killed = isinstance(error, KilledWorker)
        here.set_exception(WorkerLostError(str(error)) if killed else error)
    else:
        here.set_result(there.result())


class ClusterEntry(BaseModel):
    """A file that describes a cluster behind a batch system.

    Attributes:
        version: of this form.
        cluster: the batch system.
        jobs: how many jobs to keep running; one that ends is submitted again.
        simulations_per_job: at a time.
        lifetime: a job's worker ends in order after this time, such as `55m`: a little under the
            wall time of the job.
        options: of `dask_jobqueue`'s cluster: queue, account, walltime, memory, ...
    """

    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    cluster: Literal["slurm", "lsf", "pbs", "sge", "htcondor", "oar", "moab"]
    jobs: int = Field(ge=1)
    simulations_per_job: int = Field(default=1, ge=1)
    lifetime: str = ""
    options: dict[str, Any] = Field(default_factory=dict)


CLASSES = {
    "slurm": "SLURMCluster",
    "lsf": "LSFCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "htcondor": "HTCondorCluster",
    "oar": "OARCluster",
    "moab": "MoabCluster",
}
"""Batch system -> class of `dask_jobqueue`."""


def read_cluster(path: Path) -> ClusterEntry:
    """Reads the file of a cluster.

    Raises:
        FileError: there is none, or something in it is wrong.
    """
    mistakes = Mistakes(document := read_yaml(path))
    entry = mistakes.read(ClusterEntry, document.data, ())
    if entry is None:
        raise mistakes.error()
    return entry


def batch_cluster(entry: ClusterEntry) -> Any:
    """The `dask_jobqueue` cluster that `entry` describes; no job is submitted yet.

    Raises:
        OptionError: it cannot be made, or `dask_jobqueue` is missing.
    """
    try:
        import dask_jobqueue
    except ImportError as error:
        raise OptionError(
            "a batch system needs a package that is missing: dask_jobqueue",
            hint="pip install 'accel-dse[dask]'",
        ) from error
    extra = ["--lifetime", entry.lifetime, "--lifetime-stagger", "2m"] if entry.lifetime else []
    options = {
        "cores": entry.simulations_per_job,
        "processes": 1,
        "worker_extra_args": extra,
        **entry.options,
    }
    try:
        return getattr(dask_jobqueue, CLASSES[entry.cluster])(**options)
    except (TypeError, ValueError) as error:
        raise OptionError(f"cluster {entry.cluster}: {error}") from error


@contextmanager
def dask_executor(place: str) -> Iterator[tuple[DaskExecutor, int]]:
    """The cluster at `place`, and how many simulations it runs at a time.

    Args:
        place: address of a scheduler, such as `tcp://10.0.0.1:8786`; a scheduler's JSON file; or a
            YAML file as `ClusterEntry` describes, whose jobs end with this context.

    Raises:
        OptionError: there is no cluster.
        FileError: something in the file is wrong.
    """
    with dask.config.set(SETTINGS):
        if place.endswith((".yaml", ".yml")):
            entry = read_cluster(Path(place))
            with batch_cluster(entry) as cluster, Client(cluster) as client:
                # `scale` would not replace a job that was killed; `adapt` does.
                cluster.adapt(minimum_jobs=entry.jobs, maximum_jobs=entry.jobs)
                executor = DaskExecutor(client)
                yield executor, entry.jobs * entry.simulations_per_job
                executor.shutdown()
            return
        where = {"scheduler_file": place} if place.endswith(".json") else {"address": place}
        try:
            client = Client(**where, timeout=CONNECT_S)
        except (OSError, ValueError, TimeoutError) as error:
            raise OptionError(f"no Dask scheduler answers at {place}: {error}") from error
        with client:
            executor = DaskExecutor(client)
            if not executor.size:
                raise OptionError(f"the Dask cluster at {place} has no workers")
            yield executor, executor.size
            executor.shutdown()
