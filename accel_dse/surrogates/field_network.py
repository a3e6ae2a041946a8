"""PRIME's network: fields of a design as tokens, attention among them if wanted, gated heads."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn

from accel_dse.errors import OptionError

STRAY = 0.1
"""How far choices in an order begin from their line, as a share of its length."""


@dataclass(frozen=True, kw_only=True)
class NetworkShape:
    """How large a network is.

    Attributes:
        fields: sizes of the one-hot fields of a design.
        context: numbers that describe an application; 0 if there is only one.
        outputs: numbers that are predicted.
        width: of a token.
        blocks: of attention.
        attention_heads: in a block; they divide `width`.
        hidden: units of a hidden layer of a head.
        votes: heads, whose outputs a gate weighs.
        dropout: share of activations dropped while training.
    """

    fields: tuple[int, ...]
    context: int
    outputs: int
    width: int
    blocks: int
    attention_heads: int
    hidden: int
    votes: int
    dropout: float

    def __post_init__(self) -> None:
        for name, low, high in (
            ("context", 0, 1024),
            ("outputs", 2, 1024),
            ("width", 2, 1024),
            ("blocks", 0, 24),
            ("attention_heads", 1, 64),
            ("hidden", 1, 4096),
            ("votes", 1, 64),
            ("dropout", 0, 0.9),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise OptionError(f"{name}: expected a number, got {value!r}")
            if not low <= value <= high:
                raise OptionError(f"{name}: expected {low} to {high}, got {value}")
        if self.width % self.attention_heads:
            raise OptionError(
                f"attention_heads: {self.attention_heads} do not divide width {self.width}"
            )


SURE = 10.0
"""Log odds that a design works, where that is not learned."""


class FieldNetwork(nn.Module):
    """One-hot fields of `n` designs, and what runs on them, to `(n, outputs)`.

    It learns what a given trend, a sum over the fields, leaves over. Each field has its own linear
    embedding; post-normalized transformer blocks, if any, let the fields look at each other; all
    tokens side by side are `z`. An application multiplies `z` by `1 + W c`. The heads' outputs are
    weighed by a softmax gate that sees `z` and the application.

    Source:
        The network of the notebook released with PRIME (google-research/prime): there a token has
        64 numbers, and each of two blocks 8 attention heads and 256 feed-forward units. It
        multiplies `z` by `W c`, which is nothing for an application whose scaled features are 0.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        ends = list(accumulate(shape.fields, initial=0))
        self.spans = list(pairwise(ends))
        flat = len(shape.fields) * shape.width
        self.embedding = nn.Parameter(torch.randn(ends[-1], shape.width))
        self.places: Tensor
        self.register_buffer("places", _sinusoids(len(shape.fields), shape.width))
        self.trend: Tensor
        self.register_buffer("trend", torch.zeros(ends[-1], shape.outputs))
        self.blocks = nn.ModuleList(_Block(shape) for _ in range(shape.blocks))
        self.heads = nn.ModuleList(
            _dense(flat, shape.hidden, shape.hidden, shape.outputs) for _ in range(shape.votes)
        )
        known = 2 * flat if shape.context else flat
        self.gate = _dense(known, shape.hidden, shape.votes) if shape.votes > 1 else None
        if shape.context:
            self.modulation = nn.Linear(shape.context, flat, bias=False)
            nn.init.normal_(self.modulation.weight, std=0.1 / math.sqrt(shape.context))
            if self.gate is not None:
                self.setting = _dense(shape.context, shape.hidden, flat)

    def align(self, lines: Sequence[Sequence[float]]) -> None:
        """Puts the embeddings of each field's choices along a line, near it.

        So what is learned of one holds for its neighbors until the data say otherwise.

        Args:
            lines: for each field, where its choices lie; empty leaves them where they are.
        """
        with torch.no_grad():
            for (start, end), line in zip(self.spans, lines):
                if len(line):
                    along = torch.tensor(line)[:, None] * torch.randn(1, self.shape.width)
                    self.embedding[start:end] = along + STRAY * self.embedding[start:end]

    def take_all_to_work(self) -> None:
        """Fixes the last output at `SURE`, as long as no loss is of it."""
        with torch.no_grad():
            for head in self.heads:
                *_, weight, bias = head.parameters()
                weight[-1], bias[-1] = 0.0, SURE

    def forward(self, one_hot: Tensor, context: Tensor) -> Tensor:
        """Predicts.

        Args:
            one_hot: `(n, sum(fields))`.
            context: `(n, context)`.

        Returns:
            Shape `(n, outputs)`.
        """
        tokens = torch.stack([one_hot[:, a:b] @ self.embedding[a:b] for a, b in self.spans], dim=1)
        tokens = tokens + self.places
        for block in self.blocks:
            tokens = block(tokens)
        z = tokens.flatten(1)
        if self.shape.context:
            z = z * (1.0 + self.modulation(context))
        votes = torch.stack([head(z) for head in self.heads], dim=1)
        trend = one_hot @ self.trend
        if self.gate is None:
            return trend + votes[:, 0]
        seen = torch.cat([z, self.setting(context)], dim=1) if self.shape.context else z
        weights = torch.softmax(self.gate(seen), dim=1)
        return trend + (votes * weights.unsqueeze(2)).sum(dim=1)


class _Block(nn.Module):
    """Attention and a feed-forward layer, each added to its input and then normalized."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.heads = shape.attention_heads
        self.mix = nn.Linear(shape.width, 3 * shape.width)
        self.out = nn.Linear(shape.width, shape.width)
        self.forward_in = nn.Linear(shape.width, 4 * shape.width)
        self.forward_out = nn.Linear(4 * shape.width, shape.width)
        self.first = nn.LayerNorm(shape.width, eps=1e-6)
        self.second = nn.LayerNorm(shape.width, eps=1e-6)
        self.drop = nn.Dropout(shape.dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = self.first(tokens + self.drop(self._attended(tokens)))
        seen = self.forward_out(torch.relu(self.forward_in(tokens)))
        normalized: Tensor = self.second(tokens + self.drop(seen))
        return normalized

    def _attended(self, tokens: Tensor) -> Tensor:
        fields, width = tokens.shape[1], tokens.shape[2]
        depth = width // self.heads
        mixed = self.mix(tokens).reshape(-1, fields, 3 * self.heads, depth).transpose(1, 2)
        query, key, value = mixed.split(self.heads, dim=1)
        weights = torch.softmax((query / math.sqrt(depth)) @ key.transpose(2, 3), dim=3)
        seen: Tensor = self.out((weights @ value).transpose(1, 2).reshape(-1, fields, width))
        return seen


def _dense(*sizes: int) -> nn.Sequential:
    """Layers with a leaky ReLU between them. Source: slope 0.1 in the released notebook."""
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers[:-1])


def _sinusoids(places: int, width: int) -> Tensor:
    """Fixed codes of places, shape `(places, width)`.

    Source: Vaswani et al., "Attention is all you need", 2017, section 3.5.
    """
    rates = 10_000.0 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(places)[:, None] * rates
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)[:, :width]
