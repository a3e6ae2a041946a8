"""Logs with little or nothing in them, damaged ones, and names that would be markup or scripts."""

import json
from pathlib import Path

import pytest
from a_log import TRIALS, broken, measured
from pages import Page, study
from test_live import asked, served

from accel_dse import plugins
from accel_dse.cli import main
from accel_dse.report.comparison_designs import Lab
from accel_dse.report.live import Follower
from accel_dse.trial import Outcome
from accel_dse.trial_log import TrialLog

pytest.importorskip("plotly", reason="pages need plotly: pip install 'accel-dse[viz]'")

EVIL = "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=1'>\"'&é漢[b]"

LOGS = {
    "no trial": [],
    "one trial": [measured(0, 5.0)],
    "one beyond a limit": [measured(0, 5.0, area=99)],
    "one that does not work": [broken(0, "fc: too small")],
    "one that broke": [broken(0, "exit status 1", Outcome.FAILED)],
    "none works": [broken(i, "conv1: too small") for i in range(30)],
    "none keeps the limits": [measured(i, 5.0 + i, area=99) for i in range(30)],
}


def written(trials, place="run.db", **changes):
    """The place of a log of these trials."""
    log = TrialLog(place)
    log.create_or_check(study(**changes))
    log.append(trials)
    log.close()
    return place


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("out", ["page.html", "figures.pdf", ""])
def test_any_log_is_reported_in_every_form(name, out, capsys):
    place = written(LOGS[name])
    assert main(["report", place, *(["--out", out] if out else ["--json"])]) == 0
    said = capsys.readouterr()
    if out:
        assert Path(out).stat().st_size > 5_000
    else:
        assert json.loads(said.out)["trials"] == len(LOGS[name])


@pytest.mark.parametrize("name", LOGS)
def test_any_log_can_be_watched(name):
    follower = Follower(TrialLog(written(LOGS[name])), Lab(reason="this is a test"))
    follower.read()
    follower.digest()
    follower.ponder()
    parts = json.loads(follower.news(0, {}))["parts"]
    assert parts["digest"]["trials"] == len(LOGS[name])
    assert [chunk["count"] for chunk in parts.get("trials", [])] == [len(LOGS[name])][
        : len(LOGS[name])
    ]
    assert Page(follower.page()).parts["about"]["live"] is True


def test_watch_refuses_half_of_a_log_in_one_line(capsys):
    whole = Path(written(TRIALS)).read_bytes()
    for size in (0, 100, 5000):
        Path("half.db").write_bytes(whole[:size])
        assert main(["watch", "half.db"]) == 2
        said = capsys.readouterr().err
        assert said.startswith("error: half.db: ")
        assert len(said.splitlines()) <= 2


def test_a_log_that_is_damaged_while_it_is_watched_is_told_to_the_page():
    place = written(TRIALS)
    follower = Follower(TrialLog(place), Lab(reason="this is a test"))
    follower.read()
    with served(follower) as server:
        assert asked(server, f"/{server.secret}/news?trials=0")[0] == 200
        whole = Path(place).read_bytes()
        Path(place).write_bytes(b"\0" * len(whole))
        status, _, text = asked(server, f"/{server.secret}/news?trials=0")
    assert status == 503
    assert "run.db" in text
    assert "Traceback" not in text


def test_names_are_text_in_what_is_watched():
    named = study().problem | {"space": {"name": EVIL}, "workloads": [{"name": EVIL, "weight": 1}]}
    place = written([measured(0, 5.0, **{EVIL: EVIL}), broken(1, EVIL)], problem=named)
    follower = Follower(TrialLog(place), Lab(reason=EVIL))
    follower.read()
    follower.digest()
    follower.ponder()
    page = Page(follower.page())
    assert "hacked" not in "".join(page.scripts)
    assert not [1 for tag, attributes in page.elements if tag == "img" or "onerror" in attributes]
    news = follower.news(0, {})
    assert not set("<>&") & set(news), "no answer of the server can be taken for a page"
    assert json.loads(news)["parts"]["about"]["title"] == f"{EVIL} x {EVIL}"


