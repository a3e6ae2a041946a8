"""A command that is run once for each design, with files."""

from collections.abc import Mapping, Sequence
from typing import Any

from accel_dse.simulators import trial_folder
from accel_dse.simulators.launcher import Launcher, silence
from accel_dse.simulators.protocol import Answer, Greeting, read_answer, read_object

PLACES = {
    "{design}": trial_folder.DESIGN,
    "{workload}": trial_folder.WORKLOAD,
    "{result}": trial_folder.RESULT,
}
"""What the words of a command may hold, and the files whose paths take its place."""


class CommandTemplate:
    """Runs a command for each design, in a directory of its own.

    A result that is there, whole, counts however the command ended: programs crash as they exit.

    Args:
        launcher: starts it.
        command: program and arguments, with `PLACES`.
        greeting: what it would say of itself if it talked.
        timeout_s: for one run.
        directory: where its directories are made, and stay; "" for temporary ones.
    """

    def __init__(
        self,
        launcher: Launcher,
        command: Sequence[str],
        greeting: Greeting,
        *,
        timeout_s: float,
        directory: str,
    ) -> None:
        self._launcher, self._command, self._greeting = launcher, command, greeting
        self._timeout_s, self._directory = timeout_s, directory

    def greeting(self) -> Greeting:
        """What it would say of itself if it talked."""
        return self._greeting

    def simulate(
        self, workload: Mapping[str, Any], design: Mapping[str, Any], label: str
    ) -> Answer:
        """Runs the command once.

        Raises:
            SimulatorError: it failed.
        """
        folder = trial_folder.fresh(self._directory, label if self._directory else "accel_dse")
        words = list(self._command)
        for place, name in PLACES.items():
            words = [word.replace(place, str(folder / name)) for word in words]
        child = self._launcher.start(words, folder, trial_folder.input_files(workload, design))
        try:
            child.wait(self._timeout_s)
            text = trial_folder.result(folder)
            failure = silence(child, self._timeout_s)
        finally:
            self._launcher.end(child)
        if self._directory:
            trial_folder.save(folder, trial_folder.output_files(child))
        if not text:
            raise failure
        return read_answer(read_object(text), self._greeting.metrics)

    def close(self) -> None:
        """Nothing runs on between designs."""
