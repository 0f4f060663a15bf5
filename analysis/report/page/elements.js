/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Elements and words. All text of a recording becomes text of the page here, and never markup.
 */
const byId = (id) => document.getElementById(id);

/* An element: `attributes` are set as such, but for "on", handlers by their event's name. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(key, value === true ? "" : value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const text = (value) => document.createTextNode(String(value));
const say = (words) => { byId("said").textContent = words; };

/* Text of an arbitrary length, of which no more than this is shown at first. */
const LONG = 300;
function long(words) {
  const whole = String(words);
  if (whole.length <= LONG) return text(whole);
  const body = make("span", {}, whole.slice(0, LONG) + "\u2026 ");
  body.append(make("button", { type: "button", class: "plain", on: { click: () => {
    body.replaceChildren(text(whole));
  } } }, `all ${whole.length} characters`));
  return body;
}
const short = (words, limit = 60) =>
  (String(words).length > limit ? String(words).slice(0, limit - 1) + "\u2026" : String(words));

/* Columns are {name, figure}; a cell is text or an element. */
function table(columns, rows, caption, attributes = {}) {
  const head = columns.map((column) => make("th", { scope: "col",
    class: column.figure ? "figure" : null, "aria-sort": column.sorted || null }, column.name));
  const body = rows.map((cells) => make("tr", {}, cells.map((cell, i) =>
    make("td", { class: columns[i].figure ? "figure" : null }, cell))));
  return make("div", { class: "scroll" }, make("table", attributes,
    make("caption", { class: "unseen" }, caption), make("thead", {}, make("tr", {}, head)),
    make("tbody", {}, body)));
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
const number = new Intl.NumberFormat("en-GB");
const count = (value) => (value === null || value === undefined ? "?" : number.format(value));
const plural = (value, word, many = word + "s") => `${count(value)} ${value === 1 ? word : many}`;

/* A duration of ns in the unit that fits it. */
function duration(ns) {
  if (ns === null || ns === undefined) return "\u2013";
  const size = Math.abs(ns);
  const say3 = (value, unit) => `${value >= 100 ? value.toFixed(0) : value >= 10
    ? value.toFixed(1) : value.toFixed(2)} ${unit}`;
  const sign = ns < 0 ? "-" : "";
  if (size < 1e3) return `${sign}${Math.round(size)} ns`;
  if (size < 1e6) return sign + say3(size / 1e3, "\u00b5s");
  if (size < 1e9) return sign + say3(size / 1e6, "ms");
  if (size < 120e9) return sign + say3(size / 1e9, "s");
  if (size < 7200e9) return `${sign}${Math.floor(size / 60e9)} min ${Math.round(size / 1e9) % 60} s`;
  return `${sign}${Math.floor(size / 3600e9)} h ${Math.round(size / 60e9) % 60} min`;
}

/* A time after the begin, to the microsecond. */
const moment = (ns) => (ns === null || ns === undefined ? "\u2013" : `${(ns / 1e9).toFixed(6)} s`);

function bytes(value) {
  if (typeof value !== "number") return String(value);
  if (value === 1) return "1 byte";
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0, size = value;
  while (size >= 1024 && unit < units.length - 1) { size /= 1024; unit++; }
  return `${Number.isInteger(size) ? size : size.toFixed(size < 10 ? 2 : 1)} ${units[unit]}`;
}

/* A figure that was too large for a number is hexadecimal text already. */
const hex = (value) => (typeof value === "number" ? "0x" + value.toString(16) : String(value));
const range = (life) => `${hex(life.offset)}+${hex(life.len)}`;
const colour = (name) => getComputedStyle(document.documentElement)
  .getPropertyValue(`--${name}`).trim();
