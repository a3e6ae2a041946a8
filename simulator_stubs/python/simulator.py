"""The smallest simulator: a roofline. Speaks the process protocol with nothing but Python."""

import json
import math
import sys

METRICS = ["latency_cycles", "area_mm2"]
print(json.dumps({"accel_dse": 1, "simulator": "roofline", "version": "1", "metrics": METRICS}))
macs = {}
for line in sys.stdin:
    message = json.loads(line)
    if "design" not in message:  # a workload, sent once, before the first design it is for
        layers = message["layers"]
        macs[message["workload"]] = sum(
            layer["count"] * math.prod(layer[dim] for dim in "NGKCPQRS") for layer in layers
        )
        continue
    pes, work = message["design"]["pes"], macs[message["workload"]]
    result = {"infeasible": "no PEs"}
    if pes >= 1:
        result = {"metrics": {"latency_cycles": work / pes, "area_mm2": 0.001 * pes}}
    print(json.dumps({"id": message["id"], **result}))
