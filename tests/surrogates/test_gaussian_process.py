import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal

from accel_dse.surrogates import gaussian_process as gp
from accel_dse.surrogates.gaussian_process import LINEAR, SMOOTH, Kernel, fit, fit_kernel


def examples(n=40, d=3, seed=0):
    x = np.random.default_rng(seed).random((n, d))
    return x, np.sin(6 * x[:, 0]) + x[:, 1]


def textbook(model, x):
    """Mean and standard deviation by the formulas of the textbook, with a plain inverse."""
    noise = model.kernel.noise * np.eye(len(model))
    inverse = np.linalg.inv(model.kernel.covariance(model.x, model.x) + noise)
    across = model.kernel.covariance(x, model.x)
    mean = across @ inverse @ ((model.y - model.center) / model.scale)
    covariance = model.kernel.covariance(x, x) - across @ inverse @ across.T
    return model.center + model.scale * mean, model.scale * np.sqrt(np.diag(covariance))


def test_predictions_are_those_of_the_textbook():
    model = fit(*examples(), kernel=Kernel(np.array([0.3, 0.5, 2.0]), 1.5, 0.4, 1e-3))
    x = np.random.default_rng(1).random((20, 3))
    for found, expected in zip(model.predict(x), textbook(model, x)):
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(model.mean(x), model.predict(x)[0], rtol=1e-12)


def test_joint_predictions_agree_with_single_ones():
    model = fit(*examples())
    x = np.random.default_rng(1).random((20, 3))
    mean, covariance = model.predict_jointly(x)
    np.testing.assert_allclose(mean, model.predict(x)[0])
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), model.predict(x)[1], rtol=1e-6)
    draws = model.sample(x, 4000, np.random.default_rng(2))
    assert np.abs(draws.mean(axis=0) - mean).max() < 4 * np.sqrt(covariance.max() / 4000)


@pytest.mark.parametrize("prior", [SMOOTH, LINEAR])
def test_the_gradient_of_the_fit_is_that_of_its_loss(prior):
    x, y = examples()
    means, spreads = prior.moments(3)
    logs = means + 0.3 * np.random.default_rng(3).standard_normal(6)
    args = (x, (y - y.mean()) / y.std(), means, spreads)
    gradient = gp._loss(logs, *args)[1]
    loss, slope = (lambda v, k=k: gp._loss(v, *args)[k] for k in (0, 1))
    error = check_grad(loss, slope, logs, epsilon=1e-6)
    assert error < 1e-4 * np.linalg.norm(gradient)


def test_the_loss_is_minus_the_log_posterior_of_the_kernel():
    x, y = examples()
    y = (y - y.mean()) / y.std()
    means, spreads = SMOOTH.moments(3)
    losses, densities = [], []
    for shift in (0.0, 0.4):
        kernel = gp.unpacked(means + shift)
        covariance = kernel.covariance(x, x) + kernel.noise * np.eye(len(x))
        prior = multivariate_normal(means, np.diag(spreads**2)).logpdf(means + shift)
        densities.append(multivariate_normal(np.zeros(len(x)), covariance).logpdf(y) + prior)
        losses.append(gp._loss(means + shift, x, y, means, spreads)[0])
    assert losses[1] - losses[0] == pytest.approx(densities[0] - densities[1])


def test_it_learns_which_inputs_matter_and_predicts_well():
    x, y = examples(60, 5)
    model = fit(x, y)
    lengths = model.kernel.lengthscales
    assert lengths[0] < lengths[1:].min()
    test_x, test_y = examples(200, 5, seed=9)
    mean, std = model.predict(test_x)
    assert np.abs(mean - test_y).mean() < 0.03
    assert np.mean(np.abs(mean - test_y) < 3 * std) > 0.95


def test_doubt_vanishes_at_examples_and_grows_away_from_them():
    x, y = examples()
    model = fit(x, y)
    mean, std = model.predict(np.vstack([x[:1], x[:1] + 3.0]))
    assert mean[0] == pytest.approx(y[0], abs=0.01)
    assert std[0] < 0.1 * std[1]


def test_a_left_out_example_is_predicted_as_if_it_had_never_been_there():
    x, y = examples()
    model = fit(x, y)
    mean, std = model.leave_one_out()
    without = gp.GaussianProcess(x[1:], y[1:], model.kernel, model.center, model.scale)
    expected, spread = without.predict(x[:1])
    assert mean[0] == pytest.approx(expected[0])
    assert std[0] ** 2 == pytest.approx(spread[0] ** 2 + model.kernel.noise * model.scale**2)


