"""How far behind its log the live page is, and how smoothly it moves meanwhile.

    python benchmarks/speed/watch.py                      # 1,000 trials before
    python benchmarks/speed/watch.py --trials 100000
    python benchmarks/speed/watch.py --shot page.png      # a picture of it, too

A headless Chromium shows what `accel-dse watch` serves of a made-up log, while single trials are
appended. Behind: from the end of an `append` to the first frame of the page that has the trial (its
charts follow, one a frame), and until the page's first sentence counts it. Frames: the time between
two of them. Keys: what Tab reaches, and whether an arrow key on a chart tells a design. It fails if
the console has an error.

Needs chromium on the path, and tornado (it comes with Jupyter).
"""

import argparse
import asyncio
import base64
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any
from urllib.request import urlopen

import numpy as np
from report import write
from tornado.websocket import websocket_connect

from accel_dse.trial import Trial
from accel_dse.trial_log import TrialLog

WATCHED = """
globalThis.seen = []; globalThis.counted = []; globalThis.frames = [];
let before = performance.now(), known = -1, told = "";
(function frame(now) {
  if (trials.n !== known) { known = trials.n; seen.push([Date.now() / 1000, known]); }
  const text = $("sentence").textContent;
  if (text !== told) { told = text; counted.push([Date.now() / 1000, text]); }
  frames.push(now - before); before = now;
  requestAnimationFrame(frame);
})(before);
"""
"""Runs in the page: writes down when trials come, and how long frames take."""


