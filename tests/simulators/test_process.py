"""External simulators: what becomes of each design, whatever they do."""

import contextlib
import json
import os
import pickle
import shlex
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import uuid
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import pytest

from accel_dse.errors import OptionError, SimulatorError, SimulatorTimeoutError
from accel_dse.simulators.process import ProcessSimulator
from accel_dse.testing import check_simulator
from accel_dse.workload import Layer, Workload

STUBS = Path(__file__).parents[2] / "simulator_stubs"
FAULTY = f"{sys.executable} {STUBS / 'faulty' / 'faulty.py'}"
ROOFLINE = f"{sys.executable} {STUBS / 'python' / 'simulator.py'}"
COMMAND = f"{sys.executable} {STUBS / 'python' / 'command.py'} {{design}} {{workload}} {{result}}"
ROOFLINE_METRICS = "latency_cycles, area_mm2"

GEMM = Workload("gemm", (Layer(name="fc", K=4, C=8, P=16),))
TWICE = Workload("twice", (Layer(name="fc", K=4, C=8, P=16, count=2),))

ANSWERED = {"flood_stderr", "after_answer", "daemon"}
LATE = {"hang_for_ever", "ignore_sigterm", "half_line_hang", "child_hang"}
FAILED = {
    "crash": "killed by SIGSEGV",
    "give_up": "exit status 1; it last wrote 'cannot open the technology file'",
    "exit_0": "ended without an answer: exit status 0",
    "flood": "answered with over 1048576 characters",
    "chatter": "not JSON: 'Simulation started'",
    "same_line": "not JSON: 'result = ",
    "half_line": "ended in the middle of an answer: exit status 1",
    "other_id": "answered what was not asked",
    "no_object": "not a JSON object: '42'",
    "deep": "not JSON",
    "nan": "answered energy_mj nan",
    "infinite": "answered energy_mj inf",
    "text": "answered energy_mj '0.5'",
    "negative": "answered energy_mj -0.5, which is below zero",
    "missing": "answered no energy_mj",
    "wrong_unit": "answered metric 'energy_pj', expected 'energy_mj': another unit",
    "extra": "answered metric 'moonlight_lux'",
    "no_reason": "answered infeasible without a reason",
    "leak": ("MemoryError", "used more than 150 MiB of memory"),  # whoever notices first
    "leak_in_children": "used more than 150 MiB of memory",
    "daemon_crash": "killed by SIGSEGV",
    "error": "no licence",
}


def faults():
    code = "import json, sys; sys.path.insert(0, sys.argv[1]); import faulty; print(*faulty.FAULTS)"
    listed = subprocess.check_output([sys.executable, "-c", code, STUBS / "faulty"], text=True)
    return set(listed.split())


class Bench:
    """Makes simulators whose processes and files can be told from all others."""

    def __init__(self, temporary: Path):
        self.temporary, self.made = temporary, []

    def make(self, command=FAULTY, **options):
        options = {"retries": 0, "backoff_s": 0, "grace_s": 0.1, "timeout_s": 30.0, **options}
        simulator = ProcessSimulator(command=command, environment="BENCH_MARK", **options)
        self.made.append(simulator)
        return simulator

    def script(self, code, **options):
        path = self.temporary.parent / f"{uuid.uuid4().hex}.py"
        path.write_text(textwrap.dedent(code))
        return self.make(f"{sys.executable} {path}", **options)

    def processes(self):
        mark = f"BENCH_MARK={os.environ['BENCH_MARK']}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                # This process has the mark in its memory, not in what it was started with.
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
        return found

    def clean(self):
        return not self.processes() and not any(self.temporary.iterdir())

    def clean_within(self, seconds):
        """Whether all is gone, for good: a process that just forked does not bear the mark yet."""
        deadline = time.monotonic() + seconds
        cleans = 0
        while cleans < 10 and time.monotonic() < deadline:
            cleans = cleans + 1 if self.clean() else 0
            time.sleep(0.02)
        return cleans == 10


