/* All designs: parallel coordinates, ranges, and the designs in them. */

const MOST_LINES = 1000;
const filters = new Map(); /* dimension -> [low, high], on the axis' own scale */
const hasWebGL = (() => { try { return Boolean(document.createElement("canvas").getContext("webgl")); } catch { return false; } })();

/* Axes: parameters in order, then what is wanted. A parameter of few values has them evenly spaced. */
function axes() {
  const made = [];
  for (const [name, column] of trials.parameters) {
    if (!column.table) { made.push({ name, column, value: (i) => column.data[i] }); continue; }
    const order = column.table.map((v, code) => [v, code]).sort(([a], [b]) => (typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : 1));
    const numeric = column.table.every((v) => typeof v === "number");
    if (numeric && order.length > 40) { made.push({ name, column, value: (i) => column.table[column.data[i]] }); continue; }
    const rank = new Float64Array(order.length);
    order.forEach(([, code], r) => { rank[code] = r; });
    made.push({ name, column, ticks: order.map(([v]) => shown(v)), value: (i) => rank[column.data[i]] });
  }
  for (const name of wantedMetrics()) if (trials.metrics.has(name)) { const column = trials.metrics.get(name); made.push({ name, metric: true, ...scaled(column) }); }
  return made.map((axis) => ({ key: `${axis.metric ? "metric" : "parameter"} ${axis.name}`, ...axis }));
}

/* A metric's axis is logarithmic where a few large values would squeeze the rest. */
function scaled(column) {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < trials.n; i++) { const v = column.data[i]; if (v < low) low = v; if (v > high) high = v; }
  if (!(low > 0 && high > 8 * low)) return { column, value: (i) => column.data[i] };
  const { tickvals } = logTicks(low, high);
  const within = tickvals.filter((v) => v >= low && v <= high);
  return { column, log: true, marks: within, value: (i) => Math.log10(column.data[i]) };
}

function keptTest() {
  if (!filters.size) return () => true;
  const tests = axes().filter((a) => filters.has(a.key)).map((a) => { const [low, high] = filters.get(a.key); return (i) => { const v = a.value(i); return v >= low && v <= high; }; });
  return (i) => tests.every((test) => test(i));
}

function workingRows() {
  const rows = [];
  for (let i = 0; i < trials.n; i++) if (trials.state.data[i] < 2) rows.push(i);
  return rows;
}

function drawParallel(element) {
  const rows = workingRows();
  if (!rows.length) { fill("designs-note"); return nothing(element, "No design works yet."); }
  if (!hasWebGL) { fill("designs-note", "The browser has no WebGL, which this chart needs. The ranges below work without it."); return nothing(element, "No WebGL."); }
  const objective = trials.metrics.get(parts.about.goal.objectives[0].metric);
  const large = parts.about.goal.objectives[0].sense === "maximize";
  const sign = large ? -1 : 1;
  const best = rows.slice().sort((a, b) => trials.state.data[a] - trials.state.data[b] || sign * (objective.data[a] - objective.data[b]));
  const top = best.slice(0, MOST_LINES / 2);
  const drawn = rows.length <= MOST_LINES ? rows : [...top, ...thinned(best.slice(MOST_LINES / 2), MOST_LINES / 2)];
  /* the last drawn lie on top: the best ones */
  drawn.sort((a, b) => sign * (objective.data[b] - objective.data[a]));
  const shade = new Map(best.map((i, r) => [i, r / Math.max(1, best.length - 1)]));
  const dims = axes().filter((a) => !a.ticks || a.ticks.length > 1 || !a.column);
  const one = dims.map((axis) => {
    const values = drawn.map(axis.value);
    const step = axis.ticks ? Math.ceil(axis.ticks.length / 18) : 1;
    return {
      label: safe(axis.name), values, ...(filters.has(axis.key) ? { constraintrange: filters.get(axis.key) } : {}),
      ...(axis.ticks ? { tickvals: axis.ticks.map((_, i) => i).filter((i) => i % step === 0), ticktext: axis.ticks.filter((_, i) => i % step === 0).map((t) => safe(t.length > 14 ? `${t.slice(0, 13)}…` : t)), range: [-0.15, axis.ticks.length - 0.85] } : axis.log ? { tickvals: axis.marks.map(Math.log10), ticktext: axis.marks.map(number) } : { tickformat: ".3~g" }),
    };
  });
  element.style.width = dims.length > 14 ? `${dims.length * 95}px` : "100%";
  plot(element, [{
    type: "parcoords", dimensions: one, labelangle: -18, labelside: "top", labelfont: { size: 12 }, tickfont: { size: 11 }, rangefont: { size: 10, color: "#777" },
    line: { color: drawn.map((i) => shade.get(i)), colorscale: [[0, "#00163a"], [0.08, "#00509c"], [0.35, "#5f9bc8"], [1, "#c3cdd5"]], cmin: 0, cmax: 1 }, unselected: { line: { color: "#bbb", opacity: 0.08 } },
  }], { margin: { l: 60, r: 50, t: 96, b: 30 } });
  element.parallelKeys = dims.map((a) => a.key);
  if (!element.parallelBound) { element.parallelBound = true; element.on("plotly_restyle", () => brushed(element)); }
  fill("designs-note", `${rows.length.toLocaleString("en-US")} designs work` + (drawn.length < rows.length ? `; ${drawn.length.toLocaleString("en-US")} lines are drawn: the best ${top.length.toLocaleString("en-US")}, and of the rest some from best to worst. Ranges apply to all.` : "."));
}

