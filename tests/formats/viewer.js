/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Chrome's trace events, loaded by the viewer of chrome://tracing itself. Debian's chromium is
 * built without it; golang-src has it whole, for `go tool trace`. It runs in headless Chromium, as
 * it does there.
 */
"use strict";

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const { SHMEMSCOPE_PLAYWRIGHT, SHMEMSCOPE_CHROMIUM, SHMEMSCOPE_FIXTURE_REPORT,
  SHMEMSCOPE_TESTS } = process.env;
const { chromium } = require(path.join(SHMEMSCOPE_PLAYWRIGHT, "node_modules", "playwright-core"));

const ORIGIN = "http://viewer.invalid/"; // nobody answers there but this program
const PAGE = `<!DOCTYPE html><html><head><script src="/webcomponents.min.js"></script>
<script>document.addEventListener("WebComponentsReady", () => { window.ready = true; })</script>
<link rel="import" href="/trace_viewer_full.html"></head><body></body></html>`;
/* Of the viewer's age, not of what it reads. */
const OLD = /slider-vertical|Web ?Components|Mutation ?Event|DOMSubtree/i;
const MOST = 1 << 29; // of what a program may print
const tmp = fs.mkdtempSync(path.join(os.tmpdir(), "shmemscope-viewer-"));
process.on("exit", () => fs.rmSync(tmp, { recursive: true }));

/* By version of Go it is in the one place or in the other. */
function viewerPlace() {
  const places = fs.readdirSync("/usr/share").filter((name) => name.startsWith("go-")).sort()
    .flatMap((name) => [`${name}/src/cmd/trace/static`,
      `${name}/src/internal/trace/traceviewer/static`])
    .map((name) => path.join("/usr/share", name))
    .filter((place) => fs.existsSync(path.join(place, "trace_viewer_full.html")));
  assert.ok(places.length, "no trace_viewer_full.html: apt-get install golang-src");
  return places[places.length - 1];
}

function say(format, text) {
  const source = path.join(tmp, "told.fixture");
  fs.writeFileSync(source, text);
  return execFileSync(SHMEMSCOPE_FIXTURE_REPORT, [format, source],
    { maxBuffer: MOST, encoding: "utf8" });
}
const fixture = (...name) => fs.readFileSync(`${path.join(SHMEMSCOPE_TESTS, ...name)}.fixture`,
  "utf8");
/* What had been told until then, in seconds. */
const until = (text, seconds) => text.split("\n")
  .filter((line) => !line.startsWith("+") || Number.parseFloat(line) <= seconds).join("\n");

/* In the page: what the viewer made of it, as plain data. */
async function load(text) {
  const model = new window.tr.Model();
  const options = new window.tr.importer.ImportOptions();
  options.shiftWorldToZero = false;
  const reading = new window.tr.importer.Import(model, options);
  await reading.importTracesWithProgressDialog([text]);
  const container = document.createElement("track-view-container");
  container.id = "track_view_container";
  const view = document.createElement("tr-ui-timeline-view");
  view.track_view_container = container;
  window.Polymer.dom(view).appendChild(container);
  window.Polymer.dom(document.body).appendChild(view);
  view.model = model; // draws it, or throws
  const us = (ms) => Math.round(ms * 1e6) / 1e3;
  const slice = (one) => ({ title: one.title, start: us(one.start), end: us(one.end) });
  const threads = (process) => Object.values(process.threads);
  return {
    warnings: model.importWarnings.map((one) => `${one.type}: ${one.message}`),
    global: model.instantEvents.map((one) => ({ id: one.title, ...one.args })),
    flows: model.flowEvents.map((one) => ({ id: one.id, start: us(one.start),
      end: us(one.start + one.duration), ends: [one.startSlice, one.endSlice].map((end) => end && {
        ...slice(end), pid: end.parentContainer.parent.pid, thread: end.parentContainer.name }) })),
    processes: model.getAllProcesses().map((process) => ({
      pid: process.pid, name: process.name,
      instants: process.instantEvents.map((one) => ({ id: one.title, ...one.args })),
      threads: threads(process).map((one) => ({ name: one.name,
        slices: one.sliceGroup.slices.map(slice) })),
      lives: threads(process).flatMap((one) => one.asyncSliceGroup.slices.map((life) => ({
        ...slice(life), id: life.id, ...life.args, top: life.isTopLevel,
        unended: Boolean(life.didNotFinish), error: life.error || null,
        phases: life.subSlices.map(slice) }))),
      counters: Object.fromEntries(Object.values(process.counters).map((one) => [one.name,
        one.series[0].samples.map((at) => [us(at.timestamp), at.value])])),
    })),
  };
}