@pytest.fixture
def bench(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("BENCH_MARK", uuid.uuid4().hex)
    bench = Bench(temporary)
    yield bench
    for simulator in bench.made:
        simulator.close()
    if sys.platform == "linux":
        assert bench.clean_within(60), (bench.processes(), list(temporary.iterdir()))


def one(simulator, **design):
    return simulator.outcomes(GEMM, {name: np.array([value]) for name, value in design.items()})


def fault(simulator, name):
    return one(simulator, fault=name, pes=4)


def test_every_fault_has_a_test():
    assert faults() | {"error"} == ANSWERED | LATE | set(FAILED)


@pytest.mark.parametrize("name", sorted(FAILED))
def test_a_failure_is_told_for_what_it_was(bench, name):
    outcomes = fault(bench.make(memory_mib=150), name)
    told = [FAILED[name]] if isinstance(FAILED[name], str) else FAILED[name]
    assert any(text in str(outcomes.failures[0]) for text in told)
    assert not isinstance(outcomes.failures[0], SimulatorTimeoutError)
    assert outcomes.metrics.row(0) == {}


@pytest.mark.parametrize("name", sorted(LATE))
def test_a_design_that_takes_too_long_is_timed_out_and_not_tried_again(bench, name, tmp_path):
    folder = tmp_path / "runs"
    outcomes = fault(bench.make(timeout_s=0.5, retries=5, directory=str(folder)), name)
    assert isinstance(outcomes.failures[0], SimulatorTimeoutError)
    assert str(outcomes.failures[0]).startswith("no answer within 0.5 s")
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("name", sorted(ANSWERED))
def test_an_answer_counts_whatever_else_goes_on(bench, name):
    simulator = bench.make(retries=1)  # what comes after an answer may be taken for the next one
    for _ in range(2):
        assert fault(simulator, name).metrics.row(0) == {"latency_cycles": 250, "energy_mj": 0.5}


def test_an_infeasible_design_is_a_result_and_not_tried_again(bench):
    simulator = bench.make(retries=3)
    outcomes = fault(simulator, "infeasible")
    assert outcomes.failures == {}
    assert outcomes.metrics.infeasible == ("the buffer is too small",)
    assert np.isnan(outcomes.metrics.values["energy_mj"]).all()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_failure_does_not_lose_the_other_designs(bench, workers):
    simulator = bench.make(workers=workers)
    names = np.array(["none", "crash", "infeasible", "nan", "none", "give_up", "none"])
    outcomes = simulator.outcomes(GEMM, {"fault": names, "pes": np.arange(1, 8)})
    assert sorted(outcomes.failures) == [1, 3, 5]
    assert outcomes.metrics.infeasible[2] == "the buffer is too small"
    rows = [outcomes.metrics.row(i).get("latency_cycles") for i in range(7)]
    assert rows == [1000.0, None, None, None, 200.0, None, 1000 / 7]
    with pytest.raises(SimulatorError, match="SIGSEGV"):
        simulator.simulate(GEMM, {"fault": names, "pes": np.arange(1, 8)})


def test_a_mixed_drill_ends_with_every_outcome_as_it_was(bench):
    simulator = bench.make(f"{FAULTY} --share 0.3 --fault nan --seed 5", workers=2)
    pes = np.arange(1, 21)
    outcomes = simulator.outcomes(GEMM, {"pes": pes})
    again = bench.make(f"{FAULTY} --share 0.3 --fault nan --seed 5").outcomes(GEMM, {"pes": pes})
    assert 0 < len(outcomes.failures) < 15
    assert outcomes.failures.keys() == again.failures.keys()
    for i in set(range(20)) - outcomes.failures.keys():
        assert outcomes.metrics.row(i)["latency_cycles"] == 1000 / pes[i]


def test_a_failure_is_tried_again_with_a_new_process(bench, tmp_path):
    code = f"""
        import json, pathlib
        starts = pathlib.Path({str(tmp_path / "starts")!r})
        starts.open("a").write("x")
        print(json.dumps({{"accel_dse": 1, "simulator": "s", "version": "1", "metrics": ["a_ms"]}}))
        workload, request = json.loads(input()), json.loads(input())
        assert starts.stat().st_size == 3
        print(json.dumps({{"id": request["id"], "metrics": {{"a_ms": 1}}}}))
    """
    assert one(bench.script(code, retries=1), pes=1).failures.keys() == {0}
    assert (tmp_path / "starts").read_text() == "xx"
    assert one(bench.script(code, retries=1), pes=1).metrics.row(0) == {"a_ms": 1.0}
    assert (tmp_path / "starts").read_text() == "xxx"


def test_a_retry_waits_twice_as_long_each_time(bench):
    began = time.monotonic()
    assert fault(bench.make(retries=2, backoff_s=0.1), "error").failures
    assert time.monotonic() - began > 0.3


TELLS_ITS_PID = """
    import json, os, sys
    print(json.dumps({"accel_dse": 1, "simulator": "s", "version": "1", "metrics": ["pid"]}))
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            print(json.dumps({"id": message["id"], "metrics": {"pid": os.getpid()}}))
"""


def test_a_simulator_runs_on_and_hears_each_workload_once(bench):
    simulator = bench.script("""
        import json, os, sys
        greeting = {"accel_dse": 1, "simulator": "s", "version": "1"}
        print(json.dumps({**greeting, "metrics": ["pid", "heard"]}))
        heard = 0
        for line in sys.stdin:
            message = json.loads(line)
            heard += "layers" in message
            if "id" in message:
                metrics = {"pid": os.getpid(), "heard": heard}
                print(json.dumps({"id": message["id"], "metrics": metrics}))
    """)
    rows = [
        simulator.outcomes(w, {"pes": np.array([1])}).metrics.row(0) for w in (GEMM, TWICE, GEMM)
    ]
    assert [row["heard"] for row in rows] == [1, 2, 2]
    assert len({row["pid"] for row in rows}) == 1


def test_a_simulator_that_died_between_two_designs_is_replaced(bench):
    simulator = bench.script(TELLS_ITS_PID + "            os._exit(1)\n")
    rows = []
    for _ in range(3):
        rows.append(one(simulator, pes=1).metrics.row(0)["pid"])
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(int(rows[-1]), 0)
    assert len(set(rows)) == 3


def test_a_workload_larger_than_a_pipe_arrives(bench):
    layers = tuple(Layer(name=f"layer{i}", K=i) for i in range(1, 2001))
    macs = sum(layer.macs for layer in layers)
    big = Workload("big", layers)
    row = bench.make(ROOFLINE).simulate(big, {"pes": np.array([2])}).row(0)
    assert row["latency_cycles"] == macs / 2


@pytest.mark.parametrize("command", [ROOFLINE, COMMAND])
def test_an_external_simulator_keeps_the_contract_of_simulators(bench, command):
    metrics = ROOFLINE_METRICS if command is COMMAND else ""
    simulator = bench.make(command, metrics=metrics, workers=2)
    check_simulator(simulator, GEMM, {"pes": np.array([1, 0, 4, 2])})
    metrics = simulator.simulate(TWICE, {"pes": np.array([0, 4])})
    assert metrics.infeasible == ("no PEs", "")
    assert metrics.row(1) == {"latency_cycles": 256.0, "area_mm2": 0.004}


def test_no_designs_give_no_metrics(bench):
    assert len(bench.make(ROOFLINE).outcomes(GEMM, {"pes": np.array([])})) == 0


def test_structured_parameters_and_text_reach_the_simulator(bench):
    simulator = bench.script("""
        import json, sys
        print(json.dumps({"accel_dse": 1, "simulator": "s", "version": "1", "metrics": ["ok"]}))
        for line in sys.stdin:
            message = json.loads(line)
            if "id" in message:
                ok = message["design"] == {"order": [2, 0, 1], "flow": "ws", "pes": 8, "v": 0.9}
                print(json.dumps({"id": message["id"], "metrics": {"ok": ok + 0}}))
    """)
    columns = {
        "order": np.array([[2, 0, 1], [0, 1, 2]]),
        "flow": np.array(["ws", "os"], dtype=object),
        "pes": np.array([8, 9]),
        "v": np.array([0.9, 1.0]),
    }
    assert simulator.simulate(GEMM, columns).values["ok"].tolist() == [1.0, 0.0]


def test_the_version_is_what_the_simulator_says(bench):
    assert bench.make(ROOFLINE).version == "roofline 1"


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("raise RuntimeError('no licence')", "no licence"),
        ("print('hello')", "not JSON: 'hello'"),
        ("print('{\"accel_dse\": 7}')", "protocol 7"),
        ("import time; time.sleep(60)", "no answer within 0.3 s"),
    ],
)
def test_a_simulator_that_does_not_start_says_why_before_any_trial(bench, code, complaint):
    simulator = bench.script(code, start_timeout_s=0.3 if "sleep" in code else 30.0)
    with pytest.raises(SimulatorError, match=complaint) as caught:
        _ = simulator.version
    assert not isinstance(caught.value, SimulatorTimeoutError)
    assert "simulator_stubs/README.md" in caught.value.hint
    assert complaint in str(one(simulator, pes=1).failures[0])


