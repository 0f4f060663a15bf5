/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The page of what was looked at: of evidence in files, and of this very host.
 */
"use strict";

const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { after, before, test } = require("node:test");
const { assert, audit, begin, end, faint, opened, textOf, tmp } = require("./common.js");

before(begin);
after(end);

const { SHMEMSCOPE_COMMAND, SHMEMSCOPE_TESTS } = process.env;
const EXPLAINED = path.join(SHMEMSCOPE_TESTS, "autopsy", "explained");

function told(...words) {
  const done = spawnSync(SHMEMSCOPE_COMMAND, words, { maxBuffer: 1 << 29 });
  assert.ok([0, 1].includes(done.status), `${words}: ${done.stderr}`);
  assert.equal(String(done.stderr), "");
  return String(done.stdout);
}

/* The page of evidence, as a file; and the report as JSON. */
function explained(name, evidence) {
  const source = path.join(tmp, `${name}.json`), file = path.join(tmp, `${name}.html`);
  fs.writeFileSync(source, JSON.stringify(evidence));
  fs.writeFileSync(file, told("report", "--format", "html", source));
  return { file, report: JSON.parse(told("report", "--format", "json", source)) };
}

/* Of one of the cases, with some of it changed. */
function caseOf(name, change = () => {}) {
  const done = spawnSync("/usr/bin/python3", [path.join(EXPLAINED, "run-explained"), "--evidence",
    EXPLAINED, name]);
  assert.equal(done.status, 0, String(done.stderr));
  const evidence = JSON.parse(done.stdout);
  change(evidence);
  return explained(name, evidence);
}

/* What a look has no history for is not there. */
async function hasNoHistory(page) {
  for (const id of ["timeline", "over-time", "distributions", "mappings"]) {
    assert.equal(await page.locator(`#${id}`).isVisible(), false, id);
    assert.equal(await page.locator(`nav a[href="#${id}"]`).count(), 0, id);
  }
  assert.equal(await page.locator("canvas").count(), 0);
}

test("several VMs, some of them stuck", async () => {
  const { file, report } = caseOf("several");
  await opened(file, async (page) => {
    await hasNoHistory(page);
    assert.equal(await page.locator("h1").textContent(), "4 VMs: 2 deadlock, 1 waits, 1 healthy");
    assert.equal(await page.locator("#verdict .verdict.bad").count(), 1);
    assert.deepEqual(await textOf(page, "#vms .vm h3"), report.look.vms.map((vm) => vm.vm));
    const rows = page.locator("#vms table").first().locator("tbody tr");
    assert.deepEqual(await rows.locator("td:nth-child(1)").allTextContents(),
      report.look.vms.map((vm) => vm.vm));
    assert.deepEqual(await rows.locator("td:nth-child(3)").allTextContents(),
      report.look.vms.map((vm) => vm.state));
    assert.match(await rows.first().textContent(), /5\.79 sdev0: gpu-backend 4311$/);
    await rows.nth(1).getByRole("button").focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "vm-1");
    assert.deepEqual(await textOf(page, "#vms .vm header .badge"),
      report.look.vms.map((vm) => vm.state));
    const alarms = report.findings.filter((f) => ["observed", "suspected"].includes(f.certainty));
    assert.equal(alarms.length, 3);
    for (const finding of alarms) {
      const card = page.locator("#vms .vm", { hasText: finding.process.vm });
      assert.ok((await card.textContent()).includes(`Frees it: ${finding.remedy.now}`));
      for (const statement of finding.statements) {
        assert.ok((await page.locator("#findings").textContent()).includes(statement.text));
      }
    }
    assert.equal(await page.locator("#waits tbody tr").count(), report.open_waits.length);
    assert.deepEqual(await audit(page), []);
  });
});

test("one that hangs: both sides, and from the VM to what was found", async () => {
  const { file, report } = caseOf("map-pipelined");
  await opened(file, async (page) => {
    await hasNoHistory(page);
    assert.equal(await page.locator("#verdict .state").textContent(), "observed");
    const vm = page.locator("#vms .vm");
    const [device] = report.look.vms[0].devices;
    const cells = await vm.locator("table").first().locator("tbody td").allTextContents();
    assert.equal(cells[0], device.id);
    assert.equal(cells[1], `gpu-backend ${device.backend.pid}`);
    assert.match(cells[2], /^SET_MEM_TABLE, 136 bytes$/);
    assert.match(cells[3], /^SHMEM_MAP 0x1000\+0x1000, 52 bytes$/);
    assert.match(await vm.textContent(), /recvmsg/);
    await vm.getByRole("button").first().focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "finding-0");
  });
});

test("a healthy one alarms nobody", async () => {
  const { file } = caseOf("idle");
  await opened(file, async (page) => {
    await hasNoHistory(page);
    assert.match(await page.locator("h1").textContent(), /is healthy$/);
    assert.equal(await page.locator(".bad, .alarm").count(), 0);
    assert.equal(await page.locator("#findings").isVisible(), false);
    assert.match(await page.locator("#worth").textContent(), /the others need a recording/);
    assert.equal(await page.locator("#worth li").filter({ hasText: "two looks do not" }).count(), 1);
  });
});

