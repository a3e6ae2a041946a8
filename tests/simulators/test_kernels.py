"""Kernels: compiled as programs, kept on disk, callable from Python and from one another."""

import importlib.util
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import pytest

from accel_dse.simulators import kernels

KERNELS = """
from accel_dse.simulators.kernels import compiled

@compiled
def ceil_div(a, b):
    return (a + b - 1) // b

@compiled
def blocks(values, size):
    for i in range(len(values)):
        values[i] = ceil_div(values[i], size) + ceil_div(values[i], 2)

@compiled
def all_blocks(values):
    blocks(values, 3)
    blocks(values, 5)
"""


def load(folder: Path) -> ModuleType:
    """The module of three kernels in `folder`, as a process that starts now imports it."""
    spec = importlib.util.spec_from_file_location("three_kernels", folder / "three_kernels.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the three kernels are, and what numba keeps of them, whatever the user has set."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    (tmp_path / "three_kernels.py").write_text(KERNELS)
    return tmp_path


def kept(folder: Path) -> set[str]:
    """The kernels that are kept on disk."""
    return {file.name.split("-")[0] for file in folder.rglob("*.nbc")}


def test_kernels_that_call_one_another_compute_what_python_does(folder: Path) -> None:
    module = load(folder)
    values, expected = np.arange(20), np.arange(20)
    module.all_blocks(values)
    for size in (3, 5):
        expected = -(-expected // size) + -(-expected // 2)
    np.testing.assert_array_equal(values, expected)


def test_only_what_python_calls_is_kept_on_disk(folder: Path) -> None:
    module = load(folder)
    module.all_blocks(np.arange(20))
    assert kept(folder) == {"three_kernels.all_blocks"}


def test_a_kernel_that_others_call_may_be_called_from_python_too(folder: Path) -> None:
    module = load(folder)
    module.all_blocks(np.arange(20))
    assert module.ceil_div(7, 2) == 4
    assert kept(folder) == {"three_kernels.all_blocks", "three_kernels.ceil_div"}


def test_what_is_kept_is_not_compiled_again(folder: Path) -> None:
    load(folder).all_blocks(np.arange(20))
    again = load(folder)
    again.all_blocks(np.arange(20))
    assert sum(again.all_blocks.stats.cache_hits.values()) == 1
    assert not again.all_blocks.stats.cache_misses


def test_a_program_depends_on_every_module_that_its_kernel_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "PACKAGES", tmp_path)
    package = tmp_path / "accel_dse"
    package.mkdir()
    (package / "outer.py").write_text("from accel_dse import (\n    inner,\n)\n")
    (package / "inner.py").write_text("from accel_dse.sizes import ROWS\n")
    found = set()
    for rows in (4, 8, 4):
        (package / "sizes.py").write_text(f"ROWS = {rows}\n")
        kernels._fingerprint.cache_clear()
        found.add(kernels._fingerprint(package / "outer.py"))
    assert len(found) == 2


def test_with_a_later_numba_kernels_are_compiled_in_its_own_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba, "__version__", "0.99.0rc1")
    test_kernels_that_call_one_another_compute_what_python_does(folder)
    assert kept(folder) > {"three_kernels.all_blocks"}


def test_constants_in_a_call_do_not_compile_a_kernel_anew(folder: Path) -> None:
    module = load(folder)
    module.all_blocks(np.arange(20))
    from numba import int64

    template, *_ = module.ceil_div.get_call_template((int64, int64), {})
    assert len(template.cases) == 1


def run(script: str, folder: Path) -> str:
    """What `script` prints in a Python of its own, started in `folder`."""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


CALL = "import numpy as np, three_kernels as k; v = np.arange(20); k.all_blocks(v); print(v.sum())"


def test_processes_that_compile_at_the_same_time_keep_one_program(folder: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: run(CALL, folder), range(2))
    assert first == second
    misses = "; print(len(k.all_blocks.stats.cache_misses))"
    assert run(CALL + misses, folder).split() == [first.strip(), "0"]
    assert len(list(folder.rglob("*.nbc"))) == 1


def test_where_nothing_can_be_written_beside_them_they_are_kept_for_the_user(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "__pycache__").write_text("in the way of a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "of the user"))
    load(folder).all_blocks(np.arange(20))
    assert kept(folder / "of the user") == {"three_kernels.all_blocks"}


AFTER_INSTALLING = """
import numpy as np
from numba.core import event
from accel_dse.files import load_space
from accel_dse.simulators import compile_kernels
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.template import read_template
from accel_dse.workload import Layer, Workload

for program in compile_kernels.PROGRAMS.values():
    program()
layers = Layer(name="a", K=8, P=5), Layer(name="b", C=8, P=5, follows=True)
with event.install_recorder("numba:compile") as compiled:
    for name in ("edge", "gemmini"):
        space = load_space(name)
        design = dict(next(iter(space.references.values())).design)
        columns = {key: np.array([value, value]) for key, value in design.items()}
        for options in ({}, {"fidelity": "analytical", "mapper_effort": "low"}):
            simulator = AcceleratorSimulator(
                template=read_template(space.accelerator, space.space), **options
            )
            print(simulator.simulate(Workload("two", layers), columns).infeasible)
            simulator.explain(Workload("two", layers), design)
print([each.data["dispatcher"] for _, each in compiled.buffer])
"""


def test_after_installing_a_simulation_compiles_nothing(tmp_path: Path) -> None:
    printed = run(AFTER_INSTALLING, tmp_path).splitlines()
    assert printed == [*["('', '')"] * 4, "[]"]
