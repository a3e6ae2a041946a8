"""PyTorch modules, traced."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

from accel_dse.errors import WorkloadError
from accel_dse.workload import Layer
from accel_dse.workloads.load import load
from accel_dse.workloads.pytorch import trace


class Bottleneck(nn.Sequential):
    """MobileNetV2's block, written as its authors' readers write it."""

    def __init__(self, inputs, outputs, factor, stride):
        inner = inputs * factor
        parts = [
            *([nn.Conv2d(inputs, inner, 1), nn.BatchNorm2d(inner), nn.ReLU6()] * (factor > 1)),
            nn.Conv2d(inner, inner, 3, stride, padding=1, groups=inner),
            nn.BatchNorm2d(inner),
            nn.ReLU6(inplace=True),
            nn.Conv2d(inner, outputs, 1),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*parts)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        y = super().forward(x)
        return x + y if self.residual else y


def mobilenet_v2():
    channels, blocks = 32, [nn.Conv2d(3, 32, 3, 2, padding=1), nn.BatchNorm2d(32), nn.ReLU6()]
    table = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1)]
    for factor, outputs, repeats, stride in [*table, (6, 160, 3, 2), (6, 320, 1, 1)]:
        for place in range(repeats):
            blocks.append(Bottleneck(channels, outputs, factor, 1 if place else stride))
            channels = outputs
    head = [nn.Conv2d(320, 1280, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)]
    return nn.Sequential(*blocks, *head)


def meta(*shape):
    return torch.zeros(*shape, device="meta")


def on_meta(make, *arguments, **keywords):
    with torch.device("meta"):
        return make(*arguments, **keywords)


def test_a_module_is_the_network_of_the_zoo():
    traced = trace(on_meta(mobilenet_v2), [meta(1, 3, 224, 224)], name="mobilenet_v2")
    assert traced.fingerprint() == load("mobilenet_v2").fingerprint()
    assert not traced.unknown


def test_a_transformer_layer():
    encoder = on_meta(nn.TransformerEncoderLayer, 64, 4, 128, batch_first=True)
    workload = trace(encoder, [meta(2, 10, 64)])
    weights, attention = 4 * 64 * 64 + 2 * 64 * 128, 2 * 2 * 10 * 10 * 64
    assert workload.weights == weights
    assert workload.macs == 20 * weights + attention
    assert [layer.kind for layer in workload.layers].count("attention") == 2
    assert not workload.unknown


class SharedHeads(nn.Module):
    def forward(self, q, k, v):
        return functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)


def test_attention_with_shared_heads_reads_the_keys_once():
    shapes = (2, 8, 10, 16), (2, 2, 30, 16), (2, 2, 30, 16)
    scores, _ = trace(SharedHeads(), [meta(*shape) for shape in shapes]).layers
    assert (scores.G, scores.P, scores.K, scores.C) == (4, 40, 30, 16)


@pytest.mark.parametrize(("cell", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers_have_their_modules_weights(cell, gates):
    module = on_meta(cell, 20, 16, num_layers=2, bidirectional=True, batch_first=True)
    workload = trace(module, [meta(3, 7, 20)])
    matrices = sum(w.numel() for w in module.parameters() if w.dim() == 2)
    assert workload.weights == matrices == 2 * gates * 16 * (20 + 16 + 32 + 16)
    assert workload.macs == 3 * 7 * matrices
    assert all(layer.count in {1, 7} for layer in workload.layers)


def test_a_projected_lstm_feeds_back_its_projection():
    module = on_meta(nn.LSTM, 20, 16, proj_size=5)
    workload = trace(module, [meta(7, 3, 20)])
    assert workload.weights == sum(w.numel() for w in module.parameters() if w.dim() == 2)


def test_single_cells():
    module = on_meta(nn.LSTMCell, 20, 16)
    assert trace(module, [meta(3, 20)]).macs == 3 * 4 * 16 * (20 + 16)


class Products(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(6, 5, device="meta"))
        self.up = nn.ConvTranspose2d(4, 8, 2, 2, device="meta")

    def forward(self, x, image):
        return x @ self.w.T, torch.einsum("bk,ck->bc", x, x), self.up(image)


def test_products_einsums_and_up_convolutions():
    layers = trace(Products(), [meta(3, 5), meta(1, 4, 6, 6)]).layers
    assert [layer.macs for layer in layers] == [3 * 5 * 6, 3 * 3 * 5, 36 * 4 * 8 * 4]
    assert [layer.weights_stored for layer in layers] == [True, False, True]


class Sliced(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(100, 8, device="meta")
        self.norm = nn.LayerNorm(8, device="meta")
        self.wide = nn.Linear(8, 24, device="meta")
        self.out = nn.Linear(8, 8, device="meta")

    def forward(self, tokens):
        a, b, c = self.wide(self.norm(self.embedding(tokens))).chunk(3, dim=-1)
        return self.out(a + b), functional.interpolate(c, scale_factor=2.0), c.sort()


def test_parts_are_free_and_what_has_no_cost_is_listed():
    tokens = torch.zeros(2, 5, dtype=torch.long, device="meta")
    workload = trace(Sliced(), [tokens])
    assert [layer.name for layer in workload.layers] == ["wide", "out"]
    assert not workload.layers[1].follows
    moves = [(op.name, op.reads, op.writes) for op in workload.vector_ops]
    assert moves[:3] == [("embedding", 80, 80), ("norm", 80, 80), ("add", 160, 80)]
    assert [entry.rpartition(": ")[2] for entry in workload.unknown] == [
        "aten.upsample_nearest1d.vec",
        "aten.sort.default",
    ]


def test_the_module_is_left_as_it_was():
    module = nn.Sequential(nn.Linear(4, 4), nn.Dropout()).train()
    module[0].eval()
    trace(module, [torch.zeros(1, 4)])
    assert [part.training for part in module.modules()] == [True, False, True]


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_what_cannot_be_traced_is_told_in_one_line():
    with pytest.raises(
        WorkloadError, match=r"Branching: torch\.export cannot trace it: "
    ) as caught:
        trace(Branching(), [torch.zeros(3)])
    assert "\n" not in str(caught.value)


def test_a_module_that_multiplies_nothing_is_refused():
    with pytest.raises(WorkloadError, match="no layer that multiplies"):
        trace(nn.ReLU(), [torch.zeros(3)])


def test_a_linear_layer_by_keyword():
    workload = trace(nn.Linear(5, 6), [], keywords={"input": torch.zeros(4, 5)}, name="one")
    assert workload.layers == (Layer(name="linear", P=4, K=6, C=5),)


def test_pytorch_is_not_loaded_before_it_is_needed():
    code = "import sys, accel_dse.workloads.pytorch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
