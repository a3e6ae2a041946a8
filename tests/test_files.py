import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_dse.errors import DseError, FileError
from accel_dse.files import check, load_space, load_study, names, parse_yaml, read_yaml
from accel_dse.files.document import LARGEST_FILE, LONGEST_LINE, Document
from accel_dse.files.space_file import read_space
from accel_dse.files.study_file import read_study
from accel_dse.files.yaml_builder import DEEPEST
from accel_dse.parameters import Categorical, Factorization, Integer, Ordinal, Permutation, Real

SPACE = """\
# An example.
version: 1
name: example
source: "nowhere"
parameters:
  pes_x: [1, 2, 4, 8]
  pes_y: {ordinal: [1, 2, 4, 8], scale: log, unit: PEs, description: rows}
  banks: {integer: [1, 16], step: 3}
  clock_ghz: {real: [0.2, 1.2], scale: log}
  dataflow: {categorical: [ws, os, no]}
  k_tiling: {factorization: 64, parts: 3}
  p_tiling: {factorization: 7, parts: 2, ragged: true}
  order: {permutation: [K, C, P]}
constraints:
  - pes_x * pes_y <= 32
  - {rule: "prod(k_tiling[1:]) <= 4 * banks", why: the tile must fit}
features:
  peak: pes_x * pes_y
references:
  base:
    design: {pes_x: 4, pes_y: 4, banks: 16, clock_ghz: 1, dataflow: no, k_tiling: [16, 2, 2],
             p_tiling: [4, 2], order: [P, K, C]}
    description: a start
    source: somewhere
accelerator:
  clock_ghz: clock_ghz
  levels:
    - name: dram
      bandwidth: 16
    - name: buffer
      capacity_bytes:
        inputs + outputs: 64 * banks
"""

STUDY = """\
version: 1
space: edge
workloads: {mobilenet_v2: 1, resnet18: 0.5}
minimize: latency_ms
limits: [area_mm2<=27]
trials: 100
"""


def write(folder, text, name="example.yaml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return Path()


def refusal(use, *given):
    """The lines of the error and its hint; there is no traceback behind it that matters."""
    with pytest.raises(FileError) as caught:
        use(*given)
    return str(caught.value).splitlines(), caught.value.hint


def edited(old, new, text=SPACE):
    assert old in text
    return text.replace(old, new)


def test_a_space_file_says_all_it_can(here):
    file = load_space(write(here, SPACE))
    assert file.space.parameters == (
        Ordinal("pes_x", (1, 2, 4, 8)),
        Ordinal("pes_y", (1, 2, 4, 8), "log", unit="PEs", description="rows"),
        Integer("banks", 1, 16, 3),
        Real("clock_ghz", 0.2, 1.2, "log"),
        Categorical("dataflow", ("ws", "os", "no")),
        Factorization("k_tiling", 64, 3),
        Factorization("p_tiling", 7, 2, ragged=True),
        Permutation("order", ("K", "C", "P")),
    )
    assert [str(constraint) for constraint in file.space.constraints] == [
        "'pes_x * pes_y <= 32'",
        "'prod(k_tiling[1:]) <= 4 * banks' (the tile must fit)",
    ]
    assert list(file.space.features) == ["peak"]
    assert file.name == "example"
    assert file.source == "nowhere"
    assert file.references["base"].description == "a start"
    assert file.references["base"].design["k_tiling"] == (16, 2, 2)
    file.space.check(file.references["base"].design)
    assert file.accelerator["levels"][1]["name"] == "buffer"


def test_a_file_knows_the_line_of_each_value(here):
    document = load_space(write(here, SPACE)).document
    assert document.line(("parameters", "banks")) == 8
    assert document.line(("parameters", "banks", "nothing")) == 8
    assert document.line(("accelerator", "levels", 1, "capacity_bytes")) == 31


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("accelerator.levels[1].capacity_bytes: too large", 31),
        ("accelerator.levels.buffer.capacity_bytes: too large", 31),
        ("accelerator.levels.buffer.capacity_bytes.inputs + outputs: too large", 32),
        ("accelerator.levels.dram.latency: missing", 28),
        ("accelerator.clock_ghz: not a number", 26),
        ("accelerator: not right", 25),
    ],
)
def test_a_complaint_that_begins_with_a_place_gets_the_line_of_that_place(here, message, line):
    document = load_space(write(here, SPACE)).document
    with pytest.raises(FileError) as caught, document.blaming():
        raise DseError(message, hint="do this")
    assert str(caught.value) == f"example.yaml:{line}: {message}"
    assert caught.value.hint == "do this"