test("what could not be seen is said", async () => {
  const { file, report } = caseOf("denied");
  await opened(file, async (page) => {
    const denied = [...report.look.denied, ...report.look.vms.flatMap((vm) => vm.denied)];
    assert.ok(denied.length > 0);
    for (const one of denied) {
      assert.ok((await page.locator("main").textContent()).includes(`${one.what}; it needs ${one.needs}`));
    }
    assert.equal(await page.locator(".verdict.good").count(), 0);
    assert.match(await page.locator("h1").textContent(), /not visible whether it is stuck$/);
    assert.equal(await page.locator("#waits .empty").textContent(), "No wait was visible.");
    await page.locator("#vms .vm button").first().click();
    assert.match(await page.evaluate(() => document.activeElement.className), /finding unknown/);
  });
});

test("stacks of both sides", async () => {
  const frame = (symbol, offset = 16) => ({ address: "0x7f00", module: "libx.so", symbol, offset });
  const { file } = caseOf("map-pipelined", (evidence) => {
    evidence.stacks = [
      { pid: 4242, why: null, threads: [{ tid: 4242, stopped_ns: 0, comm: "qemu-system-x86", why: null,
        frames: [frame("recvmsg"), frame("<img src=x onerror=window.owned=1>"), frame(null, 0)] }] },
      { pid: 4311, why: "it is of somebody else", threads: [] }];
  });
  await opened(file, async (page) => {
    const [first, second] = await page.locator("#vms > .body > details").all();
    assert.equal(await first.locator("pre").isVisible(), false);
    await first.locator("summary").click();
    assert.deepEqual((await first.locator("pre").textContent()).split("\n"),
      ["#0 recvmsg+0x10 (libx.so)", "#1 <img src=x onerror=window.owned=1>+0x10 (libx.so)",
        "#2 0x7f00 (libx.so)"]);
    assert.match(await second.textContent(), /it is of somebody else/);
    assert.equal(await page.evaluate(() => window.owned), undefined);
    assert.deepEqual(await audit(page), []);
  });
});

test("in the dark and on paper", async () => {
  const { file } = caseOf("several");
  const ground = (page, selector) => page.locator(selector).first().evaluate((element) =>
    getComputedStyle(element).backgroundColor.match(/[\d.]+/g).slice(0, 3)
      .reduce((sum, value) => sum + Number(value), 0) / 3);
  await opened(file, async (page) => {
    assert.ok(await ground(page, "body") < 60);
    assert.ok(await ground(page, ".vm") < 60);
    assert.deepEqual(await faint(page), []);
    await page.emulateMedia({ colorScheme: "light" });
    assert.deepEqual(await faint(page), []);
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    assert.ok(await ground(page, "body") > 200);
    assert.ok(await ground(page, ".vm") > 200);
    assert.equal(await page.locator("#vms td button").first().isVisible(), true);
    assert.deepEqual(await faint(page), []);
    assert.ok((await page.pdf()).length > 10000);
  }, { colorScheme: "dark" });
});

const OWN = "window.owned=1";
const NAMES = {
  script: `</script><script>${OWN}</script>`,
  image: `<img src=x onerror=${OWN}><svg onload=${OWN}>`,
  comment: "<!--<script>",
  escapes: "\u001b[2J\u001b]0;owned\u0007\r\b\u007f\u009b1m",
  lines: "one\ntwo\r\nthree\u0085four\u2028five\u2029six",
  quotes: `"} ] , \\ \\u0000 ${"$"}{x} %s`,
  long: "<&" + "x".repeat(65000), // more than 64 KiB of one name is refused
};

for (const [kind, name] of Object.entries(NAMES)) {
  test(`a look at names of ${kind}`, async () => {
    const { file, report } = caseOf("map-pipelined", (evidence) => {
      evidence.host = name;
      for (const one of evidence.looks) {
        for (const process of one.processes) {
          if (process.vm) process.vm = name;
          Object.assign(process, { comm: name, exe: name,
            denied: [{ what: name, needs: name, error: 1 }] });
          for (const thread of process.threads) thread.comm = name;
        }
        for (const channel of one.channels) {
          if (channel.kind === "main") Object.assign(channel, { device: name, chardev: name });
        }
      }
    });
    assert.equal(report.findings[0].id, "reply-commit-deadlock");
    await opened(file, async (page) => {
      assert.equal(await page.evaluate(() => window.owned), undefined);
      assert.equal(await page.locator("img, iframe, object, body svg[onload]").count(), 0);
      assert.equal(await page.locator("script").count(), 4);
      assert.equal(await page.locator("#vms .vm").count(), 1);
      assert.equal(await page.locator("#findings article").count(), 1);
      assert.equal(await page.locator("h1").textContent(), "Deadlock");
      assert.ok((await page.locator("#vms h3").first().textContent())
        .startsWith(report.look.vms[0].vm.slice(0, 100)));
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    });
  });
}

test("now, of this host", async () => {
  const file = path.join(tmp, "host.html");
  fs.writeFileSync(file, told("now", "--format", "html", "--for", "0"));
  await opened(file, async (page) => {
    await hasNoHistory(page);
    const shown = await page.locator("#vms .vm").count();
    assert.match(await page.locator("h1").textContent(), shown ? /./ : /^No VM was found$/);
    assert.match(await page.locator("#verdict .tiles").textContent(), /Looked at.* UTC/);
  });
});
