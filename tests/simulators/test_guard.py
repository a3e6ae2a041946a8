"""A guarded command: how it ends, and that nothing of it is left."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from accel_dse.simulators.guarded import KEPT_BYTES, LONGEST_LINE, Guarded, HeadAndTail

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"


class Drill:
    """Starts commands whose every process can be told by a mark in its environment."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.mark = uuid.uuid4().hex
        self.environment = {"PATH": os.environ["PATH"], "MARK": self.mark}

    def start(self, *command, **options):
        options = {"grace_s": 0.1, "environment": self.environment, **options}
        return Guarded(command, directory=self.directory / uuid.uuid4().hex, **options)

    def python(self, code, **options):
        return self.start(sys.executable, "-S", "-c", code, **options)

    def processes(self):
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self.mark.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
        return found

    def clean(self):
        return not self.processes() and not any(self.directory.iterdir())

    def clean_within(self, seconds):
        """Whether all is gone, for good: a process that just forked does not bear the mark yet."""
        deadline = time.monotonic() + seconds
        cleans = 0
        while cleans < 10 and time.monotonic() < deadline:
            cleans = cleans + 1 if self.clean() else 0
            time.sleep(0.02)
        return cleans == 10


@pytest.fixture
def drill(tmp_path):
    drill = Drill(tmp_path)
    yield drill
    for pid in drill.processes():
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exit 0", "exit status 0"),
        ("exit 3", "exit status 3"),
        ("kill -SEGV $$", "killed by SIGSEGV"),
        ("kill -40 $$", "killed by signal 40"),
    ],
)
def test_an_ending_is_told_as_it_was(drill, script, told):
    with drill.start("sh", "-c", script) as child:
        ending = child.wait(20)
    assert (ending.cause, str(ending)) == ("exit", told)
    assert drill.clean()


def test_a_program_that_is_not_there_ends_with_127_and_a_reason(drill):
    with drill.start("no-such-simulator") as child:
        assert str(child.wait(20)) == "exit status 127"
    assert "cannot run 'no-such-simulator'" in child.errors.text()


def test_a_hang_is_ended_in_time(drill):
    with drill.start("sleep", "60") as child:
        began = time.monotonic()
        assert child.wait(0.2).cause == "timeout"
        assert time.monotonic() - began < 30
    assert drill.clean()


def test_a_process_that_ignores_sigterm_is_killed(drill):
    with drill.python(f"print('ready', flush=True); {STUBBORN}") as child:
        assert child.ask("", 20) == "ready"
        ending = child.wait(0.1)
    assert (ending.cause, str(ending)) == ("timeout", "killed by SIGKILL")
    assert drill.clean()


def test_a_program_gets_the_chance_to_end_in_order(drill):
    with drill.start(
        "sh", "-c", "trap 'echo tidied; exit 7' TERM; while :; do sleep 0.01; done"
    ) as child:
        ending = child.wait(0.3)
    assert (ending.cause, ending.code) == ("timeout", 7)
    assert child.output.text() == "tidied\n"


def test_a_daemon_that_left_its_session_is_ended_with_the_command(drill):
    script = f"setsid sh -c '{sys.executable} -S -c \"{STUBBORN}\" &' & exit 0"
    with drill.start("sh", "-c", script) as child:
        assert child.wait(20).cause == "exit"
    assert drill.clean()


