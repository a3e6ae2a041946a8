"use strict";
/* What all views share: elements, numbers, charts that draw when seen, and the trials. */

const STATES = ["accepted", "beyond a limit", "infeasible", "failed", "timed out"];
const COLOR = { accepted: "#0072b2", beyond: "#e69f00", broken: "#cfcfcf", failed: "#d55e00", ink: "#1d1f21" };
/* Okabe and Ito, "Color Universal Design", 2008; each differs from its neighbors in lightness, too. */
const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#f0e442", "#7a7a7a", "#1d1f21"];
const HATCH = ["", "/", "", "x", "", "\\", ".", "-", ""];
const DASH = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif";
const mostPoints = () => (trials.n > 20000 ? 1500 : 3000);
const hatched = (shape) => ({ shape, fillmode: "overlay", fgcolor: "#fff", fgopacity: 0.85, size: 6 });

const $ = (id) => document.getElementById(id);
const parts = {};

/* Text goes in as text: no name of a file or a log is ever parsed as HTML. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  for (const child of children) element.append(child instanceof Node ? child : String(child));
  return element;
}

function fill(id, ...children) {
  $(id).replaceChildren(...children);
}

/* Plotly reads a few tags and entities in its texts. */
function safe(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (typeof value !== "number") return shown(value);
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 10000) return String(value);
  if (size >= 1e4 && size < 1e12) return Number(value.toPrecision(4)).toLocaleString("en-US");
  if (size >= 1e-4 && size < 1e4) return String(Number(value.toPrecision(4)));
  return value.toExponential(3);
}

function shown(value) {
  if (Array.isArray(value)) return value.map(shown).join(" ");
  if (Number.isInteger(value) && Math.abs(value) < 1e12) return value >= 10000 ? value.toLocaleString("en-US") : String(value);
  return typeof value === "number" ? number(value) : String(value);
}

const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;

/* A long name may go on in another line after an underscore. */
function breakable(text) {
  return text instanceof Node ? [text] : String(text).split(/(?<=_)/).flatMap((word, i) => (i ? [make("wbr"), word] : [word]));
}

function table(head, rows, options = {}) {
  const made = make("table", options.class ? { class: options.class } : {});
  if (head) made.append(make("thead", {}, make("tr", {}, ...head.map((h) => make("th", { scope: "col", ...(Array.isArray(h) ? { class: h[1] } : {}) }, ...breakable(Array.isArray(h) ? h[0] : h))))));
  const body = make("tbody");
  for (const row of rows) {
    const tr = make("tr", row.class ? { class: row.class } : {});
    (row.cells || row).forEach((cell, i) => {
      const is = cell && cell.cell !== undefined ? cell : { cell };
      tr.append(make(i === 0 && !options.plain ? "th" : "td", { ...(i === 0 && !options.plain ? { scope: "row" } : {}), ...(is.class ? { class: is.class } : {}) }, is.cell));
    });
    body.append(tr);
  }
  made.append(body);
  return made;
}

function choices(id, items, chosen) {
  const select = $(id);
  const before = chosen === undefined ? select.value : chosen;
  const wanted = items.map(([value]) => String(value));
  const now = [...select.options].map((o) => o.value + "\n" + o.text).join("\n");
  if (now !== items.map(([value, text]) => `${value}\n${text}`).join("\n"))
    select.replaceChildren(...items.map(([value, text]) => make("option", { value }, text)));
  select.value = wanted.includes(String(before)) ? before : wanted[0] ?? "";
}

/* ---- charts: drawn when in view, and again when something changed ---- */
const charts = new Map();
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const chart = charts.get(entry.target.id);
    chart.seen = entry.isIntersecting;
  }
  soon();
}, { rootMargin: "300px" });
let asked = false, arriving = false;

function chart(id, draw, pause = 0) {
  charts.set(id, { draw, pause, dirty: true, seen: false, rests: 0 });
  watcher.observe($(id));
  $(id).addEventListener("pointerleave", soon);
}

function changed(...ids) {
  for (const id of ids) Object.assign(charts.get(id), { dirty: true, news: arriving });
  soon();
}

/* One chart a frame, and each at most a third of the time: the page stays responsive. News do not
   redraw a chart under the pointer: a tooltip, or a range being dragged, would be lost. */
