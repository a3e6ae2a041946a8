"""What a recorded operation costs, and which layer follows the one before."""

import pytest

from accel_dse.errors import WorkloadError
from accel_dse.workloads import operators
from accel_dse.workloads.network import Network
from accel_dse.workloads.zoo.blocks import conv, linear


def moved(net: Network) -> list[tuple[str, int, int]]:
    return [(op.name, op.reads, op.writes) for op in net.workload().vector_ops]


def followers(net: Network) -> list[bool]:
    return [layer.follows for layer in net.workload().layers]


def test_an_activation_is_applied_as_results_pass_by():
    net = Network("net")
    x = linear(net, "a", net.input(4, 8), 8)
    x = net.pointwise("relu", [x], x.shape)
    linear(net, "b", x, 8)
    assert moved(net) == []
    assert followers(net) == [False, True]


def test_a_product_with_a_function_of_itself_is_an_activation_too():
    net = Network("net")
    x = linear(net, "a", net.input(4, 8), 8)
    gate = net.pointwise("sigmoid", [x], x.shape)
    linear(net, "b", net.pointwise("swish", [x, gate], x.shape), 8)
    assert moved(net) == []
    assert followers(net) == [False, True]


def test_a_bias_is_free_but_a_whole_stored_tensor_is_read():
    net = Network("net")
    x = linear(net, "a", net.input(4, 8), 8)
    x = net.pointwise("bias", [x, net.stored(8)], x.shape)
    net.pointwise("positions", [x, net.stored(4, 8)], x.shape)
    assert moved(net) == [("positions", 64, 32)]


def test_a_residual_add_reads_both_sides():
    net = Network("net")
    x = net.input(4, 8)
    y = linear(net, "a", x, 8)
    net.pointwise("add", [x, y], x.shape)
    assert moved(net) == [("add", 64, 32)]


def test_scaling_channels_reads_the_image_and_the_scales():
    net = Network("net")
    x = conv(net, "a", net.input(1, 3, 6, 6), 4, 3)
    scales = operators.pool(net, "pool", x, (1, 4, 1, 1), 36)
    net.pointwise("scale", [x, scales], x.shape)
    assert moved(net)[1] == ("scale", 4 * 36 + 4, 4 * 36)


def test_a_layer_does_not_follow_if_its_input_is_read_twice():
    net = Network("net")
    x = linear(net, "a", net.input(4, 8), 8)
    linear(net, "b", x, 8)
    linear(net, "c", x, 8)
    assert followers(net) == [False, False, False]


def test_a_layer_does_not_follow_if_its_input_leaves_the_network():
    net = Network("net")
    x = linear(net, "a", net.input(4, 8), 8)
    net.output(x)
    linear(net, "b", x, 8)
    assert followers(net) == [False, False]


def test_a_layer_does_not_follow_one_that_is_not_just_before_it():
    net = Network("net")
    x = linear(net, "a", net.input(4, 8), 8)
    linear(net, "between", net.input(4, 8), 8)
    linear(net, "b", x, 8)
    assert followers(net) == [False, False, False]


def test_a_layer_does_not_follow_if_it_reads_a_part_only():
    net = Network("net")
    x = linear(net, "a", net.input(4, 8), 8)
    linear(net, "b", net.rearrange([x], (4, 4)), 8)
    assert followers(net) == [False, False]


def test_a_view_is_the_same_data():
    net = Network("net")
    x = linear(net, "a", net.input(4, 8), 8)
    linear(net, "b", net.view(x, (1, 32)), 8)
    assert followers(net) == [False, True]


def test_what_reads_constants_alone_is_done_beforehand():
    net = Network("net")
    weights = net.pointwise("dequantize", [net.stored(8, 8), net.stored(1)], (8, 8))
    folded = operators.matrix_multiply(net, "fold", weights, net.stored(8, 8))
    assert folded.stored
    operators.matrix_multiply(net, "a", net.input(4, 8), folded)
    (layer,) = net.workload().layers
    assert layer.weights_stored
    assert moved(net) == []


def test_a_network_that_multiplies_nothing_names_what_was_not_understood():
    net = Network("net")
    net.unknown("n1", "NonZero")
    with pytest.raises(WorkloadError, match=r"net: no layer that multiplies.*n1: NonZero"):
        net.workload()


def test_two_networks_have_one_fingerprint_if_they_compute_the_same():
    def build(name: str, *, width: int = 8, twice: bool = False):
        net = Network(name)
        x = linear(net, f"{name}1", net.input(4, 8), width)
        if twice:
            net.output(x)
        linear(net, f"{name}2", x, 8)
        return net.workload()

    assert build("a").fingerprint() == build("b").fingerprint()
    others = [build("a", width=9), build("a", twice=True)]
    assert len({w.fingerprint() for w in (build("a"), *others)}) == 3
    assert len(build("a").fingerprint()) == 64