def test_a_complaint_about_no_place_is_about_the_file(here):
    document = load_space(write(here, SPACE)).document
    assert str(document.located(DseError("no good"))) == "example.yaml: no good"


def test_a_list_of_words_is_a_categorical_parameter(here):
    text = "version: 1\nname: a\nparameters: {flow: [ws, os], size: [1, 2.5]}\n"
    assert load_space(write(here, text)).space.parameters == (
        Categorical("flow", ("ws", "os")),
        Ordinal("size", (1.0, 2.5)),
    )


@pytest.mark.parametrize("name", names())
def test_every_shipped_space_has_valid_designs_and_a_source(name):
    found = check(name, draws=2000)
    assert found.space_file.name == name
    assert found.space_file.source
    assert found.share_valid > 0
    assert found.space_file.document.name == f"{name}.yaml"


def test_the_edge_space_is_shipped_and_has_its_published_size():
    assert "edge" in names()
    assert load_space("edge").space.size == 452_760_000


MISTAKES = [
    ("version: 1", "version: 2", "example.yaml:2: version: must be 1, got 2"),
    ("version: 1\n", "", "example.yaml:2: version: missing"),
    ("version: 1", "version: '1'", "example.yaml:2: version: must be 1, got '1'"),
    ("name: example", "name: [a]", "example.yaml:3: name: must be a valid string, got a list of 1"),
    ("name: example", "name: 'a/b'", "example.yaml:3: name: must be a word of letters"),
    ("source:", "sauce:", "example.yaml:4: sauce: unknown key (did you mean 'source')"),
    ("[1, 2, 4, 8]\n", "[8, 8]\n",
     "example.yaml:6: parameters.pes_x: values must be distinct, got 8 twice"),
    ("[1, 2, 4, 8]\n", "[]\n", "example.yaml:6: parameters.pes_x: there are no values"),
    ("[1, 2, 4, 8]\n", "[4, 2]\n", "example.yaml:6: parameters.pes_x: values must increase"),
    ("[1, 2, 4, 8]\n", "[1, x]\n", "example.yaml:6: parameters.pes_x: values must be numbers"),
    ("[1, 2, 4, 8]\n", "[1, .nan]\n", "example.yaml:6: parameters.pes_x: values must be numbers"),
    ("[1, 2, 4, 8]\n", "8\n", "example.yaml:6: parameters.pes_x: does not say what kind it is"),
    ("[1, 2, 4, 8]\n", "\n", "example.yaml:6: parameters.pes_x: does not say what kind it is"),
    ("scale: log, unit", "scale: cubic, unit",
     "example.yaml:7: parameters.pes_y.scale: must be 'linear' or 'log', got 'cubic'"),
    ("scale: log, unit", "scael: log, unit",
     "example.yaml:7: parameters.pes_y.scael: unknown key (did you mean 'scale')"),
    ("[1, 16], step: 3", "[1, 16], step: 2",
     "example.yaml:8: parameters.banks: steps of 2 from 1 do not reach 16 (end at 15 or 17)"),
    ("[1, 16], step: 3", "[1], step: 3",
     "example.yaml:8: parameters.banks.integer: must have 2 entries or more, got a list of 1"),
    ("[1, 16], step: 3", "[1, 16], step: true",
     "example.yaml:8: parameters.banks.step: must be a valid integer, got true"),
    ("[1, 16], step: 3", "[1, 16], real: [0, 1]",
     "example.yaml:8: parameters.banks: is integer and real at once"),
    ("[0.2, 1.2]", "[1.2, 0.2]", "example.yaml:9: parameters.clock_ghz: low must be below high"),
    ("[ws, os, no]", "[ws, 1]", "example.yaml:10: parameters.dataflow: choices must be all"),
    ("64, parts: 3", "64, parts: 99", "example.yaml:11: parameters.k_tiling: parts must be a"),
    ("64, parts: 3", "64", "example.yaml:11: parameters.k_tiling.parts: missing"),
    ("ragged: true", "ragged: maybe",
     "example.yaml:12: parameters.p_tiling.ragged: must be a valid boolean, got 'maybe'"),
    ("[K, C, P]}\nc", "[K, K]}\nc", "example.yaml:13: parameters.order: values must be distinct"),
    ("  order: {", "  min: {", "example.yaml:13: parameters.min: 'min' cannot be the name"),
    ("  order: {", "  pes_y: {", "example.yaml:13: parameters.pes_y: given twice, first in line 7"),
    ("pes_x * pes_y <= 32", "pe_x * pes_y <= 32",
     "example.yaml:15: constraints[0]: 'pe_x * pes_y <= 32', column 1: nothing is named 'pe_x' "
     "(did you mean 'pes_x')"),
    ("pes_x * pes_y <= 32", "pes_x * pes_y <= ",
     "example.yaml:15: constraints[0]: 'pes_x * pes_y <=', column 17: cannot read this expression"),
    ("pes_x * pes_y <= 32", "3", "example.yaml:15: constraints[0]: must be a mapping, got 3"),
    ("pes_x * pes_y <= 32", "1 < 2", "constraints[0]: constraint '1 < 2' names no parameter"),
    ("pes_x * pes_y <= 32", "dataflow == 'wss'",
     "example.yaml:15: constraints[0]: \"dataflow == 'wss'\": dataflow is never 'wss' "
     "(did you mean 'ws')"),
    ("why: the", "reason: the", "example.yaml:16: constraints[1].reason: unknown key"),
    ("peak: pes_x * pes_y", "peak: pes_x.y",
     "example.yaml:18: features.peak: 'pes_x.y': not allowed in an expression"),
    ("peak: pes_x * pes_y", "banks: pes_x", "features.banks: feature 'banks' has the name of a"),
    ("peak: pes_x * pes_y", "peak: [1]", "features.peak: expected an expression such as"),
    ("banks: 16,", "banks: 3,",
     "example.yaml:21: references.base.design.banks: 3 is not one of 1 to 16 in steps of 3"),
    ("banks: 16,", "", "example.yaml:21: references.base.design: banks: missing"),
    ("pes_x: 4, pes_y: 4", "pes_x: 8, pes_y: 8",
     "example.yaml:21: references.base.design: constraint 'pes_x * pes_y <= 32' does not hold"),
    ("    source: somewhere", "    sources: somewhere",
     "example.yaml:24: references.base.sources: unknown key (did you mean 'source')"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), MISTAKES, ids=[m[2][:60] for m in MISTAKES])
