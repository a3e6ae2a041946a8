/* What was found, and how the search went. */

function designColumns() {
  const { digest, references } = parts;
  const found = digest.best.length ? digest.best : digest.nearest;
  const ours = found.slice(0, 4).map((t) => ({ name: trialName(t), ...t }));
  const named = (references ? references.designs : []).map((r) => ({ ...r, reference: true }));
  return { ours, named };
}

function showVerdict() {
  const { digest, about } = parts;
  const { ours, named } = designColumns();
  fill("sentence", verdict(ours[0], named));
  showStates();
  if (!ours.length && !named.length) { fill("best", "There is no design to show yet."); return; }
  const all = [...ours, ...named];
  const first = ours[0] || named[0];
  const metrics = shownMetrics({ ...(named[0] || {}).metrics, ...first.metrics });
  const limited = new Map(about.goal.limits.map((l) => [l.metric, l]));
  const rows = [];
  for (const metric of metrics) {
    const strong = wantedMetrics().includes(metric);
    rows.push({ class: strong ? "strong" : "", cells: [metric, ...all.map((d) => measured(d, metric, limited.get(metric)))] });
  }
  Object.keys(first.design).forEach((name, i) => {
    rows.push({ class: i ? "" : "group", cells: [name, ...all.map((d) => shown(d.design[name] ?? "–"))] });
  });
  const heads = ["", ...ours.map((d) => d.name), ...named.map((d) => {
    const head = make("span", d.description ? { title: d.description } : {}, d.name);
    head.append(make("br"), make("span", { class: "dim" }, d.reason ? "cannot run" : d.accepted ? "reference" : "reference, beyond a limit"));
    return head;
  })];
  fill("best", table(heads, rows));
  const why = named.filter((d) => d.reason).map((d) => `${d.name}: ${d.reason}`);
  const note = parts.references ? parts.references.reason : "";
  fill("references-note", [note ? `No reference designs: ${note}.` : "", ...why].filter(Boolean).join(" · "));
}

function measured(design, metric, limit) {
  const value = design.metrics[metric];
  const over = limit && value !== undefined && (limit.relation === "<=" ? value > limit.bound : value < limit.bound);
  return over ? make("span", { class: "beyond", title: `beyond ${limit.text}` }, number(value)) : number(value);
}

function verdict(best, named) {
  const { digest, about } = parts;
  const objective = about.goal.objectives[0];
  if (!digest.trials) return "The log holds no trials yet.";
  if (!best) return "No design works: see why below.";
  if (!digest.best.length) return `No design keeps every limit. The nearest has ${limitText(best)}.`;
  const others = about.goal.objectives.length > 1 ? ` by ${objective.metric} (${digest.front_size.toLocaleString("en-US")} on the front)` : "";
  const words = [`Best of ${digest.trials.toLocaleString("en-US")} trials${others}: ${objective.metric} ${number(best.metrics[objective.metric])}`];
  for (const metric of wantedMetrics().slice(1)) words.push(`${metric} ${number(best.metrics[metric])}`);
  const rivals = named.filter((d) => !d.reason && d.metrics[objective.metric] > 0);
  const ratios = rivals.map((d) => {
    const ratio = objective.sense === "minimize" ? d.metrics[objective.metric] / best.metrics[objective.metric] : best.metrics[objective.metric] / d.metrics[objective.metric];
    return `${ratio >= 1 ? `${number(Number(ratio.toPrecision(3)))} times better than` : `${number(Number((1 / ratio).toPrecision(3)))} times worse than`} ${d.name}${d.accepted ? "" : " (which is beyond a limit)"}`;
  });
  const binds = digest.limits.filter((l) => l.binds).map((l) => `${l.limit} keeps out better designs, down to ${number(l.without.metrics[objective.metric])}`.replace("down", objective.sense === "minimize" ? "down" : "up"));
  const limits = about.goal.limits.length ? ` ${binds.length ? binds.join("; ") : "No limit keeps a better design out"}.` : "";
  return `${words.join(", ")}${ratios.length ? `; ${ratios.join(", ")}` : ""}.${limits}`;
}

