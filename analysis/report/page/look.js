/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What was looked at instead of recorded: the VMs, what lay in their sockets and what they had mapped,
 * in which calls their threads stood, and the stacks. There is no history, so there is no timeline.
 */
const look = report.look || null;
const VM_TONES = { deadlock: "bad", waits: "bad", stale: "warn", unknown: "unknown", ended: "unknown",
  healthy: "good" };
const lookedAt = look && look.looks.length ? look.looks[look.looks.length - 1].ns : 0;

const vmName = (vm) => vm.vm || vm.name || "process";
const unseen = look && look.vms.some((vm) => vm.state === "unknown");
const heldOf = (vm) => vm.devices.flatMap((device) => device.mapped);
const findingsOf = (vm) => report.findings.filter((finding) => finding.process &&
  finding.process.pid === vm.pid && finding.certainty !== "hazard");

/* "2 deadlock, 1 healthy", in the order in which the VMs stand: the worst first. */
function stateWords(vms) {
  const counts = new Map();
  for (const vm of vms) counts.set(vm.state, (counts.get(vm.state) || 0) + 1);
  return [...counts].map(([state, n]) => `${count(n)} ${state}`).join(", ");
}

function lookHeadline() {
  const { vms } = look;
  const first = alarms[0];
  if (!vms.length) {
    return { tone: "unknown", state: "nothing to look at", title: "No VM was found",
      text: `On ${look.host} no front-end of a vhost-user device was seen.` };
  }
  if (vms.length > 1) {
    const stuck = vms.filter((vm) => VM_TONES[vm.state] === "bad" || vm.state === "stale");
    return { tone: first ? "bad" : unseen ? "unknown" : "good",
      state: first ? "stuck" : unseen ? "as far as is known" : "healthy",
      title: `${plural(vms.length, "VM")}: ${stateWords(vms)}`,
      text: stuck.length ? `What frees ${stuck.length === 1 ? "it" : "each"} stands with the VM.` : "" };
  }
  if (first) {
    return { tone: "bad", state: first.certainty, title: titleOf(first) + (alarms.length > 1
      ? `, and ${plural(alarms.length - 1, "other finding")}` : ""), text: first.summary };
  }
  const vm = vms[0];
  return { tone: VM_TONES[vm.state], state: vm.state, text: "",
    title: short(vmName(vm)) + ({ healthy: " is healthy", ended: " has ended",
      unknown: ": not visible whether it is stuck" }[vm.state] || `: ${vm.state}`) };
}

const lookWorth = () => `${report.worth.checks_decided} of ${report.worth.checks} checks can be ` +
  "decided by looking; the others need a recording.";

function lookTiles() {
  const { vms, looks } = look;
  const date = new Date(looks.length ? looks[0].ns / 1e6 : 0);
  const [day, time] = date.toISOString().split("T");
  const stuck = vms.filter((vm) => vm.state === "deadlock" || vm.state === "waits");
  const unread = vms.flatMap((vm) => vm.devices).flatMap((device) =>
    [device.unread_by_backend, device.unread_by_front_end]).filter((inbox) => inbox && inbox.bytes);
  const held = vms.flatMap(heldOf);
  return [
    ["Looked at", `${time.slice(0, 8)} UTC`, day + (looks.length > 1
      ? `, and ${duration(lookedAt - looks[0].ns)} later` : ", once")],
    ["VMs", count(vms.length), short(look.host, 40)],
    ["Stuck", unseen && !stuck.length ? "?" : count(stuck.length), [stuck.length || !unseen
      ? stateWords(stuck) || "none" : "", unseen ? "not all were visible" : ""].filter(Boolean)
      .join("; "), stuck.length],
    ["Unread in sockets", unread.length ? bytes(sum(unread.map((inbox) => inbox.bytes))) : "nothing",
      unread.length ? `in ${plural(unread.length, "socket")}` : "of vhost-user"],
    ["Mapped", held.length ? bytes(sum(held.map((one) => one.len))) : "nothing",
      held.length ? `in ${plural(held.length, "mapping")} of back-ends\u2019 files`
        : "of back-ends\u2019 files"],
  ];
}

const backendWords = (device) => (device.backend
  ? `${device.backend.name || "process"} ${device.backend.pid}`
  : device.listener ? `not accepted by ${device.listener.name || "process"} ${device.listener.pid}`
    : { pending: "not accepted", closed: "gone", open: "not visible" }[device.main_channel]
      || "not visible whether there is one");

/* "SET_MEM_TABLE (3 regions), 116 bytes" */
function inboxWords(inbox) {
  if (!inbox) return "not visible";
  if (!inbox.bytes) return "nothing";
  const range = inbox.len === undefined ? "" : ` ${hex(inbox.shm_offset)}+${hex(inbox.len)}`;
  return (inbox.request ? `${inbox.request}${range}, ` : "") + bytes(inbox.bytes);
}

function callWords(thread) {
  if (thread.call === "in") return thread.syscall || "a call";
  return { running: "runs", outside: "outside of a call" }[thread.call] || "not visible";
}