def test_adding_examples_one_by_one_is_the_same_as_having_them_all():
    x, y = examples()
    whole = fit(x, y, kernel=fit_kernel(x, y))
    grown = gp.GaussianProcess(x[:30], y[:30], whole.kernel, whole.center, whole.scale)
    for i in range(30, 40):
        grown = grown.conditioned(x[i : i + 1], y[i : i + 1])
    test_x = np.random.default_rng(1).random((20, 3))
    for found, expected in zip(grown.predict(test_x), whole.predict(test_x)):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_shifting_and_scaling_the_targets_shifts_and_scales_the_answers():
    x, y = examples()
    test_x = np.random.default_rng(1).random((20, 3))
    mean, std = fit(x, y).predict(test_x)
    for factor, shift in ((1e12, 0.0), (1e-12, 0.0), (3.0, -100.0)):
        moved, spread = fit(x, factor * y + shift).predict(test_x)
        np.testing.assert_allclose(moved, factor * mean + shift, rtol=1e-4)
        np.testing.assert_allclose(spread, factor * std, rtol=1e-3)


def test_constant_targets_are_predicted_with_the_doubts_of_the_prior():
    x, _ = examples()
    mean, std = fit(x, np.full(len(x), 7.0)).predict(x + 5.0)
    np.testing.assert_allclose(mean, 7.0)
    assert (std > 0.5).all()


def test_repeated_inputs_are_no_obstacle():
    x, y = examples(5)
    twice = fit(np.vstack([x, x, x]), np.concatenate([y, y, y]))
    np.testing.assert_allclose(twice.mean(x), y, atol=0.05)
    torn = fit(np.vstack([x, x]), np.concatenate([y, y + 1.0]))
    np.testing.assert_allclose(torn.mean(x), y + 0.5, atol=0.4)


def test_one_example_is_enough():
    mean, std = fit(np.array([[0.5, 0.5]]), np.array([3.0])).predict(np.array([[0.5, 0.5]]))
    assert mean[0] == pytest.approx(3.0)
    assert np.isfinite(std[0])


def test_a_tamed_target_does_not_spoil_the_others():
    x, y = examples()
    wild = y.copy()
    wild[7] = 50.0
    test_x, test_y = examples(200, seed=5)
    low = test_y < np.median(y)
    error, spoiled = (
        np.abs(fit(x, costs).mean(test_x[low]) - test_y[low]).mean()
        for costs in (gp.tamed(wild), wild)
    )
    assert error < 0.3 * spoiled


def test_taming_keeps_the_order_and_the_better_half():
    costs = np.random.default_rng(0).standard_cauchy(101)
    found = gp.tamed(costs)
    assert (np.argsort(found) == np.argsort(costs)).all()
    good = costs <= np.median(costs)
    assert (found[good] == costs[good]).all()
    assert found.max() < costs.max()
    assert (gp.tamed(np.ones(5)) == 1.0).all()


def test_a_fit_is_repeated_to_the_bit_and_may_begin_elsewhere():
    x, y = examples()
    one, again = fit_kernel(x, y), fit_kernel(x, y)
    assert (one.lengthscales == again.lengthscales).all()
    warm = fit_kernel(x, y, start=one)
    np.testing.assert_allclose(np.log(warm.lengthscales), np.log(one.lengthscales), atol=0.3)


def test_a_large_set_is_fitted_by_its_lowest_examples_and_a_spread_of_the_others():
    x, y = examples(600)
    rows = gp._telling(y)
    assert len(rows) == len(set(rows)) == gp.MOST_FITTED
    assert set(np.argsort(y)[: gp.MOST_FITTED // 2]) <= set(rows)
    test_x, test_y = examples(50, seed=5)
    assert np.abs(fit(x, y).mean(test_x) - test_y).max() < 0.05


def test_a_linear_prior_extends_a_line():
    x = np.random.default_rng(0).random((30, 2))
    model = fit(x, 3 * x[:, 0] - x[:, 1], prior=LINEAR)
    far = np.array([[2.0, 0.0], [0.0, 3.0]])
    np.testing.assert_allclose(model.mean(far), [6.0, -3.0], rtol=0.1)


@pytest.mark.parametrize(
    ("x", "y", "complaint"),
    [
        (np.zeros((2, 3)), np.zeros(3), "expected inputs"),
        (np.zeros((0, 3)), np.zeros(0), "expected inputs"),
        (np.array([[np.nan]]), np.zeros(1), "finite"),
        (np.zeros((1, 1)), np.array([np.inf]), "finite"),
    ],
)
def test_what_is_no_example_is_refused(x, y, complaint):
    with pytest.raises(ValueError, match=complaint):
        fit(x, y)


def test_a_kernel_for_other_inputs_is_refused():
    x, y = examples()
    with pytest.raises(ValueError, match="2 lengthscales for 3 inputs"):
        fit(x, y, kernel=Kernel(np.ones(2)))
