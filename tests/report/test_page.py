import base64
import hashlib
import json
import re

import pytest
from a_log import TRIALS, broken, measured
from pages import WORD, Page, run, study, unpacked

from accel_dse.errors import OptionError
from accel_dse.report import html
from accel_dse.report.comparison_designs import Lab
from accel_dse.report.content import content
from accel_dse.report.html import dumped, page
from accel_dse.trial import Outcome, Trial

pytest.importorskip("plotly", reason="pages need plotly: pip install 'accel-dse[viz]'")

EVIL = "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=1'>\"'&é漢"


def paged(*runs):
    return Page(page(content(runs, Lab(reason="this is a test"))))


def test_a_page_holds_all_that_the_log_says():
    parts = paged(run(TRIALS)).parts
    assert parts["about"]["title"] == "toy x net"
    assert parts["digest"]["states"] == [2, 3, 3, 1, 1]
    assert [one["trial"] for one in parts["digest"]["best"]] == [3, 1]
    [trials] = parts["trials"]
    assert unpacked(trials["state"]) == [2, 0, 1, 0, 2, 1, 2, 1, 3, 4]
    assert unpacked(trials["parameters"]["pes"]) == list(range(10))
    assert unpacked(trials["metrics"]["latency_ms"])[1:4] == [5.0, 3.0, 4.0]
    assert unpacked(trials["reason"])[8] == "exit status …"
    assert parts["digest"]["limits"][0]["binds"] is True


def test_a_page_asks_for_nothing_from_elsewhere():
    found = paged(run(TRIALS))
    for tag, attributes in found.elements:
        for name in ("src", "href", "action", "data", "poster"):
            assert re.match(r"(#|data:|$)", attributes.get(name) or ""), (tag, attributes)
    own = "".join(script for script in found.scripts if len(script) < WORD)
    assert "http" not in own
    assert "fetch(`news" in own, "the only request, of a page that follows a study"


def test_a_page_runs_just_the_scripts_that_it_was_made_with():
    found = paged(run(TRIALS))
    [policy] = [a["content"] for _, a in found.elements if a.get("http-equiv")]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["connect-src"] == rules["base-uri"] == "'none'"
    assert "'unsafe-inline'" not in rules["script-src"]
    assert len(found.scripts) == 2
    for script in found.scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in rules["script-src"]
    assert not [a for _, a in found.elements if any(name.startswith("on") for name in a)]


def test_the_page_of_a_live_study_may_ask_its_own_server():
    parts = {"about": {"title": "t"}}
    found = Page(page(parts, live=True))
    [policy] = [a["content"] for _, a in found.elements if a.get("http-equiv")]
    assert "connect-src 'self'" in policy


def test_names_are_text_wherever_they_come_from():
    trial = Trial(
        index=0,
        design={EVIL: EVIL, "b": (1, 2)},
        outcome=Outcome.FEASIBLE,
        metrics={"latency_ms": 1.0, "area_mm2": 1.0, "power_w": 1.0, EVIL: 2.0},
    )
    reason = Trial(index=1, design={EVIL: "b", "b": (1, 2)}, outcome=Outcome.FAILED, reason=EVIL)
    named = study().problem | {"space": {"name": EVIL}, "workloads": [{"name": EVIL, "weight": 1}]}
    text = page(
        content([run([trial, reason], EVIL, problem=named, optimizer=EVIL)], Lab(reason=EVIL))
    )
    found = Page(text)
    assert "hacked" not in "".join(found.scripts)
    assert not [1 for tag, attributes in found.elements if tag == "img" or "onerror" in attributes]
    assert found.parts["about"]["title"] == f"{EVIL} x {EVIL}"
    [trials] = found.parts["trials"]
    assert unpacked(trials["parameters"][EVIL]) == [EVIL, "b"]
    assert unpacked(trials["parameters"]["b"]) == ["1 2", "1 2"]


@pytest.mark.parametrize("sign", ["{{plotly}}", "{{script}}", "{{data}}"])
def test_a_name_is_not_taken_for_a_place_to_fill_in(sign):
    named = study().problem | {"space": {"name": sign}}
    found = paged(run(TRIALS, problem=named))
    assert len(found.scripts) == 2
    assert found.parts["about"]["title"] == f"{sign} x net"


def test_data_in_a_page_is_json_without_markup():
    text = dumped({"a": "<!--<script>&\u2028", "b": [float("nan"), float("inf"), 1.5], "c": (1,)})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "<!--<script>&\u2028", "b": [None, None, 1.5], "c": [1]}


@pytest.mark.parametrize(
    "trials",
    [
        [],
        [measured(0, 5.0)],
        [measured(0, 5.0, area=99)],
        [broken(i, "conv1: too small") for i in range(40)],
        [broken(0, "it crashed", Outcome.FAILED)],
    ],
    ids=["no trial", "one trial", "one beyond a limit", "none works", "one broke"],
)
def test_a_log_with_little_in_it_still_makes_a_page(trials):
    found = paged(run(trials))
    assert found.parts["digest"]["trials"] == len(trials)
    assert found.parts["trials"][0]["count"] == len(trials)
    assert all(one.get("reason") for one in found.parts["importance"])
    assert found.parts["inside"]["reason"] == "this is a test"


def test_every_part_that_the_script_names_is_in_the_page():
    found = paged(run(TRIALS))
    own = "".join(script for script in found.scripts if len(script) < WORD)
    wanted = set(re.findall(r"""(?:\$|fill|choices|chart)\("([\w-]+)\"""", own))
    assert wanted <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    for _, attributes in found.elements:
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in found.ids


def test_everything_that_takes_input_has_a_name():
    text = page(content([run(TRIALS)], Lab()))
    for control in re.findall(r"<(?:select|input)[^>]*>", text.partition("<main")[2][:20_000]):
        before = text[: text.index(control)]
        assert before.rfind("<label") > before.rfind("</label"), control


def test_without_plotly_one_line_says_what_to_install(monkeypatch):
    def gone(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(html, "files", gone)
    with pytest.raises(OptionError, match="plotly") as caught:
        html._plotly()
    assert "accel-dse[viz]" in caught.value.hint
