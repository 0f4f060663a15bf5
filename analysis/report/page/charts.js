/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * How much was live over time, drawn by uPlot, and how long each step took.
 */
const GONE = (life) => (life.removed !== null ? life.removed : life.finalized);

/* Sums of steps up and down as [times in s, values]. */
function summed(steps) {
  steps.sort((a, b) => a[0] - b[0]);
  const times = [0], values = [0];
  let sum = 0;
  for (let i = 0; i < steps.length; i++) {
    sum += steps[i][1];
    if (i + 1 < steps.length && steps[i + 1][0] === steps[i][0]) continue;
    if (steps[i][0] <= 0) { values[0] = sum; continue; }
    times.push(steps[i][0] / 1e9);
    values.push(sum);
  }
  times.push(lengthNs / 1e9);
  values.push(sum);
  return [times, values];
}

function counters() {
  const mappings = [], size = [], descriptors = [];
  for (const life of lives) {
    const before = life.begin === 0 && life.birth === null && life.request === null;
    const from = life.visible !== null ? life.visible : before ? 0 : null;
    const length = typeof life.len === "number" ? life.len : Number(life.len);
    if (from !== null) {
      mappings.push([from, 1]);
      size.push([from, length]);
      if (GONE(life) !== null) {
        mappings.push([Math.max(GONE(life), from), -1]);
        size.push([Math.max(GONE(life), from), -length]);
      }
    }
    const open = life.birth !== null ? life.birth : before ? 0 : null;
    if (open !== null) {
      descriptors.push([open, 1]);
      if (life.closed !== null) descriptors.push([Math.max(life.closed, open), -1]);
    }
  }
  for (const fd of report.descriptors) {
    if (fd.role === "received") descriptors.push([fd.since_t_ns || 0, 1]);
  }
  return [
    { name: "Mappings that the guest sees", colour: "visible", data: summed(mappings), form: count },
    { name: "Bytes that the guest sees", colour: "finalized", data: summed(size), form: bytes },
    { name: "Descriptors that QEMU holds for mappings", colour: "removed", data: summed(descriptors),
      form: count },
  ];
}

/* Values of bytes stand at powers of two, counts at whole numbers. */
function splits(series) {
  return (plot, axis, least, most) => {
    if (series.form !== bytes) {
      return ticks(0, Math.max(most, 1), 4).found.filter(Number.isInteger);
    }
    if (!most || most <= 1) return [0];
    const power = 2 ** Math.max(0, Math.ceil(Math.log2(Math.max(most, 1) / 4)));
    const found = [];
    for (let at = 0; at <= most; at += power) found.push(at);
    return found;
  };
}

function plotOptions(series, width) {
  const soft = colour("soft"), line = colour("line");
  const most = Math.max(2, Math.floor(width / 90)); // ticks that have room for their words
  const axis = { stroke: soft, font: `12px ${FONT}`, grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1 } };
  return {
    width, height: 156, legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false }, sync: { key: "shmemscope" },
      points: { size: 7 } },
    scales: { x: { time: false, range: () => [view.from / 1e9, view.to / 1e9] },
      y: { range: (plot, least, most) => [0, Math.max(1, most * 1.12)] } },
    axes: [{ ...axis, size: 30, splits: (plot, i, from, to) =>
      ticks(from * 1e9, to * 1e9, most).found.map((ns) => ns / 1e9),
    values: (plot, found) => found.map((at) => tickText(at * 1e9,
      found.length > 1 ? (found[1] - found[0]) * 1e9 : 1e9)) },
    { ...axis, size: 64, splits: splits(series),
      values: (plot, found) => found.map((value) => series.form(value)) }],
    series: [{}, { stroke: colour(series.colour), width: 1.75,
      fill: `color-mix(in srgb, ${colour(series.colour)} 16%, transparent)`,
      paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } }],
    hooks: {
      setSelect: [(plot) => {
        const { left, width: wide } = plot.select;
        if (wide < 4) return;
        setView(plot.posToVal(left, "x") * 1e9, plot.posToVal(left + wide, "x") * 1e9);
        plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
      }],
      setCursor: [(plot) => {
        const at = plot.cursor.idx;
        plot.reads.textContent = at === null || at === undefined ? ""
          : ` \u2013 ${series.form(plot.data[1][at])} at ${moment(plot.data[0][at] * 1e9)}`;
      }],
      draw: [(plot) => {
        for (const loss of losses) {
          const a = plot.valToPos(loss.from / 1e9, "x", true);
          const b = plot.valToPos(loss.to / 1e9, "x", true);
          const { left, top, width: wide, height } = plot.bbox;
          const from = Math.max(a, left), to = Math.min(Math.max(b, a + 2), left + wide);
          plot.ctx.fillStyle = `color-mix(in srgb, ${colour("bad")} 30%, transparent)`;
          if (to > from) plot.ctx.fillRect(from, top, to - from, height);
        }
      }],
    },
  };
}

/* Its values at some times, for who does not see the picture. */
function asTable(all) {
  const rows = [];
  const value = ([times, values], at) => {
    let low = 0, high = times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (times[middle] <= at) low = middle; else high = middle - 1;
    }
    return values[low];
  };
  for (let i = 0; i <= 20; i++) {
    const at = lengthNs / 1e9 * i / 20;
    rows.push([moment(at * 1e9), ...all.map((series) => series.form(value(series.data, at)))]);
  }
  return make("details", { class: "more" }, make("summary", {}, "The same as a table"),
    table([{ name: "Time", figure: true }, ...all.map((series) => ({ name: series.name,
      figure: true }))], rows, "What was live, at 21 times"));
}

