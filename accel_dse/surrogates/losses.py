"""What a model of costs is trained to make small. Predictions are in standardized units."""

import torch
from torch import Tensor
from torch.nn.functional import softplus


def conservative_loss(
    predicted: Tensor,
    measured: Tensor,
    tempting: Tensor,
    infeasible: Tensor,
    *,
    alpha: float,
    beta: float,
    floor: float,
    ceiling: float,
) -> Tensor:
    """Fits the log, and raises the predicted cost of designs it says nothing good about.

    A plain fit is wrong somewhere, and a search finds that place. So the designs that look best
    to the current model (`tempting`) are pushed up, as far as `floor`, and those known not to
    work as far as `ceiling`: beyond, there is nothing to gain, and the fit would suffer.

    Where `floor` should be: a search asks for designs better than all that were logged. If even
    designs that cost as much as logged ones are pushed up, as by the released code, whose bounds
    are far above all costs, then just the best part of the log, where tempting designs crowd, is
    fitted worst: all of it looks alike. A promise a little better than the best in the log may be
    true; one that is much better is an error of the model.

    Why costs are standardized: where a design is in the log with cost `y` and is tempting as
    often, the loss `(f - y)^2 - alpha f` is least at `f = y + alpha / 2`. So `alpha` is in units
    of the cost. With costs of standard deviation `s`, `alpha` times `s` in the raw problem does
    what `alpha` does here; the same number then suits every log. The same holds for `beta`.

    Args:
        predicted: predicted cost of logged feasible designs, shape `(b,)`. Lower is better.
        measured: their simulated cost, shape `(b,)`, standardized.
        tempting: predicted cost of designs found by minimizing the model, shape `(k,)`; may be
            empty.
        infeasible: predicted cost of logged infeasible designs, shape `(j,)`; may be empty.
        alpha: weight on `tempting`.
        beta: weight on `infeasible`.
        floor: cost above which no tempting design is pushed.
        ceiling: cost above which no infeasible design is pushed.

    Returns:
        The loss, a scalar.

    Source:
        Kumar et al., "Data-Driven Offline Optimization for Architecting Hardware Accelerators"
        (PRIME), ICLR 2022, eqs. 2 and 3. The released code predicts minus the runtime, so its
        signs are the opposite; its clips of the two terms are `floor` and `ceiling`.
    """
    loss = torch.mean((predicted - measured) ** 2)
    if alpha and len(tempting):
        loss = loss - alpha * tempting.clamp(max=floor).mean()
    if beta and len(infeasible):
        loss = loss - beta * infeasible.clamp(max=ceiling).mean()
    return loss


def ranking_loss(predicted: Tensor, measured: Tensor) -> Tensor:
    """Punishes pairs that are predicted in the wrong order: `softplus(-sign(dy) df)`.

    Each design is compared with the one before it in the batch, whose order is random.

    Args:
        predicted: shape `(b,)`.
        measured: shape `(b,)`.

    Returns:
        A scalar.

    Source:
        Burges et al., "Learning to rank using gradient descent" (RankNet), ICML 2005. PRIME's
        released code exchanges prediction and target, so that its gradient is zero.
    """
    wrong = torch.sign(measured - measured.roll(1)) * (predicted - predicted.roll(1))
    return softplus(-wrong).mean()
