/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Waits, and all mappings as a table that sorts and filters: what the timeline shows, for who
 * does not see it.
 */
function showWaits() {
  const body = byId("waits").querySelector(".body");
  const several = report.devices.length > 1;
  const open = report.open_waits.map((wait) => [short(wait.device || "\u2013"),
    short(wait.vm || String(wait.pid)), String(wait.tid), waitWords(wait),
    look ? duration(wait.waited_ms * 1e6) : moment(wait.since_t_ns),
    wait.unread ? `${bytes(wait.unread)}${wait.unread_request ? ` (${wait.unread_request})` : ""}`
      : "nothing"]);
  const ended = (several ? report.device_waits : report.waits).map((wait) => [
    ...(several ? [short(wait.device), short(wait.vm || String(wait.pid))] : []), wait.request,
    count(wait.ended.count), duration(wait.ended.mean_ns), duration(wait.ended.max_ns),
    wait.spoke_up ? count(wait.spoke_up) : "\u2013"]);
  if (open.length) {
    body.append(make("div", { class: "card finding bad" }, make("h3", {}, "Not ended"),
      table([{ name: "Device" }, { name: "VM" }, { name: "Thread" }, { name: "Wait" },
        { name: look ? "For" : "Since", figure: true }, { name: "Unread from the back-end" }], open,
      "Waits that did not end")));
  }
  if (look) {
    if (!open.length) body.append(make("p", { class: "empty" }, unseen ? "No wait was visible."
      : "QEMU waits for no back-end."));
    return;
  }
  body.append(make("div", { class: "card" }, make("h3", {}, "Ended"), ended.length
    ? table([...(several ? [{ name: "Device" }, { name: "VM" }] : []), { name: "For the reply to" },
      { name: "Times", figure: true }, { name: "Mean", figure: true },
      { name: "Longest", figure: true }, { name: "Lasted a second or more", figure: true }], ended,
    "Waits that ended") : make("p", { class: "empty" }, "No wait was seen to end.")));
}

const PAGE = 25;
const COLUMNS = [
  { name: "Story", key: (life) => life.seq, cell: (life) => [make("button", { type: "button",
    class: "plain", on: { click: () => openStory(life, true) } },
  life.seq ? `MAP #${life.seq}` : "story"),
  life.label ? ` \u201c${short(life.label)}\u201d` : ""] },
  { name: "Device", key: (life) => ownerName(more.owners[life.owner])[0],
    cell: (life) => short(ownerName(more.owners[life.owner])[0], 30) },
  { name: "Region", figure: true, key: (life) => life.shmid, cell: (life) => String(life.shmid) },
  { name: "Offset", figure: true, key: (life) => Number(life.offset), cell: (life) => hex(life.offset) },
  { name: "Length", figure: true, key: (life) => Number(life.len), cell: (life) => bytes(life.len) },
  { name: "State", key: (life) => life.state, cell: (life) => [make("span", { class:
    `swatch ${life.state === "made" ? "requested" : life.state}`, "aria-hidden": "true" }),
  ` ${life.state}`] },
  { name: "Since", figure: true, key: (life) => life.begin, cell: (life) => moment(life.begin) },
  { name: "Request to reply", figure: true, key: (life) => between(life, "request", "reply"),
    cell: (life) => duration(between(life, "request", "reply")) },
  { name: "Reply to visible", figure: true, key: (life) => between(life, "reply", "visible"),
    cell: (life) => duration(between(life, "reply", "visible")) },
  { name: "Lasted", figure: true, key: (life) => life.end - life.begin,
    cell: (life) => duration(life.end - life.begin) },
];
const between = (life, from, to) =>
  (life[from] === null || life[to] === null ? null : life[to] - life[from]);

function compare(a, b) {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function showMappings() {
  const body = byId("mappings").querySelector(".body");
  if (!lives.length) {
    body.append(make("p", { class: "empty" }, "No mapping was seen."));
    return;
  }
  const state = { sorted: 6, down: false, page: 0, words: "" };
  const place = make("div");
  const words = (life) => [...ownerName(more.owners[life.owner]), `region ${life.shmid}`,
    range(life), `#${life.seq}`, `fd ${life.fd}`, `inode ${life.ino}`, life.state,
    life.reason, life.label].join(" ").toLowerCase();
  const draw = (focus) => {
    const wanted = state.words.toLowerCase().split(/\s+/).filter(Boolean);
    const found = wanted.length ? lives.filter((life) => {
      const all = words(life);
      return wanted.every((word) => all.includes(word));
    }) : lives.slice();
    const { key } = COLUMNS[state.sorted];
    found.sort((a, b) => compare(key(a), key(b)) * (state.down ? -1 : 1) || a.index - b.index);
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    const rows = found.slice(state.page * PAGE, (state.page + 1) * PAGE);
    const columns = COLUMNS.map((column, i) => ({ figure: column.figure,
      sorted: i === state.sorted ? (state.down ? "descending" : "ascending") : null,
      name: make("button", { type: "button", on: { click: () => {
        state.down = state.sorted === i && !state.down;
        state.sorted = i;
        state.page = 0;
        draw(i);
      } } }, column.name + (i === state.sorted ? (state.down ? " \u25bc" : " \u25b2") : "")) }));
    const turn = (name, by) => make("button", { type: "button",
      disabled: state.page + by < 0 || state.page + by >= pages,
      on: { click: () => { state.page += by; draw(); } } }, name);
    place.replaceChildren(
      table(columns, rows.map((life) => COLUMNS.map((column) => column.cell(life))), "All mappings"),
      make("div", { class: "bar pager" }, turn("Earlier page", -1), turn("Later page", 1),
        make("span", { class: "push" }, `${plural(found.length, "mapping")}, page ` +
          `${state.page + 1} of ${pages}`)));
    if (focus !== undefined) place.querySelectorAll("thead button")[focus].focus();
    if (wanted.length) say(`${plural(found.length, "mapping")} found`);
  };
  const search = make("input", { type: "search", id: "mapping-search", autocomplete: "off",
    placeholder: "visible, 0x8000, #3, fd 40, ...", on: { input: (event) => {
      state.words = event.target.value;
      state.page = 0;
      draw();
    } } });
  body.append(make("div", { class: "card" }, make("div", { class: "bar" },
    make("label", { for: "mapping-search" }, "Only those with"), search), place));
  draw();
}
