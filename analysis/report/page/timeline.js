/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The timeline: what is in view, and how it is moved, by pointer and by keyboard.
 */
const LEAST_NS = 200, MARGIN = .03;
const view = { from: 0, to: lengthNs };
const onView = [];
let selected = null, picture = null;

const losses = more.losses.map((loss) => ({ from: loss.begin_t_ns, to: loss.end_t_ns, tone: "bad",
  text: loss.events ? `${plural(loss.events, "event")} lost` : "packets lost, nobody counted" }));
/* Each CPU has a stream of its own, which need not begin and end with the others. */
const ragged = more.ragged.flatMap((trace) => [
  trace.complete_t_ns === null ? null : { from: 0, to: trace.complete_t_ns, tone: "soft",
    text: "not all streams had begun" },
  trace.ragged_t_ns === null ? null : { from: trace.ragged_t_ns, to: lengthNs, tone: "soft",
    text: "some streams had ended" },
]).filter(Boolean);

const waitWords = (wait) => (wait.kind === "reply"
  ? `waits for the reply to ${wait.request || "a request"}` : "reads a message that does not end") +
  (look || wait.since_t_ns === null ? "" : `, ${duration(lengthNs - wait.since_t_ns)} until the recording ended`);

let asked = false;
function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    picture.draw();
  });
}

function setView(from, to, quiet) {
  const margin = lengthNs * MARGIN;
  const span = Math.min(Math.max(to - from, LEAST_NS), lengthNs + 2 * margin);
  view.from = Math.min(Math.max(from, -margin), lengthNs + margin - span);
  view.to = view.from + span;
  const [first, last] = [view.from, view.to].map((ns) => Math.min(Math.max(0, ns), lengthNs));
  byId("view-range").textContent =
    `${moment(first)} to ${moment(last)}, ${duration(last - first)}`;
  redraw();
  for (const listener of onView) listener(quiet);
}

function zoom(factor, at = (view.from + view.to) / 2) {
  setView(at - (at - view.from) * factor, at + (view.to - at) * factor);
}
const pan = (part) => setView(view.from + (view.to - view.from) * part,
  view.to + (view.to - view.from) * part);
const showAll = () => setView(-lengthNs * .01, lengthNs * 1.01);

/* From the first to the last thing that happened to any mapping. */
function showActivity() {
  let from = Infinity, to = -Infinity;
  for (const life of lives) {
    for (const step of STEPS) {
      if (life[step.key] === null) continue;
      from = Math.min(from, life[step.key]);
      to = Math.max(to, life[step.key]);
    }
  }
  if (to < from) return showAll();
  const margin = Math.max((to - from) * .04, LEAST_NS);
  return setView(from - margin, to + margin);
}

/* All, unless everything that happened is in a small part, and nothing stayed. */
function showFirst() {
  showAll();
  if (alarms.length || !lives.length || lives.some((life) => life.closed === null)) return;
  const from = lives[0].begin, to = lives.reduce((last, life) => Math.max(last, life.end), 0);
  if (to - from < lengthNs * .4) showActivity();
}

function showLife(life) {
  let last = life.begin;
  for (const step of STEPS) last = Math.max(last, life[step.key] === null ? 0 : life[step.key]);
  const margin = Math.max((last - life.begin) * .25, 2000);
  setView(life.begin - margin, last + margin);
}

function showTime(finding) {
  const length = Math.max((finding.last_t_ns - finding.first_t_ns) * 1.5, lengthNs / 50);
  setView(finding.first_t_ns - length / 2, finding.first_t_ns + length);
  byId("timeline").scrollIntoView();
  byId("timeline-canvas").focus({ preventScroll: true });
}

/* What lies at a point: a life, a row of many, or nothing. */
function at(x, y) {
  if (x < picture.gutter) return {};
  const row = picture.rows.find((r) => y >= r.y - 2 && y < r.y + r.height + 4);
  if (!row) return { finding: (picture.places.find((p) => Math.abs(p.x - x) < 8 && y < AXIS) || {})
    .finding };
  if (row.dense) return { row };
  const lane = row.lanes[Math.floor((y - row.y) / row.laneHeight)];
  if (!lane) return { row };
  const slack = (picture.time(x + 3) - picture.time(x));
  const time = picture.time(x);
  let best = null, distance = slack;
  for (let i = firstFrom(lane, time - slack); i < lane.length && lane[i].begin <= time + slack; i++) {
    const away = time < lane[i].begin ? lane[i].begin - time : Math.max(0, time - lane[i].end);
    if (away <= distance) [best, distance] = [lane[i], away];
  }
  return { row, life: best };
}