function heldTable(vm) {
  const rows = vm.devices.flatMap((device) => device.mapped.map((held) => [short(deviceName(device)),
    held.host, bytes(held.len), String(held.ino), hex(held.fd_offset), count(held.fds),
    held.writable ? "writable" : "read-only", held.sure ? "the back-end\u2019s" : "fits it"]));
  if (!rows.length) return null;
  const figure = true;
  return [make("h4", {}, "Mapped of the back-ends\u2019 files"),
    table([{ name: "Device" }, { name: "At", figure }, { name: "Length", figure },
      { name: "Inode", figure }, { name: "From", figure }, { name: "Descriptors", figure },
      { name: "Access" }, { name: "Whose" }], rows, `What ${short(vmName(vm))} has mapped`)];
}

function vmSeen(vm) {
  const figure = true;
  const devices = table([{ name: "Device" }, { name: "Back-end" }, { name: "Unread by the back-end" },
    { name: "Unread by the front-end" }], vm.devices.map((device) => [short(deviceName(device)),
    long(backendWords(device)), inboxWords(device.unread_by_backend),
    inboxWords(device.unread_by_front_end)]), `Devices of ${short(vmName(vm))}`);
  const threads = table([{ name: "Thread" }, { name: "Name" }, { name: "Stands in" },
    { name: "For", figure }], vm.threads.map((thread) => [String(thread.tid), short(thread.name),
    callWords(thread), thread.since_ns === null || thread.call === "running" ? "\u2013"
      : duration(Math.max(0, lookedAt - thread.since_ns))]), `Threads of ${short(vmName(vm))}`);
  return [vm.devices.length ? devices : null, heldTable(vm),
    vm.threads.length ? [make("h4", {}, "Threads of QEMU"), threads] : null].flat();
}

/* Of several: a line for each, which leads to its card. */
function vmTable() {
  const rows = look.vms.map((vm, i) => {
    const longest = Math.max(0, ...findingsOf(vm).map((finding) => finding.duration_ns || 0));
    return [make("button", { type: "button", class: "plain", on: { click: () => {
      const card = byId(`vm-${i}`);
      card.scrollIntoView();
      card.focus({ preventScroll: true });
    } } }, short(vmName(vm))), String(vm.pid),
    make("span", { class: `badge ${VM_TONES[vm.state] || "unknown"}` }, vm.state),
    longest ? duration(longest) : "\u2013", short(vm.devices.map((device) =>
      `${short(deviceName(device))}: ${backendWords(device)}`).join(", ") || "none that was seen", 200)];
  });
  return make("div", { class: "card" }, table([{ name: "VM" }, { name: "PID", figure: true },
    { name: "State" }, { name: "For", figure: true }, { name: "Devices and back-ends" }], rows,
  "VMs, the stuck first"));
}

function vmCard(vm, i) {
  const pids = new Set([vm.pid, ...vm.devices.map((device) => device.backend && device.backend.pid)]);
  const states = report.processes.filter((process) => pids.has(process.pid));
  const found = findingsOf(vm);
  const remedies = found.filter((finding) => finding.remedy.now).map((finding) => make("p", {},
    make("b", {}, "Frees it: "), long(finding.remedy.now + (finding.remedy.costs
      ? `; ${finding.remedy.costs}` : ""))));
  return make("article", { class: `card vm ${VM_TONES[vm.state] || "unknown"}`, id: `vm-${i}`,
    tabindex: "-1" },
    make("header", {}, make("h3", {}, long(vmName(vm))),
      make("span", { class: "badge" }, vm.state),
      make("span", { class: "where" }, `${short(vm.name || "process")} ${vm.pid}`)),
    states.map((process) => make("p", {}, make("b", {}, `${short(process.name || "process")} ` +
      `${process.pid}: `), long(process.state.text))),
    remedies,
    found.map((finding) => make("p", {}, make("button", { type: "button", class: "plain",
      on: { click: () => focusFinding(finding) } },
    `${titleOf(finding)}, ${finding.certainty}: what was seen of both sides`))),
    vm.denied.map((denied) => make("p", { class: "lead" }, "Not seen: ", long(denied.what),
      "; it needs ", long(denied.needs))),
    make("details", { class: "more", open: look.vms.length === 1 },
      make("summary", {}, `Sockets, mappings and threads of ${short(vmName(vm))}`), vmSeen(vm)));
}

const frameWords = (frame, i) => `#${i} ${frame.symbol
  ? `${frame.symbol}${frame.offset ? `+0x${frame.offset.toString(16)}` : ""}` : frame.address}` +
  (frame.module ? ` (${frame.module})` : "");

function stackCard(stacks) {
  return make("details", { class: "card more" },
    make("summary", {}, `Stacks of process ${stacks.pid}, ${plural(stacks.threads.length, "thread")}`),
    stacks.why ? make("p", {}, long(stacks.why)) : null,
    stacks.threads.map((thread) => [make("h4", {}, `${short(thread.comm || "thread")} ${thread.tid}`),
      make("pre", {}, thread.frames.length ? long(thread.frames.map(frameWords).join("\n"))
        : thread.why || "no frame was found")]).flat());
}

function showLook() {
  const section = byId("vms");
  section.hidden = !look;
  if (!look) return;
  for (const id of ["timeline", "over-time", "distributions", "mappings"]) byId(id).hidden = true;
  document.querySelector(".brand span:last-child").textContent = "now";
  section.querySelector(".body").append(...(look.vms.length > 1 ? [vmTable()] : []),
    ...look.vms.map(vmCard), ...(look.stacks || []).map(stackCard));
  section.hidden = !look.vms.length;
}
