import pytest

from accel_dse.trial import Outcome, Trial


def test_a_trial_has_metrics_or_a_reason_never_both_or_neither():
    with pytest.raises(ValueError, match="feasible with metrics"):
        Trial(index=3, design={}, outcome=Outcome.FEASIBLE)
    with pytest.raises(ValueError, match="with reason"):
        Trial(index=3, design={}, outcome=Outcome.FAILED)
    with pytest.raises(ValueError, match="with metrics"):
        Trial(index=3, design={}, outcome=Outcome.INFEASIBLE, metrics={"a": 1.0}, reason="no room")


def test_bookkeeping_does_not_make_trials_differ():
    one = Trial(index=0, design={"pes": 4}, outcome=Outcome.FAILED, reason="crash", started=1.0)
    other = Trial(index=0, design={"pes": 4}, outcome=Outcome.FAILED, reason="crash", host="b")
    assert one == other


def test_a_trial_shows_itself_in_a_notebook_with_names_escaped():
    works = Trial(index=7, design={"<b>": 4}, outcome=Outcome.FEASIBLE, metrics={"area_mm2": 2.5})
    page = works._repr_html_()
    assert "&lt;b&gt;" in page
    assert "2.5" in page
    assert "<b>" not in page
    broken = Trial(index=7, design={}, outcome=Outcome.FAILED, reason="<script>")
    assert "&lt;script&gt;" in broken._repr_html_()