def test_a_mistake_is_one_line_with_file_line_key_value_and_remedy(here, old, new, expected):
    lines, hint = refusal(load_space, write(here, edited(old, new)))
    assert len(lines) == 1
    shown = f"{lines[0]} ({hint})" if hint else lines[0]
    assert expected in shown
    assert len(shown) < 300


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(here):
    text = edited("[1, 2, 4, 8]\n", "[]\n")
    text = edited("[ws, os, no]", "[ws, ws]", text)
    text = edited("step: 3", "stp: 3", text)
    text = edited("pes_x * pes_y <= 32", "pes_z <= 32", text)
    lines, _ = refusal(load_space, write(here, text))
    assert [line.partition(": ")[0] for line in lines] == [
        "example.yaml:6", "example.yaml:8", "example.yaml:10", "example.yaml:15",
    ]  # fmt: skip
    assert lines[1].endswith("parameters.banks.stp: unknown key (did you mean 'step')")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "bad.yaml: is empty"),
        ("# nothing\n", "bad.yaml: is empty"),
        ("just words", "bad.yaml: must be a mapping, got 'just words'"),
        ("a: [1, 2", "bad.yaml:1: not valid YAML: while parsing a flow sequence"),
        ("a: b: c", "bad.yaml:1: not valid YAML: mapping values are not allowed here"),
        ("\ta: 1", "bad.yaml:1: not valid YAML"),
        ("a: \x07", "bad.yaml: not valid YAML: unacceptable character"),
        ("a: 1\na: 2", "bad.yaml:2: a: given twice, first in line 1"),
        ("a:\n  b: 1\n  b: 2", "bad.yaml:3: a.b: given twice, first in line 2"),
        ("a: !!python/object/apply:os.system [x]", "bad.yaml:1: tag !!python/object/apply:os"),
        ("a: !Component {}", "bad.yaml:1: tag !Component is not allowed"),
        ("a: !!str 1", "bad.yaml:1: tag !!str is not allowed"),
        ("a: 1\n---\nb: 2", "bad.yaml:2: a second document begins here"),
        ("a: *b", "bad.yaml:1: alias *b stands for nothing complete before it"),
        ("a: &a [*a]", "bad.yaml:1: alias *a stands for nothing complete before it"),
        ("<<: {a: 1}", "bad.yaml:1: merge keys (<<) are not part of YAML 1.2"),
        ("? [a]\n: 1", "bad.yaml:1: a key must be a plain word"),
        ("a: &a x\n*a : 1", "bad.yaml:2: a key must be a plain word"),
        ("a: 0x" + "f" * 5000, "bad.yaml:1: a number of 5002 digits: 0xff"),
        ("a: " + "9" * 5000, "bad.yaml:1: a number of 5000 digits: 9999"),
        ("[" * 100_000, "bad.yaml:1: a line of 100,000 characters"),
        ("[" * LONGEST_LINE, f"bad.yaml:1: nested deeper than {DEEPEST} levels"),
        ("\n".join(" " * i + "a:" for i in range(400)), f"nested deeper than {DEEPEST} levels"),
        ("- " * 4000 + "a", f"bad.yaml:1: nested deeper than {DEEPEST} levels"),
        ("!" * LONGEST_LINE, "bad.yaml:1: tag !!!"),
        ("a: " + "x" * (LONGEST_LINE + 1), "bad.yaml:1: a line of 10,004 characters"),
        ("#" + " x\n#" * (LARGEST_FILE // 4), "bad.yaml: larger than 200,000 bytes"),
    ],
    ids=range(27),
)
def test_what_is_not_a_sane_yaml_file_is_refused_in_one_line(here, text, expected):
    lines, hint = refusal(load_space, write(here, text, "bad.yaml"))
    assert len(lines) == 1
    assert expected in lines[0]
    assert len(lines[0] + hint) < 300


