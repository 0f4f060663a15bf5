/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The timeline: it zooms and moves by pointer, wheel and keys, and a mapping's story opens.
 */
"use strict";

const { after, before, test } = require("node:test");
const { assert, begin, end, hover, opened, pageOf, textOf } = require("./common.js");

before(begin);
after(end);

/* What is in view, in ns. */
async function inView(page) {
  const words = await page.locator("#view-range").textContent();
  const [, from, to] = words.match(/^([\d.]+) s to ([\d.]+) s/);
  return { from: Number(from), to: Number(to), span: Number(to) - Number(from), words };
}
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

test("it zooms and moves", async () => {
  await opened(pageOf("mapping-leak.reset-keeps").file, async (page) => {
    const all = await inView(page);
    await press(page, "Zoom in");
    const half = await inView(page);
    assert.ok(half.span < all.span * .6);
    await press(page, "Later");
    assert.ok((await inView(page)).from > half.from);
    await press(page, "Earlier");
    await press(page, "Zoom out");
    await press(page, "All");
    assert.equal((await inView(page)).words, all.words);

    const canvas = page.locator("#timeline-canvas");
    await canvas.scrollIntoViewIfNeeded();
    const box = await canvas.boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + 20);
    await page.mouse.wheel(0, -400);
    assert.equal((await inView(page)).words, all.words, "the wheel scrolls the page");
    await canvas.scrollIntoViewIfNeeded();
    await canvas.focus();
    const now = await canvas.boundingBox();
    await page.mouse.move(now.x + now.width / 2, now.y + 20);
    await page.mouse.wheel(0, -400);
    await page.waitForFunction((words) =>
      document.getElementById("view-range").textContent !== words, all.words);
    assert.ok((await inView(page)).span < all.span);
    await page.keyboard.press("+");
    await page.keyboard.press("+");
    const closer = await inView(page);

    await page.mouse.down();
    await page.mouse.move(now.x + now.width / 2 - 200, now.y + 20, { steps: 4 });
    await page.mouse.up();
    const moved = await inView(page);
    assert.ok(moved.from > closer.from);
    assert.ok(Math.abs(moved.span - closer.span) < closer.span * .01);
  });
});

/* Every step that is known of a life, from the page's own data. */
const stepsOf = (page, seq) => page.evaluate((wanted) => {
  const { fields } = JSON.parse(document.getElementById("more").textContent);
  const lives = JSON.parse(document.getElementById("lives").textContent);
  const life = lives.map((row) => Object.fromEntries(fields.map((name, i) => [name, row[i]])))
    .find((one) => one.seq === wanted);
  return ["request", "birth", "added", "reply", "visible", "removed", "finalized", "closed"]
    .map((name) => life[name]).filter((at) => at !== null).sort((a, b) => a - b);
}, seq);

test("a click on a mapping opens its story", async () => {
  await opened(pageOf("healthy").file, async (page) => {
    const there = await hover(page, /MAP #\d+/);
    const seq = Number(there.text.match(/MAP #(\d+)/)[1]);
    await page.mouse.click(there.x, there.y);
    assert.match(await page.locator("#story-title").textContent(),
      new RegExp(`SHMEM_MAP #${seq}$`));
    const steps = await stepsOf(page, seq);
    assert.equal(steps.length, 8);
    assert.deepEqual(await textOf(page, ".story ol .at"),
      steps.map((ns) => `${(ns / 1e9).toFixed(6)} s`));
    assert.equal(await page.locator(".story .missing").count(), 0);
  });
});

test("the story of what leaked has the step that is missing", async () => {
  await opened(pageOf("mapping-leak.reset-keeps").file, async (page) => {
    await page.locator("#findings article li button").first().click();
    assert.match(await page.locator(".story .missing.alarm").textContent(), /was not removed/);
    assert.match(await page.locator(".story").textContent(), /What was found of it/);
    await page.locator(".story li button").first().click();
    assert.equal(await page.evaluate(() => document.activeElement.id), "finding-0");
  });
});

/* Tab, until the focus is at what is looked for. */
async function tabTo(page, selector) {
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
  }
  assert.fail(`the Tab key never came to ${selector}`);
}

test("by keyboard alone", async () => {
  await opened(pageOf("map-pipelined").file, async (page) => {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    await tabTo(page, "#timeline-canvas");
    const all = await inView(page);
    await page.keyboard.press("+");
    await page.keyboard.press("+");
    const closer = await inView(page);
    assert.ok(closer.span < all.span * .3);
    await page.keyboard.press("ArrowRight");
    assert.ok((await inView(page)).from > closer.from);
    await page.keyboard.press("0");
    assert.equal((await inView(page)).words, all.words);
    await page.keyboard.press("ArrowDown");
    assert.match(await page.locator("#said").textContent(), /^Mapping 1 of /);
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.className), "card story");
    assert.ok(await page.locator(".story ol li").count() > 1);
    await page.keyboard.press("Escape");
    assert.equal(await page.locator(".story").count(), 0);
    assert.equal(await page.evaluate(() => document.activeElement.id), "timeline-canvas");
    await tabTo(page, "#mapping-search");
    await page.keyboard.type("no such mapping");
    assert.equal(await page.locator("#mappings tbody tr").count(), 0);
  });
});

test("an order of a hazard opens and closes", async () => {
  await opened(pageOf("map-pipelined").file, async (page) => {
    const show = page.locator("#hazards [aria-expanded]").first();
    await show.click();
    assert.ok(await page.locator("#hazards .witness tbody tr").count() > 1);
    assert.equal(await show.getAttribute("aria-expanded"), "true");
    await show.click();
    assert.equal(await page.locator("#hazards .witness").count(), 0);
  });
});
