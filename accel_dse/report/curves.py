"""A contest as a figure: medians and quartiles of the best value so far."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine

from accel_dse.comparison import Curves, Standing
from accel_dse.report.figures import INK, STYLE, Picture, fit, write

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#222222", "#8a8a8a")
"""Source: Okabe and Ito, "Color Universal Design", 2008; and gray."""

DASHES = ("-", "--", "-.", ":")
"""With the colors, so that lines can be told apart in gray."""


def save(curves: Curves, found: list[Standing], title: str, path: Path) -> None:
    """Draws the contest into `path`.

    Raises:
        OptionError: its name does not end in a format known, or it cannot be written.
    """
    write(path, lambda: figure(curves, found, title))


def figure(curves: Curves, found: list[Standing], title: str) -> Picture:
    """Best value so far, and how many simulations until near the best known."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        layout = ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1)
        drawn = Picture(figsize=(10.5, 4.6), layout=layout)
        drawn.suptitle(title, x=0.012, ha="left", fontsize=11)
        left, right = drawn.subplots(1, 2, width_ratios=(3, 2))
        best_so_far(left, curves, found)
        calls_needed(right, found, curves.budget)
    return drawn


def best_so_far(axes: Axes, curves: Curves, found: list[Standing]) -> None:
    """Medians as lines, quartiles as bands; a line begins where half of the seeds have a design."""
    objective = curves.goal.objectives[0]
    trials = np.arange(1, curves.budget + 1)
    ends = []
    for place, standing in enumerate(found):
        low, middle, high = curves.quartiles(standing.label)
        color, dash = COLORS[place % len(COLORS)], DASHES[place % len(DASHES)]
        axes.plot(trials, middle, dash, color=color, lw=1.6, label=standing.label)
        axes.fill_between(trials, low, high, color=color, alpha=0.12, lw=0)
        seen = middle[np.isfinite(middle)]
        ends += [seen[min(len(seen) // 20, len(seen) - 1)], seen[-1]] if len(seen) else []
    axes.set_title(f"{objective.metric}, best so far")
    axes.set_xlabel("simulations")
    axes.set_xlim(1, curves.budget)
    if ends:
        fit(axes, "y", np.array(ends))
    axes.legend(loc="best")


def calls_needed(axes: Axes, found: list[Standing], budget: int) -> None:
    """Simulations until within 5 % of the best known: the median, and quartiles as a line."""
    for place, standing in enumerate(found):
        low, middle, high = (min(value, budget) for value in standing.near)
        reached = np.isfinite(standing.near[1])
        color = COLORS[place % len(COLORS)] if reached else "#dddddd"
        axes.barh(place, middle, height=0.6, color=color)
        axes.plot([low, high], [place, place], color=INK, lw=1)
        text = f" {middle:,.0f}" if reached else " not within the budget"
        axes.text(high, place, text, va="center", fontsize=8, color=INK)
    axes.set_yticks(range(len(found)), [standing.label for standing in found])
    axes.invert_yaxis()
    axes.set_xlim(0, budget * 1.25)
    axes.set_title("simulations until within 5 % of the best known")
    axes.grid(visible=False, axis="y")
