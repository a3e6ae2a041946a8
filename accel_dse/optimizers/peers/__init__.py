"""Optimizers of other projects (`pip install accel-dse[peers]`), so that they can be compared.

Each is given everything it can use. Known constraints are checked before anything is simulated: a
proposal that breaks one, or that is known already, is told back with its verdict and asked for
again, which costs no simulation. Metric limits, and whether a design works at all, are constraints
where a peer knows such, and a penalty where it does not. Simulations that failed teach nothing.
Each `ask` makes the peer's study anew from the trials told, so that the laws of `Optimizer` hold.
"""
