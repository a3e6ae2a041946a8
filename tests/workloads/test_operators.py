"""Loop nests of the operators, against the arithmetic of their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_dse.errors import WorkloadError
from accel_dse.workload import Layer
from accel_dse.workloads import operators
from accel_dse.workloads.network import Network


def layers(net: Network) -> tuple[Layer, ...]:
    return net.workload().layers


def test_a_convolution_takes_its_bounds_from_its_output():
    net = Network("net")
    x, w = net.input(2, 6, 9, 11), net.stored(8, 3, 3, 5)
    operators.convolution(net, "c", x, w, (2, 8, 5, 4), stride=(2, 3), dilation=(1, 2), groups=2)
    (layer,) = layers(net)
    assert layer.dims == (2, 2, 4, 3, 5, 4, 3, 5)
    assert (layer.stride, layer.dilation) == ((2, 3), (1, 2))


def test_a_one_dimensional_convolution_slides_along_rows():
    net = Network("net")
    x, w = net.input(1, 6, 90), net.stored(8, 6, 3)
    operators.convolution(net, "c", x, w, (1, 8, 45), stride=(2,), dilation=(1,))
    (layer,) = layers(net)
    assert layer.dims == (1, 1, 8, 6, 45, 1, 3, 1)
    assert layer.stride == (2, 1)


def test_channels_that_do_not_fit_are_refused():
    net = Network("net")
    with pytest.raises(WorkloadError, match="c: 6 input channels do not fit weights for 4"):
        operators.convolution(net, "c", net.input(1, 6, 9, 9), net.stored(8, 4, 3, 3), (1, 8, 9, 9))


def test_an_up_convolution_without_overlap_is_one_loop_nest():
    net = Network("net")
    x, w = net.input(1, 16, 5, 7), net.stored(16, 8, 2, 2)
    operators.transposed_convolution(net, "up", x, w, (1, 8, 10, 14), stride=(2, 2))
    (layer,) = layers(net)
    assert (layer.K, layer.C, layer.P, layer.Q, layer.R, layer.S) == (32, 16, 5, 7, 1, 1)


@given(
    taps=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_a_transposed_convolution_multiplies_each_input_by_each_weight_once(taps, stride):
    net = Network("net")
    x, w = net.input(1, 3, 4, 6), net.stored(3, 2, *taps)
    shape = (1, 2, 4 * stride[0], 6 * stride[1])
    operators.transposed_convolution(net, "up", x, w, shape, stride=stride)
    assert sum(layer.macs for layer in layers(net)) == x.size * 2 * math.prod(taps)
    assert sum(layer.words("weights") for layer in layers(net)) == w.size


CONTRACTIONS = {
    "a matrix multiply": ((4, 5), (5, 6), "mk,kn->mn", {"P": 4, "C": 5, "K": 6}),
    "batch on both sides": ((3, 4, 5), (3, 5, 6), "bmk,bkn->bmn", {"G": 3, "P": 4, "C": 5, "K": 6}),
    "batch on the left": ((3, 4, 5), (5, 6), "bmk,kn->bmn", {"P": 12, "C": 5, "K": 6}),
    "batch on the right": ((4, 5), (3, 5, 6), "mk,bkn->bmn", {"P": 4, "C": 5, "K": 18}),
    "a broadcast batch": ((3, 4, 5), (1, 5, 6), "bmk,bkn->bmn", {"P": 12, "C": 5, "K": 6}),
    "two summed axes": ((4, 5, 2), (5, 2, 6), "mkl,kln->mn", {"P": 4, "C": 10, "K": 6}),
    "an outer product": ((4,), (6,), "m,n->mn", {"P": 4, "K": 6}),
}


@pytest.mark.parametrize("case", CONTRACTIONS)
def test_a_contraction_becomes_groups_rows_columns_and_sums(case):
    left, right, axes, bounds = CONTRACTIONS[case]
    net = Network("net")
    result = operators.contraction(net, "c", net.input(*left), net.input(*right), axes)
    (layer,) = layers(net)
    assert layer == Layer(name="c", weights_stored=False, **bounds)
    assert result.shape == np.einsum(axes, np.zeros(left), np.zeros(right)).shape
    assert (layer.words("inputs"), layer.words("weights")) == (math.prod(left), math.prod(right))


def test_stored_weights_on_the_left_are_still_the_weights():
    net = Network("net")
    operators.matrix_multiply(net, "m", net.stored(4, 5), net.input(3, 5, 6))
    (layer,) = layers(net)
    assert layer == Layer(name="m", P=18, C=5, K=4)


@pytest.mark.parametrize(
    ("left", "right"),
    [((4, 5), (5, 6)), ((5,), (5, 6)), ((4, 5), (5,)), ((2, 1, 4, 5), (3, 5, 6)), ((5,), (5,))],
)
def test_matrix_multiply_broadcasts_as_numpy_does(left, right):
    net = Network("net")
    result = operators.matrix_multiply(net, "m", net.input(*left), net.input(*right))
    assert result.shape == np.matmul(np.zeros(left), np.zeros(right)).shape


@pytest.mark.parametrize(
    ("left", "right", "axes"),
    [((4, 5), (6, 7), "mk,kn->mn"), ((2, 4, 5), (5, 6), "zmk,kn->mn")],
)
def test_a_contraction_that_is_no_product_is_refused(left, right, axes):
    net = Network("net")
    with pytest.raises(WorkloadError, match=axes):
        operators.contraction(net, "c", net.input(*left), net.input(*right), axes)


def test_heads_that_share_keys_read_them_once():
    net = Network("net")
    q, k, v = net.input(2, 8, 10, 16), net.input(2, 2, 30, 16), net.input(2, 2, 30, 4)
    result = operators.attention(net, "a", q, k, v)
    scores, context = layers(net)
    assert result.shape == (2, 8, 10, 4)
    assert scores.dims == (1, 2 * 2, 30, 16, 4 * 10, 1, 1, 1)
    assert context.dims == (1, 2 * 2, 4, 30, 4 * 10, 1, 1, 1)
    assert scores.words("weights") == k.size
    assert not scores.weights_stored
    assert scores.kind == "attention"


@pytest.mark.parametrize(("cell", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_a_recurrent_layer_runs_its_state_step_by_step(cell, gates):
    net = Network("net")
    x = net.input(7, 3, 20)
    operators.recurrent(net, "r", cell, x, (7, 3, 16), steps=7, hidden=16)
    inputs, state = layers(net)
    assert (inputs.P, inputs.K, inputs.C, inputs.count) == (21, gates * 16, 20, 1)
    assert (state.P, state.K, state.C, state.count) == (3, gates * 16, 16, 7)
    (cell_op,) = net.workload().vector_ops
    assert cell_op.count == 7


def test_both_directions_have_weights_of_their_own_and_a_projection_feeds_back():
    net = Network("net")
    x = net.input(7, 3, 20)
    operators.recurrent(
        net, "r", "LSTM", x, (7, 3, 10), steps=7, hidden=16, directions=2, projection=5
    )
    one_way = 4 * 16 * (20 + 5) + 16 * 5
    assert net.workload().weights == 2 * one_way
    assert [layer.name for layer in layers(net)[:3]] == [
        "r/forward/input",
        "r/forward/state",
        "r/forward/project",
    ]
