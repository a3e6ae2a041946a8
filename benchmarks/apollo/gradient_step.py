"""Gibbs with gradients against evolution, on a learned function, at equal calls of it.

python benchmarks/apollo/gradient_step.py [--seeds 10] [--calls 4000] [--json]

The function is a random two-layer network over the one-hot inputs of `edge`: what a trained
surrogate is to a search, without what it learned. A call is one design; a gradient counts as one
more call. Both begin with the same random designs.
"""

import argparse
import json

import numpy as np

from accel_dse.files import load_space
from accel_dse.optimizers.gibbs import minimized

CHAINS = 20
POPULATION = 100


class Network:
    """A cost of one-hot designs; rougher with larger `gain`."""

    def __init__(self, width: int, gain: float, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.inner = gain * rng.normal(size=(width, 64)) / np.sqrt(10)
        self.outer = rng.normal(size=64) / 8
        self.calls = 0

    def costs(self, hot: np.ndarray) -> np.ndarray:
        """Of `n` designs; `n` calls."""
        self.calls += len(hot)
        return np.tanh(hot @ self.inner) @ self.outer

    def costs_and_gradients(self, hot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of `n` designs; twice `n` calls."""
        self.calls += 2 * len(hot)
        hidden = np.tanh(hot @ self.inner)
        return hidden @ self.outer, ((1 - hidden**2) * self.outer) @ self.inner.T


def by_gradients(space, network, designs, calls, rng):
    steps = calls // (2 * CHAINS) - 1
    _, costs = minimized(
        space,
        designs[:CHAINS],
        network.costs_and_gradients,
        rng,
        steps=steps,
        temperature=(0.3, 0.01),
    )
    return costs.min()


def by_evolution(space, network, designs, calls, rng):
    pool, costs = designs, network.costs(space.one_hot(designs))
    while network.calls < calls:
        order = np.argsort(costs, kind="stable")[:POPULATION]
        pool, costs = [pool[i] for i in order], costs[order]
        mothers, fathers = (
            [pool[i] for i in rng.integers(len(pool), size=(POPULATION, 2)).min(axis=1)]
            for _ in range(2)
        )
        children = space.mutate(space.crossover(mothers, fathers, rng), rng)
        pool = pool + children
        costs = np.concatenate([costs, network.costs(space.one_hot(children))])
    return costs.min()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="1 seed, 200 calls")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.calls = 1, 200
    space = load_space("edge").space
    found = {}
    for gain in (0.5, 1.0, 2.0):
        each = []
        for seed in range(options.seeds):
            rng = np.random.default_rng(seed)
            designs = space.sample(POPULATION, rng)
            row = []
            for method in (by_gradients, by_evolution):
                network = Network(sum(space.fields), gain, seed)
                row.append(method(space, network, designs, options.calls, rng))
            each.append(row)
        gibbs, evolution = np.array(each).T
        found[gain] = {
            "gibbs": float(np.median(gibbs)),
            "evolution": float(np.median(evolution)),
            "gibbs_lower": int((gibbs < evolution - 1e-9).sum()),
            "equal": int((abs(gibbs - evolution) <= 1e-9).sum()),
        }
        if not options.json:
            print(
                f"gain {gain}: median of the least cost, {options.calls:,} calls: gibbs "
                f"{found[gain]['gibbs']:.4f}, evolution {found[gain]['evolution']:.4f}; gibbs is "
                f"lower in {found[gain]['gibbs_lower']} and equal in {found[gain]['equal']} of "
                f"{options.seeds}"
            )
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