function soon() {
  if (asked) return;
  asked = true;
  requestAnimationFrame((now) => {
    asked = false;
    for (const [id, one] of charts) {
      if (!one.dirty || !one.seen || $(id).offsetParent === null) continue;
      if (one.news && $(id).matches(":hover")) continue;
      if (now < one.rests) { setTimeout(soon, one.rests - now); continue; }
      one.dirty = one.news = false;
      const began = performance.now();
      one.draw($(id));
      if (parts.about.live) one.rests = performance.now() + Math.max(one.pause, 2 * (performance.now() - began));
      return soon();
    }
  });
}

/* Paper shows what was never scrolled to, too. */
window.addEventListener("beforeprint", () => {
  for (const [id, one] of charts) {
    if (!one.dirty || $(id).offsetParent === null) continue;
    one.dirty = one.news = false;
    one.draw($(id));
  }
});

/* Nothing leaves the page: no button uploads a chart. */
const CONFIG = {
  displaylogo: false, responsive: true, toImageButtonOptions: { format: "svg" },
  showSendToCloud: false, showEditInChartStudio: false, showLink: false, plotlyServerURL: "",
  modeBarButtonsToRemove: ["select2d", "lasso2d", "sendChartToCloud", "sendDataToCloud"],
};

function plot(element, traces, layout, events = {}) {
  const fresh = !element.classList.contains("js-plotly-plot");
  if (fresh) element.replaceChildren();
  element.classList.remove("empty");
  const axis = { gridcolor: "#e8e8e8", zerolinecolor: "#c8c8c8", linecolor: "#777", ticks: "outside", tickcolor: "#777", automargin: true };
  const { xaxis, yaxis, ...rest } = layout;
  Plotly.react(element, traces, {
    font: { family: FONT, size: 12.5, color: COLOR.ink },
    margin: { l: 64, r: 16, t: 34, b: 48 },
    paper_bgcolor: "#fff", plot_bgcolor: "#fff", hovermode: "closest",
    hoverlabel: { align: "left", bgcolor: "#fff", bordercolor: "#555", font: { family: FONT, size: 12, color: COLOR.ink }, namelength: -1 },
    legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", font: { size: 12 } },
    xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis },
    uirevision: rest.uirevision ?? "keep", ...rest,
  }, CONFIG);
  if (fresh) for (const [name, handler] of Object.entries(events)) element.on(name, handler);
}

function nothing(element, text) {
  if (element.classList.contains("js-plotly-plot")) Plotly.purge(element);
  element.classList.remove("js-plotly-plot");
  element.classList.add("empty");
  element.replaceChildren(text);
}

/* Labels of a logarithmic axis that say the whole number. */
function logTicks(low, high) {
  const steps = high > 2000 * low ? [1] : high > 50 * low ? [1, 3] : high > 8 * low ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 7];
  const tickvals = [];
  for (let k = Math.floor(Math.log10(low)) - 1; k <= Math.ceil(Math.log10(high)); k++) for (const step of steps) tickvals.push(step * 10 ** k);
  return { tickvals, ticktext: tickvals.map(number) };
}

/* The range of an axis: a few far values must not squeeze the rest. */
function fitting(values, whole, include = []) {
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort();
  if (!sorted.length) return { type: "linear" };
  let low = sorted[0], high = sorted[Math.max(0, Math.ceil(sorted.length * (whole ? 1 : 0.98)) - 1)];
  for (const value of include) if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  if (low > 0 && high > 8 * low) {
    const margin = 0.04 * Math.log10(high / low);
    return { type: "log", range: [Math.log10(low) - margin, Math.log10(high) + margin], ...logTicks(low, high) };
  }
  const margin = 0.05 * (high - low || Math.abs(low) || 1);
  return { type: "linear", range: [low - margin, high + margin] };
}

/* ---- trials: columns that grow ---- */
const ARRAYS = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, float32: Float32Array };

function unpacked(column) {
  const text = atob(column.bytes), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new ARRAYS[column.type](bytes.buffer);
}