function brushed(element) {
  filters.clear();
  element.data[0].dimensions.forEach((dimension) => {
    const range = dimension.constraintrange;
    const key = element.parallelKeys[element.data[0].dimensions.indexOf(dimension)];
    if (range && range.length) filters.set(key, Array.isArray(range[0]) ? [Math.min(...range.map((r) => r[0])), Math.max(...range.map((r) => r[1]))] : range);
  });
  showRanges(true);
  showKept();
  changed("tradeoff-chart");
}

function showKept() {
  const rows = workingRows(), keep = keptTest(), kept = rows.filter(keep);
  fill("kept", filters.size ? `${kept.length.toLocaleString("en-US")} of ${rows.length.toLocaleString("en-US")} working designs are in the chosen ranges; the best of them:` : "");
  $("clear").hidden = !filters.size;
  if (!filters.size) { fill("kept-table"); return; }
  const objective = parts.about.goal.objectives[0], column = trials.metrics.get(objective.metric), sign = objective.sense === "maximize" ? -1 : 1;
  const accepted = kept.sort((a, b) => trials.state.data[a] - trials.state.data[b] || sign * (column.data[a] - column.data[b])).slice(0, 8);
  const metrics = wantedMetrics();
  fill("kept-table", table(["design", "", ...metrics, ...trials.parameters.keys()], accepted.map((i) => { const row = trials.row(i); return [trialName(row), STATES[row.state], ...metrics.map((n) => number(row.metrics[n])), ...Object.values(row.design).map(shown)]; })));
}

/* The same ranges as forms: for the keyboard, and where there is no WebGL. */
function showRanges(force) {
  if (!$("filters").open && !force) return;
  if ($("ranges").contains(document.activeElement) && !force) return;
  const fields = axes().map((axis) => {
    const at = filters.get(axis.key);
    const field = make("fieldset", {}, make("legend", {}, axis.name));
    for (const [end, name] of [[0, "from"], [1, "to"]]) {
      const input = axis.ticks ? make("select", { "aria-label": `${axis.name} ${name}` }, make("option", { value: "" }, "any"), ...axis.ticks.map((t, r) => make("option", { value: r }, t))) : make("input", { type: "number", step: "any", "aria-label": `${axis.name} ${name}`, placeholder: name });
      if (at && Math.abs(at[end]) < 1e299) input.value = axis.ticks ? Math.round(at[end]) : Number((axis.log ? 10 ** at[end] : at[end]).toPrecision(6));
      input.addEventListener("change", () => ranged(axis, field));
      field.append(input);
    }
    return field;
  });
  fill("ranges", ...fields);
}

function ranged(axis, field) {
  const [low, high] = [...field.querySelectorAll("select, input")].map((input) => (input.value === "" ? null : axis.log ? Math.log10(Math.max(Number(input.value), 1e-300)) : Number(input.value)));
  const slack = axis.ticks ? 0.4 : 0;
  if (low === null && high === null) filters.delete(axis.key);
  else filters.set(axis.key, [low === null ? -1e300 : low - slack, high === null ? 1e300 : high + slack]);
  showKept();
  changed("tradeoff-chart", "parallel-chart");
}

function clearRanges() {
  filters.clear();
  const element = $("parallel-chart");
  if (element.data) Plotly.restyle(element, Object.fromEntries(element.data[0].dimensions.map((_, i) => [`dimensions[${i}].constraintrange`, null])));
  showRanges(true);
  showKept();
  changed("tradeoff-chart", "parallel-chart");
}
