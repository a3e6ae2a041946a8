"""A study as figures for a paper: the search, its best design layer by layer, and a timeline."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from accel_dse.readable import plain
from accel_dse.report import design_figures, figures
from accel_dse.report.comparison_designs import Lab
from accel_dse.report.content import named_best
from accel_dse.report.digest import digest
from accel_dse.report.inside import inside
from accel_dse.report.runs import Run

Drawing = tuple[str, Callable[[], Figure]]
"""What a figure is of, and what draws it."""


def save(runs: Sequence[Run], lab: Lab, title: str, path: Path) -> list[Path]:
    """Draws all figures: into one PDF, or beside each other into several files.

    Args:
        runs: of one problem.
        lab: simulates the best design again; without a simulator only the search is drawn.
        title: above each figure.
        path: ends in `.pdf`, or in `.png` or `.svg`: then the search goes there, and the others
            into files whose names go on with what they are of, `figure_design.png`.

    Returns:
        The files, the first of which is `path`.

    Raises:
        OptionError: it ends in something else, or cannot be written.
    """
    figures.check_format(path)
    found = list(drawings(runs, lab, title))
    if path.suffix.lower() == ".pdf":
        with figures.blaming_the_disk(path), PdfPages(path) as pages:
            for _, draw in found:
                pages.savefig(draw())
        return [path]
    places = [path.with_stem(f"{path.stem}{name}") for name, _ in found]
    for place, (_, draw) in zip(places, found):
        figures.write(place, draw)
    return places


def drawings(runs: Sequence[Run], lab: Lab, title: str) -> Iterator[Drawing]:
    """The search; then of its best design, on each network, the layers and a timeline."""
    yield "", partial(figures.overview, runs, title)
    named = named_best(digest(runs), runs)[:1]
    if not named or lab.problem is None or lab.simulator is None:
        return
    [(name, trial)] = named
    goal = runs[0].goal
    wanted = [o.metric for o in goal.objectives] + [limit.metric for limit in goal.limits]
    measured = ", ".join(f"{metric} {plain(trial.metrics[metric])}" for metric in wanted)
    networks = [workload for workload, _ in lab.problem.workloads]
    for k, network in enumerate(networks):
        told = inside(lab.simulator, network, trial.design)
        if "layers" not in told:
            continue
        number = f"_{k + 1}" if len(networks) > 1 else ""
        heading = f"{name} on {network.name} · {measured}"
        yield f"_design{number}", partial(design_figures.design, told, heading)
        if told.get("timelines"):
            yield f"_timeline{number}", partial(design_figures.timeline, told, heading)