const limitText = (d) => parts.about.goal.limits.map((l) => `${number(d.metrics[l.metric])} ${l.metric} (wanted ${l.text})`).join(", ");

function showStates() {
  const counts = parts.digest.states, total = parts.digest.trials;
  if (!total) { fill("states"); return; }
  const strip = make("div", { class: "strip", role: "img", "aria-label": "Outcomes" });
  const legend = make("div", { class: "legend" });
  counts.forEach((count, i) => {
    if (!count) return;
    const part = make("span", { class: `s${i}` });
    part.style.width = `${(100 * count) / total}%`;
    strip.append(part);
    legend.append(make("span", {}, make("span", { class: `key s${i}` }), `${STATES[i]} ${count.toLocaleString("en-US")} (${percent(count / total, 1)})`));
  });
  fill("states", strip, legend);
}

/* ---- trade-off ---- */
let wholeRange = false;

function metricNames() {
  const names = [...trials.metrics.keys()];
  const wanted = wantedMetrics().filter((n) => names.includes(n));
  return [...wanted, ...names.filter((n) => !wanted.includes(n))];
}

function setUpTradeOff() {
  const names = metricNames();
  const second = names.find((n) => n !== names[0]) ?? names[0];
  const before = $("tradeoff-x").options.length;
  choices("tradeoff-y", names.map((n) => [n, n]), before ? undefined : names[0]);
  choices("tradeoff-x", names.map((n) => [n, n]), before ? undefined : second);
  if (!before && names.length) for (const axis of ["x", "y"]) $(`tradeoff-${axis}-large`).checked = largerIsBetter($(`tradeoff-${axis}`).value);
}

let front = [];

function frontOf(rows, x, y, signX, signY) {
  const sorted = rows.slice().sort((a, b) => signX * (x[a] - x[b]) || signY * (y[a] - y[b]));
  let least = Infinity;
  return sorted.filter((i) => { if (signY * y[i] < least) { least = signY * y[i]; return true; } return false; });
}

