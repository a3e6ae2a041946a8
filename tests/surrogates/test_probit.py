import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import ndtr

from accel_dse.surrogates import probit
from accel_dse.surrogates.forest import fit_forest
from accel_dse.surrogates.probit import LABELS, learn_to_tell


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


def test_the_gradient_of_the_fit_is_that_of_its_loss():
    x, works = labeled(40, 0)
    means, spreads = LABELS.moments(3)
    logs = means + 0.5 * spreads * np.array([1.0, -0.5, 0.3, 0.7, 0.4, 0.1])
    args = (x, np.where(works, 1.0, -1.0), means, spreads)
    numeric = approx_fprime(logs, lambda v: probit._loss(v, *args)[0], 1e-6)
    assert probit._loss(logs, *args)[1] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_the_scores_are_the_most_probable_ones():
    x, works = labeled(30, 2)
    labels = np.where(works, 1.0, -1.0)
    covariance = probit.unpacked(LABELS.moments(3)[0]).with_slopes(x)[0]
    mode = probit._mode(covariance, labels)
    assert mode.scores == pytest.approx(covariance @ mode.slope, abs=1e-5)
    density = np.exp(-0.5 * mode.scores**2) / np.sqrt(2 * np.pi)
    assert mode.slope == pytest.approx(labels * density / ndtr(labels * mode.scores))


def test_examples_chosen_where_it_hopes_teach_it_that_they_fail():
    x, works = labeled(12, 3)
    chances = []
    for _ in range(25):
        model = learn_to_tell(x, works, kernel=None)
        corners = np.array([[1.0, 1.0, c] for c in np.linspace(0, 1, 41)])
        chance = model.log_probability(corners)
        chances.append(np.exp(chance.max()))
        x, works = np.vstack([x, corners[[chance.argmax()]]]), np.append(works, False)
    assert chances[-1] < 0.05
    assert np.mean(chances[5:]) < 0.15


def test_far_from_all_examples_it_is_not_certain():
    x, works = labeled(60, 4)
    far = learn_to_tell(x, works, kernel=None).log_probability(np.full((1, 3), 30.0))
    assert 0.0005 < np.exp(far[0]) < 0.9995


def test_a_forest_predicts_and_doubts_more_where_it_saw_nothing():
    x = np.random.default_rng(0).random((200, 2))
    x = x[(x[:, 0] < 0.4) | (x[:, 0] > 0.8)]
    forest = fit_forest(x, np.sin(6 * x[:, 0]))
    mean, std = forest.predict(np.array([[0.2, 0.5], [0.6, 0.5]]))
    assert mean[0] == pytest.approx(np.sin(1.2), abs=0.1)
    assert std[1] > 2 * std[0] > 0
    again = fit_forest(x, np.sin(6 * x[:, 0]))
    assert (again.mean(x) == forest.mean(x)).all()
