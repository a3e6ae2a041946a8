/* Inside a design: layers, roofline, energy, mapping, timeline. And what changed between two. */

const insides = () => (parts.inside ? parts.inside.designs : []);
const inside = () => insides().find((d) => d.design === $("inside-design").value && d.workload === ($("inside-workload").value || d.workload));
const works = (d) => d && !d.reason;
const MOST_CAUSES = 6;
const INSIDE_CHARTS = ["roofline-chart", "component-chart", "time-chart", "energy-chart", "timeline-chart"];

function setUpInside() {
  const names = [...new Set(insides().map((d) => d.design))];
  const networks = [...new Set(insides().map((d) => d.workload))];
  choices("inside-design", names.map((n) => [n, n]));
  choices("inside-workload", networks.map((n) => [n, n]));
  $("inside-workload-label").hidden = networks.length < 2;
  showInside();
}

function showInside() {
  const one = inside();
  $("inside-body").hidden = !works(one);
  fill("inside-note");
  if (!works(one)) {
    fill("inside-note", one ? `${one.design} has no layers to show: ${one.reason}.` : `There is nothing to show: ${parts.inside ? parts.inside.reason : "not simulated yet"}.`);
    return;
  }
  const longest = one.layers.slice().sort((a, b) => b.cycles - a.cycles)[0];
  const total = one.layers.reduce((sum, row) => sum + row.cycles, 0);
  const causes = new Map();
  for (const row of one.layers) causes.set(row.bottleneck, (causes.get(row.bottleneck) ?? 0) + row.cycles);
  const main = [...causes].sort((a, b) => b[1] - a[1])[0];
  const warning = parts.inside.warning ? make("span", { class: "warn" }, ` ${parts.inside.warning}. What follows is of now.`) : "";
  fill("inside-note", `${number(total)} cycles in ${one.layers.length} rows; ${percent(main[1] / total)} of them in layers bound by ${main[0]}. The longest is ${longest.layer} (${percent(longest.cycles / total)}).`, warning);
  $("energy").hidden = $("layer-energy").hidden = !one.energy;
  choices("mapping-layer", Object.keys(one.mappings).map((n) => [n, n]), one.mappings[$("mapping-layer").value] ? undefined : longest.layer);
  showMapping();
  showLayers(one);
  fill("storage", table(["level", "keeps", "capacity, bytes", "filled", ""], one.storage.map((row) => {
    const bar = make("span", { class: "bar s0" });
    bar.style.width = `${8 * Math.min(1, row.share)}em`;
    return [row.level, { cell: row.keeps, class: "text" }, number(row.bytes), percent(row.share), { cell: bar, class: "text" }];
  })));
  $("area").hidden = !one.area.length;
  fill("area-table", table(["part", "mm2", "of all", ""], one.area.map((row) => {
    const bar = make("span", { class: "bar s0" });
    bar.style.width = `${8 * row.share}em`;
    return [row.part, number(row.mm2), percent(row.share, 1), { cell: bar, class: "text" }];
  })));
  const timelines = one.timelines || [];
  $("timeline").hidden = !timelines.length;
  choices("timeline-layer", timelines.map((t, i) => [i, t.layer]));
  changed(...INSIDE_CHARTS);
}

function showMapping() {
  const one = inside();
  if (works(one)) $("mapping").textContent = one.mappings[$("mapping-layer").value] ?? "";
}

function showLayers(one) {
  const heads = ["layer", "runs", "M MACs", "cycles", "of time", "array busy", "bound by", "DRAM kB", "energy, uJ"];
  fill("layers", table(heads, one.layers.map((r) => [r.layer, r.runs, number(r.macs * 1e-6), number(r.cycles), percent(r.share, 1), percent(r.utilization, 1), { cell: r.bottleneck, class: "text" }, number(r.dram_bytes / 1e3), number(r.energy_mj * 1e3)])));
}

