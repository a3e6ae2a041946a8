/* Parts come all at once with a report, or bit by bit from `accel-dse watch`. */

function showAbout() {
  const { about } = parts;
  document.title = about.title;
  fill("title", about.title);
  fill("goal", [...about.goal.objectives.map((o) => `${o.sense} ${o.metric}`), ...about.goal.limits.map((l) => l.text)].join(", "));
  const rows = [...Object.entries(about.facts)].map(([name, text]) => [name, { cell: text, class: "text wrap" }]);
  for (const run of about.runs) rows.push([run.place, { cell: run.search, class: "text wrap" }]);
  if (about.thinned) rows.push(["this page", { cell: about.thinned, class: "text wrap" }]);
  fill("provenance", table(null, rows));
}

const ON_ARRIVAL = {
  about: showAbout,
  trials: (chunks) => {
    for (const chunk of chunks) trials.extend(chunk);
    setUpTradeOff();
    showRanges(false);
    showKept();
    changed("tradeoff-chart", "parallel-chart", "convergence-chart");
  },
  digest: () => { showVerdict(); showLimits(); showReasons(); setUpCompare(); changed("convergence-chart", "outcomes-chart"); },
  hypervolume: (lines) => { $("hypervolume").hidden = !lines.length; changed("hypervolume-chart"); },
  references: () => { if (parts.digest) { showVerdict(); setUpCompare(); } changed("tradeoff-chart"); },
  importance: () => { setUpImportance(); changed("importance-chart", "effect-chart"); },
  inside: () => { setUpInside(); if (parts.digest) setUpCompare(); },
};

function arrive(fresh) {
  arriving = Boolean(parts.about && parts.about.live);
  for (const name of Object.keys(ON_ARRIVAL)) if (name in fresh && name !== "trials") parts[name] = fresh[name];
  for (const [name, show] of Object.entries(ON_ARRIVAL)) if (name in fresh) show(fresh[name]);
  arriving = false;
}

function walkFront(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const element = $("tradeoff-chart");
  if (!step || !front.length || !element.data) return;
  event.preventDefault();
  const curve = element.data.findIndex((t) => t.name === "front"), length = element.data[curve].x.length;
  element.walked = Math.min(length - 1, Math.max(0, (element.walked ?? (step > 0 ? -1 : length)) + step));
  Plotly.Fx.hover(element, [{ curveNumber: curve, pointNumber: element.walked }]);
  element.setAttribute("aria-label", element.data[curve].hovertext[element.walked].replace(/<[^>]*>/g, " "));
}

function listen() {
  for (const axis of ["x", "y"]) {
    $(`tradeoff-${axis}`).addEventListener("change", () => { $(`tradeoff-${axis}-large`).checked = largerIsBetter($(`tradeoff-${axis}`).value); changed("tradeoff-chart"); });
    $(`tradeoff-${axis}-large`).addEventListener("change", () => changed("tradeoff-chart"));
  }
  $("tradeoff-whole").addEventListener("click", () => { wholeRange = !wholeRange; $("tradeoff-whole").setAttribute("aria-pressed", wholeRange); $("tradeoff-whole").textContent = wholeRange ? "Hide outliers" : "Show outliers"; changed("tradeoff-chart"); });
  $("tradeoff-chart").addEventListener("keydown", walkFront);
  $("target").addEventListener("change", () => { setUpEffects(); changed("importance-chart", "effect-chart"); });
  $("effect").addEventListener("change", () => changed("effect-chart"));
  $("filters").addEventListener("toggle", () => showRanges(false));
  $("clear").addEventListener("click", clearRanges);
  for (const id of ["inside-design", "inside-workload"]) $(id).addEventListener("change", () => { showInside(); showCompare(); });
  $("mapping-layer").addEventListener("change", showMapping);
  $("timeline-layer").addEventListener("change", () => changed("timeline-chart"));
  for (const id of ["compare-a", "compare-b"]) $(id).addEventListener("change", showCompare);
  $("compare-add").addEventListener("click", addTrial);
  $("compare-trial").addEventListener("keydown", (event) => { if (event.key === "Enter") addTrial(); });
}

function start() {
  chart("tradeoff-chart", drawTradeOff);
  chart("convergence-chart", drawConvergence);
  chart("outcomes-chart", drawOutcomes);
  chart("hypervolume-chart", drawHypervolume);
  chart("importance-chart", drawImportance);
  chart("effect-chart", drawEffect);
  chart("parallel-chart", drawParallel, 5000); /* slow without a graphics processor */
  chart("roofline-chart", drawRoofline);
  chart("component-chart", drawComponents);
  chart("time-chart", drawTime);
  chart("energy-chart", drawEnergy);
  chart("timeline-chart", drawTimeline);
  chart("compare-chart", drawCompare);
  listen();
  const found = {};
  for (const element of document.querySelectorAll('script[type="application/json"]')) found[element.dataset.part] = JSON.parse(element.textContent);
  arrive(found);
  if (parts.about.live) follow();
}

/* ---- live ---- */
const POLL_MS = 300;

async function follow() {
  const badge = $("live");
  badge.hidden = false;
  let versions = {}, last = performance.now(), failures = 0;
  for (;;) {
    try {
      const query = new URLSearchParams({ trials: trials.n, ...versions });
      const answer = await fetch(`news?${query}`, { cache: "no-store" });
      if (!answer.ok) throw new Error((await answer.text()) || answer.statusText);
      const news = await answer.json();
      versions = { ...versions, ...news.versions };
      if (news.parts.trials) last = performance.now();
      arrive(news.parts);
      failures = 0;
      const quiet = Math.round((performance.now() - last) / 1000);
      badge.className = "";
      badge.textContent = `live · ${trials.n.toLocaleString("en-US")} trials${quiet > 9 ? ` · nothing new for ${quiet} s` : ""}`;
      if (news.more) continue;
    } catch (error) {
      failures += 1;
      badge.className = "lost";
      badge.textContent = failures > 1 ? `no answer: ${error.message}` : badge.textContent;
    }
    await new Promise((done) => setTimeout(done, failures > 3 ? 3000 : POLL_MS));
  }
}

start();
