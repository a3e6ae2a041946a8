import numpy as np
import pytest

from accel_dse.metrics import Metrics, concatenate

NAN = float("nan")


def a_batch():
    return Metrics(
        {"latency_ms": np.array([1.5, NAN, 2.5]), "area_mm2": np.array([3.0, NAN, 4.0])},
        ("", "no <tile> fits", ""),
    )


def test_a_row_has_its_metrics_by_name_and_none_if_it_does_not_work():
    batch = a_batch()
    assert batch.row(0) == {"latency_ms": 1.5, "area_mm2": 3.0}
    assert batch.row(1) == {}
    assert type(batch.row(2)["area_mm2"]) is float
    assert len(batch) == 3


@pytest.mark.parametrize("shape", [(2,), (3, 1), ()])
def test_a_column_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="latency_ms has shape"):
        Metrics({"latency_ms": np.ones(shape)}, ("", "", ""))


@pytest.mark.parametrize("value", [NAN, np.inf, -np.inf])
def test_a_design_that_works_has_finite_metrics(value):
    with pytest.raises(ValueError, match=r"design 1 has .* and reason ''"):
        Metrics({"latency_ms": np.array([1.0, value])}, ("", ""))


def test_a_design_that_does_not_work_has_no_number():
    with pytest.raises(ValueError, match=r"design 0 has 1e\+20 and reason 'too big'"):
        Metrics({"latency_ms": np.array([1e20])}, ("too big",))


def test_batches_are_joined_in_order():
    joined = concatenate([a_batch(), a_batch()])
    assert joined.infeasible == ("", "no <tile> fits", "") * 2
    assert joined.row(3) == a_batch().row(0)


def test_a_batch_shows_itself_in_a_notebook_shortened_and_escaped():
    many = concatenate([a_batch()] * 10)
    html = many._repr_html_()
    assert "no &lt;tile&gt; fits" in html
    assert html.count("<tr>") == 21
    assert "and 10 more" in html
    assert "more" not in a_batch()._repr_html_()
