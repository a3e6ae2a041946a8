"""Optimizers that misbehave, each in its own way; plug-ins of the tests."""

import os
import time

import numpy as np

from accel_dse.optimizers.random_search import RandomSearch


class Raises(RandomSearch):
    def ask(self, n):
        if len(self.trials) >= 3:
            raise RuntimeError("no idea left")
        return super().ask(n)


class Strays(RandomSearch):
    def ask(self, n):
        return [{**design, "pes_x": 3} for design in super().ask(n)]


class Repeats(RandomSearch):
    def ask(self, n):
        return [self.problem.space.sample(1, np.random.default_rng(0))[0]] * n


class Hangs(RandomSearch):
    def ask(self, n):
        if len(self.trials) >= 2:
            time.sleep(1000)
        return super().ask(n)


class Dies(RandomSearch):
    def ask(self, n):
        os._exit(7)
