import numpy as np
import pytest

from accel_dse.surrogates.forest import fit_forest
from accel_dse.surrogates.probit import learn_to_tell


def labeled(n, seed):
    x = np.random.default_rng(seed).random((n, 3))
    return x, x[:, 0] + x[:, 1] < 0.8


def test_it_tells_what_works_from_what_does_not():
    model = learn_to_tell(*labeled(80, 0), kernel=None)
    x, works = labeled(400, 1)
    probability = np.exp(model.log_probability(x))
    assert ((probability > 0.5) == works).mean() > 0.92
    assert probability[works].mean() > 0.8
    assert probability[~works].mean() < 0.15


def test_labels_by_chance_leave_it_near_their_share():
    x = np.random.default_rng(0).random((120, 3))
    works = np.random.default_rng(1).random(120) < 0.3
    probability = np.exp(learn_to_tell(x, works, kernel=None).log_probability(x))
    assert probability.mean() == pytest.approx(works.mean(), abs=0.12)
    assert probability.std() < 0.25


@pytest.mark.parametrize("works", [[True, False], [True, True, True, False]])
def test_a_few_labels_are_enough(works):
    x = np.linspace(0, 1, len(works))[:, None]
    found = learn_to_tell(x, np.array(works), kernel=None).log_probability(x)
    assert np.isfinite(found).all()
    assert found[0] > found[-1]


def test_a_forest_predicts_and_doubts_more_where_it_saw_nothing():
    x = np.random.default_rng(0).random((200, 2))
    x = x[(x[:, 0] < 0.4) | (x[:, 0] > 0.8)]
    forest = fit_forest(x, np.sin(6 * x[:, 0]))
    mean, std = forest.predict(np.array([[0.2, 0.5], [0.6, 0.5]]))
    assert mean[0] == pytest.approx(np.sin(1.2), abs=0.1)
    assert std[1] > 2 * std[0] > 0
    again = fit_forest(x, np.sin(6 * x[:, 0]))
    assert (again.mean(x) == forest.mean(x)).all()