const plots = [];
function drawPlots(all, places) {
  for (const plot of plots.splice(0)) plot.destroy();
  all.forEach((series, i) => {
    const width = Math.max(200, places[i].clientWidth);
    const plot = new uPlot(plotOptions(series, width), series.data);
    plot.reads = places[i].previousSibling.lastChild;
    places[i].append(plot.root);
    plots.push(plot);
  });
}

let redrawPlots = () => {};
function showCharts() {
  const body = byId("over-time").querySelector(".body");
  if (!lives.length && !report.descriptors.length) {
    body.append(make("p", { class: "empty" }, "No mapping was seen."));
    return;
  }
  const all = counters();
  const places = all.map(() => make("div"));
  body.append(make("div", { class: "columns" }, all.map((series, i) =>
    make("figure", { class: "card plot chart-card", style: null, role: "group",
      "aria-label": `${series.name}: at most ${series.form(Math.max(...largest(series.data[1])))}, ` +
        `${series.form(series.data[1][series.data[1].length - 1])} at the end` },
    make("h3", {}, series.name, make("span", { class: "empty" })), places[i]))),
  make("p", { class: "hint" }, "These show what the timeline shows; drag across one to zoom both."),
  asTable(all));
  redrawPlots = () => drawPlots(all, places);
  redrawPlots();
  /* They follow when the timeline stands still, so that they do not hold it up. */
  let later = 0;
  onView.push(() => {
    clearTimeout(later);
    later = setTimeout(() => plots.forEach((plot) => plot.setScale("x",
      { min: view.from / 1e9, max: view.to / 1e9 })), 60);
  });
  let width = body.clientWidth;
  new ResizeObserver(() => {
    if (body.clientWidth === width) return;
    width = body.clientWidth;
    redrawPlots();
  }).observe(body);
}

/* A call takes only so many arguments. */
const largest = (values) => [values.reduce((most, value) => (value > most ? value : most), 0)];

const DISTRIBUTIONS = [
  { name: "Request to reply", from: "request", to: "reply", colour: "requested" },
  { name: "Reply to visible", from: "reply", to: "visible", colour: "replied" },
  { name: "Unmap to finalize", from: "removed", to: "finalized", colour: "removed" },
  { name: "Finalize to close", from: "finalized", to: "closed", colour: "finalized" },
];

function svg(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const PER_DECADE = 5;
function histogram(values, kind) {
  const bin = (ns) => Math.floor(Math.log10(Math.max(ns, 1)) * PER_DECADE);
  const low = Math.floor(bin(values[0]) / PER_DECADE) * PER_DECADE;
  const high = (Math.floor(bin(values[values.length - 1]) / PER_DECADE) + 1) * PER_DECADE;
  const bins = new Array(high - low).fill(0);
  for (const value of values) bins[bin(value) - low]++;
  const most = largest(bins)[0];
  const wide = 300, tall = 150, foot = 20, head = 14;
  const step = wide / bins.length;
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${tall}`, class: "bars", role: "img",
    "aria-label": `${kind.name}: ${plural(values.length, "value")}, from ` +
      `${duration(values[0])} to ${duration(values[values.length - 1])}` });
  for (let at = low; at <= high; at += PER_DECADE) {
    const x = (at - low) * step;
    picture.append(svg("line", { x1: x, x2: x, y1: head, y2: tall - foot,
      stroke: "var(--line)" }));
    const label = svg("text", { x, y: tall - 5, "font-size": 11, fill: "var(--soft)",
      "text-anchor": at === low ? "start" : at === high ? "end" : "middle" });
    const words = ["1 ns", "10 ns", "100 ns", "1 \u00b5s", "10 \u00b5s", "100 \u00b5s", "1 ms", "10 ms",
      "100 ms", "1 s", "10 s", "100 s", "1000 s"];
    label.textContent = words[at / PER_DECADE] || "";
    picture.append(label);
  }
  bins.forEach((n, i) => {
    if (!n) return;
    const high2 = Math.max(1.5, n / most * (tall - foot - head));
    const bar = svg("rect", { x: i * step + .75, y: tall - foot - high2, width: step - 1.5,
      height: high2, rx: 1.5, fill: `var(--${kind.colour})` });
    const title = svg("title", {});
    title.textContent = `${plural(n, "mapping")}: ${duration(10 ** ((i + low) / PER_DECADE))} to ` +
      duration(10 ** ((i + low + 1) / PER_DECADE));
    bar.append(title);
    picture.append(bar);
  });
  const top = svg("text", { x: 0, y: 10, "font-size": 11, fill: "var(--soft)" });
  top.textContent = `${plural(values.length, "mapping")}, at most ${count(most)} in a bar`;
  picture.append(top);
  return picture;
}

function showDistributions() {
  const empty = [];
  const cards = DISTRIBUTIONS.map((kind) => {
    const values = lives.filter((life) => life[kind.from] !== null && life[kind.to] !== null)
      .map((life) => life[kind.to] - life[kind.from]).filter((ns) => ns >= 0)
      .sort((a, b) => a - b);
    if (!values.length) {
      empty.push(kind.name);
      return null;
    }
    const at = (part) => values[Math.min(values.length - 1, Math.floor(values.length * part))];
    const figures = [["Median", duration(at(.5))],
      ["95 %", duration(at(.95))], ["99 %", duration(at(.99))], ["Longest", duration(at(1))]];
    return make("div", { class: "card chart-card" }, make("h3", {}, kind.name),
      histogram(values, kind), make("dl", { class: "figures" }, figures.map(([name, value]) =>
        make("div", {}, make("dt", {}, name), make("dd", {}, value)))));
  }).filter(Boolean);
  byId("distributions").querySelector(".body").append(
    make("div", { class: "columns four" }, cards),
    ...empty.length ? [make("p", { class: "empty" }, `${empty.join(", ")}: no mapping was seen in ` +
      "both.")] : []);
}