function drawTradeOff(element) {
  const nx = $("tradeoff-x").value, ny = $("tradeoff-y").value;
  const cx = trials.metrics.get(nx), cy = trials.metrics.get(ny);
  if (!cx || !cy) { fill("tradeoff-note"); fill("front"); return nothing(element, "No design works: there is nothing to trade off."); }
  const x = cx.data, y = cy.data, accepted = [], beyond = [];
  const keep = keptTest();
  for (let i = 0; i < trials.n; i++) if (trials.state.data[i] < 2 && keep(i)) (trials.state.data[i] ? beyond : accepted).push(i);
  const signX = $("tradeoff-x-large").checked ? -1 : 1, signY = $("tradeoff-y-large").checked ? -1 : 1;
  front = frontOf(accepted, x, y, signX, signY);
  const dots = (rows, name, marker) => ({
    name, type: "scatter", mode: "markers", marker, x: rows.map((i) => x[i]), y: rows.map((i) => y[i]),
    hoverinfo: "text", hovertext: rows.map((i) => hover(trials.row(i))), customdata: rows,
  });
  const drawn = [thinned(beyond, mostPoints()), thinned(accepted, mostPoints())];
  const traces = [
    dots(drawn[0], "beyond a limit", { symbol: "x-thin", size: 6, opacity: 0.75, line: { color: "#b87800", width: 1.1 } }),
    dots(drawn[1], "accepted", { symbol: "circle", size: 6, color: COLOR.accepted, opacity: 0.55 }),
    { ...dots(thinned(front, mostPoints()), "front", { symbol: "diamond", size: 8, color: COLOR.ink }), mode: "lines+markers", line: { shape: signY * signX > 0 ? "hv" : "hv", color: COLOR.ink, width: 1.3 } },
  ];
  const named = parts.references ? parts.references.designs.filter((d) => nx in d.metrics && ny in d.metrics) : [];
  if (named.length) traces.push({
    name: "reference", type: "scatter", mode: "markers+text", text: named.map((d) => safe(d.name)), textposition: "top center", cliponaxis: false,
    x: named.map((d) => d.metrics[nx]), y: named.map((d) => d.metrics[ny]), marker: { symbol: "star", size: 13, color: "#cc79a7", line: { color: COLOR.ink, width: 1 } },
    hoverinfo: "text", hovertext: named.map((d) => `<b>${safe(d.name)}</b><br>${safe(nx)}: ${number(d.metrics[nx])}<br>${safe(ny)}: ${number(d.metrics[ny])}`),
  });
  const shapes = [], annotations = [];
  for (const limit of parts.about.goal.limits) for (const [name, axis] of [[nx, "x"], [ny, "y"]]) {
    if (limit.metric !== name) continue;
    const other = axis === "x" ? "y" : "x";
    shapes.push({ type: "line", [`${axis}0`]: limit.bound, [`${axis}1`]: limit.bound, [`${axis}ref`]: axis, [`${other}0`]: 0, [`${other}1`]: 1, [`${other}ref`]: "paper", line: { color: COLOR.ink, width: 1.5, dash: "dash" } });
    annotations.push({ [axis]: limit.bound, [other]: 1, [`${axis}ref`]: axis, [`${other}ref`]: "paper", text: safe(limit.text), showarrow: false, xanchor: axis === "x" ? "left" : "right", yanchor: axis === "x" ? "top" : "bottom", bgcolor: "#ffffffcc" });
  }
  const bounds = (name) => parts.about.goal.limits.filter((l) => l.metric === name).map((l) => l.bound);
  const all = [...accepted, ...beyond];
  const ax = fitting(all.map((i) => x[i]), wholeRange, [...bounds(nx), ...named.map((d) => d.metrics[nx])]);
  const ay = fitting(all.map((i) => y[i]), wholeRange, [...bounds(ny), ...named.map((d) => d.metrics[ny])]);
  if (ax.type === "log") annotations.forEach((a) => { if (a.xref === "x") a.x = Math.log10(a.x); });
  if (ay.type === "log") annotations.forEach((a) => { if (a.yref === "y") a.y = Math.log10(a.y); });
  plot(element, traces, {
    xaxis: { title: { text: safe(nx) }, ...ax }, yaxis: { title: { text: safe(ny) }, ...ay }, shapes, annotations,
    uirevision: `${nx} ${ny} ${wholeRange}`,
  }, { plotly_click: (event) => { const i = event.points[0].customdata; if (i !== undefined) compareTrial(i); } });
  const lost = accepted.length - drawn[1].length + beyond.length - drawn[0].length;
  fill("tradeoff-note", `${accepted.length.toLocaleString("en-US")} accepted designs, ${beyond.length.toLocaleString("en-US")} beyond a limit, ${front.length.toLocaleString("en-US")} on the front of these two metrics. ` +
    (lost ? `Of the dots ${(drawn[0].length + drawn[1].length).toLocaleString("en-US")} are drawn, evenly picked; the front is of all. ` : "") +
    (filters.size ? "Only designs in the chosen ranges. " : "") + "Click a design to see what changed from the best.");
  const columns = [...new Set([nx, ny, ...wantedMetrics()])].filter((n) => trials.metrics.has(n));
  fill("front", table(["design", ...columns, ...trials.parameters.keys()], thinned(front, 60).map((i) => {
    const row = trials.row(i);
    return [trialName(row), ...columns.map((n) => number(row.metrics[n])), ...Object.values(row.design).map(shown)];
  })));
}

