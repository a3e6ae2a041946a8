from itertools import pairwise

import pytest
from a_log import GOAL, TRIALS, broken, measured
from matplotlib.image import imread

from accel_dse.errors import OptionError
from accel_dse.problem import Goal
from accel_dse.report import figures
from accel_dse.report.summary import summarize

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


@pytest.mark.parametrize("name", LOGS)
def test_any_log_can_be_drawn(tmp_path, name):
    trials, goal = LOGS[name]
    figures.save(trials, summarize(trials, goal), rf"{name} $\frac <b>", tmp_path / "log.png")
    picture = imread(tmp_path / "log.png")
    assert picture.shape[0] > 900
    assert picture.std() > 0.01, "it is not blank"


@pytest.mark.parametrize("suffix", [".pdf", ".svg"])
def test_a_figure_for_a_paper_can_be_drawn(tmp_path, suffix):
    path = tmp_path / f"log{suffix}"
    figures.save(TRIALS, summarize(TRIALS, GOAL), "log", path)
    assert path.stat().st_size > 5_000


def test_what_cannot_be_drawn_is_refused(tmp_path):
    summary = summarize(TRIALS, GOAL)
    with pytest.raises(OptionError, match="cannot draw this") as caught:
        figures.save(TRIALS, summary, "log", tmp_path / "log.xls")
    assert caught.value.hint == "end it in .png, .pdf, .svg"
    with pytest.raises(OptionError, match="cannot be written"):
        figures.save(TRIALS, summary, "log", tmp_path / "nowhere" / "log.png")


def test_the_panels_say_what_they_show():
    figure = figures.overview(TRIALS, summarize(TRIALS, GOAL), "edge x mobilenet_v2")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [
        "Best so far", "latency_ms against area_mm2", "Outcomes over time",
        "Why designs do not work",
    ]  # fmt: skip
    first = figure.axes[0]
    assert (first.get_xlabel(), first.get_ylabel()) == ("trials", "latency_ms")
    best_line = first.get_lines()[1]
    assert best_line.get_ydata()[1:].tolist() == [5, 5, 4, 4, 4, 4, 4, 4, 4]


def test_the_colors_differ_in_lightness():
    levels = []
    for color in (figures.ACCEPTED, figures.BEYOND, figures.BROKEN, figures.INK):
        red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
        levels.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    levels.sort()
    assert min(b - a for a, b in pairwise(levels)) > 0.08
