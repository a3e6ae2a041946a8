"""Rules that every design must keep, known before anything is simulated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.designs import Columns, length
from accel_dse.errors import DesignError
from accel_dse.expressions import Expression


@dataclass(frozen=True)
class Constraint:
    """A rule over parameters.

    Attributes:
        rule: holds where it is true (or not zero).
        why: the reason for it, for people.
    """

    rule: Expression
    why: str = ""

    def __str__(self) -> str:
        return f"{self.rule.text!r}{f' ({self.why})' if self.why else ''}"


def broken(constraints: Sequence[Constraint], columns: Columns) -> NDArray[np.bool_]:
    """Which of `n` designs break which constraints, shape `(n, constraints)`.

    A rule without a value (a division by zero) counts as broken where another rule is: that one
    is there to exclude such designs.

    Raises:
        DesignError: a rule has no value for a design that keeps all others.
    """
    refused = np.zeros((length(columns), len(constraints)), dtype=bool)
    unknown = np.zeros_like(refused)
    for i, constraint in enumerate(constraints):
        values, unknown[:, i] = constraint.rule.evaluate_where_defined(columns)
        refused[:, i] = (values == 0) & ~unknown[:, i]
    alone = unknown.any(axis=1) & ~refused.any(axis=1)
    if alone.any():
        row = int(np.flatnonzero(alone)[0])
        culprit = constraints[int(np.flatnonzero(unknown[row])[0])]
        raise culprit.rule.undefined_in(columns, row)
    return refused | unknown


def kept(constraints: Sequence[Constraint], columns: Columns) -> NDArray[np.bool_]:
    """Which of `n` designs break no constraint, shape `(n,)`; `broken`, but without a reason.

    A rule is only evaluated for designs that keep those before it.
    """
    alive = np.arange(length(columns))
    pending: list[tuple[Constraint, NDArray[np.int64]]] = []
    for constraint in constraints:
        names = constraint.rule.names
        here = {name: columns[name][alive] for name in names}
        values, unknown = constraint.rule.evaluate_where_defined(here)
        if unknown.any():
            pending.append((constraint, alive[unknown]))
        alive = alive[(values != 0) | unknown]
    mask = np.zeros(length(columns), dtype=bool)
    mask[alive] = True
    for constraint, doubtful in pending:
        if mask[doubtful].any():
            raise constraint.rule.undefined_in(columns, int(doubtful[mask[doubtful]][0]))
    return mask


def nothing_valid(
    constraints: Sequence[Constraint], refused: NDArray[np.bool_], *, certain: bool
) -> DesignError:
    """The error that says which of `constraints` leave no valid design.

    Args:
        constraints: of the space.
        refused: which of `n` free draws break which constraints, `(n, constraints)`.
        certain: whether there is no valid design, or just none was found.
    """
    shares = refused.mean(axis=0)
    order = np.argsort(-shares, kind="stable")[:4]
    worst, *others = [f"{constraints[i]} rejects {shares[i]:.1%}" for i in order]
    found = "there is no valid design" if certain else "found no valid design"
    return DesignError(
        f"{found}: of {len(refused):,} random ones, constraint {worst}",
        hint="; ".join(["loosen it, or widen what it names", *others]),
    )
