"""What hardware/software co-design is judged on: two small networks, and single layers.

Source: Shi et al., "Learned Hardware/Software Co-Design of Neural Accelerators", 2020, names its
layers ResNet-K1..4, DQN-K1..2, MLP-K1..2 and Transformer-K1..4 without giving their shapes. The
shapes here are stand-ins, taken from the networks that the names refer to.
"""

from accel_dse.workload import Layer, Workload
from accel_dse.workloads.network import Network
from accel_dse.workloads.zoo.blocks import conv, flat, linear


def dqn() -> Workload:
    """Deep Q-network: four frames of 84 x 84, 18 actions."""
    net = Network("dqn", "Mnih et al., Nature 2015")
    x = conv(net, "conv1", net.input(1, 4, 84, 84), 32, 8, 4, padding=0)
    x = conv(net, "conv2", x, 64, 4, 2, padding=0)
    x = conv(net, "conv3", x, 64, 3, padding=0)
    linear(net, "fc2", linear(net, "fc1", flat(net, x), 512), 18)
    return net.workload()


def mlp() -> Workload:
    """The perceptron with hidden layers of 300 and 100 that reads digits ("LeNet-300-100")."""
    net = Network("mlp", "LeCun et al., Proc. IEEE 1998")
    x = net.input(1, 28 * 28)
    for number, features in enumerate((300, 100, 10), 1):
        x = linear(net, f"fc{number}", x, features)
    return net.workload()


TOKENS = 128
"""Sequence length of the transformer's layers; the paper gives none."""

LAYERS = {
    "resnet_k": (
        Layer(name="resnet_k1", K=64, C=64, P=56, Q=56, R=3, S=3),
        Layer(name="resnet_k2", K=128, C=128, P=28, Q=28, R=3, S=3),
        Layer(name="resnet_k3", K=256, C=256, P=14, Q=14, R=3, S=3),
        Layer(name="resnet_k4", K=512, C=512, P=7, Q=7, R=3, S=3),
    ),
    "dqn_k": (
        Layer(name="dqn_k1", K=32, C=4, P=20, Q=20, R=8, S=8, stride=(4, 4)),
        Layer(name="dqn_k2", K=64, C=32, P=9, Q=9, R=4, S=4, stride=(2, 2)),
    ),
    "mlp_k": (
        Layer(name="mlp_k1", K=512, C=512),
        Layer(name="mlp_k2", K=1024, C=64),
    ),
    "transformer_k": (
        Layer(name="transformer_k1", K=512, C=512, P=TOKENS),
        Layer(name="transformer_k2", K=2048, C=512, P=TOKENS),
        Layer(name="transformer_k3", K=512, C=2048, P=TOKENS),
        Layer(name="transformer_k4", G=8, K=TOKENS, C=64, P=TOKENS, weights_stored=False),
    ),
}
"""Layers of a family, on their own: none reads another's output.

Source: the 3x3 convolutions of ResNet-18; the first two of the DQN; for the MLP, square and
widening layers; the projections, feed-forward layers and attention scores of the base model of
Vaswani et al., 2017."""

SOURCE = "stand-in for Shi et al., 2020"


def family(name: str) -> Workload:
    """All layers of one family, each once."""
    return Workload(name, LAYERS[name], source=SOURCE)


def single(name: str) -> Workload:
    """One layer."""
    layer = next(layer for layers in LAYERS.values() for layer in layers if layer.name == name)
    return Workload(name, (layer,), source=SOURCE)