def test_a_simulator_that_changes_its_version_is_not_believed(bench, tmp_path):
    code = f"""
        import json, pathlib
        path = pathlib.Path({str(tmp_path / "starts")!r})
        path.open("a").write("x")
        greeting = {{"accel_dse": 1, "simulator": "s", "version": path.read_text()}}
        print(json.dumps({{**greeting, "metrics": ["a"]}}))
    """
    simulator = bench.script(code, retries=1)
    assert simulator.version == "s x"
    assert "version='xx" in str(one(simulator, pes=1).failures[0])


def test_a_parameter_that_the_space_lacks_is_named(bench):
    simulator = bench.script("""
        import json
        greeting = {"accel_dse": 1, "simulator": "s", "version": "1", "metrics": ["a"]}
        print(json.dumps({**greeting, "parameters": ["rows", "pes"]}))
        input()
    """)
    with pytest.raises(OptionError, match="s reads rows, which the design space lacks"):
        one(simulator, pes=1)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"command": ""}, "no program is named ''"),
        ({"command": "no-such-simulator --fast"}, "no program is named 'no-such-simulator'"),
        ({"command": "sh -c 'open"}, "No closing quotation"),
        ({"command": "sh {result}"}, "metrics: got ''"),
        ({"command": "sh", "metrics": "a"}, "metrics: got 'a'"),
        ({"command": "sh", "timeout_s": 0}, "timeout_s: got 0"),
        ({"command": "sh", "timeout_s": float("nan")}, "timeout_s: got nan"),
        ({"command": "sh", "timeout_s": float("inf")}, "timeout_s: got inf"),
        ({"command": "sh", "workers": 0}, "workers: got 0"),
        ({"command": "sh", "retries": -1}, "retries: got -1"),
    ],
)
def test_a_wrong_option_is_refused_at_once(options, complaint):
    with pytest.raises(OptionError, match=complaint):
        ProcessSimulator(**options)