def test_a_tree_of_hung_processes_is_ended(drill):
    with drill.start("sh", "-c", "sh -c 'sleep 60 & sleep 60' & setsid sleep 60 & wait") as child:
        assert child.wait(0.3).cause == "timeout"
    assert drill.clean()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_nothing_outlives_the_study(drill, number):
    code = f"""if True:
        import os, sys, time
        from pathlib import Path
        from accel_dse.simulators.guarded import Guarded
        command = ["sh", "-c", "setsid sleep 60 & echo ready; sleep 60"]
        children = []
        for name in "ab":
            directory = Path({str(drill.directory)!r}, name)
            child = Guarded(command, directory=directory, environment={drill.environment!r})
            assert child.ask("", 30) == "ready"
            children.append(child)
        print("ready", flush=True)
        time.sleep(60)
    """
    study = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert study.stdout.readline() == b"ready\n"
    assert len(drill.processes()) >= 6
    study.send_signal(number)
    study.wait()
    study.stdout.close()
    assert drill.clean_within(30)


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.03, 0.06, 0.1, 0.15])
def test_no_moment_to_kill_a_study_leaves_anything(drill, delay_s):
    code = f"""if True:
        import threading, uuid
        from pathlib import Path
        from accel_dse.simulators.guarded import Guarded
        def simulate():
            while True:
                directory = Path({str(drill.directory)!r}, uuid.uuid4().hex)
                environment = {drill.environment!r}
                with Guarded(["cat"], directory=directory, environment=environment) as child:
                    child.ask("1\\n", 30)
        print("ready", flush=True)
        for _ in range(3):
            threading.Thread(target=simulate).start()
    """
    study = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert study.stdout.readline() == b"ready\n"
    time.sleep(delay_s)
    study.kill()
    study.wait()
    study.stdout.close()
    assert drill.clean_within(30)


def test_a_killed_guard_takes_the_command_with_it(drill):
    with drill.start("sh", "-c", "echo $PPID; exec sleep 60") as child:
        os.kill(int(child.ask("", 20)), signal.SIGKILL)
        assert child.ask("", 20) is None
        assert child.end().cause == "lost"
    assert drill.clean_within(30)


def test_a_batch_system_that_terminates_the_guard_leaves_nothing(drill):
    with drill.start("sh", "-c", "echo $PPID; setsid sleep 60 & sleep 60") as child:
        os.kill(int(child.ask("", 20)), signal.SIGTERM)
        assert child.wait(20).cause == "closed"
    assert drill.clean()


def test_memory_of_one_process_is_limited(drill):
    with drill.python("hoard = bytearray(300 << 20)", memory_mib=100) as child:
        assert str(child.wait(20)) == "exit status 1"
    assert child.errors.text().endswith("MemoryError\n")


def test_memory_of_all_processes_together_is_limited(drill):
    code = "import os, time; os.fork(); os.fork(); hoard = bytearray(60 << 20); time.sleep(60)"
    with drill.python(code, memory_mib=160) as child:
        assert child.wait(20).cause == "memory"
    assert drill.clean()


def test_reserved_address_space_is_not_memory(drill):
    code = "import mmap; mmap.mmap(-1, 4 << 30, prot=mmap.PROT_READ); print('fits')"
    with drill.python(code, memory_mib=200) as child:
        child.wait(20)
    assert child.output.text() == "fits\n"


