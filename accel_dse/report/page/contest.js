/* A contest: its parts are made by `accel_dse.report.contest_page`. */

const place = (label) => parts.standings.findIndex((s) => s.optimizer === label);
const ink = (k) => PALETTE[k % PALETTE.length];
const last = (standing) => standing.best[String(parts.about.budget)];
const count = (value) => (value === null ? "never" : Math.round(value).toLocaleString("en-US"));
const few = (label, most = 34) => (label.length > most ? `${label.slice(0, most - 1)}…` : label);

/* How likely a run of `one` ends better than one of `other`, and how surely they differ. */
function duel(one, other) {
  for (const d of parts.duels) {
    if (d.one === one && d.other === other) return d;
    if (d.one === other && d.other === one) return { better: 1 - d.better, p: d.p };
  }
  return null;
}

function showVerdict() {
  const { metric, budget, seeds, level, near } = parts.about;
  const [first, ...others] = parts.standings;
  const found = last(first)[1];
  const equal = others.filter((s) => { const d = duel(first.optimizer, s.optimizer); return d && d.p >= level; });
  const sure = others.length - equal.length;
  fill("sentence", found === null ? "No contestant's median run found a design that keeps every limit." :
    `${first.optimizer} has the best median ${metric} after ${budget.toLocaleString("en-US")} simulations: ${number(found)}.` +
    (others.length ? ` It differs surely (p < ${level}) from ${sure} of ${others.length} others.` : ""));
  const volume = first.hypervolume !== null;
  const head = ["contestant", `median ${metric}`, "quartiles", "over the best", ...(volume ? ["hypervolume"] : []), "until accepted", `until within ${percent(near)}`, "infeasible", "s per proposal", "chance to beat the first", "p against the first"];
  fill("ranking", table(head, parts.standings.map((s, k) => {
    const [low, middle, high] = last(s), d = k ? duel(s.optimizer, first.optimizer) : null;
    return { class: k ? "" : "strong", cells: [
      { cell: swatch(k, s.optimizer) }, number(middle), middle === null ? "–" : `${number(low)} to ${number(high)}`,
      middle === null || !found ? "–" : number(middle / found),
      ...(volume ? [number(s.hypervolume[1])] : []),
      count(s.first_accepted[1]), count(s.near_best[1]), percent(s.infeasible_share[1]), s.ask_s === null ? "–" : number(s.ask_s),
      d ? percent(d.better) : "", d ? number(d.p) : "",
    ] };
  })));
  fill("ranking-note", `Medians of ${seeds} seeds, the same for all. Chance to beat: Vargha and Delaney's A, ties half; 50 % is no difference, below 29 % a large one. p: Wilcoxon's signed-rank test on paired seeds, corrected for all pairs (Holm)` +
    (2 / 2 ** seeds > level ? `; with ${seeds} seeds no p can be below ${number(2 / 2 ** seeds)}, however clear the difference.` : "."));
  const rows = parts.standings.flatMap((s) => Object.entries(s.broken).map(([seed, why]) => [`${s.optimizer}, seed ${seed}`, { cell: why, class: "text wrap" }]));
  if (rows.length) fill("broken", make("h3", {}, "Runs that ended early"), table(["run", ["why", "text"]], rows));
}

function swatch(k, label) {
  const key = make("span", { class: "key" });
  key.style.background = ink(k);
  return make("span", {}, key, label);
}

function drawCurves(element) {
  const { metric, budget } = parts.about, log = $("log-trials").checked;
  const traces = [];
  parts.lines.forEach((line, k) => {
    const kept = line.at.map((_, i) => i).filter((i) => line.middle[i] !== null);
    const whole = kept.filter((i) => line.low[i] !== null && line.high[i] !== null);
    const edge = { mode: "lines", line: { width: 0, shape: "hv" }, hoverinfo: "skip", showlegend: false, legendgroup: line.label, x: whole.map((i) => line.at[i]) };
    traces.push({ ...edge, y: whole.map((i) => line.low[i]) }, { ...edge, y: whole.map((i) => line.high[i]), fill: "tonexty", fillcolor: `${ink(k)}22` });
    traces.push({ x: kept.map((i) => line.at[i]), y: kept.map((i) => line.middle[i]), mode: "lines", name: safe(few(line.label)), legendgroup: line.label,
      line: { color: ink(k), width: 2.4, shape: "hv", dash: DASH[k % DASH.length] }, hovertemplate: `%{x} simulations: %{y:.4g}<extra>${safe(line.label)}</extra>` });
  });
  const seen = parts.lines.flatMap((l) => { const v = l.middle.filter((x) => x !== null); return v.slice(Math.floor(v.length / 10)); });
  if (!seen.length) return nothing(element, "No design keeps every limit yet.");
  const ticks = log ? { type: "log", range: [0, Math.log10(budget)], ...logTicks(1, budget) } : { type: "linear", range: [0, budget] };
  plot(element, traces, { margin: { l: 70, r: 16, t: 20 + 22 * Math.ceil(parts.lines.length / 4), b: 48 }, xaxis: { title: { text: "simulations" }, ...ticks }, yaxis: { title: { text: safe(metric) }, ...fitting(seen, false) }, uirevision: String(log) });
  fill("curves-note", "Lines are medians over seeds, bands span the quartiles. A line begins where half of the seeds have a design that keeps every limit. Click a name to hide it.");
}