class Browser:
    """A page of a headless Chromium, over its debugging protocol.

    Source:
        Chrome DevTools Protocol: the domains Runtime, Page, Input and Log.
    """

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.numbers = count()
        self.complaints: list[str] = []

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What the browser answers to one command; keeps errors that it tells meanwhile."""
        number = next(self.numbers)
        request = {"id": number, "method": method, "params": parameters}
        await self.socket.write_message(json.dumps(request))
        while True:
            answer = json.loads(await self.socket.read_message())
            if answer.get("id") == number:
                return dict(answer.get("result", {}))
            told = answer.get("params", {})
            if answer.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(str(told["exceptionDetails"].get("exception", told)))
            elif answer.get("method") == "Log.entryAdded" and told["entry"]["level"] == "error":
                self.complaints.append(str(told["entry"]["text"]))

    async def run(self, script: str) -> Any:
        """The value of a script in the page."""
        answer = await self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    async def press(self, key: str) -> None:
        """Presses a key where the focus is."""
        code = {"Tab": 9, "ArrowRight": 39}[key]
        for kind in ("keyDown", "keyUp"):
            await self.ask(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code
            )


@contextmanager
def running(*words: str) -> Iterator[IO[str]]:
    """What a program prints while it runs; it ends with the block."""
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.terminate()


@asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[Browser]:
    """A browser that shows `url`."""
    words = ["--headless", "--no-sandbox", "--remote-debugging-port=0", "--window-size=1280,1000"]
    program = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
    with running(program, *words, f"--user-data-dir={folder}", "about:blank") as lines:
        found = (re.search(r"127\.0\.0\.1:(\d+)/", line) for line in lines)
        port = next(match[1] for match in found if match)
        with urlopen(f"http://127.0.0.1:{port}/json") as answer:
            targets = json.load(answer)
        address = next(t for t in targets if t["type"] == "page")["webSocketDebuggerUrl"]
        socket = await websocket_connect(address, max_message_size=1 << 28)
        try:
            browser = Browser(socket)
            for domain in ("Runtime", "Page", "Log"):
                await browser.ask(f"{domain}.enable")
            await browser.ask("Page.navigate", url=url)
            yield browser
        finally:
            socket.close()
            while await socket.read_message() is not None:
                pass  # what was on its way; None says that it is closed


async def measure(arguments: argparse.Namespace, folder: Path) -> None:
    place = folder / "live.sqlite"
    write(place, arguments.trials, seed=0)
    words = [sys.executable, "-c", "from accel_dse.cli import main; main()"]
    with running(*words, "watch", str(place), "--no-simulate") as lines:
        url = next(lines).split()[-1]
        async with opened(url, folder / "profile") as browser:
            while (
                await browser.run("typeof trials === 'undefined' ? 0 : trials.n")
                != arguments.trials
            ):
                await asyncio.sleep(0.2)
            while arguments.settle and not await browser.run("'importance' in parts"):
                await asyncio.sleep(1)
            await asyncio.sleep(arguments.settle)
            await browser.run(WATCHED)
            appended = await append(place, arguments)
            await asyncio.sleep(3)
            tell(
                arguments, appended, *[await browser.run(n) for n in ("seen", "counted", "frames")]
            )
            await keys(browser)
            if arguments.shot:
                await picture(browser, arguments.shot)
            print("errors in the console:", *browser.complaints[:3] or ("none",))
            if browser.complaints:
                sys.exit(1)


async def append(place: Path, arguments: argparse.Namespace) -> list[tuple[float, int]]:
    """Appends single trials; when each was on disk, and how many trials there were then."""
    log = TrialLog(place)
    log.create_or_check(log.study())
    known = log.read()
    good = [trial for trial in known if trial.feasible][:50]
    done: list[tuple[float, int]] = []
    ends = time.monotonic() + arguments.seconds
    total = len(known)
    while time.monotonic() < ends:
        old = good[total % len(good)]
        log.append(
            [Trial(index=total, design=old.design, outcome=old.outcome, metrics=old.metrics)]
        )
        total += 1
        done.append((time.time(), total))
        await asyncio.sleep(1 / arguments.rate)
    log.close()
    return done


def tell(
    arguments: argparse.Namespace,
    appended: list[tuple[float, int]],
    seen: list[tuple[float, int]],
    counted: list[tuple[float, str]],
    frames: list[float],
) -> None:
    def behind(times: list[tuple[float, int]]) -> list[float]:
        return [
            next((at for at, n in times if n >= total), np.nan) - when for when, total in appended
        ]

    sentences = [
        (at, int(found[1].replace(",", "")))
        for at, text in counted
        if (found := re.search(r"of ([\d,]+) trials", text))
    ]
    print(f"{arguments.trials:,} trials before, {len(appended)} appended one by one")
    for name, values in (("in the page", behind(seen)), ("counted", behind(sentences))):
        print(f"{name + ', s behind':22}", spread(np.array(values)))
    print(f"{'frames, ms':22}", spread(np.array(frames[1:])))


def spread(values: Any) -> str:
    lost = int(np.isnan(values).sum())
    values = values[~np.isnan(values)]
    low, high = np.quantile(values, (0.5, 0.95))
    return f"median {low:.3g}, 95 % {high:.3g}, largest {values.max():.3g}" + (
        f"; {lost} never" if lost else ""
    )


async def keys(browser: Browser) -> None:
    """Walks through the page by Tab, and through a chart by an arrow key."""
    reached = []
    await browser.run("document.activeElement.blur()")
    for _ in range(80):
        await browser.press("Tab")
        reached.append(
            await browser.run("document.activeElement.id || document.activeElement.tagName")
        )
    print("Tab reaches", *dict.fromkeys(reached))
    await browser.run("$('tradeoff-chart').focus()")
    await browser.press("ArrowRight")
    await asyncio.sleep(0.5)
    print("an arrow key tells", await browser.run("$('tradeoff-chart').getAttribute('aria-label')"))


async def picture(browser: Browser, path: Path) -> None:
    """A picture of the whole page, with every chart drawn."""
    height, y = 1, 0
    while y < height:  # charts are drawn when they are seen, and some make the page longer
        await browser.run(f"window.scrollTo(0, {y})")
        await asyncio.sleep(0.6)
        height, y = await browser.run("document.documentElement.scrollHeight"), y + 800
    await browser.run("window.scrollTo(0, 0)")
    clip = {"x": 0, "y": 0, "width": 1280, "height": height, "scale": 1}
    shot = await browser.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
    path.write_bytes(base64.b64decode(shot["data"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rate", type=float, default=4.0, help="trials a second")
    parser.add_argument(
        "--settle",
        type=float,
        default=5.0,
        help="seconds to wait once all parts are there; 0: begin before",
    )
    parser.add_argument("--shot", type=Path, help="a picture of the page")
    parser.add_argument("--quick", action="store_true", help="100 trials, 2 s")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.trials, arguments.seconds, arguments.settle = 100, 2.0, 1.0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        asyncio.run(measure(arguments, Path(folder)))


if __name__ == "__main__":
    main()