def test_a_file_of_too_many_values_is_refused(here, monkeypatch):
    monkeypatch.setattr("accel_dse.files.yaml_builder.MOST_VALUES", 50)
    lines, _ = refusal(load_space, write(here, "- 1\n" * 51, "bad.yaml"))
    assert lines == ["bad.yaml:50: more than 50 values"]


def test_a_billion_laughs_are_refused(here):
    text = "a: &a [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n"
    for before, name in zip("abcdefgh", "bcdefghi"):
        text += f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    lines, _ = refusal(load_space, write(here, text, "bad.yaml"))
    assert lines == ["bad.yaml:4: aliases repeat more than 1,000 values"]


def test_a_few_aliases_are_fine():
    document = parse_yaml("a: &pes [1, 2, 4]\nb: *pes\nc: [*pes, &x 3, *x]\n", "f.yaml")
    assert document.data == {"a": [1, 2, 4], "b": [1, 2, 4], "c": [[1, 2, 4], 3, 3]}
    assert document.line(("b", 1)) == 2


def test_scalars_follow_yaml_1_2():
    text = "[1e9, no, on, 010, 0x10, 0o17, 1_000, true, Null, ~, 12:30, 2024-01-01, '1', 1.5, .inf]"
    assert parse_yaml(text, "f.yaml").data == [
        1e9, "no", "on", 10, 16, 15, 1000, True, None, None, "12:30", "2024-01-01", "1", 1.5,
        float("inf"),
    ]  # fmt: skip