class Column {
  constructor(coded, filler) {
    this.table = coded ? [] : null;
    this.place = new Map();
    this.filler = filler;
    this.data = coded ? new Uint16Array(64) : new Float64Array(64);
    this.length = 0;
  }
  room(n) {
    if (n <= this.data.length) return;
    const larger = new this.data.constructor(Math.max(n, 2 * this.data.length));
    larger.set(this.data.subarray(0, this.length));
    this.data = larger;
  }
  code(value) {
    if (!this.place.has(value)) { this.place.set(value, this.table.length); this.table.push(value); }
    return this.place.get(value);
  }
  extend(column, count) {
    this.room(this.length + count);
    const raw = column ? unpacked(column) : null;
    if (this.table && column && !column.table) this.uncode();
    if (this.table) {
      const codes = raw ? column.table.map((v) => this.code(v)) : [this.code(this.filler)];
      for (let i = 0; i < count; i++) this.data[this.length + i] = codes[raw ? raw[i] : 0];
    } else if (column && column.table) {
      for (let i = 0; i < count; i++) this.data[this.length + i] = Number(column.table[raw[i]]);
    } else {
      for (let i = 0; i < count; i++) this.data[this.length + i] = raw ? raw[i] : NaN;
    }
    this.length += count;
  }
  uncode() {
    const plain = new Float64Array(this.data.length);
    for (let i = 0; i < this.length; i++) plain[i] = Number(this.table[this.data[i]]);
    this.data = plain;
    this.table = null;
  }
  at(i) { return this.table ? this.table[this.data[i]] : this.data[i]; }
}

class Trials {
  constructor() {
    this.n = 0;
    this.run = new Column(false); this.index = new Column(false); this.state = new Column(false);
    this.reason = new Column(true, "");
    this.parameters = new Map(); this.metrics = new Map();
  }
  extend(chunk) {
    for (const name of ["run", "index", "state", "reason"]) this[name].extend(chunk[name], chunk.count);
    this.grow(this.parameters, chunk.parameters, chunk.count, (c) => new Column(Boolean(c.table), ""));
    this.grow(this.metrics, chunk.metrics, chunk.count, () => new Column(false));
    this.n += chunk.count;
  }
  grow(columns, fresh, count, create) {
    for (const [name, column] of Object.entries(fresh))
      if (!columns.has(name)) { columns.set(name, create(column)); if (this.n) columns.get(name).extend(null, this.n); }
    for (const [name, column] of columns) column.extend(fresh[name] ?? null, count);
  }
  row(i) {
    const read = (columns) => Object.fromEntries([...columns].map(([name, c]) => [name, c.at(i)]));
    return { run: this.run.at(i), trial: this.index.at(i), state: this.state.at(i), reason: this.reason.at(i), design: read(this.parameters), metrics: this.state.at(i) < 2 ? read(this.metrics) : {} };
  }
}
const trials = new Trials();

/* At most `most` of `list`, evenly picked. */
function thinned(list, most) {
  if (list.length <= most) return list;
  return Array.from({ length: most }, (_, i) => list[Math.floor((i * list.length) / most)]);
}

const runName = (run) => (parts.about.runs.length > 1 ? `${parts.about.runs[run].name}, ` : "");
const trialName = (t) => `${runName(t.run)}trial ${t.trial.toLocaleString("en-US")}`;

function hover(row) {
  const lines = [`<b>${safe(trialName(row))}</b>  ${STATES[row.state]}`];
  for (const name of shownMetrics(row.metrics).slice(0, 8)) lines.push(`${safe(name)}: ${number(row.metrics[name])}`);
  lines.push("");
  for (const [name, value] of Object.entries(row.design).slice(0, 16)) lines.push(`${safe(name)}: ${safe(shown(value))}`);
  return lines.join("<br>");
}

function wantedMetrics() {
  const goal = parts.about.goal;
  return [...new Set([...goal.objectives.map((o) => o.metric), ...goal.limits.map((l) => l.metric)])];
}

function shownMetrics(metrics) {
  const wanted = wantedMetrics().filter((name) => name in metrics);
  return [...wanted, ...Object.keys(metrics).filter((name) => !wanted.includes(name) && !name.includes("/"))];
}

function largerIsBetter(metric) {
  const goal = parts.about.goal;
  const objective = goal.objectives.find((o) => o.metric === metric);
  if (objective) return objective.sense === "maximize";
  const limit = goal.limits.find((l) => l.metric === metric);
  return limit ? limit.relation === ">=" : metric.startsWith("utilization");
}
