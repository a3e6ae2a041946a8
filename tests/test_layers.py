"""Who may import whom: a module imports only what stands on a line above its own in `LAYERS`.

`package.*` stands for all modules of a package that have no line of their own; they may import
each other, but never in a circle.
"""

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "accel_dse"

LAYERS = [
    line.split()
    for line in """
        errors designs readable
        notebook_view
        formula
        expressions
        parameters.*
        choices
        constraints moves encoding shared_formulas
        coding
        sampling
        space
        workload technology_tables metrics
        technology
        hardware mapping
        template.*
        mapping_slots
        mapping_formulas
        mapping_features
        mapping_space
        trial
        problem trials
        source
        dataset claim log_tables log_carving
        log_database
        log_rows
        trial_log ticket_queue
        log_care
        files.* plugins chosen_options
        workloads.*
        datasets.*
        simulators.base surrogates.base optimizers.base
        simulators.*
        surrogates.*
        simulators.surrogate
        optimizers.*
        progress stopping
        execution.*
        study.*
        comparison.*
        collection
        report.* testing.*
        cli.*
    """.strip().splitlines()
]

HOMES = {
    "torch": {"surrogates", "optimizers", "workloads", "comparison"},
    "gpytorch": {"surrogates", "optimizers"},
    "botorch": {"surrogates", "optimizers", "comparison"},
    "matplotlib": {"report"},
    "plotly": {"report"},
    "sqlalchemy": {"log_tables", "log_database", "trial_log", "ticket_queue"},
    "typer": {"cli"},
    "onnx": {"workloads", "surrogates"},
}
"""Libraries that take long to import, or that only one part should know, and where they may be."""

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__init__.py"
}

each_module = pytest.mark.parametrize("module", MODULES)


def layer(module):
    """The line of `LAYERS` that `module` is on."""
    parts = module.split(".")
    families = [".".join([*parts[:n], "*"]) for n in range(len(parts), 0, -1)]
    for family in [module, *families]:
        for line, entries in enumerate(LAYERS):
            if family in entries:
                return line
    pytest.fail(f"{module} has no line in LAYERS of {__file__}: add it where it belongs")


@cache
def imports(module):
    """The modules that `module` imports, ours without `accel_dse.`, wherever in the file."""
    found = []
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: write imports in full, not relative"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            ours = [name for name in inner if name.removeprefix("accel_dse.") in MODULES]
            found += ours or [node.module]
    return found


def our_imports(module):
    return [
        name.removeprefix("accel_dse.")
        for name in imports(module)
        if name.removeprefix("accel_dse.") in MODULES and name.startswith("accel_dse.")
    ]


def package(module):
    return module.partition(".")[0]


@each_module
def test_imports_only_point_up(module):
    for name in our_imports(module):
        if package(name) == package(module) and layer(name) == layer(module):
            continue
        assert layer(name) < layer(module), f"{module} -> {name}"


@each_module
def test_a_package_is_not_imported_by_its_own_modules(module):
    if MODULES[module].name != "__init__.py":
        assert module.rpartition(".")[0] not in our_imports(module)


def test_nothing_is_imported_in_a_circle():
    graph = {module: set(our_imports(module)) - {module} for module in MODULES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


@each_module
def test_heavy_libraries_stay_where_they_belong(module):
    for name in imports(module):
        library = name.partition(".")[0]
        assert package(module) in HOMES.get(library, {package(module)}), f"{module} -> {library}"


@pytest.mark.parametrize(
    ("name", "unwanted"),
    [
        ("accel_dse", {"numpy"}),
        ("accel_dse.space", {"scipy", "pandas", "pydantic", "ruamel", "torch", "sqlalchemy"}),
        ("accel_dse.files", {"scipy", "pandas", "torch", "sqlalchemy", "matplotlib", "onnx"}),
    ],
)
def test_an_import_brings_only_what_it_needs(name, unwanted):
    code = f"import sys, {name}; print(*{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not unwanted & set(done.stdout.split())