def test_tags_that_are_named_are_ignored():
    document = parse_yaml("a: !Component {b: 1}", "f.yaml", tags=("!Component",))
    assert document.data == {"a": {"b": 1}}


def test_what_is_not_a_readable_file_is_refused_in_one_line(here):
    (here / "folder.yaml").mkdir()
    (here / "latin.yaml").write_bytes(b"a: 1\nb: caf\xe9\n")
    (here / "wide.yaml").write_bytes("a: 1".encode("utf-16"))
    (here / "loop.yaml").symlink_to("loop.yaml")
    assert refusal(load_space, "none.yaml")[0] == ["none.yaml: there is no such file"]
    assert refusal(load_space, "folder.yaml")[0] == [
        "folder.yaml: is a folder, expected a YAML file"
    ]
    assert refusal(load_space, "latin.yaml")[0] == ["latin.yaml:2: not UTF-8 text (byte 0xe9)"]
    assert refusal(load_space, "wide.yaml")[0] == ["wide.yaml:1: not UTF-8 text (byte 0xff)"]
    assert "loop.yaml: cannot be read: " in refusal(load_space, "loop.yaml")[0][0]
    assert "cannot be read: embedded null" in refusal(load_space, "a\0.yaml")[0][0]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_refused(here):
    write(here, SPACE).chmod(0)
    assert refusal(load_space, "example.yaml")[0] == [
        "example.yaml: cannot be read: Permission denied"
    ]


def test_a_byte_order_mark_does_no_harm(here):
    (here / "mark.yaml").write_bytes(b"\xef\xbb\xbf" + SPACE.encode())
    assert load_space("mark.yaml").name == "example"


def test_an_unknown_name_is_told_with_the_nearest(here):
    lines, hint = refusal(load_space, "edgy")
    assert lines == ["no design space is named 'edgy'"]
    assert hint == "did you mean 'edge', or give the path of a .yaml file"


def test_a_file_is_not_mistaken_for_a_shipped_name(here):
    (here / "edge").mkdir()
    assert load_space("edge").space.size == 452_760_000
    assert refusal(load_space, "./edge")[0] == ["./edge: is a folder, expected a YAML file"]


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["version", "name", "parameters", "constraints", "a", "ordinal"])
                | st.text(max_size=4),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_any_value_is_a_space_or_is_refused_in_plain_words(value):
    complaints = []
    for read in (read_space, read_study):
        for data in (value, {"version": 1, "name": "a", "parameters": value}):
            try:
                read(Document("f.yaml", data, {}), Path("f.yaml"))
            except FileError as error:
                complaints.append(str(error))
    assert all(complaint.startswith("f.yaml:") for complaint in complaints)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode()))
def test_any_bytes_are_a_document_or_are_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    complaint = ""
    try:
        read_yaml(path)
    except FileError as error:
        complaint = str(error)
    assert complaint.startswith(f"{path}:") or not complaint


