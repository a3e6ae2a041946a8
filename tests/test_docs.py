"""What the documentation shows, works: each page is a story, and is followed to its end."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import typer
from documented import PAGES, ROOT, Step, mentioned, prose, steps

from accel_dse import plugins
from accel_dse.cli import app, main
from accel_dse.files import load_space
from accel_dse.testing import check_optimizer, check_simulator, toy_problem

AT_MOST = {"--trials": 12, "-n": 120, "--seeds": 1, "--batch": 4}
"""The one way in which a command is made shorter than the page has it: numbers of these flags."""

ALSO = {
    "fit": [f"--option={x}" for x in ("steps=30", "members=1", "alpha=0.1", "beta=0.1")],
    "compare": ["--trials", "8"],
    "optimize": ["--trials", "12"],
    "worker": ["--trials", "12"],
}
"""Flags that a command gets if it leaves them at their defaults, which would take minutes."""

SHORTER = {"study.run(200, batch=20)": "study.run(40, batch=20)"}
"""The same for programs."""

IN_THE_CHECKOUT = ("design_spaces", "logged_data", "notebooks", "simulator_stubs")
"""Folders that a reader has beside her."""

NOT_RUN = {
    "make": "runs what other tests run, or all of them; see the test of the Makefile",
    "pip install": "installs",
    "python -m venv": "installs",
    "python3.12 -m venv": "installs",
    "scalesim-env/bin/pip install": "installs",
    "accelforge-env/bin/pip install": "installs",
    "zigzag-env/bin/pip install": "installs",
    "apt-get install": "installs",
    "sbatch": "needs Slurm",
    "accel-dse watch": "serves until it is stopped; tests/report/test_live.py asks it",
    "python logged_data/collect.py": "takes half an hour; tests/datasets reads what it made",
    ".venv/bin/pytest": "is another test",
}
"""How commands begin that are not run, and why; a page that gains another one fails."""

NEEDS_A_TOOL = {
    "simulator_stubs/accelforge/README.md": "AccelForge",
    "simulator_stubs/maestro/README.md": "MAESTRO",
    "simulator_stubs/scalesim/README.md": "SCALE-Sim",
    "simulator_stubs/timeloop/README.md": "Timeloop",
    "simulator_stubs/zigzag/README.md": "ZigZag",
}
"""Pages whose `accel-dse` commands drive a tool of others; tests/stubs runs those where it is."""

HAS = {
    "README.md": {"my_space.yaml": "simulator_stubs/python/space.yaml"},
    "docs/long_runs.md": {
        "my_space.yaml": "simulator_stubs/python/space.yaml",
        "my_simulator.py": "simulator_stubs/python/simulator.py",
    },
    "simulator_stubs/README.md": {"serving.py": "simulator_stubs/serving.py"},
}
"""Files of her own that a page takes for granted, and what stands for them."""

RAN = {
    "docs/long_runs.md": [
        f"accel-dse optimize edge -w mlp --minimize latency_ms --optimizer random --seed {seed} "
        f"--log {log}"
        for seed, log in enumerate(("a.db", "b.db"))
    ]
}
"""Searches of her own that a page takes for granted."""

INSTEAD = {"postgresql+psycopg://me@db/dse": "database.sqlite"}
"""A database that is not here, and what its page says does as well on one machine."""


def refusal(step: Step) -> str:
    """The line of `NOT_RUN` that says why a command is not run; "" if it is."""
    return next((start for start in NOT_RUN if step.text.startswith(start)), "")


def ours(step: Step) -> list[str]:
    """The words after `accel-dse`, made shorter; empty if the command is another program's."""
    words = [INSTEAD.get(word, word) for word in step.words]
    if Path(words[0]).name != "accel-dse":
        return []
    shorter = [
        str(min(int(word), AT_MOST[flag])) if flag in AT_MOST else word
        for flag, word in pairwise(words)
    ]
    also = ALSO.get(words[1], [])
    return shorter + ([] if set(also[:1]) & set(words) else also)


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """Follows steps in a fresh folder, as one who has installed the package."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    for folder in IN_THE_CHECKOUT:
        Path(folder).symlink_to(ROOT / folder)
    yield Reader(monkeypatch)
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]


class Reader:
    """Does what pages say; remembers what their programs define."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.scope: dict[str, object] = {"__name__": "page"}

    def follow(self, step: Step) -> None:
        """Does one step."""
        getattr(self, f"_{step.kind}")(step)

    def _command(self, step: Step) -> None:
        if refusal(step):
            return
        if words := ours(step):
            assert main(words) == 0, step
        else:
            subprocess.run(step.words, check=True)

    def _file(self, step: Step) -> None:
        path = Path(step.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.text)
        if step.name == "cluster.yaml" and find_spec("dask"):
            from accel_dse.execution.dask_cluster import read_cluster

            assert read_cluster(path).jobs > 1

    def _python(self, step: Step) -> None:
        text = step.text
        for long, short in SHORTER.items():
            text = text.replace(long, short)
        exec(compile(text, str(step), "exec"), self.scope)

    def _toml(self, step: Step) -> None:
        """Installs a package that has these entry points, and the files so far."""
        groups = tomllib.loads(step.text)["project"]["entry-points"]
        rows = [
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in groups.items()
        ]
        info = Path("my_package-1.dist-info")
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1\n")
        (info / "entry_points.txt").write_text("\n".join(rows))

    def _diff(self, step: Step) -> None:
        """Has the plug-ins that a page adds to the package's table, from the files so far."""
        for name, module, cls in re.findall(r'^\+ +"(\w+)": "([\w.]+):(\w+)",$', step.text, re.M):
            kind = module.split(".")[1]
            spec = spec_from_file_location(module, Path(*module.split(".")).with_suffix(".py"))
            made = module_from_spec(spec)
            self.patch.setitem(sys.modules, module, made)
            spec.loader.exec_module(made)
            self.patch.setitem(plugins.BUILT_IN[kind], name, f"{module}:{cls}")

    def _json(self, step: Step) -> None:
        """Messages, one after the other."""
        decoder, text = json.JSONDecoder(), step.text.strip()
        while text:
            _, end = decoder.raw_decode(text)
            text = text[end:].strip()


