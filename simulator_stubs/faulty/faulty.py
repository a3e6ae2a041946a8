"""A simulator that misbehaves on request: for tests, and for drills of your own.

    python faulty.py [--fault NAME] [--share 0.2] [--seed 0]

A design's parameter `fault` says what goes wrong on it. Without one, `--fault` strikes on
`--share` of the designs (NAME `any`: one of all), the same ones every time.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time

METRICS = ("latency_cycles", "energy_mj")


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def answer(request, **changes):
    metrics = {"latency_cycles": 1000.0 / request["design"].get("pes", 1), "energy_mj": 0.5}
    metrics = {k: v for k, v in {**metrics, **changes}.items() if v is not None}
    say(json.dumps({"id": request["id"], "metrics": metrics}) + "\n")


def hang():
    while True:
        time.sleep(1000)


def sleeper(*, new_session):
    """A process that outlives whoever started it."""
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(1000)"
    subprocess.Popen([sys.executable, "-c", code], start_new_session=new_session)


def crash(request):
    """Dies of a segmentation fault."""
    os.kill(os.getpid(), signal.SIGSEGV)


def give_up(request):
    """Gives up with a message."""
    sys.exit("cannot open the technology file")


def exit_0(request):
    """Ends as if all were well, without an answer."""
    os._exit(0)


def hang_for_ever(request):
    """Never answers."""
    hang()


def ignore_sigterm(request):
    """Never answers, and does not want to end either."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang()


def flood(request):
    """Writes without end, and without a line's end."""
    while True:
        say("x" * 65536)


def flood_stderr(request):
    """Writes megabytes of log, then answers."""
    sys.stderr.write("y" * 8_000_000 + "\n")
    answer(request)


def chatter(request):
    """Greets the world before it answers."""
    say("Simulation started\n")
    answer(request)


def same_line(request):
    """Prints something in the line of its answer."""
    say("result = ")
    answer(request)


def half_line(request):
    """Dies in the middle of an answer."""
    say('{"id": 0, "metrics": {"latency_cy')
    os._exit(1)


def half_line_hang(request):
    """Stops in the middle of an answer."""
    say('{"id": 0, "metrics": {"latency_cy')
    hang()


def after_answer(request):
    """Answers, then says more."""
    answer(request)
    say("Simulation finished\n")


def other_id(request):
    """Answers a question that nobody asked."""
    answer({**request, "id": 10**6})


def no_object(request):
    """Answers in JSON, but not with an object."""
    say("42\n")


def deep(request):
    """Answers with JSON nested deeper than any parser goes."""
    say("[" * 200_000 + "\n")


def nan(request):
    """Measures not a number."""
    answer(request, energy_mj=float("nan"))


def infinite(request):
    """Measures infinity."""
    answer(request, energy_mj=float("inf"))


def text(request):
    """Gives a number as text."""
    answer(request, energy_mj="0.5")


def negative(request):
    """Measures less than nothing."""
    answer(request, energy_mj=-0.5)


def missing(request):
    """Leaves a metric out."""
    answer(request, energy_mj=None)


def wrong_unit(request):
    """Gives a metric in another unit than it said it would."""
    answer(request, energy_mj=None, energy_pj=5e8)


def extra(request):
    """Gives a metric that it never spoke of."""
    answer(request, moonlight_lux=1.0)


def no_reason(request):
    """Says that the design cannot work, but not why."""
    say(json.dumps({"id": request["id"], "infeasible": ""}) + "\n")


def leak(request):
    """Takes ever more memory."""
    hoard = []
    while True:
        hoard.append(bytearray(8 << 20))
        time.sleep(0.001)


def leak_in_children(request):
    """Takes ever more memory, in ever more processes."""
    while True:
        code = "import time; hoard = bytearray(16 << 20); time.sleep(1000)"
        subprocess.Popen([sys.executable, "-c", code])
        time.sleep(0.01)


def daemon(request):
    """Leaves a process in a session of its own, and answers."""
    sleeper(new_session=True)
    answer(request)


def daemon_crash(request):
    """Leaves an orphan in a session of its own, and dies."""
    if os.fork() == 0:
        os.setsid()
        sleeper(new_session=True)
        os._exit(0)
    os.wait()
    crash(request)


def child_hang(request):
    """Waits for a process of its own that never ends."""
    sleeper(new_session=False)
    hang()


FAULTS = {
    function.__name__: function
    for function in (
        *(crash, give_up, exit_0, hang_for_ever, ignore_sigterm, flood, flood_stderr, chatter),
        *(same_line, half_line, half_line_hang, after_answer, other_id, no_object, deep, nan),
        *(infinite, text, negative, missing, wrong_unit, extra, no_reason, leak),
        *(leak_in_children, daemon, daemon_crash, child_hang),
    )
}


def chosen(design, options):
    """The fault to commit on `design`, or "none"."""
    if "fault" in design:
        return design["fault"]
    seed = hashlib.sha256(json.dumps([options.seed, design], sort_keys=True).encode()).hexdigest()
    dice = random.Random(seed)
    if dice.random() >= options.share:
        return "none"
    return dice.choice(sorted(FAULTS)) if options.fault == "any" else options.fault


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"{name:18} {fault.__doc__}" for name, fault in FAULTS.items()),
    )
    parser.add_argument("--fault", default="any", choices=["any", *FAULTS])
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    greeting = {"accel_dse": 1, "simulator": "faulty", "version": "1", "metrics": METRICS}
    say(json.dumps(greeting) + "\n")
    for line in sys.stdin:
        request = json.loads(line)
        if "design" not in request:
            continue
        fault = chosen(request["design"], options)
        if fault == "none":
            answer(request)
        elif fault == "infeasible":
            say(json.dumps({"id": request["id"], "infeasible": "the buffer is too small"}) + "\n")
        elif fault == "error":
            say(json.dumps({"id": request["id"], "error": "no licence"}) + "\n")
        else:
            FAULTS[fault](request)


if __name__ == "__main__":
    main()