def test_a_command_sees_signals_as_from_a_fresh_shell(drill):
    blocked = {signal.SIGUSR1, signal.SIGALRM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        with drill.start("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status") as child:
            child.wait(20)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    reserved = 0b11 << 31  # signals 32 and 33: the C library's own, which no program may set
    masks = [int(line.split()[1], 16) & ~reserved for line in child.output.text().splitlines()]
    assert masks == [0, 0]


def test_a_command_inherits_no_descriptor_but_its_three(drill):
    with drill.start("ls", "/proc/self/fd") as child:
        child.wait(20)
    assert child.output.text().split() == ["0", "1", "2", "3"]  # 3 is what `ls` itself opened


def test_a_command_gets_its_files_and_its_directory_and_only_its_environment(drill):
    with drill.start("sh", "-c", "pwd; cat in.txt; env", files={"in.txt": "given\n"}) as child:
        child.wait(20)
        assert child.directory.is_dir()
    said = child.output.text().splitlines()
    assert said[:2] == [str(child.directory), "given"]
    names = {line.partition("=")[0] for line in said[2:]}
    added_by_shell, added_by_python = {"PWD", "OLDPWD", "SHLVL", "_"}, {"LC_CTYPE"}
    assert names - added_by_shell - added_by_python == {"PATH", "MARK", "TMPDIR"}
    assert not child.directory.exists()


def test_a_kept_directory_stays(drill):
    with drill.start("touch", "kept", keep=True) as child:
        child.wait(20)
    assert (child.directory / "kept").exists()


def test_lines_go_forth_and_back_however_long_and_many(drill):
    with drill.start("cat") as child:
        for length in (0, 1, 70_000, 300_000):
            assert child.ask("x" * length + "\n", 20) == "x" * length
        assert child.ask("two\nlines\n", 20) == "two"
        assert not child.quiet()
        assert child.ask("", 20) == "lines"
        assert child.quiet()
    assert drill.clean()


def test_a_line_without_end_is_cut(drill):
    with drill.python("import sys\nwhile True: sys.stdout.write('x' * 4096)") as child:
        assert len(child.ask("", 20)) > LONGEST_LINE
        child.end()
        assert len(child.unread()) < 2 * LONGEST_LINE


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_who_never_stops_talking_is_not_listened_to_for_ever(drill, stream):
    code = f"import sys\nwhile True: sys.{stream}.write('x' * 99 + chr(10))"
    with drill.python(code) as child:
        began = time.monotonic()
        child.quiet()
        assert time.monotonic() - began < 25


def test_an_answer_before_the_question_was_read_does_not_spoil_the_next(drill):
    code = """if True:
        import sys, time
        print("early", flush=True)
        time.sleep(0.3)
        print(len(sys.stdin.read(400_001)))
    """
    with drill.python(code) as child:
        assert child.ask("x" * 400_000, 20) == "early"
        assert child.ask("y", 20) == "400001"


def test_a_flood_on_stderr_blocks_nobody_and_keeps_head_and_tail(drill):
    code = "import sys; sys.stderr.write('first' + 'x' * 5_000_000 + 'last'); print('done')"
    with drill.python(code) as child:
        assert child.ask("", 20) == "done"
        child.wait(20)
    kept = child.errors.text()
    assert kept.startswith("firstx")
    assert kept.endswith("xlast")
    assert len(kept) < 2 * KEPT_BYTES + 100
    assert f"[... {5_000_009 - 2 * KEPT_BYTES} bytes left out ...]" in kept


def test_the_last_line_of_a_program_that_ends_is_not_lost(drill):
    with drill.start("echo", "42") as child:
        assert child.ask("", 20) == "42"
        assert child.ask("", 20) is None
        assert not child.quiet()
        assert child.end().cause == "exit"


def test_a_program_that_closes_its_output_is_not_waited_for(drill):
    with drill.start("sh", "-c", "exec >&-; sleep 60") as child:
        began = time.monotonic()
        assert child.ask("", 30) is None
        assert time.monotonic() - began < 25
        assert child.end().cause == "closed"


def test_another_thread_may_hang_up(drill):
    with drill.start("sleep", "60") as child:
        child.hang_up()
        assert child.ask("", 30) is None
        assert child.end().cause == "closed"


def test_a_time_limit_holds_for_one_question_only(drill):
    with drill.start("cat") as child:
        assert child.ask("a\n", 0.3) == "a"
        time.sleep(0.5)
        assert child.ask("b\n", 20) == "b"


def test_a_thousand_questions_do_not_confuse_the_guard(drill):
    with drill.start("cat") as child:
        assert all(child.ask(f"{i}\n", 20) == str(i) for i in range(1000))


def test_head_and_tail_meet_without_a_gap():
    kept = HeadAndTail(kept_bytes=4)
    for byte in b"abcdefgh":
        kept.add(bytes([byte]))
    assert kept.text() == "abcdefgh"
    kept.add(b"i")
    assert kept.text() == "abcd\n[... 1 bytes left out ...]\nfghi"
    assert kept.total_bytes == 9