function click(x, y) {
  const there = at(x, y);
  if (there.life) openStory(there.life, false);
  else if (there.finding) focusFinding(there.finding);
  else if (there.row && there.row.dense) zoom(1 / 6, picture.time(x));
}

function focusFinding(finding) {
  const card = byId(`finding-${report.findings.indexOf(finding)}`);
  card.scrollIntoView();
  card.focus({ preventScroll: true });
}

/* "12 from 0.500000 s to 0.510000 s: 3 visible, 9 removed", of the column that the pointer is at. */
function columnWords(row, x) {
  const column = Math.floor(x - picture.gutter);
  const at = picture.gutter + column;
  const counts = STATES.map((state, i) => [row.steps[i][column] || 0, state.name]);
  return `${count(sum(counts.map(([n]) => n)))} from ${moment(picture.time(at))} to ` +
    `${moment(picture.time(at + 1))}${counts.some(([n]) => n) ? ": " : ""}` +
    counts.filter(([n]) => n).map(([n, name]) => `${count(n)} ${name}`).join(", ");
}

function showTip(tip, event, box) {
  const x = event.clientX - box.left, y = event.clientY - box.top;
  const there = at(x, y);
  const loss = [...losses, ...ragged].find((l) => picture.time(x) >= l.from && picture.time(x) <= l.to);
  tip.hidden = true;
  if (there.life) {
    const life = there.life;
    tip.replaceChildren(make("b", {}, `region ${life.shmid}, ${range(life)}`),
      text(`${life.seq ? `MAP #${life.seq}, ` : ""}${life.state}, ` +
        duration(life.end - life.begin) +
        (life.label ? `, \u201c${short(life.label, 80)}\u201d` : "")));
    tip.hidden = false;
  } else if (there.finding) {
    tip.replaceChildren(make("b", {}, titleOf(there.finding)),
      text(short(there.finding.summary, 200)));
    tip.hidden = false;
  } else if (loss) {
    tip.replaceChildren(make("b", {}, loss.tone === "bad" ? "Loss" : "Not all told"), text(loss.text));
    tip.hidden = false;
  } else if (there.row && there.row.dense) {
    tip.replaceChildren(make("b", {}, `region ${there.row.shmid}: ` +
      `${plural(there.row.inView, "mapping")} in view`),
      make("div", {}, columnWords(there.row, x)),
      text("too many to draw one by one: click to zoom in"));
    tip.hidden = false;
  }
  if (!tip.hidden) {
    tip.style.left = `${Math.max(0, Math.min(x + 14, box.width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${y + 16}px`;
  }
}

const KEYS = {
  "ArrowLeft": () => pan(-.2), "ArrowRight": () => pan(.2), "+": () => zoom(1 / 2),
  "=": () => zoom(1 / 2), "-": () => zoom(2), "0": showAll, "Home": showAll, "a": showActivity,
  "ArrowDown": () => choose(1), "ArrowUp": () => choose(-1), "PageDown": () => choose(10),
  "PageUp": () => choose(-10), "Enter": () => selected && openStory(selected, true),
  " ": () => selected && openStory(selected, true),
};

/* The next mapping, in order of time. */
function choose(by) {
  if (!lives.length) return;
  const next = selected ? selected.index + by
    : lives.findIndex((life) => life.end >= view.from);
  selected = lives[Math.min(Math.max(next, 0), lives.length - 1)];
  if (selected.begin > view.to || selected.end < view.from) {
    const span = view.to - view.from;
    setView(selected.begin - span / 4, selected.begin + span * .75);
  }
  say(`Mapping ${selected.index + 1} of ${lives.length}: region ${selected.shmid}, ` +
    `${range(selected)}, ${selected.state}, from ${moment(selected.begin)}.`);
  redraw();
}