def test_a_check_tells_how_tight_a_space_is(here):
    text = "version: 1\nname: a\nparameters: {a: [1, 2, 3, 4], b: [1, 2]}\n"
    text += "constraints: [a > 1, {rule: a > b, why: because}]\n"
    found = check(write(here, text), draws=20_000)
    assert found.valid == 5
    assert found.share_valid == pytest.approx(5 / 8, abs=0.02)
    assert [str(constraint) for constraint, _ in found.rejections] == [
        "'a > b' (because)",
        "'a > 1'",
    ]
    assert [share for _, share in found.rejections] == pytest.approx([3 / 8, 1 / 4], abs=0.02)
    assert found.study_file is None


def test_a_check_of_an_empty_space_says_what_rejects_most(here):
    text = "version: 1\nname: a\nparameters: {a: [1, 2]}\nconstraints: [a > 5, a < 9]\n"
    lines, _ = refusal(check, write(here, text))
    assert lines == [
        "example.yaml: there is no valid design: of 100,000 random ones, "
        "constraint 'a > 5' rejects 100.0%"
    ]


@pytest.mark.parametrize("section", ["constraints: [1 / a > 0]", "features: {f: 1 / a}"])
def test_a_check_finds_a_division_by_zero(here, section):
    text = f"version: 1\nname: a\nparameters: {{a: [0, 1, 2]}}\n{section}\n"
    lines, hint = refusal(check, write(here, text))
    assert len(lines) == 1
    assert lines[0].endswith("no finite value for a=0")
    assert "guard it" in hint


def test_a_study_file_says_all_it_can(here):
    write(here, SPACE)
    write(here, "x", "net.onnx")
    text = """\
version: 1
space: example.yaml
workloads: {mobilenet_v2: 1, net.onnx: 0.5}
minimize: [latency_ms, energy_mj]
maximize: utilization
limits: [area_mm2<=27, power_w <= 2]
aggregate: worst
optimizer: {name: evolution, population: 40}
simulator: accelerator
trials: 100
batch: 8
seed: 3
warm_start: [before.db, postgresql://me@db/dse, /logs/a.parquet]
workers: 4
max_hours: 1.5
target: 2
"""
    study = load_study(write(here, text, "study.yaml"))
    assert load_space(study.space).name == "example"
    assert study.workloads == (("mobilenet_v2", 1.0), ("net.onnx", 0.5))
    assert [str(objective) for objective in study.goal.objectives] == [
        "minimize latency_ms", "minimize energy_mj", "maximize utilization",
    ]  # fmt: skip
    assert [str(limit) for limit in study.goal.limits] == ["area_mm2<=27", "power_w<=2"]
    assert study.aggregate == "worst"
    assert (study.optimizer.name, study.optimizer.options) == ("evolution", {"population": 40})
    assert (study.simulator.name, study.simulator.options) == ("accelerator", {})
    assert (study.trials, study.batch, study.seed) == (100, 8, 3)
    assert [Path(log).name for log in study.warm_start] == ["before.db", "dse", "a.parquet"]
    assert Path(study.warm_start[0]).resolve() == (here / "before.db").resolve()
    assert study.warm_start[1:] == ("postgresql://me@db/dse", "/logs/a.parquet")
    assert (study.workers, study.max_hours, study.target) == (4, 1.5, 2.0)
    assert check("study.yaml").study_file == study


def test_a_short_study_gets_defaults(here):
    study = load_study(write(here, edited("{mobilenet_v2: 1, resnet18: 0.5}", "resnet18", STUDY)))
    assert study.workloads == (("resnet18", 1.0),)
    assert (study.optimizer.name, study.simulator.name) == ("auto", "accelerator")
    assert (study.batch, study.seed, study.aggregate) == (None, 0, "mean")
    assert (study.warm_start, study.workers, study.max_hours, study.target) == ((), *[None] * 3)


def test_paths_in_a_study_are_relative_to_it(here):
    folder = here / "inner"
    folder.mkdir()
    write(folder, SPACE)
    text = edited("space: edge", "space: example.yaml", STUDY)
    study = load_study(write(folder, text, "study.yaml"))
    assert load_space(study.space).name == "example"


