#!/usr/bin/env bash
# Builds the wheel and the sdist, and uses both as a stranger would: the wheel, in an empty
# environment and an empty folder, runs the demo with few trials; the unpacked sdist has its tests.
#
#     make wheel-check                # about ten minutes on two cores: it installs and compiles all
#     FOLDER=/tmp/w make wheel-check  # keeps what it made
set -euo pipefail
checkout=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
if [ -n "${FOLDER:-}" ]; then
  mkdir -p "$FOLDER"
else
  FOLDER=$(mktemp -d)
  trap 'rm -rf "$FOLDER"' EXIT
fi
cd "$FOLDER"
FOLDER=$PWD

"$python" -m venv building
building/bin/pip install --quiet build
building/bin/python -m build --outdir dist "$checkout" >build.log
wheel=$(echo "$PWD"/dist/*.whl) sdist=$(echo "$PWD"/dist/*.tar.gz)

"$python" -m venv stranger
stranger/bin/pip install --quiet -c "$checkout/constraints.txt" "$wheel[viz]"

mkdir -p empty && cd empty
cp "$checkout/notebooks/networks/mobilenet_v2.onnx" .
dse="$FOLDER/stranger/bin/accel-dse"
where=$("$FOLDER/stranger/bin/python" -c 'import accel_dse; print(accel_dse.__file__)')
case $where in "$FOLDER"/*) ;; *) echo "it is $where that was imported"; exit 1 ;; esac
for kind in spaces workloads optimizers simulators stubs; do "$dse" list "$kind" --json >"$kind.json"; done
"$dse" check edge
"$dse" simulate edge --workload mobilenet_v2 --layers --trace trace.json
"$dse" optimize edge --workload mobilenet_v2.onnx \
  --minimize latency_ms --limit 'area_mm2<=27' --trials 30 --log run.sqlite
"$dse" report run.sqlite --out report.html
stubs=$(dirname "$where")/simulator_stubs
"$dse" simulate "$stubs/python/space.yaml" --workload mobilenet_v2 --set pes=8 \
  --simulator process --simulator-option command="python3 $stubs/python/simulator.py"
"$dse" report run.sqlite --out report.pdf
for made in trace.json report.html report.pdf; do test -s "$made"; done
grep -q edge_tpu_like report.html

cd "$FOLDER"
mkdir -p unpacked && tar xzf "$sdist" -C unpacked --strip-components 1
cd unpacked
"$FOLDER/stranger/bin/pip" install --quiet -c constraints.txt "$wheel[all,dev]"
"$FOLDER/stranger/bin/pytest" tests/test_files.py tests/test_cli.py tests/test_docs.py tests/report
echo "wheel and sdist are whole"
