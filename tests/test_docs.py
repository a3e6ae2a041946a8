"""What the documentation shows, works."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from accel_dse.cli import main
from accel_dse.workload import Layer, Workload

ROOT = Path(__file__).parents[1]


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a language on a page."""
    text = (ROOT / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def test_the_search_of_the_python_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "search.py"
    script.write_text(blocks("docs/python.md", "python")[0].replace("run(200,", "run(100,"))
    found = runpy.run_path(str(script))
    assert found["problem"].accepts(found["best"])
    assert len(found["trials"]) == 100


def test_the_simulator_of_the_readme_measures():
    scope: dict[str, object] = {}
    exec(blocks("README.md", "python")[0], scope)
    designs = {"pes": np.array([4.0, 8.0]), "bytes_per_cycle": np.array([1.0, 2.0])}
    workload = Workload("one", (Layer(name="fc", K=8, C=8),))
    measured = scope["Roofline"]().simulate(workload, designs)  # type: ignore[operator]
    assert list(measured.values["latency_cycles"]) == [64.0, 32.0]


@pytest.fixture
def own_accelerator(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(blocks("docs/your_own_accelerator.md", "yaml")[0])
    return blocks("docs/your_own_accelerator.md", "sh")[0]


def test_the_accelerator_of_the_how_to_page_can_be_checked_simulated_and_searched(
    own_accelerator, capsys
):
    commands = own_accelerator.replace("'", "").strip().splitlines()
    assert len(commands) == 3
    for command in commands:
        words = command.split()
        assert words[0] == "accel-dse"
        assert main(words[1:]) == 0, command
    assert "edp" in capsys.readouterr().out


def test_the_accelerator_of_the_hardware_model_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(blocks("docs/hardware_model.md", "yaml")[0])
    assert main(["check", "small.yaml"]) == 0
    assert main(["simulate", "small.yaml", "--workload", "resnet18"]) == 0
    assert "latency_ms" in capsys.readouterr().out


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    for link in links:
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_the_optimizer_of_the_how_to_page_keeps_the_laws():
    scope: dict[str, object] = {}
    for block in blocks("docs/your_own_optimizer.md", "python"):
        exec(block, scope)
    assert "HillClimber" in scope


def test_every_command_that_a_page_shows_is_one(capsys):
    words = [
        line.split()[1]
        for page in PAGES
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), flags=re.DOTALL)
        for line in block.splitlines()
        if line.startswith("accel-dse ")
    ]
    assert len(set(words)) > 8
    for word in sorted(set(words)):
        assert main([word, "--help"]) == 0, word
    capsys.readouterr()