function stacked(element, names, series, options) {
  const sums = series.map((s) => s.values.reduce((a, b) => a + b, 0));
  const order = series.map((_, k) => k).filter((k) => sums[k] > 0);
  const whole = names.map((_, i) => series.reduce((s, one) => s + one.values[i], 0));
  plot(element, order.map((k, place) => ({
    type: "bar", name: safe(series[k].name), x: names.map((_, i) => i), y: series[k].values,
    marker: { color: series[k].color ?? PALETTE[place % PALETTE.length], pattern: hatched(HATCH[place % HATCH.length]), line: { width: 0 } },
    hoverinfo: "text", hovertext: names.map((n, i) => `${safe(n)}<br>${safe(series[k].name)}: ${number(series[k].values[i])} ${options.unit} (${percent(series[k].values[i] / (whole[i] || 1))} of the layer)`), textposition: "none",
  })), {
    barmode: "stack", bargap: 0.15, uirevision: names.join(), margin: { l: 64, r: 16, t: 50, b: 90 },
    xaxis: { tickvals: names.map((_, i) => i).filter((i) => i % Math.ceil(names.length / 45) === 0), ticktext: names.filter((_, i) => i % Math.ceil(names.length / 45) === 0).map((n) => safe(n.length > 18 ? `${n.slice(0, 17)}…` : n)), tickangle: -55, tickfont: { size: 10.5 }, showgrid: false, zeroline: false },
    yaxis: { title: { text: options.title }, rangemode: "tozero" }, legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", traceorder: "normal" }, showlegend: true,
  });
}

function drawTime(element) {
  const one = inside();
  if (!works(one)) return;
  const causes = [...new Set(one.layers.flatMap((r) => Object.keys(r.waits)))];
  const rest = causes.filter((c) => c !== "compute");
  const sum = (cause) => one.layers.reduce((s, r) => s + (r.waits[cause] ?? 0) * r.runs, 0);
  rest.sort((a, b) => sum(b) - sum(a));
  const few = rest.slice(MOST_CAUSES);
  const overlapping = one.layers.some((r) => Object.keys(r.waits).length && Math.abs(Object.values(r.waits).reduce((a, b) => a + b, 0) * r.runs - r.cycles) > 0.01 * r.cycles + 1);
  if (overlapping) { /* the analytical model: bounds that overlap, of which the largest counts */
    stacked(element, one.layers.map((r) => r.layer), [...new Set(one.layers.map((r) => r.bottleneck))].map((b) => ({ name: `bound by ${b}`, values: one.layers.map((r) => (r.bottleneck === b ? r.cycles : 0)) })), { unit: "cycles", title: "cycles" });
    return;
  }
  const series = ["compute", ...rest.slice(0, MOST_CAUSES)].map((cause) => ({ name: cause === "compute" ? "array works" : cause, values: one.layers.map((r) => (r.waits[cause] ?? 0) * r.runs) }));
  if (few.length) series.push({ name: "other waits", values: one.layers.map((r) => few.reduce((s, cause) => s + (r.waits[cause] ?? 0) * r.runs, 0)) });
  series.push({ name: "not a multiply", values: one.layers.map((r) => (Object.keys(r.waits).length ? 0 : r.cycles)) });
  stacked(element, one.layers.map((r) => r.layer), series, { unit: "cycles", title: "cycles" });
}

function drawEnergy(element) {
  const one = inside();
  if (!works(one) || !one.energy) return;
  const rows = one.energy.layers;
  stacked(element, one.layers.slice(0, rows.length).map((r) => r.layer), one.energy.components.map((name, c) => ({ name, values: rows.map((r) => r[c] * 1e3) })), { unit: "uJ", title: "energy, uJ" });
}

