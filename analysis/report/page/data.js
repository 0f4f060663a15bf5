/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the page is about. Times are ns since the begin of the recording; null: not seen.
 */
const parse = (id) => JSON.parse(byId(id).textContent);
const report = parse("report");
const more = parse("more");

const lengthNs = Math.max(1, report.trace.end_ns - report.trace.begin_ns);

/* A mapping's states, in their order; each lasts until the next that was seen. */
const STATES = [
  { key: "request", name: "requested", label: "requested, not yet answered" },
  { key: "reply", name: "replied", label: "replied, not yet visible" },
  { key: "visible", name: "visible", label: "visible to the guest" },
  { key: "removed", name: "removed", label: "removed, still referenced" },
  { key: "finalized", name: "finalized", label: "finalized, descriptor still open" },
];

/* Every step of a life that is told, for its story. */
const STEPS = [
  { key: "request", name: "requested", text: (life) =>
    `the back-end asks for SHMEM_MAP${life.seq ? ` #${life.seq}` : ""}`, tone: "requested" },
  { key: "birth", name: "made", text: (life) =>
    `QEMU makes the mapping${life.fd >= 0 ? `, with its own descriptor ${life.fd}` : ""}`,
    tone: "requested" },
  { key: "added", name: "added", text: (life) => "added to its region" +
    (life.gpa ? `, at guest address ${life.gpa}` : ""), tone: "requested" },
  { key: "reply", name: "replied", text: () => "QEMU replies to the back-end", tone: "replied" },
  { key: "visible", name: "visible", text: () => "the commit is done: the guest sees it",
    tone: "visible" },
  { key: "removed", name: "removed", text: (life) => "taken out of its region" +
    (life.reason ? `: ${life.reason}` : ""), tone: "removed" },
  { key: "finalized", name: "finalized", text: () =>
    "its object is finalized; RCU holds the descriptor", tone: "finalized" },
  { key: "closed", name: "closed", text: () => "its descriptor is closed", tone: "closed" },
];

/* The last state's name of a life. */
function stateOf(life) {
  if (life.closed !== null) return "closed";
  for (let i = STATES.length - 1; i >= 0; i--) {
    if (life[STATES[i].key] !== null) return STATES[i].name;
  }
  return "made";
}

/* From where to where each state lasted: [state, from, to], in order of time; made once. */
function phasesOf(life) {
  if (life.phases) return life.phases;
  const phases = life.phases = [];
  const known = STATES.map((state, i) => [i, life[state.key]]).filter(([, at]) => at !== null);
  if (!known.length || life.begin < known[0][1]) known.unshift([known.length ? 0 : 2, life.begin]);
  for (let i = 0; i < known.length; i++) {
    const to = i + 1 < known.length ? known[i + 1][1] : life.end;
    if (to >= known[i][1]) phases.push([known[i][0], known[i][1], to]);
  }
  return phases;
}

function livesOf() {
  const rows = parse("lives");
  const lives = rows.map((row, index) => {
    const life = { index };
    for (let i = 0; i < more.fields.length; i++) life[more.fields[i]] = row[i];
    const times = [life.request, life.birth, life.added, life.reply, life.visible, life.removed,
      life.finalized, life.closed].filter((at) => at !== null);
    const born = [life.request, life.birth, life.added, life.visible].some((at) => at !== null);
    life.begin = born ? Math.min(...times) : 0;
    life.end = life.closed === null ? Math.max(lengthNs, ...times) : Math.max(life.begin, life.closed);
    life.state = stateOf(life);
    return life;
  });
  lives.sort((a, b) => a.begin - b.begin || a.index - b.index);
  lives.forEach((life, index) => { life.index = index; });
  return lives;
}

const lives = livesOf();

const ownerName = (owner) => {
  const whose = owner.vm || `${owner.name || "process"} ${owner.pid}`;
  return [owner.device || "device not known", whose];
};
const deviceName = (device) => device.id || device.chardev || device.dev;
const processName = (process) =>
  (process.vm ? `${process.vm} (${process.name || "process"} ${process.pid})`
    : `${process.name || "process"} ${process.pid}`);
