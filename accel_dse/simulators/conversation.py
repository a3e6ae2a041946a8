"""Programs that are asked design after design."""

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from accel_dse.errors import SimulatorError, SimulatorTimeoutError
from accel_dse.simulators import trial_folder
from accel_dse.simulators.guarded import Guarded
from accel_dse.simulators.launcher import Launcher, silence
from accel_dse.simulators.protocol import Answer, Greeting, quote, read_answer, read_object


class Conversation:
    """A program that runs on, and what it was told so far.

    Args:
        child: it, just started.
        start_timeout_s: for its greeting.
        timeout_s: for each answer.

    Raises:
        SimulatorError: it does not greet as it should.
    """

    def __init__(self, child: Guarded, *, start_timeout_s: float, timeout_s: float) -> None:
        self.child = child
        self._timeout_s = timeout_s
        self._asked = 0
        self._told: set[str] = set()
        try:
            self.greeting = Greeting.read(self._say("", start_timeout_s))
        except SimulatorTimeoutError as error:  # no design is to blame for it
            raise SimulatorError(str(error)) from error

    def ask(self, workload: Mapping[str, Any], design: Mapping[str, Any]) -> Answer:
        """What it finds out about `design` on `workload`, a `workload_message`.

        Raises:
            SimulatorError: it failed. What it says next may belong to anything: end it.
        """
        request = {"id": self._asked, "workload": workload["workload"], "design": design}
        messages = [request] if workload["workload"] in self._told else [workload, request]
        self._told.add(workload["workload"])
        self._asked += 1
        text = "".join(json.dumps(message) + "\n" for message in messages)
        answer = read_object(self._say(text, self._timeout_s))
        if answer.pop("id", None) != request["id"]:
            raise SimulatorError(f"answered what was not asked: {quote(json.dumps(answer))}")
        return read_answer(answer, self.greeting.metrics)

    def _say(self, text: str, timeout_s: float) -> str:
        said_bytes = self.child.errors.total_bytes
        line = self.child.ask(text, timeout_s)
        if line is None:
            raise silence(self.child, timeout_s, said_bytes)
        return line


class Conversations:
    """As many copies of a program as there are threads that ask, each restarted when it failed.

    Args:
        launcher: starts them.
        command: program and arguments.
        start_timeout_s: for a greeting.
        timeout_s: for an answer.
        directory: where folders of simulations stay; "" for none.
    """

    def __init__(
        self,
        launcher: Launcher,
        command: Sequence[str],
        *,
        start_timeout_s: float,
        timeout_s: float,
        directory: str,
    ) -> None:
        self._launcher, self._command = launcher, command
        self._start_timeout_s, self._timeout_s = start_timeout_s, timeout_s
        self._directory = directory
        self._lock = threading.Lock()
        self._idle: list[Conversation] = []
        self._greeting: Greeting | None = None

    def greeting(self) -> Greeting:
        """How the program introduced itself.

        Raises:
            SimulatorError: it cannot be started, or does not speak the protocol.
        """
        if self._greeting is None:
            self._give_back(self._start())
            return self.greeting()
        return self._greeting

    def simulate(
        self, workload: Mapping[str, Any], design: Mapping[str, Any], label: str
    ) -> Answer:
        """Asks one copy, and writes down what became of it.

        Raises:
            SimulatorError: it failed.
        """
        conversation = self._borrow()
        try:
            answer = conversation.ask(workload, design)
        except SimulatorError as error:
            self._launcher.end(conversation.child)
            self._write_down(workload, design, label, {"error": str(error)}, conversation.child)
            raise
        except BaseException:
            self._launcher.end(conversation.child)
            raise
        self._give_back(conversation)
        self._write_down(workload, design, label, answer.message(), conversation.child)
        return answer

    def close(self) -> None:
        """Ends the copies that nobody talks to; those that talk are ended by their threads."""
        with self._lock:
            while self._idle:
                self._launcher.end(self._idle.pop().child)

    def _start(self) -> Conversation:
        folder = trial_folder.fresh("", "accel_dse")
        child = self._launcher.start(self._command, folder)
        try:
            conversation = Conversation(
                child, start_timeout_s=self._start_timeout_s, timeout_s=self._timeout_s
            )
            self._meet(conversation.greeting)
        except SimulatorError as error:
            self._launcher.end(child)
            raise SimulatorError(
                f"{' '.join(self._command)}: {error}",
                hint="it must open with a greeting: see simulator_stubs/README.md",
            ) from error
        except BaseException:
            self._launcher.end(child)
            raise
        return conversation

    def _meet(self, greeting: Greeting) -> None:
        if self._greeting is None:
            self._greeting = greeting
        elif self._greeting != greeting:
            raise SimulatorError(f"greets as {greeting}, greeted as {self._greeting} before")

    def _borrow(self) -> Conversation:
        while True:
            with self._lock:
                if not self._idle:
                    break
                conversation = self._idle.pop()
            if conversation.child.quiet():
                return conversation
            self._launcher.end(conversation.child)  # it died, or talks to itself, since it answered
        return self._start()

    def _give_back(self, conversation: Conversation) -> None:
        with self._lock:
            if not self._launcher.closed.is_set():
                self._idle.append(conversation)
                return
        self._launcher.end(conversation.child)

    def _write_down(
        self,
        workload: Mapping[str, Any],
        design: Mapping[str, Any],
        label: str,
        result: Mapping[str, Any],
        child: Guarded,
    ) -> None:
        if self._directory:
            folder = trial_folder.fresh(self._directory, label)
            trial_folder.save(folder, trial_folder.input_files(workload, design))
            if "error" in result:
                trial_folder.save(folder, trial_folder.output_files(child))
            trial_folder.save(folder, {trial_folder.RESULT: json.dumps(result)})
