/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Names and labels that would like to be more than text.
 */
"use strict";

const fs = require("node:fs");
const { after, before, test } = require("node:test");
const { assert, begin, end, fixture, hover, made, opened, textOf } = require("./common.js");

before(begin);
after(end);

const OWN = "window.owned=1";
const NAMES = {
  script: `</script><script>${OWN}</script>`,
  image: `<img src=x onerror=${OWN}><svg onload=${OWN}>`,
  comment: "<!--<script>",
  separators: "a\\342\\200\\250b\\342\\200\\251c",
  bytes: "\\377\\376\\300\\200\\355\\240\\200 and a half \\342\\202",
  quotes: `\\"} ] , \\\\ \\\\u0000 ${"$"}{x} %s`,
  address: "https://example.invalid/x",
  megabyte: "<&" + "x".repeat(1 << 20),
};

const NOTE = "+0.000001 5000 5000 shmemscope_wire:note fdev=1 ino=7000";

/* All that has a name has that one, and so have its threads, and the files as a label. */
function named(source, name) {
  const plain = fs.readFileSync(fixture(source), "utf8");
  const text = plain.replace(/\b(vm|id|chardev)=[\w-]+/g, (all, key) => `${key}="${name}"`)
    .replace(/^(thread \d+ \d+) .*$/gm, (all, thread) => `${thread} "${name}"`)
    .replace(/^\+/m, () => `${NOTE} label="${name}"\n+`);
  assert.ok(text.includes(NOTE));
  return text;
}

for (const [kind, name] of Object.entries(NAMES)) {
  for (const source of ["map-pipelined", "mapping-leak.reset-keeps"]) {
    test(`a name of ${kind} in ${source}`, async () => {
      const { file, report } = made(`${kind}-${source}`, named(source, name));
      const label = report.mappings[0].label;
      assert.ok(label);
      await opened(file, async (page) => {
        assert.equal(await page.evaluate(() => window.owned), undefined);
        assert.equal(await page.locator("img, iframe, body svg[onload], object").count(), 0);
        assert.equal(await page.locator("script").count(), 4);
        const alarms = report.findings.filter((f) =>
          ["observed", "suspected"].includes(f.certainty));
        assert.equal(await page.locator("#findings article").count(), alarms.length);
        const labelled = report.findings.filter((f) => f.labels.length);
        assert.equal(labelled.length, source === "map-pipelined" ? 0 : 1);
        const cards = await textOf(page, "#findings article");
        assert.equal(cards.filter((card) => card.includes(`Labelled \u201c${label}\u201d`)).length,
          labelled.length);
        await page.locator("#mapping-search").fill(label);
        assert.equal(await page.locator("#mappings tbody tr").count(), report.mappings.length);
        await page.locator("#mappings td button").first().click();
        assert.equal(await page.locator(".story").count(), 1);
        const story = await page.locator(".story").textContent();
        assert.ok(story.includes(`\u201c${label.slice(0, 100)}`), story);
        if (labelled.length) { // whose bars are not so short that they take long to find
          await hover(page, { test: (text) => text.includes(`\u201c${label.slice(0, 40)}`) });
        }
        assert.equal(await page.evaluate(() => window.owned), undefined);
        /* Nothing is so wide that the page has to be moved sideways. */
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
        const said = report.processes[0].vm.slice(0, 100);
        assert.ok((await page.locator("#verdict").textContent()).includes(said));
      });
    });
  }
}
