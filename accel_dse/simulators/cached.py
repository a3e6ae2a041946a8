"""A file of results that studies share, so that an equal simulation never runs twice."""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from accel_dse import plugins
from accel_dse.chosen_options import chosen_options
from accel_dse.errors import LogError
from accel_dse.metrics import Metrics
from accel_dse.simulators.base import Columns, Outcomes, Simulator
from accel_dse.workload import Workload

APPLICATION_ID = 0x41445243
"""Marks an SQLite file as a cache of ours ("ADRC"), so that another program's is left alone."""

BUSY_S = 30.0
"""How long to wait for another process's transaction; ours last milliseconds."""

AT_ONCE = 500
"""Keys in one query. Source: https://www.sqlite.org/limits.html, 999 in old versions."""

Result = dict[str, Any]
"""`{"metrics": {...}}` or `{"infeasible": reason}`."""


class ResultCache:
    """Results by key, in an SQLite file that several processes may use.

    It has a plain journal, not a WAL: SQLite before 3.51.3 can damage a WAL that several write to.
    A row that was altered counts as not there.

    Args:
        path: the file; made if there is none.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._link: sqlite3.Connection | None = None

    def find(self, keys: Sequence[str]) -> dict[str, Result]:
        """The results that are there, by key.

        Raises:
            LogError: the file cannot be read.
        """
        found = {}
        with self._using() as link:
            for start in range(0, len(keys), AT_ONCE):
                some = keys[start : start + AT_ONCE]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, content, sha256 FROM result WHERE key IN ({marks})"
                for key, content, sha in link.execute(query, some):
                    if sha == _sha(key, content):
                        found[key] = json.loads(content)
        return found

    def keep(self, results: Mapping[str, Result]) -> None:
        """Adds results.

        Raises:
            LogError: the file cannot be written.
        """
        rows = []
        for key, result in results.items():
            content = json.dumps(result, allow_nan=False)
            rows.append((key, content, _sha(key, content)))
        with self._using() as link:
            link.execute("BEGIN IMMEDIATE")
            link.executemany("INSERT OR REPLACE INTO result VALUES (?, ?, ?)", rows)
            link.execute("COMMIT")

    def __len__(self) -> int:
        with self._using() as link:
            (count,) = link.execute("SELECT count(*) FROM result").fetchone()
        return int(count)

    def close(self) -> None:
        """Closes the file; it is opened again when it is used again."""
        with self._lock:
            if self._link is not None:
                self._link.close()
                self._link = None

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._link = self._link or _opened(self.path)
                yield self._link
            except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter of damaged names
                if self._link is not None:
                    with suppress(sqlite3.Error):
                        self._link.execute("ROLLBACK")
                raise LogError(
                    f"{self.path}: this cache cannot be used: {error}",
                    hint="name another file; results in logs are not touched",
                ) from error


def _opened(path: Path) -> sqlite3.Connection:
    link = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        link.execute("BEGIN")  # both answers of one moment: another process may be making it now
        (objects,) = link.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        (identity,) = link.execute("PRAGMA application_id").fetchone()
        link.execute("COMMIT")
        _refuse_another(path, bool(objects) and identity != APPLICATION_ID)
        link.execute("PRAGMA journal_mode = TRUNCATE")
        link.execute("PRAGMA synchronous = NORMAL")
        if not objects:
            link.execute("BEGIN IMMEDIATE")
            link.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            columns = "key TEXT PRIMARY KEY, content TEXT NOT NULL, sha256 TEXT NOT NULL"
            link.execute(f"CREATE TABLE IF NOT EXISTS result ({columns}) WITHOUT ROWID")
            link.execute("COMMIT")
    except BaseException:
        link.close()
        raise
    return link


def _refuse_another(path: Path, is_another: bool) -> None:
    if is_another:
        raise LogError(f"{path}: is an SQLite database, but not a cache of results")


class CachedSimulator(Simulator):
    """A simulator that looks a result up before it measures, and keeps what it measured.

    Results are those of the same simulator, in the same version, with the same options, on the same
    layers, of the same design. Failures are not kept. Two that miss the same result at the same
    moment both simulate.

    Args:
        inner: measures what is not there; closed with this one.
        cache: where results are.
    """

    def __init__(self, inner: Simulator, cache: ResultCache) -> None:
        self.inner, self.cache = inner, cache

    @property
    def version(self) -> str:  # type: ignore[override]  # of an instance
        """The simulator's."""
        return self.inner.version

    def close(self) -> None:
        """Closes the simulator and the file."""
        self.inner.close()
        self.cache.close()

    def simulate(self, workload: Workload, designs: Columns) -> Metrics:
        """Measures `n` designs on `workload`, or remembers.

        Raises:
            SimulatorError: the simulator failed on one; `outcomes` does not lose the others.
        """
        outcomes = self.outcomes(workload, designs)
        for failure in outcomes.failures.values():
            raise failure
        return outcomes.metrics

    def outcomes(self, workload: Workload, designs: Columns) -> Outcomes:
        """Measures `n` designs on `workload`, or remembers; a failure does not lose the others."""
        keys = self._keys(workload, designs)
        results = self.cache.find(list(dict.fromkeys(keys)))
        missing = [i for i, key in enumerate(keys) if key not in results]
        if not missing:
            return Outcomes(_metrics([results[key] for key in keys]))
        part = {name: column[missing] for name, column in designs.items()}
        fresh = self.inner.outcomes(workload, part)
        new = {
            keys[i]: _result(fresh.metrics, place)
            for place, i in enumerate(missing)
            if place not in fresh.failures
        }
        self.cache.keep(new)
        if len(missing) == len(keys):
            return fresh
        failures = {missing[place]: error for place, error in fresh.failures.items()}
        results |= new
        rows = [
            results.get(key, {"infeasible": str(failures.get(i))}) for i, key in enumerate(keys)
        ]
        return Outcomes(_metrics(rows), failures)

    def _keys(self, workload: Workload, designs: Columns) -> list[str]:
        name = plugins.name_of("simulators", type(self.inner))
        study = [name, self.inner.version, chosen_options(self.inner), workload.fingerprint()]
        base = sha256(json.dumps(study, sort_keys=True).encode())
        names = sorted(designs)
        keys = []
        for values in zip(*(designs[name].tolist() for name in names)):
            digest = base.copy()
            digest.update(json.dumps(dict(zip(names, values))).encode())
            keys.append(digest.hexdigest())
        return keys


def uncached(simulator: Simulator) -> Simulator:
    """The simulator that measures, cached or not: the same study may go on with another cache."""
    return simulator.inner if isinstance(simulator, CachedSimulator) else simulator


def _result(metrics: Metrics, i: int) -> Result:
    return (
        {"infeasible": metrics.infeasible[i]}
        if metrics.infeasible[i]
        else {"metrics": metrics.row(i)}
    )


def _metrics(results: Sequence[Result]) -> Metrics:
    names = dict.fromkeys(name for result in results for name in result.get("metrics", ()))
    values = {
        name: np.array([result.get("metrics", {}).get(name, np.nan) for result in results])
        for name in names
    }
    return Metrics(values, tuple(result.get("infeasible", "") for result in results))


def _sha(key: str, content: str) -> str:
    return sha256(f"{key}\0{content}".encode()).hexdigest()
