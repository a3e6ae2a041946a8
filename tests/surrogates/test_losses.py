"""What a model of costs is trained to make small."""

import pytest
import torch
from torch import tensor

from accel_dse.surrogates.losses import conservative_loss, ranking_loss

EMPTY = tensor([])


def loss(predicted, measured, tempting=EMPTY, infeasible=EMPTY, **options):
    options = {"alpha": 0.0, "beta": 0.0, "floor": 9.0, "ceiling": 9.0, **options}
    return conservative_loss(predicted, measured, tempting, infeasible, **options)


def test_without_alpha_and_beta_it_is_the_mean_squared_error():
    predicted, measured = tensor([1.0, 2.0]), tensor([2.0, 4.0])
    far = tensor([100.0])
    assert loss(predicted, measured, far, far) == pytest.approx(2.5)


def test_where_a_logged_design_is_tempting_the_optimum_is_half_alpha_above_its_cost():
    cost = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([cost], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        loss(cost, tensor([1.0]), cost, alpha=0.6).backward()
        optimizer.step()
    assert cost.item() == pytest.approx(1.3, abs=1e-3)


@pytest.mark.parametrize("which", ["tempting", "infeasible"])
def test_raising_the_cost_of_bad_designs_lowers_the_loss(which):
    weights = {"alpha": 0.5, "beta": 0.5}
    low, high = (
        loss(tensor([1.0]), tensor([1.0]), **{which: tensor([cost])}, **weights)
        for cost in (0.0, 1.0)
    )
    assert high == low - 0.5


@pytest.mark.parametrize("bounds", [{"floor": 3.0, "beta": 0.0}, {"ceiling": 3.0, "alpha": 0.0}])
def test_beyond_its_bound_nothing_is_pushed(bounds):
    cost = tensor([2.0, 4.0], requires_grad=True)
    options = {"alpha": 1.0, "beta": 1.0, **bounds}
    loss(tensor([1.0]), tensor([1.0]), cost, cost, **options).backward()
    assert cost.grad.tolist() == [-0.5, 0.0]


def test_a_wrong_order_costs_more_than_a_right_one():
    measured = tensor([1.0, 2.0, 3.0])
    assert ranking_loss(tensor([1.0, 2.0, 3.0]), measured) < ranking_loss(
        tensor([3.0, 2.0, 1.0]), measured
    )


def test_the_ranking_loss_has_a_gradient_that_repairs_the_order():
    predicted = tensor([2.0, 1.0], requires_grad=True)
    ranking_loss(predicted, tensor([1.0, 2.0])).backward()
    assert predicted.grad[0] > 0 > predicted.grad[1]
