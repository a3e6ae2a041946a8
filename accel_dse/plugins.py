"""Names of simulators, optimizers and surrogates; nothing is imported until it is named.

Another package adds its own through entry points, as an equal of those below:

    [project.entry-points."accel_dse.simulators"]
    my_simulator = "my_package.simulator:MySimulator"
"""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Literal

from accel_dse.errors import OptionError

Kind = Literal["simulators", "optimizers", "surrogates"]

BUILT_IN: dict[str, dict[str, str]] = {
    "simulators": {
        "accelerator": "accel_dse.simulators.accelerator:AcceleratorSimulator",
        "systolic": "accel_dse.simulators.systolic:SystolicSimulator",
        "process": "accel_dse.simulators.process:ProcessSimulator",
    },
    "optimizers": {
        "random": "accel_dse.optimizers.random_search:RandomSearch",
        "evolution": "accel_dse.optimizers.evolution:Evolution",
    },
    "surrogates": {},
}


def known(kind: Kind) -> dict[str, str]:
    """Name -> `module:class` of everything of that kind; a built-in name cannot be taken over."""
    others = {entry.name: entry.value for entry in entry_points(group=f"accel_dse.{kind}")}
    return {**dict(sorted(others.items())), **BUILT_IN[kind]}


def load(kind: Kind, name: str) -> Any:
    """Imports and returns the class that `name` stands for.

    Raises:
        OptionError: nothing of that kind has this name, or it cannot be imported.
    """
    table = known(kind)
    if name not in table:
        hint = f"known: {', '.join(sorted(table)) or 'none'}"
        raise OptionError(f"no {kind[:-1]} is named {name!r}", hint=hint)
    module, _, attribute = table[name].partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise OptionError(f"{kind[:-1]} {name!r}: cannot load {table[name]}: {error}") from error


def name_of(kind: Kind, cls: type) -> str:
    """The name that `load` knows `cls` by; `module:class` if it has none."""
    place = f"{cls.__module__}:{cls.__qualname__}"
    return next((name for name, where in known(kind).items() if where == place), place)
