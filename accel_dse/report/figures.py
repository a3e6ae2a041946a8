"""A log as a figure: readable in gray, and by those who tell few colors apart."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter
from numpy.typing import NDArray

from accel_dse.errors import OptionError
from accel_dse.readable import number
from accel_dse.report.digest import convergence as convergence_of
from accel_dse.report.digest import over_time as over_time_of
from accel_dse.report.runs import Run
from accel_dse.report.summary import Summary, summarize
from accel_dse.report.trial_columns import STATES, states
from accel_dse.trial import Trial

FORMATS = (".png", ".pdf", ".svg")

ACCEPTED, BEYOND, BROKEN, FAILED, INK = "#0072b2", "#e69f00", "#c9c9c9", "#d55e00", "#222222"
"""Blue, orange and vermilion differ in lightness, too.

Source: Okabe and Ito, "Color Universal Design", 2008."""

PALETTE = (ACCEPTED, BEYOND, "#009e73", FAILED, "#56b4e9", "#cc79a7", "#f0e442", "#7a7a7a", INK)
"""For what has no meaning of its own. Source: the same."""

HATCHES = ("", "///", "...", "xxx", "", "\\\\\\", "", "---", "")
DASHES = ("-", "--", ":", "-.")
"""With the colors, so that parts and lines can be told apart in gray."""

STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "legend.fontsize": 8.0,
    "figure.dpi": 150.0,
    "hatch.linewidth": 0.6,
    "text.parse_math": False,
}

MOST_POINTS = 20_000
"""Trials drawn one by one; of more, as many evenly picked."""


class Picture(Figure):
    """A figure that a notebook shows as it is, with or without pyplot."""

    def _repr_png_(self) -> bytes:
        with BytesIO() as drawn:
            self.savefig(drawn, format="png")
            return drawn.getvalue()


def save(runs: Sequence[Run], title: str, path: Path) -> None:
    """Draws the four panels into `path`.

    Args:
        runs: of one problem.
        title: above the panels.
        path: ends in `.png`, `.pdf` or `.svg`.

    Raises:
        OptionError: it ends in something else, or cannot be written.
    """
    write(path, lambda: overview(runs, title))


def write(path: Path, draw: Callable[[], Figure]) -> None:
    """Writes a figure that is drawn only if `path` ends in a format known.

    Raises:
        OptionError: it ends in something else, or cannot be written.
    """
    check_format(path)
    with blaming_the_disk(path):
        draw().savefig(path)


def check_format(path: Path) -> None:
    """Checks that a figure can be drawn into `path`.

    Raises:
        OptionError: it ends in something that is not known.
    """
    if path.suffix.lower() not in FORMATS:
        raise OptionError(
            f"{path}: cannot draw this", hint=f"end it in {', '.join(FORMATS)}, or .html"
        )


@contextmanager
def blaming_the_disk(path: Path) -> Iterator[None]:
    """Turns what the operating system says against writing `path` into one line."""
    try:
        yield
    except OSError as error:
        raise OptionError(f"{path}: cannot be written: {error.strerror}") from error


def overview(runs: Sequence[Run], title: str) -> Figure:
    """Convergence, trade-off, outcomes over time, and why designs do not work."""
    import matplotlib as mpl

    goal = runs[0].goal
    trials = [trial for run in runs for trial in run.trials]
    summary = summarize(trials, goal)
    state = [states(run.trials, goal) for run in runs]
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        layout = ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.12)
        figure = Picture(figsize=(10.5, 7.6), layout=layout)
        figure.suptitle(title, x=0.012, ha="left", fontsize=11)
        axes = figure.subplots(2, 2)
        if len(runs) > 1:
            convergence_of_several(axes[0, 0], convergence_of(runs, state))
        else:
            convergence(axes[0, 0], trials, summary)
        trade_off(axes[0, 1], trials, summary)
        over_time(axes[1, 0], over_time_of(state))
        why_not(axes[1, 1], summary)
    return figure


def convergence(axes: Axes, trials: Sequence[Trial], summary: Summary) -> None:
    """The first objective of every accepted trial, and the best so far."""
    objective = summary.goal.objectives[0]
    accepted = [trial for trial in trials if summary.goal.accepts(trial)]
    axes.set_title("Best so far")
    axes.set_xlabel("trials")
    axes.set_ylabel(objective.metric)
    if not accepted:
        _say(axes, "no design keeps every limit")
        return
    shown = _thinned(accepted)
    values = np.array([trial.metrics[objective.metric] for trial in shown])
    axes.plot(
        [trial.index + 1 for trial in shown], values, ".", ms=5, color=ACCEPTED, alpha=0.45,
        mew=0, label="accepted",
    )  # fmt: skip
    places = np.arange(1, len(summary.best_so_far) + 1)
    axes.step(places, summary.best_so_far, where="post", color=INK, lw=1.8, label="best so far")
    axes.set_xlim(0, len(summary.best_so_far))
    fit(axes, "y", values)
    axes.legend(loc="best")


def convergence_of_several(axes: Axes, found: Mapping[str, Any]) -> None:
    """The best so far of each seed as a thin line; of a label's seeds, median and quartiles.

    Args:
        axes: where.
        found: as `digest.convergence` says it.
    """
    axes.set_title("Best so far; thin lines are the seeds" if found["bands"] else "Best so far")
    axes.set_xlabel("trials")
    axes.set_ylabel(found["metric"])
    lines = [line for line in found["lines"] if line["at"]]
    if not lines:
        _say(axes, "no design keeps every limit")
        return
    place = {
        label: k for k, label in enumerate(dict.fromkeys(li["label"] for li in found["lines"]))
    }
    banded = {band["label"] for band in found["bands"]}
    for line in lines:
        k, alone = place[line["label"]], line["label"] not in banded
        axes.step(
            line["at"], line["best"], where="post", color=PALETTE[k % len(PALETTE)],
            ls=DASHES[k % len(DASHES)] if alone else "-", lw=1.6 if alone else 0.5,
            alpha=1.0 if alone else 0.6,
            label=f"{line['label']}, seed {line['seed']}" if alone else None,
        )  # fmt: skip
    for band in found["bands"]:
        k = place[band["label"]]
        low, middle, high = (np.array(band[name], float) for name in ("low", "mid", "high"))
        color, dash = PALETTE[k % len(PALETTE)], DASHES[k % len(DASHES)]
        label = f"{band['label']}, median and quartiles of {band['seeds']} seeds"
        axes.step(band["at"], middle, dash, where="post", color=color, lw=2, label=label)
        axes.fill_between(band["at"], low, high, step="post", color=color, alpha=0.18, lw=0)
    axes.set_xlim(1, max(line["at"][-1] for line in lines))
    fit(axes, "y", np.array([value for line in lines for value in line["best"]]))
    axes.legend(loc="best")


def trade_off(axes: Axes, trials: Sequence[Trial], summary: Summary) -> None:
    """The first objective against the second, or against the first limit's metric."""
    goal = summary.goal
    first = goal.objectives[0].metric
    others = [o.metric for o in goal.objectives[1:]] + [limit.metric for limit in goal.limits]
    feasible = _thinned([trial for trial in trials if trial.feasible])
    if feasible:
        others += [name for name in ("area_mm2", "energy_mj") if name in feasible[0].metrics]
    second = next((name for name in others if name != first), None)
    axes.set_title("Trade-off" if second is None else f"{first} against {second}")
    if second is None or not feasible:
        _say(axes, "nothing to compare" if feasible else "no design works")
        return
    accepted = np.array([goal.accepts(trial) for trial in feasible])
    x = np.array([trial.metrics[second] for trial in feasible])
    y = np.array([trial.metrics[first] for trial in feasible])
    axes.plot(
        x[~accepted], y[~accepted], "x", ms=3, mew=0.6, color=BEYOND, alpha=0.6,
        label="beyond a limit",
    )  # fmt: skip
    axes.plot(x[accepted], y[accepted], "o", ms=3, mew=0, color=ACCEPTED, alpha=0.5,
              label="accepted")  # fmt: skip
    for limit in goal.limits:
        if limit.metric == second:
            axes.axvline(limit.bound, color=INK, lw=1, ls="--", label=str(limit))
        elif limit.metric == first:
            axes.axhline(limit.bound, color=INK, lw=1, ls="--", label=str(limit))
    if summary.front:
        axes.plot(
            [trial.metrics[second] for trial in summary.front],
            [trial.metrics[first] for trial in summary.front],
            "-o", color=INK, lw=1, ms=3, drawstyle="steps-post", label="Pareto front",
        )  # fmt: skip
    elif summary.best:
        best = summary.best[0]
        axes.plot(best.metrics[second], best.metrics[first], "*", ms=12, color=INK, label="best")
    fit(axes, "x", x)
    fit(axes, "y", y)
    axes.set_xlabel(second)
    axes.set_ylabel(first)
    axes.legend(loc="best")