function showMarks() {
  const marks = Object.keys(parts.standings[0].best);
  fill("marks", table(["contestant", ...marks.map((m) => Number(m).toLocaleString("en-US"))], parts.standings.map((s) => [s.optimizer, ...marks.map((m) => number(s.best[m][1]))])));
}

function bars(element, values, text, layout) {
  const k = parts.standings.map((_, i) => i).reverse();
  const labels = k.map((i) => safe(few(parts.standings[i].optimizer, 26)));
  plot(element, [{ type: "bar", orientation: "h", y: k.map((i) => i), x: k.map((i) => values[i].length), base: 0, text: k.map((i) => text(i)), textposition: "outside", cliponaxis: false,
    marker: { color: k.map((i) => (values[i].reached ? ink(i) : "#e4e4e4")) }, error_x: { type: "data", symmetric: false, array: k.map((i) => values[i].more), arrayminus: k.map((i) => values[i].less), color: "#555", thickness: 1.2, width: 3 },
    hovertemplate: k.map((i) => `${safe(parts.standings[i].optimizer)}: ${text(i)}<extra></extra>`), showlegend: false }],
    { margin: { l: 20, r: 60, t: 40, b: 44 }, yaxis: { tickvals: k, ticktext: labels, range: [parts.standings.length - 0.4, -0.6], showgrid: false }, ...layout });
}

function drawNeeded(element) {
  const { budget, near } = parts.about;
  const values = parts.standings.map((s) => {
    const [low, middle, high] = s.near_best.map((v) => (v === null ? budget : v));
    return { length: middle, less: middle - low, more: high - middle, reached: s.near_best[1] !== null };
  });
  bars(element, values, (i) => (values[i].reached ? count(values[i].length) : "not within the budget"), {
    title: { text: `Simulations until within ${percent(near)} of the best known`, font: { size: 14 }, x: 0.01 }, xaxis: { range: [0, budget * 1.3] } });
  fill("needed-note", "Bars are medians, whiskers the quartiles over seeds; the best known is the best of all runs shown.");
}

function drawAsk(element) {
  const seconds = parts.standings.map((s) => s.ask_s), seen = seconds.filter((s) => s > 0);
  if (!seen.length) return nothing(element, "No contestant proposed twice.");
  const low = Math.log10(Math.min(...seen)) - 0.5, high = Math.log10(Math.max(...seen)) + 0.7;
  plot(element, [{ type: "scatter", mode: "markers+text", x: seconds, y: seconds.map((_, i) => i), text: seconds.map((s) => (s === null ? "" : ` ${number(s)} s`)), textposition: "middle right", marker: { size: 11, color: seconds.map((_, i) => ink(i)) }, showlegend: false, hovertemplate: "%{x:.3g} s<extra></extra>" }],
    { title: { text: "Seconds for a proposal", font: { size: 14 }, x: 0.01 }, margin: { l: 20, r: 20, t: 40, b: 44 }, xaxis: { type: "log", range: [low, high], ...logTicks(10 ** low, 10 ** high) },
      yaxis: { tickvals: seconds.map((_, i) => i), ticktext: parts.standings.map((s) => safe(few(s.optimizer, 26))), range: [seconds.length - 0.4, -0.6], showgrid: false } });
}

