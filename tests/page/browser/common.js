/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the browser tests share: pages made of fixtures, opened from disk in headless Chromium. A
 * page that says anything on the console, or asks for anything but itself, has failed.
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

const MOST = 1 << 29; // of what a program may print
const tmp = fs.mkdtempSync(path.join(os.tmpdir(), "shmemscope-page-"));
process.on("exit", () => fs.rmSync(tmp, { recursive: true }));

const fixture = (name) => {
  const places = [path.join(SHMEMSCOPE_TESTS, "analysis", "fixtures", `${name}.fixture`),
    path.join(SHMEMSCOPE_TESTS, "checks", `${name}.fixture`)];
  return places.find((place) => fs.existsSync(place));
};

/* The page of a fixture's text, as a file; and the report as JSON. */
function made(name, text) {
  const source = path.join(tmp, `${name}.fixture`);
  fs.writeFileSync(source, text);
  const say = (format) => execFileSync(SHMEMSCOPE_FIXTURE_REPORT, [format, source],
    { maxBuffer: MOST });
  const file = path.join(tmp, `${name}.html`);
  fs.writeFileSync(file, say("report-html"));
  return { file, report: JSON.parse(say("report-json")) };
}
const pageOf = (name) => made(name, fs.readFileSync(fixture(name), "utf8"));

let browser = null;
const begin = async () => {
  browser = await chromium.launch({ executablePath: SHMEMSCOPE_CHROMIUM });
};
const end = () => browser.close();

/* Opens it, gives it to `does`, and sees to it that nothing was said or asked for. */
async function opened(file, does, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 },
    reducedMotion: "reduce", ...options });
  const said = [], asked = [];
  const page = await context.newPage();
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(String(error.stack)));
  page.on("dialog", (dialog) => { said.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  context.on("request", (request) => asked.push(request.url()));
  await page.goto(`file://${file}`);
  await page.waitForFunction(() => document.documentElement.dataset.ready);
  await does(page);
  await context.close();
  assert.deepEqual(said, []);
  assert.deepEqual(asked.filter((url) => url !== "data:,"), [`file://${file}`]);
}

const textOf = (page, selector) => page.locator(selector).allTextContents();

/* What a screen reader would miss; nothing is as it should be. */
const audit = (page) => page.evaluate(() => {
  const found = [];
  const visible = (element) => element.getClientRects().length > 0;
  for (const section of document.querySelectorAll("main > section")) {
    const title = document.getElementById(section.getAttribute("aria-labelledby"));
    if (!title || !title.textContent) found.push(`section ${section.id} has no name`);
  }
  for (const table of document.querySelectorAll("table")) {
    if (!table.caption || !table.caption.textContent) found.push("a table has no caption");
    if (![...table.tHead.rows[0].cells].every((cell) => cell.scope === "col")) {
      found.push("a heading of a table has no scope");
    }
  }
  for (const control of document.querySelectorAll("button, a, summary")) {
    if (visible(control) && !control.textContent.trim()) found.push(control.outerHTML);
  }
  for (const input of document.querySelectorAll("input")) {
    if (!input.labels.length) found.push("an input has no label");
  }
  for (const picture of document.querySelectorAll("svg, #timeline-canvas")) {
    if (!picture.getAttribute("role") || !picture.getAttribute("aria-label")) {
      found.push("a picture has no name");
    }
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size !== ids.length) found.push("an id stands twice");
  let level = 1;
  for (const heading of document.querySelectorAll("main h1, main h2, main h3, main h4")) {
    const now = Number(heading.tagName[1]);
    if (now > level + 1 && visible(heading)) found.push(`h${level} then ${heading.outerHTML}`);
    level = now;
  }
  return found;
});

/* Text that is hard to read: less than 4.5 to 1 before its ground, 3 to 1 where it is large. */
const faint = (page) => page.evaluate(() => {
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => (part / 255 <= .04045 ? part / 255 / 12.92
      : ((part / 255 + .055) / 1.055) ** 2.4));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const groundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, alpha = 1] = numbers(getComputedStyle(at).backgroundColor);
      if (alpha === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility() ||
      element.closest("script, .unseen, .skip, button:disabled")) continue;
    const style = getComputedStyle(element);
    const picture = element instanceof SVGElement;
    const [a, b] = [light(numbers(picture ? style.fill : style.color).slice(0, 3)),
      light(groundOf(element))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24 ||
      parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700;
    if ((a + .05) / (b + .05) < (large ? 3 : 4.5)) {
      found.push(`${((a + .05) / (b + .05)).toFixed(2)}: ${node.textContent.trim().slice(0, 40)}`);
    }
  }
  return found;
});

/* Moves the pointer over the timeline until its words are about something that fits. */
async function hover(page, wanted) {
  const canvas = page.locator("#timeline-canvas");
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  for (let y = 46; y < box.height; y += 6) {
    for (let x = 180; x < box.width - 4; x += 24) {
      await page.mouse.move(box.x + x, box.y + y);
      const tip = page.locator(".tip");
      if (await tip.isVisible() && wanted.test(await tip.textContent())) {
        return { x: box.x + x, y: box.y + y, text: await tip.textContent() };
      }
    }
  }
  return assert.fail(`nothing in the timeline says ${wanted}`);
}

module.exports = { assert, audit, begin, end, faint, fixture, made, opened, pageOf, hover, textOf, tmp };
