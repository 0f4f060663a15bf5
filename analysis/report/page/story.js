/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One mapping's story: every event that was seen of it, and the step that is missing.
 */
function missingStep(life) {
  if (life.closed !== null) return null;
  if (life.finalized !== null) return "its descriptor was not closed";
  if (life.removed !== null) return "its object was not finalized";
  if (life.visible !== null) return "it was not removed";
  if (life.reply !== null || life.added !== null) return "it did not become visible to the guest";
  return "it was not answered";
}

function storyLine(step, life, before) {
  const time = life[step.key];
  return make("li", {}, make("span", { class: "at mono" }, moment(time)),
    make("span", { class: "after mono" }, before === null ? "" : `+${duration(time - before)}`),
    make("span", { class: `dot ${step.tone}`, "aria-hidden": "true" }),
    make("span", {}, step.text(life)));
}

function storyLines(life) {
  const seen = STEPS.filter((step) => life[step.key] !== null)
    .map((step, order) => ({ step, order, time: life[step.key] }))
    .sort((a, b) => a.time - b.time || a.order - b.order);
  const lines = seen.map(({ step }, i) => storyLine(step, life, i ? seen[i - 1].time : null));
  if (!seen.length || life[STEPS[0].key] === null && life.birth === null) {
    lines.unshift(make("li", { class: "missing" }, make("span", { class: "at mono" }, "before"),
      make("span"), make("span", { class: "dot", "aria-hidden": "true" }),
      make("span", {}, "how it was made was not seen: it was there before, or was not recorded")));
  }
  const missing = missingStep(life);
  if (missing) {
    const last = seen.length ? seen[seen.length - 1].time : 0;
    lines.push(make("li", { class: `missing ${picture.flagged.has(life) ? "alarm" : ""}` },
      make("span", { class: "at mono" }, moment(lengthNs)),
      make("span", { class: "after mono" }, `+${duration(lengthNs - last)}`),
      make("span", { class: "dot", "aria-hidden": "true" }),
      make("span", {}, `${missing} until the recording ended`)));
  }
  return lines;
}

function openStory(life, move) {
  selected = life;
  const owner = ownerName(more.owners[life.owner]);
  const go = (by) => make("button", { type: "button",
    disabled: life.index + by < 0 || life.index + by >= lives.length,
    on: { click: () => openStory(lives[life.index + by], true) } }, by < 0 ? "Previous" : "Next");
  const about = report.findings.filter((f) => f.certainty !== "hazard" && livesAbout(f).includes(life));
  const facts = [life.label ? `\u201c${short(life.label, 300)}\u201d` : null, `device ${short(owner[0])} of ${short(owner[1])}`, `${bytes(life.len)}`,
    life.fd >= 0 ? `descriptor ${life.fd}` : null, life.ino ? `inode ${life.ino}` : null,
    life.fdOffset ? `from ${hex(life.fdOffset)} of its file` : null,
    life.writable === null ? null : life.writable ? "writable" : "read-only"].filter(Boolean);
  const card = make("article", { class: "card story", tabindex: "-1", "aria-labelledby": "story-title" },
    make("header", {},
      make("h3", { id: "story-title" }, `Story of region ${life.shmid}, ${range(life)}` +
        (life.seq ? `, SHMEM_MAP #${life.seq}` : "")),
      make("span", { class: `badge ${life.closed !== null ? "good"
        : picture.flagged.has(life) ? "bad" : "unknown"}` },
      life.state === "closed" ? "closed" : `${life.state} at the end`),
      make("span", { class: "push" }, go(-1), go(1),
        make("button", { type: "button", on: { click: () => showLife(life) } }, "Zoom to it"),
        make("button", { type: "button", on: { click: closeStory } }, "Close"))),
    make("p", { class: "facts" }, facts.join(" \u00b7 ")),
    make("ol", {}, storyLines(life)),
    about.length ? [make("h4", {}, "What was found of it"), make("ul", { class: "plain" },
      about.map((finding) => make("li", {}, make("button", { type: "button", class: "plain",
        on: { click: () => focusFinding(finding) } }, titleOf(finding)), ": ",
      long(finding.summary))))] : null);
  card.addEventListener("keydown", (event) => { if (event.key === "Escape") closeStory(); });
  byId("story").replaceChildren(card);
  redraw();
  if (move) {
    if (life.begin > view.to || life.end < view.from) showLife(life);
    card.scrollIntoView({ block: "nearest" });
    card.focus({ preventScroll: true });
  } else {
    say(`Story of region ${life.shmid}, ${range(life)}, is shown below the timeline.`);
  }
}

function closeStory() {
  byId("story").replaceChildren();
  byId("timeline-canvas").focus();
}