/* ---- convergence, outcomes over time ---- */
function drawConvergence(element) {
  if (!parts.digest) return;
  const { convergence } = parts.digest;
  const lines = convergence.lines.filter((l) => l.at.length);
  if (!lines.length) { fill("convergence-note"); fill("convergence-table"); return nothing(element, "No design keeps every limit yet."); }
  const names = [...new Set(convergence.lines.map((l) => l.label))];
  const traces = [];
  const dots = acceptedDots(convergence.metric);
  if (dots) traces.push(dots);
  for (const band of convergence.bands) {
    const k = names.indexOf(band.label), color = PALETTE[k % PALETTE.length];
    const since = (end, list) => list.filter((_, i) => band[end][i] !== null); /* until then it is worse than any */
    const edge = { mode: "lines", x: since("high", band.at), line: { width: 0, shape: "hv" }, hoverinfo: "skip", showlegend: false };
    traces.push({ ...edge, y: since("high", band.low) }, { ...edge, y: since("high", band.high), fill: "tonexty", fillcolor: `${color}30` });
    traces.push({ x: since("mid", band.at), y: since("mid", band.mid), mode: "lines", name: `${safe(band.label)}, median of ${band.seeds}`, line: { color, width: 2.6, shape: "hv", dash: DASH[k % DASH.length] } });
  }
  lines.forEach((line) => {
    const k = names.indexOf(line.label), alone = !convergence.bands.some((b) => b.label === line.label);
    traces.push({
      x: line.at, y: line.best, mode: "lines", line: { shape: "hv", width: alone ? 2.2 : 0.8, color: lines.length === 1 ? COLOR.ink : PALETTE[k % PALETTE.length], dash: alone ? DASH[k % DASH.length] : "solid" },
      opacity: alone ? 1 : 0.55, name: lines.length === 1 ? "best so far" : `${safe(line.label)}, seed ${line.seed}`, showlegend: alone,
      hovertemplate: `%{x} trials: %{y:.4g}<extra>${safe(line.label)}, seed ${line.seed}</extra>`,
    });
  });
  const values = lines.flatMap((l) => l.best);
  plot(element, traces, { title: { text: safe(`Best ${convergence.metric} so far`), font: { size: 14 }, x: 0.01 }, margin: { l: 64, r: 16, t: 62, b: 44 },
    xaxis: { title: { text: "trials" }, rangemode: "tozero" }, yaxis: fitting(dots ? dots.y : values, false, values.slice(-1)) });
  const seeds = convergence.bands.length ? "Bands span the quartiles of the seeds, thin lines are the seeds. " : "";
  const last = lines.map((l) => (l.at.length > 1 ? l.at[l.at.length - 2] : l.at[0]));
  fill("convergence-note", seeds + (lines.length === 1 ? `The last improvement came at trial ${last[0].toLocaleString("en-US")} of ${trials.n.toLocaleString("en-US")}.` : ""));
  fill("convergence-table", table(["run", "trials", convergence.metric], lines.flatMap((l) => l.at.map((n, i) => [`${l.label}, seed ${l.seed}`, n.toLocaleString("en-US"), number(l.best[i])])).slice(-60)));
}

function acceptedDots(metric) {
  const column = trials.metrics.get(metric);
  if (!column || parts.about.runs.length > 1) return null;
  const rows = [];
  for (let i = 0; i < trials.n; i++) if (trials.state.data[i] === 0) rows.push(i);
  const drawn = thinned(rows, 2000);
  return { type: "scatter", mode: "markers", name: drawn.length < rows.length ? `accepted (${drawn.length.toLocaleString("en-US")} of ${rows.length.toLocaleString("en-US")} drawn)` : "accepted", x: drawn.map((i) => trials.index.data[i] + 1), y: drawn.map((i) => column.data[i]),
    marker: { size: 4.5, color: COLOR.accepted, opacity: 0.4 }, hovertemplate: "trial %{x}: %{y:.4g}<extra></extra>" };
}