let context = null;
async function loaded(text) {
  const page = await context.newPage();
  const said = [];
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(String(error.stack)));
  page.on("dialog", (dialog) => { said.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  await page.goto(ORIGIN);
  await page.waitForFunction(() => window.ready);
  const read = await page.evaluate(load, text);
  const errors = await page.evaluate(() => Array.prototype.map.call(
    document.querySelectorAll("tr-ui-b-overlay"), (one) => one.textContent));
  await page.close();
  assert.deepEqual(said.filter((line) => !OLD.test(line)), []);
  assert.deepEqual(errors, []);
  return read;
}

const every = (read, what) => read.processes.flatMap((process) => process[what]);
const count = (events, phases) => events.filter((event) => phases.includes(event.ph)).length;

/* Whatever the trace: no complaint, and nothing that was written is not there. */
async function check(text) {
  const told = say("report-chrome", text);
  const events = JSON.parse(told).traceEvents;
  const report = JSON.parse(say("report-json", text));
  const read = await loaded(told);
  assert.deepEqual(read.warnings, []);
  const lives = every(read, "lives");
  assert.equal(lives.reduce((sum, life) => sum + 1 + life.phases.length, 0), count(events, "b"));
  assert.equal(count(events, "b"), count(events, "e"));
  for (const life of lives) {
    assert.ok(life.top && !life.unended && !life.error, JSON.stringify(life));
  }
  assert.equal(new Set(lives.map((life) => life.id)).size, lives.length);
  assert.equal(every(read, "threads").reduce((sum, one) => sum + one.slices.length, 0),
    count(events, "X"));
  assert.equal(every(read, "instants").length + read.global.length,
    count(events, "i"));
  const samples = every(read, "counters").flatMap((one) => Object.values(one).flat());
  assert.equal(samples.length, count(events, "C"));
  assert.equal(read.flows.length, count(events, "tf"));
  for (const flow of read.flows) {
    const [from, to] = flow.ends;
    assert.ok(from && to, `an arrow with one end: ${JSON.stringify(flow)}`);
    assert.deepEqual([from.title, from.pid, from.start, to.start],
      [to.title, to.pid, flow.start, flow.end]);
  }
  const found = [...every(read, "instants"), ...read.global];
  assert.deepEqual(found.map((one) => `${one.id} ${one.certainty} ${one.count}`).sort(),
    report.findings.map((one) => `${one.id} ${one.certainty} ${one.count}`).sort());
  assert.equal(read.processes.filter((one) => one.pid > 0).length, report.processes.length);
  return { read, report, events };
}

async function healthy() {
  const text = fixture("analysis", "fixtures", "healthy");
  const { read, report } = await check(text);
  const [process] = read.processes.filter((one) => one.lives.length);
  assert.equal(process.name, "web-17 (qemu-system-x86 4242)");
  assert.deepEqual(process.threads.filter((one) => one.slices.length).map((one) => one.name).sort(),
    ["commits", "replies", "requests of the back-end"]);
  assert.equal(process.lives.length, report.counts.mappings_created);
  const arrows = new Map();
  for (const flow of read.flows) {
    const way = flow.ends.map((end) => end.thread).join(" > ");
    assert.ok(flow.end >= flow.start);
    arrows.set(flow.id, [...(arrows.get(flow.id) || []), way]);
  }
  assert.equal(arrows.size, report.counts.mappings_visible);
  for (const ways of arrows.values()) {
    assert.deepEqual(ways, ["requests of the back-end > replies", "replies > commits"]);
  }
}

/* Each mapping is on its own, also where they overlap in time; and drawn so. */
async function overlapping() {
  const { read } = await check(fixture("analysis", "fixtures", "live"));
  const lives = every(read, "lives").sort((a, b) => a.start - b.start);
  assert.ok(lives.length >= 2);
  assert.ok(lives[1].start < lives[0].end, "they do not overlap");
  for (const life of lives) {
    assert.equal(life.phases[0].start, life.start);
    assert.equal(life.phases.at(-1).end, life.end);
    life.phases.slice(1).forEach((phase, i) => assert.equal(phase.start, life.phases[i].end));
  }
}

/* At each time of a change the counters have what a report has that ends there. */
async function counters(...name) {
  const text = fixture(...name);
  const { read } = await check(text);
  let most = 0;
  for (const process of read.processes.filter((one) => one.counters["live mappings"])) {
    const bytes = new Map(process.counters["mapped bytes"]);
    for (const [us, live] of process.counters["live mappings"]) {
      const first = Number.parseFloat(text.match(/^\+(\S+)/m)[1]);
      const then = JSON.parse(say("report-json", until(text, first + us / 1e6 + 1e-9)));
      const visible = then.mappings.filter((one) => one.visible_t_ns !== null &&
        one.removed_t_ns === null && process.name.includes(` ${one.pid})`));
      assert.equal(live, visible.length, `at ${us} us`);
      assert.equal(bytes.get(us), visible.reduce((sum, one) => sum + one.len, 0), `at ${us} us`);
      most = Math.max(most, live);
    }
  }
  assert.ok(most > 1, "never were there two");
}

/* Names that mean something to a page, a terminal or a parser are but names. */
async function hostile() {
  const names = [String.raw`</script><img src=x onerror=alert(1)>]]>`,
    String.raw`\033[2J\033]0;owned\007 one\ntwo \342\200\256 bidi`,
    String.raw`\377\376\300\200 \"} ] , \\u0000 %s`, `<&${"x".repeat(1 << 20)}`];
  for (const name of names) {
    const text = fixture("analysis", "fixtures", "map-pipelined")
      .replaceAll(/\b(vm|id|chardev)=[\w-]+/g, (_, field) => `${field}="${name}"`);
    const { read, report } = await check(text);
    assert.ok(every(read, "instants").some((one) => one.id === "reply-commit-deadlock"));
    const [process] = read.processes;
    assert.equal(process.name.startsWith(report.processes[0].vm), true);
  }
}

async function main() {
  const place = viewerPlace();
  const browser = await chromium.launch({ executablePath: SHMEMSCOPE_CHROMIUM });
  context = await browser.newContext();
  await context.route("**/*", (route) => {
    const name = path.basename(new URL(route.request().url()).pathname);
    return name ? route.fulfill({ path: path.join(place, name) })
      : route.fulfill({ contentType: "text/html", body: PAGE });
  });
  await healthy();
  await overlapping();
  await counters("analysis", "fixtures", "healthy");
  await counters("analysis", "fixtures", "live");
  for (const name of ["two-vms", "two-devices", "map-pipelined", "losses", "late", "hostile",
    "wire-healthy", "plugged-again"]) {
    await check(fixture("analysis", "fixtures", name));
  }
  for (const name of ["reply-commit-deadlock.both-sides", "stale-mapping.killed"]) {
    await check(fixture("checks", name));
  }
  await hostile();
  await browser.close();
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
