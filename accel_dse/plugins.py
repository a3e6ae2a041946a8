"""Names of simulators, optimizers and surrogates; nothing is imported until it is named.

Another package adds its own through entry points, as an equal of those below:

    [project.entry-points."accel_dse.simulators"]
    my_simulator = "my_package.simulator:MySimulator"
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from inspect import Parameter, signature
from typing import Any, Literal

from accel_dse.errors import BoundsError, OptionError

Kind = Literal["simulators", "optimizers", "surrogates"]

BUILT_IN: dict[str, dict[str, str]] = {
    "simulators": {
        "accelerator": "accel_dse.simulators.accelerator:AcceleratorSimulator",
        "explicit": "accel_dse.simulators.explicit:ExplicitMappingSimulator",
        "systolic": "accel_dse.simulators.systolic:SystolicSimulator",
        "process": "accel_dse.simulators.process:ProcessSimulator",
        "surrogate": "accel_dse.simulators.surrogate:SurrogateSimulator",
    },
    "optimizers": {
        "random": "accel_dse.optimizers.random_search:RandomSearch",
        "evolution": "accel_dse.optimizers.evolution:Evolution",
        "firefly": "accel_dse.optimizers.firefly:Firefly",
        "model_based": "accel_dse.optimizers.model_based:ModelBased",
        "p3bo": "accel_dse.optimizers.p3bo:P3BO",
        "adaptive_p3bo": "accel_dse.optimizers.adaptive_p3bo:AdaptiveP3BO",
        "auto": "accel_dse.optimizers.auto:Auto",
        "transfer": "accel_dse.optimizers.transfer:Transfer",
        "constrained_bo": "accel_dse.optimizers.constrained_bo:ConstrainedBO",
        "pareto_bo": "accel_dse.optimizers.pareto_bo:ParetoBO",
        "linear_bo": "accel_dse.optimizers.linear_bo:LinearBO",
        "relaxed_gp": "accel_dse.optimizers.relaxed_gp:RelaxedGP",
        "tree_bo": "accel_dse.optimizers.tree_bo:TreeBO",
        "codesign": "accel_dse.optimizers.codesign:Codesign",
        "offline": "accel_dse.optimizers.offline:Offline",
    },
    "surrogates": {
        "conservative": "accel_dse.surrogates.conservative:Conservative",
    },
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


@dataclass(frozen=True, kw_only=True)
class Option:
    """One thing that a plug-in lets its user choose.

    Attributes:
        name: what to type.
        type: of its values.
        default: its value when it is not given; `REQUIRED` if it must be.
    """

    name: str
    type: Any
    default: Any

    def read(self, value: Any) -> Any:
        """`value` as the plug-in wants it; a text is read as people type it.

        Raises:
            OptionError: it does not fit.
        """
        from pydantic import ConfigDict, TypeAdapter, ValidationError

        adapter = TypeAdapter(self.type, config=ConfigDict(allow_inf_nan=False))
        ways: list[Callable[[Any], Any]] = [adapter.validate_python]
        if isinstance(value, str):
            ways = [adapter.validate_strings, adapter.validate_json]
        problem = ""
        for way in ways:
            try:
                return way(value)
            except ValidationError as error:
                problem = problem or error.errors()[0]["msg"].replace("Input should", "must")
        raise OptionError(f"{self.name}: {problem}, got {value!r}")


REQUIRED = Parameter.empty
"""The default of an option that has none."""

GIVEN = ("problem", "seed", "sources", "template", "report")
"""What the package itself gives to a plug-in."""


def options(cls: Callable[..., Any]) -> dict[str, Option]:
    """What the constructor of a plug-in lets its user choose, by name."""
    parameters = signature(cls, eval_str=True).parameters.values()
    return {
        p.name: Option(
            name=p.name, type=Any if p.annotation is p.empty else p.annotation, default=p.default
        )
        for p in parameters
        if p.name not in GIVEN and p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)
    }


def read_options(label: str, cls: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options `given` to the plug-in `cls`, each as it wants it.

    Args:
        label: what to call the plug-in in a complaint.
        cls: the plug-in.
        given: name -> value, or text as people type it.

    Raises:
        OptionError: an option is unknown, is missing, or has a value that does not fit.
    """
    known = options(cls)
    values = {}
    for name, value in given.items():
        if name not in known:
            hint = f"known: {', '.join(known)}" if known else "it has no options"
            raise OptionError(f"{label} has no option {name!r}", hint=hint)
        try:
            values[name] = known[name].read(value)
        except OptionError as error:
            raise OptionError(f"{label}: {error}") from error
    for name, option in known.items():
        if option.default is REQUIRED and name not in values:
            raise OptionError(f"{label} needs the option {name!r}")
    return values


def require_within(label: str, plugin: object, **bounds: tuple[float, float]) -> None:
    """Checks options of a plug-in which are numbers; one that is None was left to the plug-in.

    Args:
        label: what to call the plug-in in a complaint.
        plugin: has the options as attributes.
        bounds: option -> the least and the greatest value that it may have.

    Raises:
        BoundsError: a value is beyond its bounds.
    """
    for name, (low, high) in bounds.items():
        value = getattr(plugin, name)
        if value is not None and not low <= value <= high:
            text = f"{label}: {name}: expected {low:g} to {high:g}, got {value}"
            raise BoundsError(text, option=name, low=low, high=high)
