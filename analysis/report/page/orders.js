/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Two columns: what QEMU and what the back-end does; of a witness, and of an order of messages.
 */
function twoColumns(lines, caption, first) {
  const cell = (line, side) => {
    if (line.side !== side) return make("td", { class: "none" });
    const waits = line.text.startsWith("...") || line.text.endsWith("...waits");
    const body = make("td", { class: (side === "QEMU" ? "qemu" : "back-end") +
      (waits ? " waits" : "") }, long(line.text));
    if (line.indent) body.style.paddingLeft = `${12 + 14 * Math.min(line.indent, 8)}px`;
    return body;
  };
  return make("div", { class: "scroll" }, make("table", { class: "witness" },
    make("caption", { class: "unseen" }, caption),
    make("thead", {}, make("tr", {}, [first, "QEMU", "back-end"].map((name) =>
      make("th", { scope: "col" }, name)))),
    make("tbody", {}, lines.map((line) => make("tr", {}, make("td", {}, line.at),
      cell(line, "QEMU"), cell(line, "back-end"))))));
}

function witnessTable(finding) {
  const begin = finding.witness[0].t_ns;
  const lines = finding.witness.map((line) => ({ ...line,
    at: `+${((line.t_ns - begin) / 1e6).toFixed(3)} ms` }));
  return twoColumns(lines, `What happened, from ${moment(begin)} on`, "Time");
}

const STEP_WORDS = {
  "start": () => "starts the back-end", "stop": () => "stops the back-end",
  "reset": () => "device reset", "unrealize": () => "device is unplugged",
  "read": (step) => `reads #${step.number}`, "reply": (step) => `replies to #${step.number}`,
  "commit": (step) => (step.number ? `commit of #${step.number}` : "commit"),
  "frontend-request": (step) => step.request,
  "backend-request": (step) => `${step.request} #${step.number}`,
  "backend-waits": (step) => `...waits for the reply to #${step.number}`,
  "frontend-waits": (step) => `...waits for the reply to ${step.request}`,
};
const OPENS = new Set(["start", "stop", "reset", "unrealize", "commit"]);

function orderTable(order) {
  let depth = 0;
  const lines = order.steps.map((step, i) => {
    const words = STEP_WORDS[step.kind];
    const line = { at: String(i + 1), side: step.party, text: words ? words(step) : step.kind,
      indent: step.party === "QEMU" ? depth : 0 };
    depth += step.party === "QEMU" && OPENS.has(step.kind) ? 1 : 0;
    return line;
  });
  return twoColumns(lines, "The order of messages that would do it", "Step");
}

/* Hazards of one device are one card, with a line for each. */
function hazardGroups() {
  const groups = new Map();
  for (const hazard of hazards) {
    const key = JSON.stringify([hazard.id, hazard.process && hazard.process.pid,
      hazard.process && hazard.process.birth_t_ns, hazard.process && hazard.process.host,
      hazard.device && hazard.device.dev]);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(hazard);
  }
  return [...groups.values()];
}

function hazardCard(group) {
  const first = group[0];
  const place = make("div");
  const rows = group.map((finding, i) => {
    const hazard = finding.hazard;
    if (!hazard) return [String(i + 1), long(finding.summary), "", "", "", ""];
    const show = make("button", { type: "button", class: "plain", "aria-expanded": "false",
      on: { click: () => {
        const again = show.getAttribute("aria-expanded") === "true";
        for (const other of card.querySelectorAll("[aria-expanded]")) {
          other.setAttribute("aria-expanded", "false");
        }
        place.replaceChildren();
        if (again || !finding.order) return;
        show.setAttribute("aria-expanded", "true");
        place.append(make("h4", {}, `Order ${i + 1}`), orderTable(finding.order));
        say(`The order of hazard ${i + 1} is shown below the table.`);
      } } }, `order ${i + 1}`);
    return [finding.order ? show : String(i + 1), hazard.frontend_request, hazard.inside || "\u2013",
      hazard.backend_request, count(hazard.opened), hazard.margin_ns === null ? "\u2013"
        : hazard.margin_ns === 0 ? "nothing" : duration(hazard.margin_ns)];
  });
  const card = make("article", { class: "card finding warn" },
    make("header", {}, make("h3", {}, titleOf(first)), make("span", { class: "badge warn" }, "hazard"),
      make("span", { class: "where" }, whereOf(first))),
    make("p", { class: "summary" }, `QEMU waited while the back-end could have sent a request ` +
      `that it waits for${first.condition ? `. Both would stand ${first.condition}` : ""}.`),
    table([{ name: "Order" }, { name: "QEMU waits for" }, { name: "Inside" },
      { name: "The back-end asks" }, { name: "Times", figure: true },
      { name: "Missed by", figure: true }], rows, "Hazards of this device"),
    place, remediesOf(first));
  return card;
}