function drawOutcomes(element) {
  if (!parts.digest) return;
  const { edges, shares } = parts.digest.over_time;
  if (edges.length < 2) { fill("outcomes-note"); return nothing(element, "No trials yet."); }
  const color = [COLOR.accepted, COLOR.beyond, COLOR.broken, COLOR.failed, "#f2c0a2"], pattern = ["", "/", "", "x", "-"];
  const traces = STATES.map((name, k) => ({
    type: "bar", name, x: edges.slice(1).map((e, i) => (e + edges[i]) / 2), y: shares[k], width: edges.slice(1).map((e, i) => e - edges[i]),
    marker: { color: color[k], pattern: hatched(pattern[k]), line: { width: 0 } },
    hovertemplate: `%{y:.1%} ${name}<extra></extra>`,
  })).filter((_, k) => shares[k].some((v) => v > 0));
  plot(element, traces, { barmode: "stack", bargap: 0, title: { text: "Outcomes over time", font: { size: 14 }, x: 0.01 }, margin: { l: 64, r: 16, t: 62, b: 44 }, xaxis: { title: { text: "trials" }, range: [0, edges[edges.length - 1]] }, yaxis: { tickformat: ".0%", range: [0, 1] }, legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", traceorder: "normal" } });
  const n = shares[0].length, mean = (k, a, b) => shares[k].slice(a, b).reduce((s, v) => s + v, 0) / Math.max(1, b - a);
  const cut = Math.max(1, Math.floor(n / 5));
  fill("outcomes-note", n > 4 ? `Accepted: ${percent(mean(0, 0, cut))} of the first fifth of the trials, ${percent(mean(0, n - cut, n))} of the last.` : "");
}

function drawHypervolume(element) {
  const found = parts.hypervolume;
  if (!found || !found.length) return;
  plot(element, found.map((line, k) => ({ x: line.at, y: line.share, mode: "lines+markers", name: safe(line.name), line: { shape: "hv", color: PALETTE[k % PALETTE.length], dash: DASH[k % DASH.length], width: 2 }, marker: { size: 4 }, hovertemplate: "%{x} trials: %{y:.4f}<extra></extra>" })),
    { title: { text: "Hypervolume", font: { size: 14 }, x: 0.01 }, margin: { l: 64, r: 16, t: 62, b: 44 }, showlegend: true, xaxis: { title: { text: "trials" } }, yaxis: { rangemode: "tozero" } });
}

/* ---- limits, reasons ---- */
function showLimits() {
  const { limits, best } = parts.digest;
  const objective = parts.about.goal.objectives[0].metric;
  if (!limits.length) { fill("limits-table", "The study has no limits."); return; }
  fill("limits-table", table(["limit", "best design has", "of the limit", "", "designs beyond it", "beyond it alone", [`best ${objective} without it`, "text"]], limits.map((use) => {
    const share = use.value === null || use.bound === 0 ? null : use.value / use.bound;
    const bar = make("span", { class: `bar ${use.binds ? "s1" : "s0"}` });
    bar.style.width = `${Math.min(1, share ?? 0) * 9}em`;
    const without = use.without ? `${number(use.without.metrics[objective])} (${trialName(use.without)}, ${number(use.without.metrics[use.metric])} ${use.metric})` : "no better";
    return { class: use.binds ? "strong" : "", cells: [use.limit, number(use.value), share === null ? "–" : percent(share), share === null ? "" : bar, use.beyond.toLocaleString("en-US"), use.alone.toLocaleString("en-US"), { cell: `${without}${use.binds ? " – binds" : ""}`, class: "text" }] };
  })));
}

function showReasons() {
  const { reasons, failures, states, trials: total } = parts.digest;
  const shownOf = (list, n, title) => {
    if (!list.length) return [];
    const most = list[0][1];
    return [make("h3", {}, title), table(["trials", "share", "", ["reason", "text"]], list.slice(0, 14).map(([kind, count]) => {
      const bar = make("span", { class: "bar s2" });
      bar.style.width = `${(12 * count) / most}em`;
      return [count.toLocaleString("en-US"), percent(count / n, 1), { cell: bar, class: "text" }, { cell: kind, class: "text wrap" }];
    })), list.length > 14 ? make("p", { class: "note" }, `and ${list.length - 14} other kinds`) : ""];
  };
  const made = [...shownOf(reasons, states[2], `Infeasible: ${states[2].toLocaleString("en-US")} of ${total.toLocaleString("en-US")} trials`), ...shownOf(failures, states[3] + states[4], "Simulations that broke")];
  fill("reasons", ...(made.length ? made : [total ? "Every design that was simulated works." : "No trials yet."]));
  if (reasons.length) $("reasons").append(make("p", { class: "note" }, "Numbers in reasons differ from design to design and are left out (…); a design may have several reasons."));
}

/* ---- importance ---- */
const target = () => (parts.importance || []).find((one) => one.target === $("target").value);

function setUpImportance() {
  choices("target", (parts.importance || []).map((one) => [one.target, one.target]));
  setUpEffects();
}

function setUpEffects() {
  const one = target();
  $("importance-charts").hidden = !one || Boolean(one.reason);
  if (!one || one.reason) { fill("trust", one ? `Nothing to say about ${one.target}: ${one.reason}.` : "Nothing to say yet."); return; }
  const r2 = one.kind === "R2", good = r2 ? one.score >= 0.7 : one.score >= 0.8, bad = r2 ? one.score < 0.3 : one.score < 0.6;
  const judged = r2 ? `R² ${one.score.toFixed(2)}${one.log ? " of its logarithm" : ""}` : `balanced accuracy ${percent(one.score)}`;
  fill("trust", make("span", bad ? { class: "warn" } : {}, bad ? "Do not trust this: a" : good ? "A" : "With reserve: a"),
    ` random forest of ${one.trials.toLocaleString("en-US")} trials has ${judged} on trials that it did not see. A search looks most at good designs, so this is about the region that it visited.`);
  choices("effect", [...one.effects.map((e, i) => [`one ${i}`, e.name]), ...one.pairs.map((p, i) => [`two ${i}`, `${p.a} with ${p.b} (${percent(p.share, 1)})`])]);
}

function drawImportance(element) {
  const one = target();
  if (!one || one.reason) return;
  const rows = one.main.slice(0, 14).reverse();
  plot(element, [{ type: "bar", orientation: "h", y: rows.map((r) => safe(r[0])), x: rows.map((r) => Math.max(r[1], 0)), error_x: { type: "data", array: rows.map((r) => r[2]), color: "#555", thickness: 1.2, width: 3 }, marker: { color: COLOR.accepted }, hovertemplate: "%{y}: %{x:.3f}<extra></extra>" }],
    { margin: { l: 150, r: 16, t: 36, b: 48 }, xaxis: { title: { text: one.kind === "R2" ? "R² lost when it is shuffled" : "balanced accuracy lost when it is shuffled" }, rangemode: "tozero" }, yaxis: { type: "category" }, showlegend: false });
  fill("importance-note", `Parameters by how much worse the forest predicts ${one.target} without them; lines are one standard deviation of 5 shuffles.`);
}

function drawEffect(element) {
  const one = target();
  if (!one || one.reason) return;
  if (!one.effects.length) { fill("effect-note"); return nothing(element, "No parameter helps the forest to predict it."); }
  const [kind, place] = $("effect").value.split(" ");
  const value = (v) => (one.log ? Math.exp(v) : v);
  const label = one.kind === "R2" ? one.target : "share that works";
  const words = (list) => list.map((v) => safe(shown(v)));
  if (kind === "one") {
    const e = one.effects[place];
    plot(element, [{ x: words(e.values), y: e.mean.map(value), mode: "lines+markers", line: { color: COLOR.ink, width: 2 }, marker: { size: 7 }, hovertemplate: `${safe(e.name)} %{x}: %{y:.4g}<extra></extra>` }],
      { uirevision: $("effect").value, margin: { l: 64, r: 16, t: 36, b: 48 }, xaxis: { title: { text: safe(e.name) }, type: "category" }, yaxis: { title: { text: safe(label) }, rangemode: one.log ? "normal" : "tozero" }, showlegend: false });
    fill("effect-note", `What the forest predicts where ${e.name} has a value, on average over designs of the log.`);
    return;
  }
  const p = one.pairs[place];
  plot(element, [{ type: "heatmap", x: words(p.b_values), y: words(p.a_values), z: p.mean.map((row) => row.map(value)), colorscale: "Cividis", colorbar: { title: { text: safe(label), side: "right" }, thickness: 14 }, xgap: 1, ygap: 1, hovertemplate: `${safe(p.a)} %{y}, ${safe(p.b)} %{x}: %{z:.4g}<extra></extra>` }],
    { uirevision: $("effect").value, margin: { l: 80, r: 16, t: 36, b: 48 }, xaxis: { title: { text: safe(p.b) }, type: "category" }, yaxis: { title: { text: safe(p.a) }, type: "category" } });
  fill("effect-note", `The two together; ${percent(p.share, 1)} of the variance of the forest's predictions is due to their interaction, beyond what each does alone.`);
}
