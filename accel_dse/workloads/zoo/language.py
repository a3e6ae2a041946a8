"""Language and speech: transformers, and the transducer of a streaming speech recognizer."""

from accel_dse.workload import VectorOp, Workload
from accel_dse.workloads import operators
from accel_dse.workloads.network import Network, Tensor
from accel_dse.workloads.zoo.blocks import add, linear


def bert_base() -> Workload:
    """BERT-base encoding 128 tokens, with its pooler."""
    net = Network("bert_base", "Devlin et al., NAACL 2019")
    tokens, width, heads = 128, 768, 12
    x = operators.normalize(net, "embed/norm", _embedding(net, tokens, width, tables=3))
    for number in range(12):
        name = f"layer{number}"
        q, k, v = (linear(net, f"{name}/{what}", x, width) for what in ("query", "key", "value"))
        context = _attend(net, f"{name}/attention", q, k, v, heads)
        x = add(net, f"{name}/add1", linear(net, f"{name}/output", context, width), x)
        x = operators.normalize(net, f"{name}/norm1", x)
        x = add(net, f"{name}/add2", _feed_forward(net, name, x), x)
        x = operators.normalize(net, f"{name}/norm2", x)
    linear(net, "pooler", net.rearrange([x], (1, width)), width)
    return net.workload()


def gpt2_prefill() -> Workload:
    """GPT-2 (124 M) reading a prompt of 1024 tokens and scoring the next one."""
    return build_gpt2("gpt2_prefill", tokens=1024, context=1024)


def gpt2_decode() -> Workload:
    """GPT-2 (124 M) making the 1024th token, keys and values of the others being in a cache."""
    return build_gpt2("gpt2_decode", tokens=1, context=1024)


def build_gpt2(name: str, *, tokens: int, context: int) -> Workload:
    """GPT-2 small.

    Args:
        name: of the workload.
        tokens: how many it reads at once.
        context: how many each attends to, those of the cache included.

    Source:
        Radford et al., "Language models are unsupervised multitask learners", 2019.
    """
    net = Network(name, "Radford et al., 2019")
    width, heads, vocabulary = 768, 12, 50257
    x = _embedding(net, tokens, width, tables=2)
    for number in range(12):
        label = f"layer{number}"
        y = operators.normalize(net, f"{label}/norm1", x)
        qkv = linear(net, f"{label}/qkv", y, 3 * width)
        q = net.rearrange([qkv], (tokens, width))
        cached = () if context == tokens else (net.input(context - tokens, 2 * width),)
        k, v = (net.rearrange([qkv, *cached], (context, width)) for _ in "kv")
        attended = _attend(net, f"{label}/attention", q, k, v, heads)
        x = add(net, f"{label}/add1", linear(net, f"{label}/output", attended, width), x)
        y = operators.normalize(net, f"{label}/norm2", x)
        x = add(net, f"{label}/add2", _feed_forward(net, label, y), x)
    last = net.rearrange([operators.normalize(net, "norm", x)], (1, width))
    linear(net, "head", last, vocabulary)
    return net.workload()


def _embedding(net: Network, tokens: int, width: int, tables: int) -> Tensor:
    """Looks tokens up in `tables` tables (words, positions, segments) and adds what it finds."""
    net.vector_op(
        VectorOp(
            name="embed",
            reads=tables * tokens * width,
            writes=tokens * width,
            operations=(tables - 1) * tokens * width,
        )
    )
    return net.input(tokens, width)


def _attend(net: Network, name: str, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Attention over `heads` heads; tensors are `(tokens, width)`."""
    width = q.shape[1]
    split = (net.view(x, (1, heads, x.shape[0], width // heads)) for x in (q, k, v))
    return net.view(operators.attention(net, name, *split), q.shape)


def _feed_forward(net: Network, name: str, x: Tensor) -> Tensor:
    width = x.shape[1]
    return linear(net, f"{name}/ffn2", linear(net, f"{name}/ffn1", x, 4 * width), width)


STATE, PROJECTED = 2048, 640
"""Width of each LSTM's state, and of the projection that it outputs and feeds back.

Source: He et al., "Streaming end-to-end speech recognition for mobile devices", ICASSP 2019."""


def t_rnn_encoder() -> Workload:
    """The transducer's encoder over 60 ms of speech, one frame out.

    Two frames of 320 features (30 ms each) pass two LSTMs; their outputs are joined into one,
    which passes six more.
    """
    net = Network("t_rnn_encoder", "Graves, 2012; He et al., ICASSP 2019")
    x = net.input(1, 320)
    for number in range(8):
        frames = 2 if number < 2 else 1
        if number == 2:
            x = net.rearrange([x], (1, 2 * PROJECTED))
        x = _projected_lstm(net, f"lstm{number}", x, frames)
    return net.workload()


def t_rnn_decoder() -> Workload:
    """The transducer's prediction and joint networks, for one of 4096 word pieces."""
    net = Network("t_rnn_decoder", "Graves, 2012; He et al., ICASSP 2019")
    net.vector_op(VectorOp(name="embed", reads=128, writes=128, operations=0))
    x = net.input(1, 128)
    for number in range(2):
        x = _projected_lstm(net, f"lstm{number}", x)
    predicted = linear(net, "joint/prediction", x, 640)
    heard = linear(net, "joint/encoder", net.input(1, PROJECTED), 640)
    linear(net, "joint/output", add(net, "joint/add", predicted, heard), 4096)
    return net.workload()


def _projected_lstm(net: Network, name: str, x: Tensor, frames: int = 1) -> Tensor:
    """One LSTM for `frames` steps; a step's input and state are multiplied as one vector.

    Source: Sak et al., "Long short-term memory recurrent neural network architectures for large
    scale acoustic modeling", Interspeech 2014.
    """
    width, gates = x.shape[1] + PROJECTED, operators.GATES["LSTM"] * STATE
    joined = net.rearrange([x, net.input(1, PROJECTED)], (1, width))
    gated = net.layer(f"{name}/gates", joined, (1, gates), K=gates, C=width, count=frames)
    net.rearrange([gated], (1, gates))
    net.vector_op(
        VectorOp(
            name=f"{name}/cell",
            reads=gates + STATE,
            writes=2 * STATE,
            operations=STATE * operators.CELL_OPERATIONS["LSTM"],
            count=frames,
        )
    )
    made = net.input(1, STATE)
    return net.layer(f"{name}/project", made, (1, PROJECTED), K=PROJECTED, C=STATE, count=frames)