function listen(canvas, tip) {
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, y: event.clientY, from: view.from, to: view.to, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    if (drag && Math.abs(event.clientX - drag.x) > 3) drag.moved = true;
    if (drag && drag.moved) {
      tip.hidden = true;
      const by = (drag.x - event.clientX) / picture.span * (drag.to - drag.from);
      setView(drag.from + by, drag.to + by);
    } else {
      showTip(tip, event, box);
    }
  });
  canvas.addEventListener("pointerup", (event) => {
    const box = canvas.getBoundingClientRect();
    if (drag && !drag.moved) click(event.clientX - box.left, event.clientY - box.top);
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => { drag = null; });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  canvas.addEventListener("dblclick", (event) =>
    zoom(1 / 4, picture.time(event.clientX - canvas.getBoundingClientRect().left)));
  /* A page scrolls by the wheel: it zooms with Ctrl, or once the timeline has the focus. */
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
    event.preventDefault();
    const time = picture.time(event.clientX - canvas.getBoundingClientRect().left);
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan(Math.sign(event.deltaX) * .05);
    else zoom(event.deltaY > 0 ? 1.25 : .8, time);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const does = KEYS[event.key];
    if (!does || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    does();
  });
}

function showTimeline() {
  const body = byId("timeline").querySelector(".body");
  const flagged = new Set(alarms.flatMap(livesAbout));
  const rows = rowsOf();
  const button = (name, does) => make("button", { type: "button", on: { click: does } }, name);
  const bar = make("div", { class: "bar", role: "group", "aria-label": "What is in view" },
    button("Zoom in", () => zoom(1 / 2)), button("Zoom out", () => zoom(2)),
    button("Earlier", () => pan(-.4)), button("Later", () => pan(.4)), button("All", showAll),
    button("Activity", showActivity), make("span", { class: "push", id: "view-range" }));
  const legend = make("ul", { class: "legend", "aria-label": "Colours" },
    STATES.map((state) => make("li", {}, make("span", { class: `swatch ${state.name}` }), state.label)),
    make("li", {}, make("span", { class: "swatch closed" }), "closed"),
    report.open_waits.length ? make("li", {}, make("span", { class: "swatch wait" }),
      "a wait that did not end") : null,
    losses.length ? make("li", {}, make("span", { class: "swatch loss" }), "events lost") : null,
    ragged.length ? make("li", {}, make("span", { class: "swatch ragged" }),
      "told by some streams only") : null);
  const canvas = make("canvas", { id: "timeline-canvas", tabindex: "0", role: "application",
    "aria-roledescription": "timeline", "aria-describedby": "timeline-help",
    "aria-label": `Timeline of ${plural(lives.length, "mapping")} in ${plural(rows.length, "row")}. ` +
      "The same is in the table of all mappings." });
  const tip = make("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  const keys = (...names) => names.map((name) => make("kbd", {}, name));
  body.append(make("div", { class: "card chart-card" }, bar, legend,
    make("div", { class: "canvas-frame" }, canvas, tip),
    make("p", { class: "hint", id: "timeline-help" }, "Drag to move; Ctrl and the wheel, or a double " +
      "click, zoom; a click opens the mapping\u2019s story. Keys: ", keys("\u2190", "\u2192"), " move, ",
    keys("+", "\u2212"), " zoom, ", keys("\u2191", "\u2193"), " choose a mapping, ", keys("Enter"),
    " opens it, ", keys("0"), " all, ", keys("a"), " activity.")));
  if (losses.length) {
    body.append(make("details", { class: "card more", open: losses.length < 6 },
      make("summary", {}, `${plural(losses.length, "interval")} in which events were lost`),
      table([{ name: "From", figure: true }, { name: "To", figure: true }, { name: "What" }],
        losses.map((loss) => [moment(loss.from), moment(loss.to), loss.text]), "Losses")));
  }
  body.append(make("div", { id: "story" }));
  picture = new Picture(canvas, rows, flagged);
  listen(canvas, tip);
  showFirst();
  new ResizeObserver(redraw).observe(canvas.parentElement);
}
