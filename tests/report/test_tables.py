from dataclasses import replace

import pytest
from a_log import GOAL, TRIALS, broken, measured
from rich.console import Console

from accel_dse.log_rows import StudyDescription
from accel_dse.problem import Goal
from accel_dse.report import measurement, tables
from accel_dse.report.summary import summarize

STUDY = StudyDescription(
    problem={
        "space": {"name": "edge"},
        "workloads": [{"name": "mobilenet_v2", "weight": 1.0}, {"name": "unet", "weight": 2.5}],
        **GOAL.content(),
    },
    optimizer="evolution",
    optimizer_options={"population": 20},
    seed=7,
    simulator="accelerator",
    simulator_version="1",
    simulator_options={},
)


def printed(renderable, width=100):
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def report(trials, goal=GOAL, **options):
    return printed(tables.report(summarize(trials, goal), STUDY, "run.db"), **options)


def test_a_report_says_what_was_searched_and_how():
    text = report(TRIALS)
    for part in ("run.db", "edge", "mobilenet_v2, unet x 2.5", "minimize latency_ms",
                 "evolution (population=20, seed=7)", "accelerator, version 1"):  # fmt: skip
        assert part in text


def test_a_report_says_what_became_of_the_trials():
    lines = report(TRIALS).splitlines()
    for name, count, share in (("accepted", 2, "20.0%"), ("beyond a limit", 3, "30.0%"),
                               ("infeasible", 3, "30.0%"), ("timed out", 1, "10.0%")):  # fmt: skip
        line = next(line for line in lines if line.strip().startswith(name))
        assert line.split(name)[1].split()[:2] == [str(count), share]


def test_a_report_says_which_limit_binds():
    lines = report(TRIALS).splitlines()
    area = next(line for line in lines if line.strip().startswith("area_mm2<=27"))
    assert area.split() == ["area_mm2<=27", "20", "(74%)", "2", "3", "binds"]
    power = next(line for line in lines if line.strip().startswith("power_w<=2"))
    assert power.split()[-3:] == ["no", "better", "slack"]


def test_a_report_says_why_designs_do_not_work_and_simulations_broke():
    text = report(TRIALS)
    assert "66.7%  smallest tile needs … bytes of core_memory" in text
    assert "50.0%  exit status …" in text
    many = [broken(i, f"reason {'abcdefghij'[i]}") for i in range(10)]
    assert "and 4 other reasons" in report(many)


def test_a_report_on_nothing_accepted_shows_the_nearest():
    text = report([measured(0, 1, area=54), measured(1, 9, area=28)])
    assert "No design keeps every limit" in text
    assert "Best so far" not in text


def test_a_report_on_several_objectives_shows_the_front():
    goal = Goal.parse(["minimize latency_ms", "minimize area_mm2"], [])
    trials = [measured(i, 20 - i, area=i + 1) for i in range(20)]
    text = report(trials, goal)
    assert "Pareto front, 20 designs" in text


@pytest.mark.parametrize("trials", [[], TRIALS[:1], TRIALS[1:2], TRIALS[8:9]])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_any_log_can_be_reported_at_any_width(trials, width):
    text = report(trials, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "trials" in text


def test_what_a_file_calls_itself_is_shown_as_it_is():
    problem = {**STUDY.problem, "space": {"name": "[red]edge[/red]"}}
    study = replace(STUDY, problem=problem)
    trials = [broken(0, "[bold]no[/bold] tile"), measured(1, 2, **{"[blue]": "[/]"})]
    text = printed(tables.report(summarize(trials, GOAL), study, "[link=x]run.db[/link]"))
    for part in ("[red]edge[/red]", "[bold]no[/bold] tile", "[blue]", "[/]", "[link=x]run.db"):
        assert part in text


def test_a_search_that_ended_shows_its_best_and_what_to_do_next():
    text = printed(tables.found(summarize(TRIALS, GOAL), "run.db", stopped=True))
    for part in ("Best designs", "area_mm2<=27 binds", "stopped", "accel-dse report run.db"):
        assert part in text


def test_one_design_is_shown_beside_its_metrics():
    text = printed(measurement.measured("mlp on edge", {"pes": 4}, {"latency_ms": 1.5}, ""))
    assert text.split() == ["mlp", "on", "edge", "pes", "4", "latency_ms", "1.5"]
    text = printed(measurement.measured("mlp on edge", {"pes": 4}, {}, "[b]no tile[/b]"))
    assert "infeasible: [b]no tile[/b]" in text


def test_layers_are_shown_with_whatever_columns_there_are():
    rows = [
        {"layer": "conv[1]", "runs": 1, "cycles": 12345.0, "share": 0.5, "waits": {"dram": 3},
         "bottleneck": "dram", "odd_count": 7},
        {"layer": "fc", "runs": 1, "cycles": 1.0, "share": 0.25, "waits": {}, "bottleneck": "",
         "odd_count": 8},
    ]  # fmt: skip
    lines = [line.split() for line in printed(measurement.layers(rows)).splitlines()]
    assert lines[0] == ["layer", "cycles", "%", "time", "bottleneck", "odd_count"]
    assert lines[2] == ["conv[1]", "12,345", "50.0", "dram", "7"]
    assert printed(measurement.layers([])).strip() == ""


def test_a_column_of_layers_is_shown_once_one_of_its_values_says_something():
    rows = [{"layer": "a", "runs": 1}, {"layer": "b", "runs": 3}]
    assert "runs" in printed(measurement.layers(rows))
