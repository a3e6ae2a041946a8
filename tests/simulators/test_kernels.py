"""Kernels: compiled as programs, kept on disk, callable from Python and from one another."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

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
def folder(tmp_path: Path) -> Path:
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


def test_constants_in_a_call_do_not_compile_a_kernel_anew(folder: Path) -> None:
    module = load(folder)
    module.all_blocks(np.arange(20))
    from numba import int64

    template, *_ = module.ceil_div.get_call_template((int64, int64), {})
    assert len(template.cases) == 1
