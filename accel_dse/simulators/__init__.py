"""Simulators: `(workload, n designs) -> n metrics`, each feasible or infeasible with a reason."""
