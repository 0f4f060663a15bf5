/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Many mappings: 10,000 stay fluid, 100,000 are drawn by their number, and none is left out.
 */
"use strict";

const { execFileSync } = require("node:child_process");
const path = require("node:path");
const { after, before, test } = require("node:test");
const { assert, begin, end, hover, made, opened } = require("./common.js");

before(begin);
after(end);

/* Bounds for a slow and busy machine, in ms; what was measured is printed. */
const READY_MS = { 10000: 8000, 100000: 60000 };
const FRAME_MS = { 10000: 400, 100000: 2000 };

const many = (mappings) => made(`many-${mappings}`, execFileSync("/usr/bin/python3",
  [path.join(__dirname, "..", "many.py"), String(mappings)], { maxBuffer: 1 << 29 }));

/* How long the frames of a journey through the timeline took, in ms. */
const journey = (page) => page.evaluate(async () => {
  const canvas = document.getElementById("timeline-canvas");
  const times = [];
  for (const key of ["+", "ArrowRight", "+", "ArrowRight", "ArrowLeft", "+", "+", "-", "-", "0"]) {
    const at = performance.now();
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    await new Promise((done) => { requestAnimationFrame(() => setTimeout(done)); });
    times.push(performance.now() - at);
  }
  return times.sort((a, b) => a - b);
});

/* Columns of the picture that do not have all mappings of that time, by the page's own data. */
async function miscounted(page) {
  const lives = await page.evaluate(() => {
    const { fields } = JSON.parse(document.getElementById("more").textContent);
    const field = (name) => fields.indexOf(name);
    return JSON.parse(document.getElementById("lives").textContent).map((life) => {
      const times = ["request", "birth", "added", "reply", "visible", "removed", "finalized"]
        .map((name) => life[field(name)]).filter((at) => at !== null);
      return [life[field("shmid")], Math.min(...times), life[field("closed")]];
    });
  });
  const canvas = page.locator("#timeline-canvas");
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  const wrong = [];
  const looked = [0, 0];
  for (let y = 80; y < box.height - 20; y += 70) {
    for (let x = 300; x < box.width - 20; x += 97) {
      await page.mouse.move(box.x + x, box.y + y);
      const words = await page.locator(".tip div").textContent();
      const region = Number((await page.locator(".tip b").textContent()).match(/^region (\d):/)[1]);
      const [all, from, to] = words.match(/^([\d,]+) from ([\d.]+) s to ([\d.]+) s/).slice(1)
        .map((figure) => Number(figure.replaceAll(",", "")));
      const [a, b] = [from * 1e9, to * 1e9];
      /* The words are rounded to a microsecond. */
      const within = (slack) => lives.filter(([shmid, begin, end]) => shmid === region &&
        begin <= b + slack && (end === null || end >= a - slack)).length;
      if (all < within(-1000) || all > within(1000)) wrong.push(`region ${region}: ${words}; ${within(0)} were there`);
      looked[region] += all > 0;
    }
  }
  assert.ok(looked.every((n) => n > 6), String(looked));
  return wrong;
}

for (const mappings of [10000, 100000]) {
  test(`${mappings} mappings`, { timeout: 240000 }, async (context) => {
    const { file, report } = many(mappings);
    assert.equal(report.counts.mappings_created, mappings);
    await opened(file, async (page) => {
      const ready = Number(await page.evaluate(() => document.documentElement.dataset.ready));
      const frames = await journey(page);
      const median = frames[frames.length >> 1];
      context.diagnostic(`ready after ${ready} ms; a frame takes ${median.toFixed(1)} ms, ` +
        `at most ${frames[frames.length - 1].toFixed(1)} ms`);
      assert.ok(ready < READY_MS[mappings], `ready after ${ready} ms`);
      assert.ok(median < FRAME_MS[mappings], `a frame takes ${median} ms`);

      /* The rows say how many they are of, and there is a page of the table for each. */
      const words = mappings.toLocaleString("en-GB");
      assert.match(await page.locator("#timeline-canvas").getAttribute("aria-label"),
        new RegExp(`Timeline of ${words} mappings`));
      const row = await hover(page, /mappings in view/);
      const inRow = Number(row.text.match(/([\d,]+) mappings in view/)[1].replaceAll(",", ""));
      assert.ok(inRow > mappings * .4 && inRow < mappings * .6, String(inRow));
      assert.match(await page.locator("#mappings .push").textContent(),
        new RegExp(`${words} mappings, page 1 of ${mappings / 25}$`));

      assert.deepEqual(await miscounted(page), []);

      /* A click goes closer, until mappings are drawn one by one and have their story. */
      for (let i = 0; i < 12; i++) {
        await page.mouse.move(row.x, row.y);
        const tip = await page.locator(".tip").textContent();
        if (/MAP #/.test(tip) || !/in view/.test(tip)) break;
        await page.mouse.click(row.x, row.y);
        await page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => setTimeout(done)); }));
      }
      const one = await hover(page, /MAP #\d+/);
      await page.mouse.click(one.x, one.y);
      assert.match(await page.locator("#story-title").textContent(), /SHMEM_MAP #\d+$/);
    });
  });
}
