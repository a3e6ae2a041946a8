"""Any program as a simulator: guarded, in its own environment, its answers checked."""

import shlex
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from accel_dse.errors import OptionError, SimulatorError, SimulatorTimeoutError
from accel_dse.metrics import Metrics
from accel_dse.simulators import trial_folder
from accel_dse.simulators.base import Columns, Outcomes, Simulator
from accel_dse.simulators.command_template import CommandTemplate
from accel_dse.simulators.conversation import Conversations
from accel_dse.simulators.launcher import Launcher
from accel_dse.simulators.protocol import (
    Answer,
    Greeting,
    read_answer,
    read_object,
    workload_message,
)
from accel_dse.workload import Workload

BOUNDS = {
    "timeout_s": (0.01, 1e6),
    "start_timeout_s": (0.01, 1e6),
    "retries": (0, 1000),
    "backoff_s": (0, 1e6),
    "memory_mib": (0, 2**40),
    "grace_s": (0, 1e6),
    "workers": (1, 10_000),
}
"""The least and the most that an option may be."""


@dataclass(kw_only=True, eq=False)
class ProcessSimulator(Simulator):
    """Any program that speaks the process protocol, or any command that writes a result file.

    A program is started once for each worker and asked design after design; when it dies, the next
    design gets a new one. A command with `{result}` in it is a template: it is run once for each
    design, in a directory of its own, with the paths of `{design}` and `{workload}` to read and of
    `{result}` to write. `simulator_stubs/README.md` tells both sides.

    Whatever is started is ended, with all that it started. A design on which it failed is tried
    again; one that cannot work, or took too long, is not.

    Attributes:
        command: program and arguments, quoted as for a shell, though none reads them. Words that
            name a file are made absolute, since it runs in a directory of its own.
        environment: names of further environment variables to pass on, separated by commas, such
            as `LM_LICENSE_FILE,LD_LIBRARY_PATH`.
        metrics: what a template's results hold, separated by commas.
        tool_version: of a template's tool; goes into the log.
        timeout_s: for one design.
        start_timeout_s: for a program to start and introduce itself.
        retries: further tries after a failure.
        backoff_s: wait before the first retry; each further wait is twice as long.
        memory_mib: limit for each process, and for all of one simulation; 0 for none.
        grace_s: time between asking a process to end and killing it.
        workers: designs simulated at a time in one call.
        directory: where each simulation leaves a folder with its design, result and output; one
            found finished is not run again. "" to keep none.
    """

    command: str
    environment: str = ""
    metrics: str = ""
    tool_version: str = "1"
    # Not compared: what changes no result may change when a study goes on.
    timeout_s: float = field(default=3600.0, compare=False)
    start_timeout_s: float = field(default=60.0, compare=False)
    retries: int = field(default=1, compare=False)
    backoff_s: float = field(default=1.0, compare=False)
    memory_mib: int = field(default=0, compare=False)
    grace_s: float = field(default=0.5, compare=False)
    workers: int = field(default=1, compare=False)
    directory: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name, (least, most) in BOUNDS.items():
            if not least <= getattr(self, name) <= most:
                raise OptionError(f"{name}: got {getattr(self, name)}, expected {least} to {most}")
        words = command_words(self.command)
        metrics = _names(self.metrics)
        is_template = any("{result}" in word for word in words)
        if is_template != bool(metrics):
            raise OptionError(
                f"metrics: got {self.metrics!r}; a command with {{result}} needs it, no other does",
                hint="metrics=latency_cycles,area_mm2",
            )
        self._launcher = Launcher(
            environment=_names(self.environment),
            memory_mib=self.memory_mib,
            grace_s=self.grace_s,
            keep=is_template and bool(self.directory),
        )
        self._program: CommandTemplate | Conversations
        if is_template:
            greeting = Greeting(self.command, self.tool_version, metrics)
            self._program = CommandTemplate(
                self._launcher,
                words,
                greeting,
                timeout_s=self.timeout_s,
                directory=self.directory,
            )
        else:
            self._program = Conversations(
                self._launcher,
                words,
                timeout_s=self.timeout_s,
                start_timeout_s=self.start_timeout_s,
                directory=self.directory,
            )

    def __reduce__(self) -> Any:
        options = {each.name: getattr(self, each.name) for each in fields(self)}
        return partial(ProcessSimulator, **options), ()

    @property
    def version(self) -> str:  # type: ignore[override]  # known once it has introduced itself
        """What the simulator says it is.

        Raises:
            SimulatorError: it cannot be started, or does not speak the protocol.
        """
        greeting = self._program.greeting()
        return f"{greeting.simulator} {greeting.version}"

    def simulate(self, workload: Workload, designs: Columns) -> Metrics:
        """Measures `n` designs on `workload`.

        Raises:
            SimulatorError: it failed on one; `outcomes` does not lose the others.
            CancelledError: it was closed meanwhile.
        """
        outcomes = self.outcomes(workload, designs)
        for failure in outcomes.failures.values():
            raise failure
        return outcomes.metrics

    def outcomes(self, workload: Workload, designs: Columns) -> Outcomes:
        """Measures `n` designs on `workload`, `workers` at a time.

        Raises:
            OptionError: the designs lack a parameter that the simulator reads, or no process or
                file can be made.
            CancelledError: it was closed meanwhile.
        """
        message = workload_message(workload)
        rows = _rows(designs)
        if len(rows) <= 1:
            return self._collect([self._try(message, row) for row in rows])
        with ThreadPoolExecutor(min(self.workers, len(rows))) as pool:
            try:
                return self._collect(list(pool.map(partial(self._try, message), rows)))
            except (KeyboardInterrupt, SystemExit):
                self.close()  # or the pool would wait an hour for what nobody will read
                raise

    def close(self) -> None:
        """Ends every process, and cancels what other threads wait for. Final."""
        self._launcher.close()
        self._program.close()

    def _collect(self, results: Sequence[Answer | SimulatorError]) -> Outcomes:
        failures = {i: r for i, r in enumerate(results) if isinstance(r, SimulatorError)}
        answers = [r if isinstance(r, Answer) else Answer(infeasible=str(r)) for r in results]
        # Nothing is measured, and so nothing named, as long as the simulator does not even start.
        measured = len(failures) < len(results)
        values = {
            name: np.array([answer.metrics.get(name, np.nan) for answer in answers])
            for name in (self._program.greeting().metrics if measured else ())
        }
        return Outcomes(Metrics(values, tuple(answer.infeasible for answer in answers)), failures)

    def _try(
        self, workload: Mapping[str, Any], design: Mapping[str, Any]
    ) -> Answer | SimulatorError:
        """Simulates one design, again where that fails."""
        failure = SimulatorError("never tried")
        for attempt in range(self.retries + 1):
            pause_s = self.backoff_s * 2 ** (attempt - 1) if attempt else 0.0
            if self._launcher.closed.wait(pause_s):
                raise CancelledError
            try:
                return self._simulate(workload, design)
            except SimulatorError as error:
                if self._launcher.closed.is_set():
                    raise CancelledError from error
                if isinstance(error, SimulatorTimeoutError):
                    return error
                failure = error
        return failure

    def _simulate(self, workload: Mapping[str, Any], design: Mapping[str, Any]) -> Answer:
        _check_parameters(self._program.greeting(), design)
        label = trial_folder.label(self.version, workload["workload"], design)
        if self.directory:
            for text in trial_folder.results(self.directory, label):
                try:
                    return read_answer(read_object(text), self._program.greeting().metrics)
                except SimulatorError:
                    continue  # half written, or a failure that may not come again
        return self._program.simulate(workload, design, label)


def command_words(command: str) -> list[str]:
    """Splits a command as a shell would, and makes the files it names absolute.

    Raises:
        OptionError: it is empty, has an open quote, or its program is not found.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise OptionError(f"command: cannot read {command!r}: {error}") from error
    program = shutil.which(words[0]) if words else None
    if program is None:
        raise OptionError(
            f"command: no program is named {words[0] if words else command!r}",
            hint="give its path, or add its directory to PATH",
        )
    files = [str(Path(word).absolute()) if Path(word).is_file() else word for word in words[1:]]
    return [str(Path(program).absolute()), *files]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


def _rows(designs: Columns) -> list[dict[str, Any]]:
    """`n` designs as JSON can hold them."""
    columns = [[_plain(value) for value in column] for column in designs.values()]
    return [dict(zip(designs, values)) for values in zip(*columns)]


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _check_parameters(greeting: Greeting, design: Mapping[str, Any]) -> None:
    missing = [name for name in greeting.parameters if name not in design]
    if missing:
        raise OptionError(
            f"{greeting.simulator} reads {', '.join(missing)}, which the design space lacks",
            hint=f"it reads {', '.join(greeting.parameters)}",
        )