STUDY_MISTAKES = [
    ("space: edge", "space: ../edge.yaml", "leads out of the folder of this file"),
    ("space: edge", "space: 3", "example.yaml:2: space: must be a valid string, got 3"),
    ("{mobilenet_v2: 1, ", "{../m.onnx: 1, ", "'../m.onnx' leads out of the folder"),
    ("resnet18: 0.5", "resnet18: 0", "example.yaml:3: workloads.resnet18: weight must be a number"),
    ("resnet18: 0.5", "resnet18: .nan", "weight must be a number above 0, got nan"),
    ("resnet18: 0.5", "resnet18: true", "weight must be a number above 0, got true"),
    ("{mobilenet_v2: 1, resnet18: 0.5}", "[]", "example.yaml:3: workloads: names no workload"),
    ("{mobilenet_v2: 1, resnet18: 0.5}", "[a, a]", "example.yaml:3: workloads[1]: 'a' is named"),
    ("{mobilenet_v2: 1, resnet18: 0.5}", "[a, 3]", "workloads[1]: expected a word or a list"),
    ("minimize: latency_ms\n", "", "minimize: nothing to minimize or maximize"),
    ("minimize: latency_ms", "minimize: [a, a]", "an objective is named twice"),
    ("area_mm2<=27", "area_mm2<27", "example.yaml:5: limits[0]: cannot read limit 'area_mm2<27'"),
    ("trials: 100", "trials: 0", "example.yaml:6: trials: must be greater than or equal to 1"),
    ("trials: 100", "trials: 1.5", "example.yaml:6: trials: must be a valid integer, got 1.5"),
    ("trials: 100", "trial: 100", "example.yaml:6: trial: unknown key (did you mean 'trials')"),
    ("trials: 100", "trials: 1\noptimizer: {population: 3}", "example.yaml:7: optimizer: expected"),
    ("trials: 100", "trials: 1\naggregate: sum", "example.yaml:7: aggregate: must be 'mean', 'wor"),
    ("trials: 100", "trials: 1\nwarm_start: ../a.db", "7: warm_start: '../a.db' leads out"),
    ("trials: 100", "trials: 1\nwarm_start: [a.db, 3]", "7: warm_start[1]: expected a word or a"),
    ("trials: 100", "trials: 1\nworkers: -1", "7: workers: must be greater than or equal to 0"),
    ("trials: 100", "trials: 1\nworkers: many", "example.yaml:7: workers: must be a valid integer"),
    ("trials: 100", "trials: 1\nmax_hours: 0", "7: max_hours: must be greater than 0"),
    ("trials: 100", "trials: 1\ntarget: .inf", "example.yaml:7: target: must be a finite number"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), STUDY_MISTAKES)
def test_a_mistake_in_a_study_is_told_with_its_place(here, old, new, expected):
    lines, hint = refusal(load_study, write(here, edited(old, new, STUDY)))
    assert any(expected in f"{line} ({hint})" for line in lines)
    assert all(line.startswith("example.yaml") for line in lines)


def test_a_link_does_not_lead_out_of_the_folder_either(here, tmp_path_factory):
    outside = write(tmp_path_factory.mktemp("outside"), SPACE)
    (here / "link.yaml").symlink_to(outside)
    lines, hint = refusal(load_study, write(here, edited("space: edge", "space: link.yaml", STUDY)))
    assert lines == ["example.yaml:2: space: 'link.yaml' leads out of the folder of this file"]
    assert hint == "give an absolute path"
    study = load_study(write(here, edited("space: edge", f"space: {outside}", STUDY)))
    assert load_space(study.space).name == "example"


def test_designs_of_a_file_are_sampled(here):
    space = load_space(write(here, SPACE)).space
    for design in space.sample(50, np.random.default_rng(0)):
        space.check(design)