def over_time(axes: Axes, found: Mapping[str, Any]) -> None:
    """Shares of the outcomes, over windows of trials.

    Args:
        axes: where.
        found: as `digest.over_time` says it.
    """
    axes.set_title("Outcomes over time")
    axes.set_xlabel("trials")
    axes.grid(visible=False)
    edges = np.array(found["edges"])
    if len(edges) < 2:
        _say(axes, "no trials")
        return
    bottom = np.zeros(len(edges) - 1)
    looks = ((ACCEPTED, ""), (BEYOND, ""), (BROKEN, ""), (FAILED, "////"), (FAILED, "...."))
    for label, (color, hatch), row in zip(STATES, looks, found["shares"]):
        if any(row):
            axes.bar(
                edges[:-1], row, np.diff(edges), bottom, align="edge", color=color, hatch=hatch,
                edgecolor="white", linewidth=0.3, label=label,
            )  # fmt: skip
            bottom += row
    axes.set_xlim(0, edges[-1])
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="lower left", ncols=4, bbox_to_anchor=(0, 1.0), borderpad=0)
    axes.set_title("Outcomes over time", pad=20)


def why_not(axes: Axes, summary: Summary, most: int = 8) -> None:
    """Kinds of reasons why designs do not work, or simulations broke."""
    axes.set_title("Why designs do not work")
    axes.grid(visible=False)
    counts = [(kind, count, BROKEN) for kind, count in summary.reasons.items()]
    counts += [(kind, count, FAILED) for kind, count in summary.failures.items()]
    if not counts:
        _say(axes, "all work")
        return
    counts = sorted(counts, key=lambda item: -item[1])[:most]
    places = np.arange(len(counts))
    lengths, colors = [count for _, count, _ in counts], [color for *_, color in counts]
    axes.barh(places, lengths, height=0.75, color=colors)
    axes.set_ylim(max(len(counts), 5) - 0.4, -0.6)
    for place, (kind, count, _) in enumerate(counts):
        share = count / summary.trials
        text = f"{f'{share:.0%}' if share >= 0.005 else '< 1%'}  {kind}"
        axes.text(0, place, f" {text[:70]}", va="center", fontsize=8, color=INK)
    axes.set_yticks([])
    axes.set_xlabel("trials")
    axes.set_xlim(0, max(lengths) * 1.05)


def _thinned(trials: Sequence[Trial]) -> Sequence[Trial]:
    if len(trials) <= MOST_POINTS:
        return trials
    return [trials[i] for i in np.linspace(0, len(trials) - 1, MOST_POINTS).astype(int)]


def _say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="#666666")
    axes.set_xticks([])
    axes.set_yticks([])


def fit(axes: Axes, which: Literal["x", "y"], values: NDArray[np.float64]) -> None:
    """Scale, range and ticks for `values`: a few far ones must not squeeze the rest."""
    low, high = float(values.min()), float(np.quantile(values, 0.98))
    axis = axes.xaxis if which == "x" else axes.yaxis
    if low > 0 and high > 5 * low:
        axes.set(**{f"{which}scale": "log"})
        subs = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high < 10 * low else (1.0, 2.0, 5.0)
        axis.set_major_locator(LogLocator(subs=subs))
        axis.set_minor_locator(NullLocator())
        margin = (high / low) ** 0.05
        axes.set(**{f"{which}lim": (low / margin, high * margin)})
    else:
        margin = 0.05 * ((high - low) or abs(low) or 1.0)
        axes.set(**{f"{which}lim": (low - margin, high + margin)})
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
