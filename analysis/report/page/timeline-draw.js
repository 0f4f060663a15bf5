/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The picture of the timeline: axis, waits, rows of mappings, losses, findings.
 */
const AXIS = 44, WAIT_ROW = 24, ROW_GAP = 12, BOTTOM = 10;
const FONT = 'system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';

/* Steps of 1, 2 or 5 that leave room for what is written at them. */
function ticks(from, to, most) {
  const rough = (to - from) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return { step, found };
}

function tickText(at, step) {
  if (step >= 1e9) return `${Math.round(at / 1e9)} s`;
  if (step >= 1e6) return at >= 1e9 ? `${(at / 1e9).toFixed(3)} s` : `${Math.round(at / 1e6)} ms`;
  if (step >= 1e3) return `${(at / 1e6).toFixed(3)} ms`;
  return `${(at / 1e6).toFixed(6)} ms`;
}

class Picture {
  constructor(canvas, rows, flagged) {
    this.canvas = canvas;
    this.rows = rows;
    this.flagged = flagged;
    this.places = []; // of findings, for clicks
  }

  get gutter() { return this.width < 620 ? 96 : 176; }
  get span() { return Math.max(1, this.width - this.gutter - 8); }
  x(ns) { return this.gutter + (ns - view.from) / (view.to - view.from) * this.span; }
  time(x) { return view.from + (x - this.gutter) / this.span * (view.to - view.from); }