function showDuels() {
  const names = parts.standings.map((s) => s.optimizer), { level } = parts.about;
  if (names.length < 2) return fill("duels-table", "One contestant alone.");
  fill("duels-table", table(["chance that the row's run ends better than the column's", ...names.map((_, i) => String(i + 1))], names.map((one, i) => [swatch(i, `${i + 1} ${one}`), ...names.map((other) => {
    const d = duel(one, other);
    if (!d) return "";
    const cell = make("span", { title: `p = ${number(d.p)}` }, percent(d.better));
    const strength = Math.round(110 * Math.abs(d.better - 0.5));
    cell.style.cssText = `padding: .1rem .3rem; background: ${d.better >= 0.5 ? "#0072b2" : "#e69f00"}${strength.toString(16).padStart(2, "0")};` + (d.p < level ? " font-weight: 700; outline: 1.5px solid #333;" : "");
    return cell;
  })])));
  fill("duels-note", `Blue: the row is ahead; orange: the column. Framed: p < ${level} after correction.`);
}

function showSensitivity() {
  $("sensitivity").hidden = $("to-sensitivity").hidden = !parts.sensitivity.length;
  fill("sensitivity-body", ...parts.sensitivity.flatMap((one, k) => {
    const id = `effects-${k}`, { level, seeds, metric } = parts.about;
    const rows = one.effects.map((e) => ({ class: e.p < level ? "strong" : "", cells: [e.option, shown(e.default), shown(e.value), e.change === null ? "–" : percent(e.change, 1), percent(e.better), number(e.p), `${e.found} of ${seeds}`] }));
    const drawn = make("div", { class: "chart", id, tabindex: 0, role: "img", "aria-label": `Effects of the options of ${one.label}` });
    drawn.style.height = `${110 + 24 * one.effects.length}px`;
    return [make("h3", {}, one.label), make("figure", {}, drawn), table(["option", "default", "at", `change of ${metric}`, "chance to beat the default", "p", "found a design"], rows), ...one.remarks.map((text) => make("p", { class: "note" }, text))];
  }));
  parts.sensitivity.forEach((one, k) => chart(`effects-${k}`, (element) => drawEffects(element, one)));
}

function drawEffects(element, one) {
  const rows = one.effects.map((_, i) => i), worse = parts.about.sense === "maximize" ? -1 : 1;
  if (!one.effects.some((e) => e.change !== null)) return nothing(element, "No paired runs both found a design.");
  const bar = (name, color, shape, kept) => {
    const shownRows = rows.filter((i) => one.effects[i].change !== null && kept(worse * one.effects[i].change));
    return { type: "bar", orientation: "h", name, y: shownRows, x: shownRows.map((i) => one.effects[i].change), text: shownRows.map((i) => percent(one.effects[i].change, 1)), textposition: "outside", cliponaxis: false,
      marker: { color, pattern: hatched(shape) }, hovertemplate: "%{x:+.2%}<extra></extra>" };
  };
  const changes = [0, ...one.effects.map((e) => e.change ?? 0)], low = Math.min(...changes), high = Math.max(...changes);
  const margin = 0.12 * (high - low || 0.01); /* room for the numbers beside the bars */
  plot(element, [bar("better than the default", COLOR.accepted, "", (x) => x <= 0), bar("worse", COLOR.beyond, "/", (x) => x > 0)],
    { title: { text: `Change of ${safe(parts.about.metric)} at the end, from the default's`, font: { size: 14 }, x: 0.01 }, margin: { l: 20, r: 60, t: 62, b: 44 }, xaxis: { tickformat: "+.0%", range: [low - margin, high + margin], zeroline: true, zerolinecolor: "#333" },
      yaxis: { tickvals: rows, ticktext: one.effects.map((e) => safe(`${e.option} = ${shown(e.value)}`)), range: [rows.length - 0.4, -0.6], showgrid: false } });
}

function start() {
  for (const element of document.querySelectorAll('script[type="application/json"]')) parts[element.dataset.part] = JSON.parse(element.textContent);
  const { about } = parts;
  fill("title", about.title);
  fill("goal", `${parts.standings.length} contestants, ${about.seeds} seeds each, ${about.budget.toLocaleString("en-US")} simulations a run`);
  fill("provenance", table(null, Object.entries(about.facts).map(([name, text]) => [name, { cell: text, class: "text wrap" }])));
  const tall = `${Math.max(220, 110 + 34 * parts.standings.length)}px`;
  for (const id of ["needed-chart", "ask-chart"]) $(id).style.height = tall;
  showVerdict();
  showMarks();
  showDuels();
  chart("curves-chart", drawCurves);
  chart("needed-chart", drawNeeded);
  chart("ask-chart", drawAsk);
  showSensitivity();
  $("log-trials").addEventListener("change", () => changed("curves-chart"));
}

start();