def test_a_command_may_name_files_from_where_the_user_is(bench, monkeypatch):
    monkeypatch.chdir(STUBS / "python")
    simulator = bench.make(f"{sys.executable} simulator.py")
    monkeypatch.chdir("/")
    assert simulator.version == "roofline 1"


def test_no_shell_reads_the_command(bench, tmp_path):
    target = tmp_path / "made by a shell"
    simulator = bench.make(f"{ROOFLINE} ';' touch '{target}' '$(touch {target})' '*'")
    assert simulator.version == "roofline 1"
    assert not target.exists()


def test_only_named_variables_reach_the_simulator(bench, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")
    simulator = bench.script("""
        import json, os
        names = "+".join(sorted(os.environ))
        print(json.dumps({"accel_dse": 1, "simulator": names, "version": "1", "metrics": ["a"]}))
    """)
    assert "SECRET_TOKEN" not in simulator.version
    assert "BENCH_MARK" in simulator.version


def test_a_command_without_a_result_failed(bench):
    simulator = bench.make("sh -c 'echo no such layer >&2; exit 4' {result}", metrics="a_ms")
    assert str(one(simulator, pes=1).failures[0]) == (
        "ended without an answer: exit status 4; it last wrote 'no such layer'"
    )


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ('echo \'{"metrics": {"a_ms": 3}}\' > $0; kill -SEGV $$', 3.0),
        ('echo \'{"metrics": {"a_ms": 3}}\' > $0; sleep 60', 3.0),
        ('echo \'{"metrics": {"a_ms":\' > $0', "not JSON"),
        ("mkfifo $0", "ended without an answer: exit status 0"),
        ("ln -s /dev/zero $0", "ended without an answer: exit status 0"),
        ("yes > $0", "over 1048576 characters"),
        ("sleep 60", "no answer within 0.3 s"),
    ],
)
def test_a_result_counts_if_it_is_whole(bench, script, outcome):
    slow = "sleep" in script or "yes" in script
    command = f"{shlex.join(['sh', '-c', script])} {{result}}"
    outcomes = one(bench.make(command, metrics="a_ms", timeout_s=0.3 if slow else 30), pes=1)
    if isinstance(outcome, float):
        assert outcomes.metrics.row(0) == {"a_ms": outcome}
    else:
        assert outcome in str(outcomes.failures[0])