SPACE = """\
version: 1
name: toy
source: %(evil)s
parameters:
  pes_x: {ordinal: [1, 2, 4], description: %(evil)s}
  pes_y: {ordinal: [1, 2, 4]}
  buffer_kib: {ordinal: [1, 8, 64], unit: %(evil)s}
  dataflow: {categorical: [weight_stationary, output_stationary]}
  finish: {categorical: [%(evil)s, "<b>"]}
constraints:
  - {rule: "pes_x * pes_y >= 1", why: %(evil)s}
%(references)s
"""
REFERENCES = """\
references:
  %(evil)s:
    description: %(evil)s
    design: {pes_x: 1, pes_y: 1, buffer_kib: 8, dataflow: weight_stationary, finish: "<b>"}
"""
SEARCH = (
    "optimize", "evil.yaml", "-w", "mlp", "--minimize", "latency_cycles", "--optimizer", "random",
    "--simulator", "toy", "--trials", "12", "--log", "run.db",
)  # fmt: skip


@pytest.fixture
def toy(monkeypatch):
    known = {**plugins.BUILT_IN["simulators"], "toy": "accel_dse.testing:ToySimulator"}
    monkeypatch.setattr(plugins, "BUILT_IN", {**plugins.BUILT_IN, "simulators": known})


def save(references):
    values = {"evil": json.dumps(EVIL, ensure_ascii=False)}
    text = SPACE % {**values, "references": references % values}
    Path("evil.yaml").write_text(text, encoding="utf-8")


def searched(references):
    save(references)
    assert main(["check", "evil.yaml"]) == 0
    assert main([*SEARCH]) == 0


@pytest.mark.usefixtures("toy")
def test_scripts_and_other_writing_in_a_space_file_are_shown_and_never_run(capsys):
    searched(REFERENCES)
    assert main(["report", "run.db"]) == 0
    assert "finish" in capsys.readouterr().out
    for out in ("page.html", "figures.svg"):
        assert main(["report", "run.db", "--simulate", "--out", out]) == 0
    found = Page(Path("page.html").read_text(encoding="utf-8"))
    assert "hacked" not in "".join(found.scripts)
    assert not [1 for tag, attributes in found.elements if tag == "img" or "onerror" in attributes]
    [reference] = found.parts["references"]["designs"]
    assert reference["name"] == EVIL
    assert EVIL in reference["description"]
    assert reference["metrics"]["latency_cycles"] > 0
    assert found.parts["about"]["facts"]["space"] == "toy"
    [trials] = found.parts["trials"]
    assert EVIL in trials["parameters"]["finish"]["table"]
    assert "<img" not in Path("figures.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [EVIL, "größe"])
@pytest.mark.parametrize(("of", "line"), [("name: toy", 2), ("finish", 9)])
def test_a_name_that_is_no_word_is_refused_with_its_line(of, line, name, capsys):
    save(REFERENCES)
    path = Path("evil.yaml")
    written = json.dumps(name, ensure_ascii=False)
    path.write_text(
        path.read_text(encoding="utf-8").replace(of, f"name: {written}" if line == 2 else written),
        encoding="utf-8",
    )
    assert main(["check", "evil.yaml"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: evil.yaml:{line}: ")
    assert "Traceback" not in said


@pytest.mark.usefixtures("toy")
def test_a_space_without_reference_designs_says_so(capsys):
    searched("")
    assert main(["report", "run.db", "--simulate", "--out", "page.html"]) == 0
    found = Page(Path("page.html").read_text(encoding="utf-8")).parts["references"]
    assert found == {"reason": "the space names no reference designs", "designs": []}
    assert capsys.readouterr().err == ""
