"""What is searched: typed parameters and the constraints known beforehand."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse import encoding
from accel_dse.choices import Coded
from accel_dse.coding import Coding
from accel_dse.constraints import Constraint, broken, kept, nothing_valid
from accel_dse.designs import Column, Columns, Design, length, rows
from accel_dse.errors import DesignError
from accel_dse.expressions import Expression
from accel_dse.formula import shown, suggestion
from accel_dse.moves import exchanged, mutated, repaired
from accel_dse.notebook_view import folded, table
from accel_dse.parameters.base import Floats, Indices, Parameter
from accel_dse.parameters.categorical import Categorical
from accel_dse.parameters.permutation import Permutation
from accel_dse.sampling import MOST_VALUES, Group, groups, product

WIDEST_ONE_HOT = 65_536
"""Width of a one-hot encoding that still makes sense."""


@dataclass(frozen=True)
class DesignSpace:
    """Typed parameters and the constraints known beforehand.

    A design is a plain mapping. A batch of them is a sequence of mappings or, where it is large,
    columns. Nothing here knows of metrics or optimizers.

    Attributes:
        name: one word.
        parameters: what a designer chooses, in order; names are distinct.
        constraints: rules that every design keeps.
        features: name -> a formula that may tell a surrogate more than the raw parameters do.

    Raises:
        DesignError: on construction, if a constraint or a feature does not fit the parameters.
    """

    name: str
    parameters: tuple[Parameter, ...]
    constraints: tuple[Constraint, ...] = ()
    features: Mapping[str, Expression] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(self.parameters))
        object.__setattr__(self, "constraints", tuple(self.constraints))
        object.__setattr__(self, "features", dict(self.features))
        if not self.parameters:
            raise DesignError(f"space {self.name!r} has no parameters")
        names = self.names
        if len(self._by_name) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DesignError(f"two parameters are named {twice!r}")
        for constraint in self.constraints:
            self.check_constraint(constraint)
        for name, expression in self.features.items():
            self.check_feature(name, expression)

    def check_constraint(self, constraint: Constraint) -> None:
        """Raises DesignError if `constraint` does not fit the parameters."""
        if not constraint.rule.names:
            raise DesignError(f"constraint {constraint} names no parameter")
        self._check_expression(constraint.rule)

    def check_feature(self, name: str, expression: Expression) -> None:
        """Raises DesignError if a feature does not fit the parameters."""
        if name in self._by_name:
            raise DesignError(f"feature {name!r} has the name of a parameter")
        self._check_expression(expression)

    def _check_expression(self, expression: Expression) -> None:
        """Raises DesignError if a formula makes no sense here.

        It may not read what is not there, compute with text, or compare a parameter with a value
        that it never has.
        """
        expression.check_names(self._by_name)
        for name, text in expression.compared:
            parameter = self.parameter(name)
            known: Sequence[Any] = ()
            if isinstance(parameter, Permutation):
                known = parameter.items
            elif isinstance(parameter, Categorical):
                known = parameter.values
            if known and text not in known:
                raise DesignError(
                    f"{shown(expression.text)}: {name} is never {shown(text)}",
                    hint=suggestion(text, known),
                )
        named = [self.parameter(name) for name in expression.names]
        expression.evaluate_where_defined(
            {p.name: p.decode(np.full((1, p.width), 0.5)) for p in named}
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name; DesignError if there is none."""
        if name not in self._by_name:
            raise DesignError(
                f"no parameter is named {shown(name)}", hint=suggestion(name, self.names)
            )
        return self._by_name[name]

    @property
    def size(self) -> int | float:
        """How many designs there are, valid or not; infinite with a real parameter."""
        return math.prod(parameter.count for parameter in self.parameters)

    def __contains__(self, design: object) -> bool:
        try:
            self.check(design)  # type: ignore[arg-type]
        except DesignError:
            return False
        return True

    def canonical(self, design: Design) -> Design:
        """`design` with exact Python types and in the order of `parameters`.

        Lists become tuples, NumPy scalars Python numbers, `8.0` an `8` where it is one.

        Raises:
            DesignError: a parameter is missing, unknown, or has a value that it cannot have.
        """
        for name in design:
            self.parameter(name)
        values = {}
        for parameter in self.parameters:
            if parameter.name not in design:
                raise DesignError(f"{parameter.name}: missing", hint=parameter.summary())
            try:
                values[parameter.name] = parameter.canonical(design[parameter.name])
            except DesignError as error:
                raise DesignError(f"{parameter.name}: {error}", hint=error.hint) from None
        return values

    def check(self, design: Design) -> None:
        """Raises DesignError if `design` is not a valid design of this space.

        It must have every parameter and no other, plain Python values (not, say, NumPy's, which
        a log could not hold), and keep every constraint.
        """
        for name, value in self.canonical(design).items():
            given = design[name]
            if type(given) is not type(value) or repr(given) != repr(value):
                raise DesignError(
                    f"{name}: {shown(given)} must be given as {value!r}", hint="use space.canonical"
                )
        columns = self.columns([design])
        for constraint, bad in zip(self.constraints, self.violated(columns)[0]):
            if bad:
                values = ", ".join(f"{name}={design[name]}" for name in constraint.rule.names)
                raise DesignError(f"constraint {constraint} does not hold for {values}")

    def columns(self, designs: Sequence[Design]) -> dict[str, Column]:
        """`n` designs by column. Only types are checked, not values.

        Raises:
            DesignError: a parameter is missing, or has a value of another type.
        """
        try:
            return {
                parameter.name: parameter.column(list(map(itemgetter(parameter.name), designs)))
                for parameter in self.parameters
            }
        except KeyError as error:
            raise DesignError(f"{error.args[0]}: missing from a design") from None

    def designs(self, columns: Columns) -> list[Design]:
        """The inverse of `columns`."""
        plain = [parameter.plain(columns[parameter.name]) for parameter in self.parameters]
        names = self.names
        return [dict(zip(names, values)) for values in zip(*plain)]

    def violated(self, columns: Columns) -> NDArray[np.bool_]:
        """Which of `n` designs break which constraints, shape `(n, constraints)`.

        Raises:
            DesignError: a constraint has no value for a design that keeps all others.
        """
        return broken(self.constraints, columns)

    def satisfied(self, columns: Columns) -> NDArray[np.bool_]:
        """Which of `n` designs keep all constraints, shape `(n,)`."""
        return kept(self.constraints, columns)

    def feature_values(self, columns: Columns) -> dict[str, Floats]:
        """The features of `n` designs, each of shape `(n,)`.

        Raises:
            DesignError: a feature has no finite value for one of them.
        """
        return {
            name: expression.evaluate(columns).astype(np.float64)
            for name, expression in self.features.items()
        }

    def sample(self, n: int, rng: np.random.Generator) -> list[Design]:
        """`n` independent random valid designs, in plain words: draw until the constraints hold.

        Each parameter is drawn uniformly over its choices; reals, and integers on a log scale,
        uniformly on their scale.

        Raises:
            DesignError: no design is valid, or none was found; says which constraint rejects most.
        """
        return self.designs(self.sample_columns(n, rng))

    def sample_columns(self, n: int, rng: np.random.Generator) -> dict[str, Column]:
        """`sample`, by column."""
        return self.coding.columns(self.sample_coded(n, rng))

    def sample_coded(self, n: int, rng: np.random.Generator) -> Coded:
        """`sample`, in coded form."""
        free, tied = self._groups
        columns = {parameter.name: self.coding.drawn(parameter, n, rng) for parameter in free}
        for group in tied:
            drawn = group.draw(n, rng)
            if drawn is None:
                draws = min(100_000, MOST_VALUES // len(self.parameters))
                refused = self.violated(self.draw_columns(draws, rng))
                raise nothing_valid(self.constraints, refused, certain=group.count == 0)
            columns |= drawn
        return {name: columns[name] for name in self.names}

    def draw_columns(self, n: int, rng: np.random.Generator) -> dict[str, Column]:
        """`n` random designs, drawn without regard to constraints, by column."""
        return {parameter.name: parameter.draw(n, rng) for parameter in self.parameters}

    def share_valid(self, n: int, rng: np.random.Generator) -> float:
        """The share of `n` random designs, drawn without regard to constraints, that are valid."""
        return float(self.satisfied(self.draw_columns(n, rng)).mean())

    def count_valid(self) -> int | None:
        """How many designs are valid; None if they cannot be counted."""
        free, tied = self._groups
        counts = [group.count for group in tied]
        known = [count for count in counts if count is not None]
        if 0 in known:
            return 0
        if len(known) < len(counts) or math.isinf(self.size):
            return None
        return math.prod(int(p.count) for p in free) * math.prod(known)

    def every(self, *, limit: int = 1_000_000) -> dict[str, Column]:
        """All valid designs, by column.

        Raises:
            DesignError: there are more than `limit`, or they cannot be counted.
        """
        count = self.count_valid()
        if count is None or count > limit:
            many = "too many designs to count" if count is None else f"{count:,} valid designs"
            raise DesignError(f"space {self.name!r}: {many}, at most {limit:,} can be listed")
        if count == 0:
            return self.columns([])
        free, tied = self._groups
        choices = [{p.name: p.choice(np.arange(int(p.count)))} for p in free]
        columns = product([*choices, *(group.combinations() for group in tied)])
        return {name: columns[name] for name in self.names}

    @property
    def width(self) -> int:
        """How many numbers `encode` makes of a design."""
        return sum(parameter.width for parameter in self.parameters)

    @property
    def encoded_names(self) -> tuple[str, ...]:
        """A name for each number of `encode`, such as `pes_x`, `dataflow[ws]` or `tiling[2]`."""
        return tuple(label for parameter in self.parameters for label in parameter.labels)

    def encode(self, designs: Sequence[Design]) -> Floats:
        """`n` designs as points in the unit cube, shape `(n, width)`.

        Numbers are scaled to [0, 1] (by their logarithm on a log scale), names are one-hot, a
        permutation gives the place of each item, a factorization the share of each part.

        Raises:
            DesignError: a value is not one of its parameter's.
        """
        return self.encode_columns(self.columns(designs))

    def encode_columns(self, columns: Columns) -> Floats:
        """`encode`, of designs by column."""
        return encoding.encoded(self.parameters, columns)

    def decode(self, codes: Floats) -> list[Design]:
        """The designs nearest to `codes`, parameter by parameter; undoes `encode`.

        They may break constraints. A code outside [0, 1] counts as the nearer bound.
        """
        return self.designs(self.decode_columns(codes))

    def decode_columns(self, codes: Floats) -> dict[str, Column]:
        """`decode`, by column."""
        codes = np.asarray(codes, dtype=np.float64)
        if codes.ndim != 2 or codes.shape[1] != self.width or not np.isfinite(codes).all():
            raise ValueError(f"expected finite codes of shape (n, {self.width})")
        return encoding.decoded(self.parameters, codes)

    def indices(self, designs: Sequence[Design]) -> Indices:
        """The place of each value among its parameter's choices, shape `(n, parameters)`.

        Raises:
            DesignError: a value is not one of its parameter's, or the space has a real parameter.
        """
        return self.indices_of_columns(self.columns(designs))

    def indices_of_columns(self, columns: Columns) -> Indices:
        """`indices`, of designs by column."""
        return np.column_stack([p.index(columns[p.name]) for p in self.parameters])

    def from_indices(self, indices: Indices) -> list[Design]:
        """The inverse of `indices`."""
        return self.designs(self.columns_from_indices(indices))

    def columns_from_indices(self, indices: Indices) -> dict[str, Column]:
        """`from_indices`, by column."""
        indices = np.asarray(indices)
        counts = [parameter.count for parameter in self.parameters]
        if indices.ndim != 2 or indices.shape[1] != len(counts) or indices.dtype.kind not in "iu":
            raise ValueError(f"expected whole numbers of shape (n, {len(counts)})")
        if (indices < 0).any() or (indices >= counts).any():
            raise DesignError(f"an index is out of range: choices are {counts}")
        return {p.name: p.choice(indices[:, i]) for i, p in enumerate(self.parameters)}

    @property
    def fields(self) -> tuple[int, ...]:
        """Sizes of the one-hot fields; a structured parameter has one for each part."""
        return tuple(size for parameter in self.parameters for size in parameter.fields)

    def one_hot(self, designs: Sequence[Design]) -> NDArray[np.float32]:
        """One-hot fields of `n` designs, shape `(n, sum(fields))`.

        Raises:
            DesignError: as `indices`, or the encoding would be too wide.
        """
        if sum(self.fields) > WIDEST_ONE_HOT:
            raise DesignError(
                f"space {self.name!r}: {sum(self.fields):,} one-hot inputs are too many",
                hint="use encode",
            )
        return encoding.one_hot(self.parameters, self.columns(designs))

    def distance(self, a: Sequence[Design], b: Sequence[Design]) -> Floats:
        """How unlike each of `n` designs is each of `m`, shape `(n, m)`, from 0 to 1.

        The mean over parameters of: how far apart on its scale; whether a name differs;
        Spearman's footrule of two orders; the share of a total that moved between parts.
        """
        return encoding.distances(self.parameters, self.encode(a), self.encode(b))

    def neighbors(self, design: Design) -> list[Design]:
        """All valid designs that differ from `design` by one exchange in one parameter.

        An exchange is any other value of a number or a name (of numbers with many values, those
        1, 2, 4, ... values away), two items of an order swapped, or a factor moved from one part
        of a total to another.
        """
        return self.designs(self.neighbor_columns(self.columns([design]))[0])

    def neighbor_columns(self, columns: Columns) -> tuple[dict[str, Column], Indices]:
        """The neighbors of `n` designs at once.

        Returns:
            `m` valid designs by column, and the row that each is a neighbor of, shape `(m,)`.
        """
        varied, origin = exchanged(self.parameters, columns)
        valid = self.satisfied(varied)
        return rows(varied, valid), origin[valid]

    def mutate(
        self, designs: Sequence[Design], rng: np.random.Generator, *, rate: float | None = None
    ) -> list[Design]:
        """A valid variation of each of `n` valid designs.

        Args:
            designs: the designs to vary.
            rng: decides.
            rate: how likely each parameter is to change; at least one is. By default, one does
                on average.
        """
        parents = self.columns(designs)
        chance = 1 / len(self.parameters) if rate is None else rate
        return self.designs(
            repaired(
                lambda which: mutated(self.parameters, rows(parents, which), chance, rng),
                len(designs),
                self.satisfied,
                lambda row: self._instead(rows(parents, np.array([row])), rng),
            )
        )

    def crossover(
        self, a: Sequence[Design], b: Sequence[Design], rng: np.random.Generator
    ) -> list[Design]:
        """A valid child of each of `n` pairs of valid designs.

        Each parameter is that of either parent; orders and factors mix within.
        """
        left, right = self.columns(a), self.columns(b)
        return self.designs(
            repaired(
                lambda which: {
                    p.name: p.cross(left[p.name][which], right[p.name][which], rng)
                    for p in self.parameters
                },
                len(a),
                self.satisfied,
                lambda row: rows(left, np.array([row])),
            )
        )

    def _instead(self, parent: Columns, rng: np.random.Generator) -> dict[str, Column]:
        """A random valid neighbor of one design, or any valid design if it has none."""
        near, _ = self.neighbor_columns(parent)
        if not length(near):
            return self.sample_columns(1, rng)
        return rows(near, rng.integers(length(near), size=1))

    def content(self) -> dict[str, Any]:
        """All that decides which designs are valid and what optimizers see, as plain data."""
        return {
            "parameters": {p.name: dict(p.content()) for p in self.parameters},
            "constraints": [c.rule.text for c in self.constraints],
            "features": {name: e.text for name, e in self.features.items()},
        }

    def fingerprint(self) -> str:
        """SHA-256 of `content`; names and descriptions for people play no part."""
        return hashlib.sha256(json.dumps(self.content()).encode()).hexdigest()

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    def _repr_html_(self) -> str:
        parameters = table(
            [
                {"parameter": p.name, "kind": type(p).__name__.lower(), "values": p.summary()}
                | {"unit": p.unit, "choices": p.count, "description": p.description}
                for p in self.parameters
            ],
            most=60,
        )
        rules = table([{"rule": c.rule.text, "why": c.why} for c in self.constraints], most=200)
        count = len(self.constraints)
        return f"<b>{escape(self.name)}</b>: {self.size:,} designs{parameters}" + (
            folded(f"{count} rule{'s' * (count > 1)}", rules) if count else ""
        )

    @cached_property
    def coding(self) -> Coding:
        """Designs by the indices of their choices, in which many are searched cheaply."""
        return Coding(self.parameters, self.constraints, self.features)

    @cached_property
    def _by_name(self) -> dict[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameters}

    @cached_property
    def _groups(self) -> tuple[list[Parameter], list[Group]]:
        return groups(self.parameters, self.constraints)
