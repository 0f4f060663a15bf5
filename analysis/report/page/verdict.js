/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What was found, or that nothing was, and what that is worth.
 */
const TONES = { observed: "bad", suspected: "bad", hazard: "warn", unknown: "unknown" };
const alarms = report.findings.filter((f) => f.certainty === "observed" ||
  f.certainty === "suspected");
const hazards = report.findings.filter((f) => f.certainty === "hazard");
/* Those that are about something; that a check could not decide stands at the end. */
const unknowns = report.findings.filter((f) => f.certainty === "unknown" &&
  (f.witness.length || f.about.length || look && f.process));

const titleOf = (finding) => {
  const title = more.titles[report.findings.indexOf(finding)] || finding.id;
  return title.charAt(0) + title.slice(1).toLowerCase();
};

function worthSentence() {
  if (look) return lookWorth();
  const worth = report.worth;
  const words = [`${worth.checks_decided} of ${worth.checks} checks could decide.`];
  if (report.trace.lost || report.trace.lost_uncounted) {
    words.push("Events were lost: what is not found may have happened in that time.");
  }
  if (report.undecided.length) words.push("What could not be decided, and why, stands at the end.");
  return words.join(" ");
}

function headline() {
  if (look) return lookHeadline();
  const worth = report.worth;
  if (alarms.length) {
    const first = alarms[0];
    const others = alarms.length - 1;
    return { tone: "bad", state: first.certainty, title: `${titleOf(first)}` + (others
      ? `, and ${plural(others, "other finding")}` : ""), text: first.summary };
  }
  if (!worth.checks_decided) {
    return { tone: "unknown", state: "unknown",
      title: "Nothing can be said from this recording", text: "" };
  }
  const whole = worth.checks_decided === worth.checks && !report.trace.lost &&
    !report.trace.lost_uncounted;
  const title = "Nothing found" + (hazards.length ? ` but ${plural(hazards.length, "hazard")}` : "") +
    (worth.checks_decided < worth.checks
      ? ` by the ${plural(worth.checks_decided, "check")} that could decide` : "");
  return { tone: whole ? "good" : "unknown", state: whole ? "healthy" : "as far as is known",
    title, text: hazards.length
      ? "The hazards are orders of messages in which both sides would wait for each other; " +
        "none came about." : "" };
}

const tile = (name, value, small, alarm) => make("div", { class: alarm ? "alarm" : null },
  make("dt", {}, name), make("dd", {}, value, small ? make("small", {}, small) : null));

function recordingTiles() {
  const lost = report.trace.lost_uncounted
    ? `${count(report.trace.lost)} lost, and packets nobody counted`
    : report.trace.lost ? `${count(report.trace.lost)} lost` : "none lost";
  const live = report.mappings_total;
  const liveBytes = lives.length ? lives.reduce((sum, life) => sum + (life.closed === null &&
    typeof life.len === "number" ? life.len : 0), 0)
    : report.mappings.reduce((sum, mapping) => sum + mapping.len, 0);
  const slowest = report.times.request_to_reply;
  return [
    ["Recording", duration(lengthNs), `${plural(report.trace.events, "event")}, ${lost}`,
      report.trace.lost || report.trace.lost_uncounted],
    ["Mappings", count(report.counts.mappings_created), "made"],
    ["Held at the end", count(live), live ? bytes(liveBytes) : "no mapping"],
    ["Descriptors open", count(report.descriptors_total),
      `${count(report.counts.fds_closed)} closed`],
    ["Requests", count(report.counts.requests), report.counts.refused
      ? `${count(report.counts.refused)} refused` : "none refused"],
    ["Mean reply time", slowest.count ? duration(slowest.mean_ns) : "\u2013",
      slowest.count ? `longest ${duration(slowest.max_ns)}` : "none was answered"],
  ];
}

function showVerdict() {
  const head = headline();
  document.title = `${head.title}: shmemscope ${look ? "now" : "report"}`;
  const card = make("div", { class: `card verdict ${head.tone}` },
    make("span", { class: "state" }, head.state),
    make("h1", { id: "verdict-title" }, head.title),
    head.text ? make("p", {}, long(head.text)) : null,
    make("p", {}, worthSentence()));
  const tiles = make("dl", { class: "tiles" },
    (look ? lookTiles() : recordingTiles()).map((words) => tile(...words)));
  /* Of what was looked at, each VM has a card of its own. */
  const processes = look ? [] : report.processes.map((process) => make("div", { class: "card" },
    make("h2", {}, long(processName(process))),
    make("p", {}, long(process.state.text)),
    report.devices.filter((d) => d.pid === process.pid && d.vm === process.vm).map((d) =>
      make("p", {}, `device ${short(deviceName(d))}, virtio id ${d.virtio_id}` +
        d.regions.map((region) => `, region ${region.shmid}: ${bytes(region.size)}`).join("")))));
  byId("verdict").append(card, tiles, make("div", { class: "processes" }, processes));
}

/* Situations that came about, or what could not be seen. */
function situations() {
  const worth = report.worth;
  const opened = Object.entries(worth.windows).filter(([, n]) => n);
  const never = Object.entries(worth.windows).filter(([, n]) => n === 0).map(([name]) => name);
  const recorded = Object.values(worth.windows).every((n) => n !== null);
  return make("div", { class: "card" },
    make("h3", {}, "Situations in which QEMU waited for the back-end"),
    !recorded ? make("p", {}, "What opens them was not recorded.") : [
      make("p", {}, opened.length ? "The back-end could have sent a request meanwhile in:"
        : "It never waited for a back-end that could have sent a request."),
      table([{ name: "Situation" }, { name: "Times", figure: true }],
        opened.map(([name, n]) => [name, count(n)]), "Situations that came about"),
      make("p", { class: "lead" }, never.length ? `Never in: ${never.join(", ")}.` : "")],
    worth.withdrawn.map((w) => make("p", {}, `${plural(w.hazards, "hazard")} of device ` +
      `${short(w.device)} withdrawn: its back-end was seen to serve both channels.`)));
}

/* Those with the same reason are one line. */
function undecidedLines() {
  const reasons = new Map();
  for (const { check, why, partial } of report.undecided) {
    const reason = `${partial ? "in part: " : ""}${why}`;
    if (!reasons.has(reason)) reasons.set(reason, []);
    reasons.get(reason).push(check);
  }
  return [...reasons].map(([reason, checks]) => make("li", {}, make("b", {}, checks.join(", ")),
    ": ", long(reason)));
}

function showWorth() {
  const worth = report.worth;
  const left = worth.left_out.map((check) => make("li", {}, `${check}: not looked for; it needs ` +
    "events that are recorded with --set catalogue"));
  const unseen = look ? look.denied || [] : [];
  byId("worth").querySelector(".body").append(make("div", { class: "columns" },
    make("div", { class: "card" },
      make("h3", {}, "Checks"),
      make("p", {}, look ? lookWorth() : `${worth.checks_decided} of ${worth.checks} could decide.`),
      make("ul", { class: "plain" }, undecidedLines(), left)),
    !look ? situations() : unseen.length ? make("div", { class: "card" },
      make("h3", {}, "What could not be seen"), make("ul", { class: "plain" }, unseen.map((denied) =>
        make("li", {}, long(denied.what), "; it needs ", long(denied.needs))))) : null));
  byId("about").textContent = `shmemscope ${report.tool_version}, of ` +
    report.trace.traces.map((trace) => short(trace.path, 200)).join(", ");
}