def test_a_finished_simulation_is_found_again(bench, tmp_path):
    folder = tmp_path / "runs"
    for command, metrics in ((COMMAND, ROOFLINE_METRICS), (ROOFLINE, "")):
        first = bench.make(command, metrics=metrics, directory=str(folder))
        row = one(first, pes=4).metrics.row(0)
        assert one(first, pes=0).metrics.infeasible == ("no PEs",)
        left = sorted(folder.iterdir())
        again = bench.make(command, metrics=metrics, directory=str(folder))
        assert one(again, pes=4).metrics.row(0) == row
        assert one(again, pes=0).metrics.infeasible == ("no PEs",)
        assert sorted(folder.iterdir()) == left
        assert one(again, pes=8).metrics.row(0) != row
        assert len(list(folder.iterdir())) == len(left) + 1


def test_a_simulation_that_finished_as_its_study_was_killed_is_not_run_again(bench, tmp_path):
    """The command counts its starts, leaves its result, and hangs; then the study is killed."""
    starts, folder = tmp_path / "starts", tmp_path / "runs"
    script = f'echo x >> {starts}; echo "{{\\"metrics\\": {{\\"a_ms\\": 7}}}}" > $0; sleep 60'
    options = {
        "command": f"{shlex.join(['sh', '-c', script])} {{result}}",
        "metrics": "a_ms",
        "directory": str(folder),
    }
    code = f"""if True:
        import numpy as np
        from accel_dse.simulators.process import ProcessSimulator
        from accel_dse.workload import Layer, Workload
        simulator = ProcessSimulator(environment="BENCH_MARK", **{options!r})
        gemm = Workload("gemm", (Layer(name="fc", K=4, C=8, P=16),))
        simulator.outcomes(gemm, {{"pes": np.array([1])}})
    """
    study = subprocess.Popen([sys.executable, "-c", code])
    while not (folder.exists() and list(folder.glob("*/result.json"))):
        time.sleep(0.02)
    study.kill()
    study.wait()
    assert bench.clean_within(30)
    again = bench.make(options.pop("command"), **options)
    assert one(again, pes=1).metrics.row(0) == {"a_ms": 7.0}
    assert starts.read_text() == "x\n"


