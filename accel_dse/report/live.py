"""A page that follows a study: served to this machine alone, it asks for news and draws them.

The page holds no data at first. It asks again and again for what it lacks: trials from some index
on, and parts whose version has changed. Trials are answered from the log at once; the parts that
take longer to compute (tables, importance, what is inside a design) follow from threads.
"""

import json
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from accel_dse.errors import DseError, LogError
from accel_dse.report.comparison_designs import Lab
from accel_dse.report.content import about, named_best
from accel_dse.report.digest import digest
from accel_dse.report.html import dumped, page
from accel_dse.report.hypervolume import hypervolumes
from accel_dse.report.importance import importance
from accel_dse.report.runs import Run
from accel_dse.report.trial_columns import packed
from accel_dse.trial import Trial
from accel_dse.trial_log import TrialLog
from accel_dse.trials import Trials

MOST_AT_ONCE = 25_000
"""Trials in one answer; the page asks for the rest at once."""

REST_S, RESTS = 0.2, 1.0
"""Pause of a thread: at least so long, and so many times what its work took."""

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Follower:
    """What a page has to know of a log that grows.

    Args:
        log: of the study; it is only read.
        lab: simulates references, and looks into the best design.
    """

    def __init__(self, log: TrialLog, lab: Lab) -> None:
        self.log = log
        self.lab = lab
        self.study = log.study()
        self._trials = Trials()
        self._reading = threading.Lock()
        self._parts: dict[str, tuple[int, str]] = {}
        self._stopped = threading.Event()
        self._digested = -1
        self._weighed = 0
        self._named: list[tuple[str, Trial]] = []
        self._looked_into: list[Trial] = []
        self._threads: list[threading.Thread] = []
        self._put("about", about([self._run()], live=True))

    def page(self) -> str:
        """The page, without trials."""
        return page({"about": about([self._run()], live=True)}, live=True)

    def news(self, known: int, versions: Mapping[str, int]) -> str:
        """JSON of the trials from index `known` on, and of the parts with other versions.

        Raises:
            LogError: the log cannot be read any more, or is another one now.
        """
        self.read()
        fresh = self._trials[known : known + MOST_AT_ONCE]
        known_parts = dict(self._parts)  # the thread adds to it
        parts = {
            name: text
            for name, (version, text) in known_parts.items()
            if versions.get(name) != version
        }
        if fresh:
            parts["trials"] = dumped([packed([(0, fresh)], self._run().goal)])
        told = ",".join(f"{json.dumps(name)}:{text}" for name, text in parts.items())
        now = json.dumps({name: version for name, (version, _) in known_parts.items()})
        more = json.dumps(known + len(fresh) < len(self._trials))
        return f'{{"versions":{now},"parts":{{{told}}},"more":{more}}}'

    def read(self) -> None:
        """Reads what the log has gained.

        Raises:
            LogError: it cannot be read any more, or is another one now.
        """
        with self._reading:
            if self.log.study().created != self.study.created:
                raise LogError(f"{self.log.place}: is a new log now; start watch again")
            self._trials += self.log.read(len(self._trials))

    def start(self) -> None:
        """Computes what takes longer in threads, again and again, until stopped."""
        for task in (self.digest, self.ponder):
            thread = threading.Thread(target=self._repeat, args=(task,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Ends the threads, once what they are at is done."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def _repeat(self, task: Callable[[], None]) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            with suppress(LogError):  # whoever asks for news is told
                self.read()
            task()
            self._stopped.wait(max(REST_S, RESTS * (time.monotonic() - began)))

    def digest(self) -> None:
        """Computes the tables again if there are new trials."""
        run = self._run()
        if len(run.trials) != self._digested:
            found = digest([run])
            self._named = named_best(found, [run])
            self._put("about", about([run], live=True))
            self._put("digest", found)
            self._digested = len(run.trials)

    def ponder(self) -> None:
        """Computes what takes seconds: what is inside a new best design, and what matters.

        The latter only when there are half as many trials again as the last time.
        """
        run, named = self._run(), self._named
        if "references" not in self._parts:
            self._put("references", self.lab.measured_references())
        if [trial for _, trial in named[:1]] != self._looked_into or "inside" not in self._parts:
            self._looked_into = [trial for _, trial in named[:1]]
            self._put("inside", self.lab.looked_into(named))
        if len(run.trials) >= 1.5 * self._weighed:
            self._weighed = len(run.trials)
            self._put("hypervolume", hypervolumes([run]))
            self._put("importance", importance(run.trials, run.goal))

    def _run(self) -> Run:
        return Run(self.log.place, self.study, self._trials[:])

    def _put(self, name: str, part: Any) -> None:
        text = dumped(part)
        version, before = self._parts.get(name, (0, ""))
        if text != before:
            self._parts[name] = version + 1, text


class PageServer(ThreadingHTTPServer):
    """Serves one page and its news to whoever knows the address, which nobody can guess.

    Other users of the machine reach its loopback ports, and a web page may point its own name at
    them: so the path has a secret, and requests under another host's name are refused.

    Args:
        follower: what is served.
        host: where to listen; other machines reach it unless it is a loopback address.
        port: 0 for any that is free.
    """

    daemon_threads = True

    def __init__(self, follower: Follower, host: str = "127.0.0.1", port: int = 0) -> None:
        self.follower = follower
        self.secret = secrets.token_urlsafe(16)
        self.shown = f"[{host}]" if ":" in host else host
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Answer)

    @property
    def url(self) -> str:
        """What to open in a browser."""
        return f"http://{self.shown}:{self.server_port}/{self.secret}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a browser that left in the middle of an answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def names(self) -> set[str]:
        """What a request may call this host."""
        hosts = {self.shown, "localhost", "127.0.0.1"}
        return {f"{host}:{self.server_port}" for host in hosts}


class _Answer(BaseHTTPRequestHandler):
    """Answers GET, and nothing else."""

    server: PageServer
    protocol_version = "HTTP/1.1"

    def version_string(self) -> str:
        return "accel-dse"

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the terminal is the user's."""

    def do_GET(self) -> None:
        if self.headers.get("Host", "") not in self.server.names():
            self._send(HTTPStatus.FORBIDDEN, "text/plain", "this host has another name")
            return
        asked = urlsplit(self.path)
        _, secret, name, *rest = [*asked.path.split("/"), "", ""]
        if not secrets.compare_digest(secret.encode(), self.server.secret.encode()) or any(rest):
            self._send(HTTPStatus.NOT_FOUND, "text/plain", "there is nothing here")
        elif name == "":
            self._send(HTTPStatus.OK, "text/html", self.server.follower.page())
        elif name == "news":
            self._news(asked.query)
        else:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", "there is nothing here")

    def _news(self, query: str) -> None:
        try:
            known = {name: int(values[0]) for name, values in parse_qs(query).items()}
            count = max(known.pop("trials", 0), 0)
        except ValueError:
            self._send(HTTPStatus.BAD_REQUEST, "text/plain", "expected whole numbers")
            return
        try:
            self._send(HTTPStatus.OK, "application/json", self.server.follower.news(count, known))
        except DseError as error:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", str(error))

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
