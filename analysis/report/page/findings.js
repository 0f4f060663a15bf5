/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Findings, each with its witness.
 */
function whereOf(finding) {
  const parts = [];
  if (finding.device) parts.push(`device ${short(deviceName(finding.device))}`);
  if (finding.process) parts.push(short(processName(finding.process), 80));
  return parts.join(", ");
}

function remediesOf(finding) {
  const rows = [["Rule", finding.rule], ["Ends it now", finding.remedy.now],
    ["For good", finding.remedy.for_good], ["Costs", finding.remedy.costs],
    ["More", finding.more]].filter(([, value]) => value);
  return make("dl", { class: "remedies" }, rows.flatMap(([name, value]) =>
    [make("dt", {}, name), make("dd", {}, long(value))]));
}

/* The lives that a finding is about, by what it names. */
function livesAbout(finding) {
  const found = new Set();
  for (const about of finding.about) {
    for (const life of lives) {
      const owner = more.owners[life.owner];
      if (finding.process && owner.pid !== finding.process.pid) continue;
      if (finding.device && owner.device && owner.device !== finding.device.id &&
        owner.device !== finding.device.chardev) continue;
      const same = about.len !== undefined
        ? about.shmid === life.shmid && about.shm_offset === life.offset && about.len === life.len &&
          (about.fd === undefined || about.fd === life.fd)
        : about.fd === life.fd && about.ino === life.ino;
      if (same) found.add(life);
    }
  }
  return [...found];
}

const MANY = 12;
function aboutOf(finding) {
  const about = livesAbout(finding);
  if (!about.length) return null;
  const links = about.slice(0, MANY).map((life) => make("li", {}, make("button",
    { type: "button", class: "plain", on: { click: () => openStory(life, true) } },
    `region ${life.shmid}, ${range(life)}${life.seq ? `, MAP #${life.seq}` : ""}`)));
  return [make("h4", {}, "Its mappings"), make("ul", { class: "plain" }, links,
    about.length > MANY ? make("li", {}, `and ${plural(about.length - MANY, "other")}`) : null)];
}

function findingCard(finding) {
  const facts = [];
  if (finding.count > 1) facts.push(`${count(finding.count)} times`);
  if (finding.duration_ns) {
    facts.push(`for ${finding.duration_at_least ? "at least " : ""}${duration(finding.duration_ns)}`);
  }
  if (!look) facts.push(`at ${moment(finding.first_t_ns)}`);
  const statements = finding.statements.map((statement) => make("div", {},
    make("b", {}, long(statement.who)), long(statement.text)));
  return make("article", { class: `card finding ${TONES[finding.certainty]}`,
    id: `finding-${report.findings.indexOf(finding)}`, tabindex: "-1" },
    make("header", {}, make("h3", {}, titleOf(finding)),
      make("span", { class: `badge ${TONES[finding.certainty]}` }, finding.certainty),
      make("span", { class: "where" }, [whereOf(finding), ...facts].filter(Boolean).join(" \u00b7 "))),
    make("p", { class: "summary" }, long(finding.summary)),
    finding.labels.length ? make("p", { class: "summary" }, "Labelled ",
      long(finding.labels.map((label) => `\u201c${label}\u201d`).join(", "))) : null,
    finding.condition ? make("p", { class: "lead" }, long(finding.condition)) : null,
    statements.length ? make("div", { class: "parties" }, statements) : null,
    finding.witness.length ? [make("h4", {}, "Witness"), witnessTable(finding)] : null,
    finding.order && finding.certainty !== "hazard"
      ? make("details", { class: "more" },
        make("summary", {}, "The smallest order of messages that leads there"),
        orderTable(finding.order)) : null,
    aboutOf(finding), remediesOf(finding),
    look || finding.first_t_ns === null ? null : make("button", { type: "button", on: { click: () =>
      showTime(finding) } }, "Show in the timeline"));
}

function showFindings() {
  const section = byId("findings");
  const body = section.querySelector(".body");
  section.hidden = !alarms.length && !unknowns.length;
  body.append(...alarms.map(findingCard), ...unknowns.map(findingCard));
  byId("hazards").hidden = !hazards.length;
  byId("hazards").querySelector(".body").append(...hazardGroups().map(hazardCard));
}
