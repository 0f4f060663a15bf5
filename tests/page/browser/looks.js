/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the page shows: findings with their witnesses, losses, nothing that alarms of a healthy run;
 * in the dark, on paper, and to who does not see it.
 */
"use strict";

const { after, before, test } = require("node:test");
const { assert, audit, begin, end, faint, opened, pageOf, textOf } = require("./common.js");

before(begin);
after(end);

const ALARM = (finding) => ["observed", "suspected"].includes(finding.certainty);

for (const name of ["map-pipelined", "reply-commit-deadlock.both-sides",
  "mapping-leak.reset-keeps", "fd-leak.reclaim-passed-by"]) {
  test(`findings of ${name}`, async () => {
    const { file, report } = pageOf(name);
    const alarms = report.findings.filter(ALARM);
    assert.ok(alarms.length > 0);
    await opened(file, async (page) => {
      assert.deepEqual(await textOf(page, "#findings article .summary"),
        alarms.map((finding) => finding.summary));
      assert.equal(await page.locator("#verdict .verdict.bad").count(), 1);
      const cards = page.locator("#findings article");
      for (const [i, finding] of alarms.entries()) {
        const card = cards.nth(i);
        assert.equal(await card.locator("header .badge").textContent(), finding.certainty);
        for (const statement of finding.statements) {
          assert.ok((await card.textContent()).includes(statement.text));
        }
        /* Each line of the witness is in the column of who did it. */
        const rows = card.locator(".witness").first().locator("tbody tr");
        assert.equal(await rows.count(), finding.witness.length);
        for (const [n, line] of finding.witness.entries()) {
          const cell = rows.nth(n).locator("td").nth(line.side === "QEMU" ? 1 : 2);
          assert.equal(await cell.textContent(), line.text);
        }
      }
    });
  });
}

test("a healthy run alarms nobody", async () => {
  const { file } = pageOf("healthy");
  await opened(file, async (page) => {
    assert.match(await page.locator("h1").textContent(), /^Nothing found/);
    assert.equal(await page.locator(".bad, .alarm").count(), 0);
    assert.equal(await page.locator("#findings").isVisible(), false);
    assert.match(await page.locator("#worth").textContent(), /could decide/);
  });
});

test("losses are marked", async () => {
  const { file } = pageOf("losses");
  await opened(file, async (page) => {
    assert.match(await page.locator("#timeline .legend").textContent(), /events lost/);
    assert.ok(await page.locator("#timeline details tbody tr").count() > 0);
    assert.equal(await page.locator(".verdict.good").count(), 0);
    assert.match(await page.locator("#worth").textContent(), /lost/);
  });
  await opened(pageOf("healthy").file, async (page) => {
    assert.doesNotMatch(await page.locator("#timeline .legend").textContent(), /lost/);
  });
});

const brightness = (page, selector) => page.locator(selector).evaluate((element) => {
  const [r, g, b] = getComputedStyle(element).backgroundColor.match(/[\d.]+/g).map(Number);
  return (r + g + b) / 3;
});
/* Of a corner of the canvas, by a copy of it. */
const painted = (page) => page.evaluate(() => {
  const canvas = document.getElementById("timeline-canvas");
  const copy = document.createElement("canvas");
  const pen = copy.getContext("2d", { willReadFrequently: true });
  pen.drawImage(canvas, 4, canvas.height - 4, 1, 1, 0, 0, 1, 1);
  const [r, g, b] = pen.getImageData(0, 0, 1, 1).data;
  return (r + g + b) / 3;
});

test("in the dark", async () => {
  const { file } = pageOf("map-pipelined");
  await opened(file, async (page) => {
    assert.ok(await brightness(page, "body") < 60);
    assert.ok(await painted(page) < 60);
    await page.emulateMedia({ colorScheme: "light" });
    assert.ok(await brightness(page, "body") > 200);
    assert.ok(await painted(page) > 200);
  }, { colorScheme: "dark" });
});

for (const colorScheme of ["light", "dark"]) {
  for (const name of ["map-pipelined", "mapping-leak.reset-keeps", "healthy", "losses"]) {
    test(`${name} can be read in the ${colorScheme}`, async () => {
      await opened(pageOf(name).file, async (page) => {
        await page.locator("#mappings td button").first().click();
        await page.evaluate(() => document.querySelectorAll("details")
          .forEach((details) => { details.open = true; }));
        assert.deepEqual(await faint(page), []);
      }, { colorScheme });
    });
  }
}

test("nothing moves by itself, and nothing smoothly for who does not want it", async () => {
  const scrolls = (page) => page.evaluate(() =>
    getComputedStyle(document.documentElement).scrollBehavior);
  await opened(pageOf("map-pipelined").file, async (page) => {
    assert.equal(await scrolls(page), "auto");
    await page.locator("#mappings td button").first().click();
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
    await page.emulateMedia({ reducedMotion: "no-preference" });
    assert.equal(await scrolls(page), "smooth");
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
  });
});

test("on paper it is light and without what paper cannot do", async () => {
  const { file } = pageOf("mapping-leak.reset-keeps");
  await opened(file, async (page) => {
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    assert.ok(await brightness(page, "body") > 200);
    assert.ok(await brightness(page, "#verdict .verdict") > 200);
    assert.deepEqual(await faint(page), []);
    assert.equal(await page.locator(".top").isVisible(), false);
    assert.equal(await page.locator("#timeline .bar").isVisible(), false);
    /* What a button says of a mapping is text there. */
    assert.equal(await page.locator("#mappings td button").first().isVisible(), true);
    assert.equal(await page.locator("#findings li button").first().isVisible(), true);
    assert.equal(await page.getByRole("button", { name: "Show in the timeline" }).count(), 0);
    assert.ok((await page.pdf()).length > 10000);
  });
});

test("to who does not see it", async () => {
  const { file, report } = pageOf("mapping-leak.reset-keeps");
  await opened(file, async (page) => {
    assert.deepEqual(await audit(page), []);
    /* What the canvas shows is in a table as well. */
    assert.equal(await page.locator("#mappings tbody tr").count(), report.counts.mappings_created);
  });
});
