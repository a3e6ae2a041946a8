from itertools import pairwise

import pytest
from a_log import GOAL, TRIALS, broken, measured
from matplotlib.image import imread
from pages import run, study

from accel_dse.errors import OptionError
from accel_dse.problem import Goal
from accel_dse.report import figures

LOGS = {
    "all outcomes": (TRIALS, GOAL),
    "empty": ([], GOAL),
    "one trial": (TRIALS[1:2], GOAL),
    "none works": ([broken(i, "no") for i in range(3)], GOAL),
    "none accepted": ([measured(i, i + 1, area=50) for i in range(3)], GOAL),
    "all equal": ([measured(i, 2.0) for i in range(3)], GOAL),
    "zero and negative": ([measured(i, i - 1.0) for i in range(3)], GOAL),
    "two objectives": (TRIALS, Goal.parse(["minimize latency_ms", "maximize power_w"], [])),
    "no limit": (TRIALS, Goal.parse(["minimize latency_ms"], [])),
    "many": ([measured(i, 1 + i % 97, area=i % 41) for i in range(30_000)], GOAL),
}


def run_for(goal, trials, **changes):
    return run(trials, problem=study().problem | goal.content(), **changes)


@pytest.mark.parametrize("name", LOGS)
def test_any_log_can_be_drawn(tmp_path, name):
    trials, goal = LOGS[name]
    figures.save([run_for(goal, trials)], rf"{name} $\frac <b>", tmp_path / "log.png")
    picture = imread(tmp_path / "log.png")
    assert picture.shape[0] > 900
    assert picture.std() > 0.01, "it is not blank"


@pytest.mark.parametrize("suffix", [".pdf", ".svg"])
def test_a_figure_for_a_paper_can_be_drawn(tmp_path, suffix):
    path = tmp_path / f"log{suffix}"
    figures.save([run(TRIALS)], "log", path)
    assert path.stat().st_size > 5_000


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(OptionError, match="cannot draw this") as caught:
        figures.save([run(TRIALS)], "log", tmp_path / "log.xls")
    assert caught.value.hint == "end it in .png, .pdf, .svg, or .html"
    with pytest.raises(OptionError, match="cannot be written"):
        figures.save([run(TRIALS)], "log", tmp_path / "nowhere" / "log.png")


def test_a_notebook_is_handed_a_picture():
    drawn = figures.overview([run(TRIALS)], "edge")._repr_png_()
    assert drawn.startswith(b"\x89PNG")


def test_the_panels_say_what_they_show():
    figure = figures.overview([run(TRIALS)], "edge x mobilenet_v2")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [
        "Best so far", "latency_ms against area_mm2", "Outcomes over time",
        "Why designs do not work",
    ]  # fmt: skip
    first = figure.axes[0]
    assert (first.get_xlabel(), first.get_ylabel()) == ("trials", "latency_ms")
    best_line = first.get_lines()[1]
    assert best_line.get_ydata()[1:].tolist() == [5, 5, 4, 4, 4, 4, 4, 4, 4]


def test_several_seeds_have_a_median_and_a_band_and_each_a_thin_line():
    runs = [
        run([measured(i, latency) for i, latency in enumerate(costs)], f"{seed}.db", seed=seed)
        for seed, costs in enumerate([(9, 8, 3), (7, 7, 7), (5, 4, 4)])
    ]
    figure = figures.overview(runs, "three seeds")
    axes = figure.axes[0]
    [band] = axes.collections
    *seeds, median = axes.get_lines()
    assert [line.get_ydata().tolist() for line in seeds] == [[9, 8, 3, 3], [7, 7], [5, 4, 4]]
    assert median.get_ydata().tolist() == [7, 7, 4]
    assert median.get_label() == "random, median and quartiles of 3 seeds"
    corners = band.get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (3, 9)
    assert sum(len(one.trials) for one in runs) == 9
    assert figure.axes[2].get_xlim() == (0, 3), "outcomes are of all seeds together"


def test_searches_that_differ_in_more_than_their_seed_have_lines_of_their_own():
    runs = [run(TRIALS, "a.db"), run(TRIALS[:3], "b.db", optimizer="evolution")]
    axes = figures.overview(runs, "two optimizers").axes[0]
    assert not axes.collections
    assert [line.get_label() for line in axes.get_lines()] == [
        "random, seed 0",
        "evolution, seed 0",
    ]
    assert axes.get_lines()[0].get_linestyle() != axes.get_lines()[1].get_linestyle()


@pytest.mark.parametrize("trials", [[], [broken(0, "no")]], ids=["none", "none works"])
def test_several_logs_with_nothing_in_them_can_be_drawn(trials):
    figure = figures.overview([run(trials), run(trials, "b.db", seed=1)], "nothing")
    [said] = figure.axes[0].texts
    assert said.get_text() == "no design keeps every limit"


def test_the_colors_differ_in_lightness():
    levels = []
    for color in (figures.ACCEPTED, figures.BEYOND, figures.BROKEN, figures.INK):
        red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
        levels.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    levels.sort()
    assert min(b - a for a, b in pairwise(levels)) > 0.08