  height() {
    let y = AXIS + report.open_waits.length * WAIT_ROW + (report.open_waits.length ? 8 : 0);
    for (const row of this.rows) {
      row.y = y;
      y += row.height + ROW_GAP;
    }
    return Math.max(y, AXIS + 40) + BOTTOM;
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const height = this.height();
    this.width = this.canvas.parentElement.clientWidth;
    if (this.canvas.width !== Math.round(this.width * ratio) ||
      this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(this.width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.height = `${height}px`;
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.pen = pen;
    this.colours = this.colours || Object.fromEntries(["card", "raised", "line", "text", "soft",
      "bad", "closed", ...STATES.map((state) => state.name)].map((name) => [name, colour(name)]));
    pen.fillStyle = this.colours.card;
    pen.fillRect(0, 0, this.width, height);
    pen.textBaseline = "middle";
    this.drawAxis(height);
    pen.save();
    pen.beginPath();
    pen.rect(this.gutter, 0, this.span + 8, height);
    pen.clip();
    for (const row of this.rows) this.drawRow(row);
    this.drawWaits();
    this.drawLosses(height);
    this.drawFindings(height);
    this.drawSelected();
    pen.restore();
    this.drawLabels();
  }

  drawAxis(height) {
    const { pen, colours } = this;
    const { step, found } = ticks(view.from, view.to, Math.max(2, this.span / 110));
    pen.font = `12px ${FONT}`;
    pen.textAlign = "center";
    for (const at of found) {
      const x = Math.round(this.x(at)) + .5;
      pen.strokeStyle = colours.line;
      pen.beginPath();
      pen.moveTo(x, AXIS - 10);
      pen.lineTo(x, height);
      pen.stroke();
      const words = tickText(at, step);
      const half = pen.measureText(words).width / 2;
      pen.fillStyle = colours.soft;
      if (x - half >= this.gutter - 4 && x + half <= this.width) pen.fillText(words, x, 12);
    }
    if (view.to > lengthNs) {
      pen.fillStyle = colours.raised;
      pen.fillRect(this.x(lengthNs), AXIS - 10, this.width, height);
    }
  }

  drawRow(row) {
    const { pen, colours } = this;
    pen.fillStyle = colours.line;
    pen.fillRect(this.gutter, row.y + row.height + ROW_GAP / 2, this.span + 8, 1);
    row.inView = inView(row, view.from, view.to);
    row.dense = row.crowded || row.inView > SINGLE_MOST;
    if (row.dense) this.drawDense(row); else this.drawLanes(row);
  }

  drawDense(row) {
    const { pen, colours } = this;
    const columns = Math.max(1, Math.floor(this.span));
    const { steps, most } = densityOf(row, view.from, view.to, columns);
    row.steps = steps;
    if (!most) return;
    const unit = (row.height - 12) / most;
    const top = new Float64Array(columns).fill(row.y + row.height);
    for (const state of [2, 1, 0, 3, 4]) {
      const step = steps[state];
      pen.fillStyle = colours[STATES[state].name];
      for (let x = 0; x < columns;) {
        let end = x + 1; // neighbours of the same height are one
        while (end < columns && step[end] === step[x] && top[end] === top[x]) end++;
        const high = step[x] * unit;
        if (high) pen.fillRect(this.gutter + x, top[x] - high, end - x, high);
        for (; x < end; x++) top[x] -= high;
      }
    }
    pen.fillStyle = colours.soft;
    pen.font = `11px ${FONT}`;
    pen.textAlign = "left";
    pen.fillText(`drawn by their number: ${count(most)} at most`, this.gutter + 4, row.y + 4);
  }

  drawLanes(row) {
    const high = row.laneHeight > 5 ? row.laneHeight - 2 : row.laneHeight - .5;
    for (let lane = 0; lane < row.lanes.length; lane++) {
      const y = row.y + lane * row.laneHeight;
      const all = row.lanes[lane];
      let covered = -1;
      for (let i = firstFrom(all, view.from); i < all.length && all[i].begin <= view.to; i++) {
        const right = Math.floor(this.x(all[i].end));
        if (right === covered && all[i].end < lengthNs) continue; // the same pixel
        this.drawLife(all[i], y, high);
        covered = right;
      }
    }
  }

  drawLife(life, y, high) {
    const { pen, colours } = this;
    const left = this.x(life.begin), right = Math.max(this.x(life.end), left + 2);
    const edge = this.gutter - 4, far = this.width + 4;
    if (right - left <= 3) {
      const at = [...phasesOf(life)].sort((a, b) => (b[2] - b[1]) - (a[2] - a[1]))[0];
      pen.fillStyle = colours[STATES[at ? at[0] : 0].name];
      pen.fillRect(left, y, right - left, high);
    } else {
      for (const [state, from, to] of phasesOf(life)) {
        const a = Math.max(this.x(from), edge), b = Math.min(this.x(to), far);
        if (b < edge || a > far) continue;
        pen.fillStyle = colours[STATES[state].name];
        pen.fillRect(a, y, Math.max(b - a, 1), high);
      }
      if (life.closed !== null) {
        pen.fillStyle = colours.closed;
        pen.fillRect(right - 1.5, y, 1.5, high);
      }
    }
    if (this.flagged.has(life)) {
      pen.strokeStyle = colours.bad;
      pen.lineWidth = 1.5;
      pen.strokeRect(Math.max(left, edge), y - .5, Math.min(right, far) - Math.max(left, edge),
        high + 1);
      pen.lineWidth = 1;
    }
  }

  drawWaits() {
    const { pen, colours } = this;
    report.open_waits.forEach((wait, i) => {
      const y = AXIS + i * WAIT_ROW;
      const a = Math.max(this.x(wait.since_t_ns || 0), this.gutter);
      const b = Math.min(this.x(lengthNs), this.width);
      pen.fillStyle = colours.bad;
      if (b > a) pen.fillRect(a, y, b - a, WAIT_ROW - 6);
      pen.fillStyle = colours.card;
      pen.font = `600 11.5px ${FONT}`;
      pen.textAlign = "left";
      const words = waitWords(wait);
      if (pen.measureText(words).width < b - a - 16) pen.fillText(words, a + 8, y + 9.5);
    });
  }

  hatch(tone) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.strokeStyle = this.colours[tone];
    pen.lineWidth = 1.5;
    pen.beginPath();
    for (const at of [-8, 0, 8]) {
      pen.moveTo(at, 8);
      pen.lineTo(at + 8, 0);
    }
    pen.stroke();
    return this.pen.createPattern(tile, "repeat");
  }

  drawLosses(height) {
    const { pen, colours } = this;
    for (const loss of [...ragged, ...losses]) {
      const a = Math.max(this.x(loss.from), this.gutter - 2), b = Math.min(this.x(loss.to), this.width);
      if (b < this.gutter || a > this.width) continue;
      pen.globalAlpha = loss.tone === "bad" ? .55 : .3;
      pen.fillStyle = this.hatch(loss.tone);
      pen.fillRect(a, AXIS - 10, Math.max(b - a, 3), height);
      pen.globalAlpha = 1;
      pen.fillStyle = colours[loss.tone];
      pen.fillRect(a, AXIS - 14, Math.max(b - a, 3), 4);
    }
  }

  drawFindings(height) {
    const { pen, colours } = this;
    this.places = [];
    for (const finding of alarms) {
      if (finding.first_t_ns === null) continue;
      const x = this.x(finding.first_t_ns);
      if (x < this.gutter - 6 || x > this.width + 6) continue;
      pen.strokeStyle = colours.bad;
      pen.setLineDash([3, 3]);
      pen.beginPath();
      pen.moveTo(x, AXIS - 12);
      pen.lineTo(x, height);
      pen.stroke();
      pen.setLineDash([]);
      pen.fillStyle = colours.bad;
      pen.beginPath();
      pen.moveTo(x - 6, AXIS - 22);
      pen.lineTo(x + 6, AXIS - 22);
      pen.lineTo(x, AXIS - 12);
      pen.fill();
      this.places.push({ x, finding });
    }
  }

  drawSelected() {
    const life = selected;
    if (!life || life.row.dense) return;
    const { pen, colours } = this;
    const left = Math.max(this.x(life.begin), this.gutter - 4);
    const right = Math.min(Math.max(this.x(life.end), left + 2), this.width + 4);
    pen.strokeStyle = colours.text;
    pen.lineWidth = 2;
    pen.strokeRect(left - 1, life.row.y + life.lane * life.row.laneHeight - 2, right - left + 2,
      life.row.laneHeight + 2);
    pen.lineWidth = 1;
  }

  /* What fits into the gutter. */
  fit(words, room) {
    const { pen } = this;
    if (pen.measureText(words.slice(0, 80)).width <= room && words.length <= 80) return words;
    let n = Math.min(words.length, 60);
    while (n > 1 && pen.measureText(words.slice(0, n) + "\u2026").width > room) n--;
    return words.slice(0, n) + "\u2026";
  }

  drawLabels() {
    const { pen, colours } = this;
    const room = this.gutter - 14;
    pen.textAlign = "left";
    report.open_waits.forEach((wait, i) => {
      pen.font = `600 12px ${FONT}`;
      pen.fillStyle = colours.bad;
      pen.fillText(this.fit(`waits: ${wait.device || wait.pid}`, room), 0, AXIS + i * WAIT_ROW + 10);
    });
    for (const row of this.rows) {
      const [device, whose] = ownerName(more.owners[row.owner]);
      pen.font = `600 12.5px ${FONT}`;
      pen.fillStyle = colours.text;
      pen.fillText(this.fit(`${short(device, 40)}, region ${row.shmid}`, room), 0, row.y + 8);
      pen.font = `11.5px ${FONT}`;
      pen.fillStyle = colours.soft;
      pen.fillText(this.fit(whose, room), 0, row.y + 24);
      if (row.height >= 44) {
        pen.fillText(this.fit(plural(row.lives.length, "mapping") +
          (row.size ? ` in ${bytes(row.size)}` : ""), room), 0, row.y + 40);
      }
    }
  }
}
