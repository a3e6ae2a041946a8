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
    ceiling: float,
) -> Tensor:
    """Fits the log, and raises the predicted cost of designs it says nothing good about.

    A plain fit is wrong somewhere, and a search finds that place. So the designs that look best
    to the current model (`tempting`), and those known not to work, are pushed up, as far as
    `ceiling`: beyond it there is nothing to gain, and the fit would suffer.

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
        ceiling: cost above which nothing is pushed.

    Returns:
        The loss, a scalar.

    Source:
        Kumar et al., "Data-Driven Offline Optimization for Architecting Hardware Accelerators"
        (PRIME), ICLR 2022, eqs. 2 and 3. The released code predicts minus the runtime, so its
        signs are the opposite; its clips of both terms are this ceiling.
    """
    loss = torch.mean((predicted - measured) ** 2)
    if alpha and len(tempting):
        loss = loss - alpha * tempting.clamp(max=ceiling).mean()
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