function drawComponents(element) {
  const one = inside();
  if (!works(one) || !one.energy) return;
  const e = one.energy;
  const bars = e.components.map((name, c) => [name, e.layers.reduce((s, r) => s + r[c], 0)]);
  bars.push(["not a multiply", e.vector_mj], ["leakage and clock", e.static_mj]);
  bars.sort((a, b) => a[1] - b[1]);
  const total = bars.reduce((s, b) => s + b[1], 0);
  plot(element, [{ type: "bar", orientation: "h", y: bars.map((b) => safe(b[0])), x: bars.map((b) => b[1]), text: bars.map((b) => percent(b[1] / total)), textposition: "outside", cliponaxis: false, marker: { color: COLOR.accepted }, hovertemplate: "%{y}: %{x:.4g} mJ<extra></extra>" }],
    { title: { text: "Energy by component", font: { size: 14 }, x: 0.01 }, margin: { l: 140, r: 46, t: 40, b: 48 }, showlegend: false, xaxis: { title: { text: "mJ" }, rangemode: "tozero" }, yaxis: { type: "category" } });
  fill("component-note", `${number(total)} mJ in all.`);
}

function drawRoofline(element) {
  const one = inside();
  if (!works(one)) return;
  const rows = one.layers.filter((r) => r.macs > 0 && r.dram_bytes > 0);
  const stay = one.layers.filter((r) => r.macs > 0 && !(r.dram_bytes > 0)).length;
  if (!rows.length) return nothing(element, "No layer both multiplies and moves data.");
  const x = rows.map((r) => r.macs / r.dram_bytes), y = rows.map((r) => r.macs / r.cycles);
  const bounds = [...new Set(rows.map((r) => r.bottleneck))];
  const symbols = ["circle", "square", "triangle-up", "diamond", "cross", "x", "star", "pentagon"];
  const most = Math.max(...rows.map((r) => r.share));
  const traces = bounds.map((b, k) => {
    const mine = rows.map((r, i) => i).filter((i) => rows[i].bottleneck === b);
    return { type: "scatter", mode: "markers", name: `bound by ${safe(b)}`, x: mine.map((i) => x[i]), y: mine.map((i) => y[i]), marker: { symbol: symbols[k % symbols.length], color: PALETTE[k % PALETTE.length], size: mine.map((i) => 7 + 15 * Math.sqrt(rows[i].share / most)), opacity: 0.75, line: { color: "#333", width: 0.7 } },
      hoverinfo: "text", hovertext: mine.map((i) => `<b>${safe(rows[i].layer)}</b><br>${number(y[i])} MACs a cycle, ${percent(rows[i].utilization, 1)} of the peak<br>${number(x[i])} MACs a byte of DRAM traffic<br>${percent(rows[i].share, 1)} of the time, bound by ${safe(b)}`) };
  });
  const low = Math.min(...x) / 1.6, high = Math.max(...x) * 1.6;
  let top = Math.max(...y);
  if (one.peak) {
    const { macs_per_cycle: macs, dram_bytes_per_cycle: bytes } = one.peak, ridge = macs / bytes;
    top = macs;
    const roof = [low, ...(ridge > low && ridge < high ? [ridge] : []), high];
    traces.unshift({ type: "scatter", mode: "lines", name: "roof", x: roof, y: roof.map((v) => Math.min(macs, v * bytes)), line: { color: COLOR.ink, width: 2 }, hoverinfo: "skip" });
  }
  const bottom = Math.min(...y) / 1.6;
  const roofed = one.peak ? ` The roof: ${number(one.peak.macs_per_cycle)} MACs and ${number(one.peak.dram_bytes_per_cycle)} bytes of DRAM traffic a cycle.` : "";
  plot(element, traces, { uirevision: `${one.design}${one.workload}`, title: { text: "Roofline", font: { size: 14 }, x: 0.01 }, showlegend: true, legend: { orientation: "h", x: 0, y: -0.3, yanchor: "top", font: { size: 11 }, entrywidth: 170 }, margin: { l: 64, r: 16, t: 36, b: 140 },
    xaxis: { title: { text: "MACs a byte of DRAM traffic", standoff: 4 }, type: "log", range: [Math.log10(low), Math.log10(high)], ...logTicks(low, high) }, yaxis: { title: { text: "MACs a cycle" }, type: "log", range: [Math.log10(bottom), Math.log10(top * 1.6)], ...logTicks(bottom, top * 1.6) } });
  fill("roofline-note", `A dot is a layer, larger where it takes more of the time.${roofed}${stay ? ` ${stay} layers move nothing through DRAM and are not shown.` : ""}`);
}

