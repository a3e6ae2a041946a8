/* Runs in the page after its own script: uses it as a person would, and writes down what it finds. */

const found = { errors: [], charts: {} };
window.addEventListener("error", (event) => found.errors.push(String(event.message)));
window.addEventListener("unhandledrejection", (event) => found.errors.push(String(event.reason)));
document.addEventListener("securitypolicyviolation", (event) => found.errors.push(`${event.violatedDirective} ${event.blockedURI}`));

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/* Draws what is in the page, without waiting for frames: a test's clock runs ahead of them. */
async function settled() {
  for (const [id, one] of charts) if ($(id).offsetParent !== null) { one.dirty = false; one.draw($(id)); }
  await pause(50);
}

function choose(id, value) {
  $(id).value = value;
  $(id).dispatchEvent(new Event("change"));
}

async function check() {
  window.dispatchEvent(new Event("beforeprint"));
  await pause(50);
  found.printed = [...charts.keys()].filter((id) => $(id).querySelector(".main-svg"));
  await settled();
  for (const id of charts.keys()) {
    const element = $(id);
    found.charts[id] = element.offsetParent === null ? "hidden" : element.querySelector(".main-svg") ? "drawn" : element.textContent;
  }
  found.timeline = ($("timeline-chart").data || []).map((trace) => trace.name);
  found.buttons = [...document.querySelectorAll(".modebar-btn")].map((button) => button.dataset.title);
  found.title = document.title;
  found.sentence = $("sentence").textContent;
  found.hacked = "hacked" in window;
  if (trials.metrics.size > 1 && front.length) {
    $("tradeoff-chart").focus();
    $("tradeoff-chart").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    await pause(200);
    found.hover = ($("tradeoff-chart").querySelector(".hoverlayer") || {}).textContent;
    found.walked = $("tradeoff-chart").getAttribute("aria-label");
    const names = metricNames();
    choose("tradeoff-x", names[names.length - 1]);
    $("tradeoff-whole").click();
    await settled();
    found.axis = $("tradeoff-chart").layout.xaxis.title.text;
    $("filters").open = true;
    await pause(100);
    const field = $("ranges").querySelector("select, input");
    field.value = field.tagName === "SELECT" ? "1" : field.value;
    field.dispatchEvent(new Event("change"));
    found.kept = $("kept").textContent;
    found.rows = $("kept-table").querySelectorAll("tbody tr").length;
    $("clear").click();
    found.cleared = $("kept").textContent;
    $("compare-trial").value = String(trials.index.at(front[0]));
    $("compare-add").click();
    found.compared = $("compare-table").textContent;
  }
  await settled();
  document.body.append(make("pre", { id: "found" }, JSON.stringify(found)));
}

check().catch((error) => { found.errors.push(String(error.stack)); document.body.append(make("pre", { id: "found" }, JSON.stringify(found))); });