STORIES = [page for page in PAGES if steps(page) and page not in NEEDS_A_TOOL]


@pytest.mark.parametrize("page", STORIES)
def test_a_page_can_be_followed_to_its_end(page, reader, capfd):
    if page.startswith("logged_data") and not list(Path("logged_data").glob("*.parquet")):
        pytest.skip("a source distribution leaves the logs out")
    for name, stand_in in HAS.get(page, {}).items():
        shutil.copy(ROOT / stand_in, name)
    for command in RAN.get(page, ()):
        reader.follow(Step(page, 0, "command", command))
    for step in steps(page):
        reader.follow(step)
    capfd.readouterr()


def test_the_plug_ins_of_contributing_keep_the_laws(reader):
    for step in steps("CONTRIBUTING.md"):
        if step.kind in ("file", "diff"):
            reader.follow(step)
    check_optimizer(plugins.load("optimizers", "my_search"), toy_problem())
    simulator = plugins.load("simulators", "my_simulator")()
    designs = load_space("edge").space.sample_columns(40, np.random.default_rng(0))
    check_simulator(simulator, toy_problem().workloads[0][0], designs)
    assert "" in simulator.simulate(toy_problem().workloads[0][0], designs).infeasible


def test_what_is_not_run_is_listed_with_its_reason_and_nothing_else_is():
    everything = [step for page in PAGES for step in steps(page) if step.kind == "command"]
    assert len(everything) > 50
    assert {refusal(step) for step in everything} - {""} == set(NOT_RUN)
    driven = {step.page for step in everything if ours(step) and step.page in NEEDS_A_TOOL}
    assert driven == set(NEEDS_A_TOOL)


COMMANDS = typer.main.get_command(app)


def understood(words: list[str]) -> None:
    """Lets the command line read a command, and does nothing."""
    group, name, rest = COMMANDS, words[0], words[1:]
    while hasattr(found := group.commands[name], "commands"):
        group, name, rest = found, rest[0], rest[1:]
    found.make_context(name, list(rest))


def test_every_command_is_understood_whether_it_is_run_or_not():
    for page in PAGES:
        for step in steps(page):
            if step.kind == "command" and ours(step):
                understood(ours(step))


MENTIONING = (*PAGES, "benchmarks/README.md")


@pytest.mark.parametrize("page", [page for page in MENTIONING if mentioned(page)])
def test_a_command_within_a_sentence_has_the_flags_that_it_is_given(page):
    for words in mentioned(page):
        flags = {word.partition("=")[0] for word in words if word.startswith("-")}
        if words[0] == "accel-dse" and not words[1].startswith("-"):
            assert flags <= known_flags(words[1:]), words
        elif words[0] == "python" and words[1].endswith(".py") and not placeholder(words[1]):
            stubs = sorted((ROOT / "simulator_stubs").glob(f"*/{words[1]}"))
            script = next(filter(Path.exists, (ROOT / words[1], *stubs)), None)
            assert script, words
            assert stubs or all(f'"{flag}"' in script.read_text() for flag in flags), words
        elif words[0] == "make":
            targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert set(words[1:]) <= set(targets), words


def placeholder(path: str) -> bool:
    """Whether a name stands for several scripts."""
    return "{" in path or Path(path).stem.isupper()


def known_flags(words: list[str]) -> set[str]:
    """All flags of the command that `words` begin with."""
    found = COMMANDS
    for word in words:
        if not hasattr(found, "commands"):
            break
        found = found.commands[word]
    return {
        flag for parameter in found.params for flag in parameter.opts + parameter.secondary_opts
    }


def test_the_demo_of_the_readme_is_that_of_the_makefile():
    done = subprocess.run(
        ["make", "-n", "-B", "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    made = " ".join(done.stdout.replace("\\\n", " ").split()).replace(".venv/bin/", "")
    shown = [step.text for step in steps("README.md") if "demo/" in step.text]
    assert len(shown) == 2
    for text in shown:
        assert " ".join(text.split()) in made


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_is_there(page):
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose(page)):
        if "://" not in link:
            assert (ROOT / page).parent.joinpath(link).exists(), f"{page} links to {link}"


def test_the_package_of_the_optimizers_page_is_found(reader):
    for step in steps("docs/your_own_optimizer.md"):
        if step.kind in ("file", "toml"):
            reader.follow(step)
    [found] = entry_points(group="accel_dse.optimizers", name="hill_climber")
    assert found.load().__name__ == "HillClimber"