def test_a_failure_leaves_what_a_post_mortem_needs_and_is_not_believed_again(bench, tmp_path):
    folder = tmp_path / "runs"
    for _ in range(2):
        assert fault(bench.make(directory=str(folder)), "give_up").failures
    runs = sorted(folder.iterdir())
    assert len(runs) == 2
    assert json.loads((runs[0] / "design.json").read_text()) == {"fault": "give_up", "pes": 4}
    assert json.loads((runs[0] / "workload.json").read_text())["name"] == "gemm"
    assert "technology file" in (runs[0] / "stderr.txt").read_text()
    assert "exit status 1" in json.loads((runs[0] / "result.json").read_text())["error"]


def test_a_folder_that_cannot_be_written_stops_the_study(bench, tmp_path):
    (tmp_path / "file").write_text("")
    for command, metrics in ((ROOFLINE, ""), (COMMAND, ROOFLINE_METRICS)):
        simulator = bench.make(command, metrics=metrics, directory=str(tmp_path / "file"))
        with pytest.raises(OptionError, match="file"):
            one(simulator, pes=1)


def test_closing_cancels_what_runs_and_is_final(bench):
    simulator = bench.make(workers=2, retries=5)
    closing = threading.Timer(0.5, simulator.close)
    closing.start()
    names = np.array(["hang_for_ever", "ignore_sigterm", "none"])
    with pytest.raises(CancelledError):
        simulator.outcomes(GEMM, {"fault": names, "pes": np.array([1, 2, 3])})
    closing.join()
    with pytest.raises(CancelledError):
        fault(simulator, "none")


def test_a_fork_that_forgets_a_simulator_does_not_end_it(bench):
    simulator = bench.script(TELLS_ITS_PID)
    before = one(simulator, pes=1).metrics.row(0)
    pid = os.fork()
    if pid == 0:
        bench.made.clear()
        del simulator
        os._exit(0)
    os.waitpid(pid, 0)
    time.sleep(0.2)
    assert one(simulator, pes=1).metrics.row(0) == before


def test_a_forgotten_simulator_ends_its_processes(bench):
    simulator = bench.make()
    fault(simulator, "daemon")
    bench.made.clear()
    del simulator
    assert bench.clean_within(30)


def test_threads_may_share_a_simulator(bench):
    simulator = bench.make(ROOFLINE)
    found = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: one(simulator, pes=i).metrics.row(0)}))
        for i in range(1, 7)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {i: row["latency_cycles"] for i, row in found.items()} == {i: 512 / i for i in found}
    assert len(found) == 6


def test_a_pickled_simulator_is_one_with_the_same_options(bench):
    simulator = bench.make(ROOFLINE, timeout_s=7.0)
    assert one(simulator, pes=1).failures == {}
    copy = pickle.loads(pickle.dumps(simulator))
    bench.made.append(copy)
    assert (copy.command, copy.timeout_s) == (simulator.command, 7.0)
    assert one(copy, pes=2).metrics.row(0) == one(simulator, pes=2).metrics.row(0)


@pytest.mark.parametrize("template", [False, True])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_a_killed_study(bench, template, number):
    hang = 'sh -c "setsid sleep 60 & sleep 60" {result}'
    code = f"""if True:
        import signal, tempfile, threading
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has none
        import numpy as np
        tempfile.tempdir = {str(bench.temporary)!r}
        from accel_dse.simulators.process import ProcessSimulator
        from accel_dse.workload import Layer, Workload
        options = dict(command={hang!r}, metrics="a") if {template} else dict(command={FAULTY!r})
        simulator = ProcessSimulator(environment="BENCH_MARK", workers=2, grace_s=0.1, **options)
        print(simulator.version, flush=True)
        faults = np.array(["daemon", "child_hang", "ignore_sigterm"])
        simulator.outcomes(Workload("w", (Layer(name="a"),)), {{"fault": faults}})
    """
    study = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    study.stdout.readline()
    while len(bench.processes()) < 6:
        time.sleep(0.02)
    study.send_signal(number)
    study.wait(timeout=120)  # it waits for its guards, however busy the machine is
    study.stdout.close()
    assert bench.clean_within(60)