const ACTS = { step: ["array works", "#0072b2", ""], transfer: ["transfer", "#009e73", "/"], operands: ["operands stream", "#a8d5c5", ""], repeats: ["more steps, not shown one by one", "#d0d0d0", ""] };
/* Of the causes of waiting, the longest first; the rest share one look. */
const WAITS = [["#d55e00", "x"], ["#e69f00", ""], ["#cc79a7", "\\"], ["#f0e442", "."], ["#56b4e9", "-"], ["#7a7a7a", ""], ["#222222", "/"]];

/* What a timeline shows, by name: its color, hatch and events. */
function looks(events) {
  const waited = new Map();
  for (const e of events) if (e[2] === "stall") waited.set(e[1], (waited.get(e[1]) ?? 0) + e[4]);
  const longest = [...waited].sort((a, b) => b[1] - a[1]).map(([cause]) => cause);
  const found = new Map();
  for (const [kind, [name, color, shape]] of Object.entries(ACTS)) found.set(name, { color, shape, events: events.filter((e) => e[2] === kind) });
  longest.slice(0, WAITS.length).forEach((cause, k) => found.set(`waits: ${cause}`, { color: WAITS[k][0], shape: WAITS[k][1], events: events.filter((e) => e[2] === "stall" && e[1] === cause) }));
  const rest = new Set(longest.slice(WAITS.length));
  found.set("other waits", { color: "#f7c9a8", shape: "", events: events.filter((e) => e[2] === "stall" && rest.has(e[1])) });
  return [...found].filter(([, look]) => look.events.length);
}

function drawTimeline(element) {
  const one = inside();
  const found = works(one) && (one.timelines || [])[$("timeline-layer").value];
  if (!found) return;
  const lanes = found.lanes.slice().reverse();
  const steps = found.events.filter((e) => e[2] === "repeats");
  const end = steps.length ? steps[0][3] + Math.min(steps[0][4], 0.08 * steps[0][3] + 1) : found.cycles;
  const traces = looks(found.events.filter((e) => e[4] > 0)).map(([name, { color, shape, events: mine }]) => (
    { type: "bar", orientation: "h", name: safe(name), base: mine.map((e) => e[3]), x: mine.map((e) => e[4]), y: mine.map((e) => found.lanes[e[0]]), width: 0.72, marker: { color, pattern: hatched(shape), line: { width: 0 } },
      hoverinfo: "text", hovertext: mine.map((e) => `${safe(e[1])}<br>${safe(name)}: cycles ${number(e[3])} to ${number(e[3] + e[4])} (${number(e[4])})`), textposition: "none" }));
  element.style.height = `${180 + 34 * lanes.length}px`;
  plot(element, traces, { barmode: "overlay", uirevision: found.layer + one.design, margin: { l: 160, r: 16, t: 86, b: 48 }, showlegend: true, xaxis: { title: { text: "cycles" }, range: [0, end] }, yaxis: { type: "category", categoryorder: "array", categoryarray: lanes, showgrid: false } });
  fill("timeline-note", `${found.layer} takes ${number(found.cycles)} cycles.${steps.length ? " Only its first steps are drawn." : ""} Drag to look closer; accel-dse simulate --trace writes all of it, for Perfetto.`);
}

/* ---- what changed ---- */
const extra = new Map();

function comparable() {
  const { ours, named } = designColumns();
  const front = parts.digest.front.slice(0, 40).map((t) => ({ name: trialName(t), ...t }));
  const made = new Map();
  for (const d of [...ours, ...named.filter((d) => !d.reason), ...front, ...extra.values()]) if (!made.has(d.name)) made.set(d.name, d);
  return made;
}

function setUpCompare() {
  const names = [...comparable().keys()];
  const { ours, named } = designColumns();
  const fresh = !$("compare-a").options.length;
  const rival = named.find((d) => !d.reason);
  choices("compare-a", names.map((n) => [n, n]), fresh && rival ? rival.name : undefined);
  choices("compare-b", names.map((n) => [n, n]), fresh && ours.length ? ours[rival ? 0 : Math.min(1, ours.length - 1)].name : undefined);
  showCompare();
}

function showCompare() {
  const all = comparable(), a = all.get($("compare-a").value), b = all.get($("compare-b").value);
  if (!a || !b) { fill("compare-table", "There are no two designs to compare."); $("compare-layers").hidden = true; return; }
  const rows = [];
  for (const metric of shownMetrics(a.metrics)) {
    const from = a.metrics[metric], to = b.metrics[metric];
    rows.push({ class: wantedMetrics().includes(metric) ? "strong" : "", cells: [metric, number(from), number(to), from ? `${to >= from ? "+" : "−"}${percent(Math.abs(to / from - 1), 1)}` : "–"] });
  }
  let first = true, same = 0;
  for (const name of Object.keys(a.design)) {
    if (shown(a.design[name]) === shown(b.design[name])) { same += 1; continue; }
    const numeric = typeof a.design[name] === "number" && typeof b.design[name] === "number" && a.design[name];
    rows.push({ class: first ? "group" : "", cells: [name, shown(a.design[name]), shown(b.design[name]), numeric ? `x ${number(b.design[name] / a.design[name])}` : "other"] });
    first = false;
  }
  fill("compare-table", table(["", a.name, b.name, "change"], rows));
  fill("compare-note", a === b ? "These are the same design." : `${same} of ${Object.keys(a.design).length} parameters are the same and not listed.`);
  $("compare-layers").hidden = !pairInside();
  changed("compare-chart");
}

function pairInside() {
  const network = $("inside-workload").value;
  const of = (name) => insides().find((d) => d.design === name && (!network || d.workload === network));
  const pair = [of($("compare-a").value), of($("compare-b").value)];
  return pair.every(works) && pair[0] !== pair[1] ? pair : null;
}

function drawCompare(element) {
  const pair = pairInside();
  if (!pair) return;
  const names = pair[0].layers.map((r) => r.layer);
  plot(element, pair.map((one, k) => ({ type: "bar", name: safe(one.design), x: names.map((_, i) => i), y: one.layers.map((r) => r.cycles), marker: { color: k ? "#0072b2" : "#e69f00", pattern: hatched(k ? "" : "/") },
    hoverinfo: "text", textposition: "none", hovertext: one.layers.map((r) => `${safe(r.layer)}<br>${safe(one.design)}: ${number(r.cycles)} cycles, bound by ${safe(r.bottleneck)}`) })),
    { barmode: "group", uirevision: pair.map((p) => p.design).join(), margin: { l: 64, r: 16, t: 40, b: 90 }, yaxis: { title: { text: "cycles" } }, showlegend: true,
      xaxis: { tickvals: names.map((_, i) => i).filter((i) => i % Math.ceil(names.length / 45) === 0), ticktext: names.filter((_, i) => i % Math.ceil(names.length / 45) === 0).map((n) => safe(n.length > 18 ? `${n.slice(0, 17)}…` : n)), tickangle: -55, tickfont: { size: 10.5 }, showgrid: false, zeroline: false } });
}

/* Adds the trial at row `i` to the choice, and compares it with the best. */
function compareTrial(i) {
  const row = trials.row(i), name = trialName(row);
  if (row.state > 1) { fill("compare-note", `${name} did not work: ${row.reason}.`); return; }
  extra.set(name, { name, ...row });
  setUpCompare();
  $("compare-b").value = name;
  const { ours } = designColumns();
  if (ours.length) $("compare-a").value = ours[0].name;
  showCompare();
  fill("compare-note", $("compare-note").textContent);
  $("compare").scrollIntoView({ behavior: "smooth" });
}

function addTrial() {
  const wanted = Number($("compare-trial").value.replaceAll(",", ""));
  for (let i = 0; i < trials.n; i++) if (trials.index.data[i] === wanted) return compareTrial(i);
  fill("compare-note", `The page holds no trial ${$("compare-trial").value}.`);
}
