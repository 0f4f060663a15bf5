/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A row of many mappings: for each column of pixels, how many are there at some time of it, by
 * the state that they were in for most of it. None is left out, however short it was.
 */

/* The phases of all lives of a row, lane after lane, as plain arrays: they are many. */
function flatten(row) {
  const all = row.lanes.flatMap((lane) => lane.map((life) => phasesOf(life)));
  const n = all.reduce((sum, phases) => sum + phases.length, 0);
  const flat = { state: new Uint8Array(n), from: new Float64Array(n), to: new Float64Array(n),
    begins: new Uint8Array(n) };
  let at = 0, life = 0;
  for (const lane of row.lanes) {
    for (const one of lane) {
      one.firstPhase = at;
      const phases = all[life++];
      for (let i = 0; i < phases.length; i++, at++) {
        [flat.state[at], flat.from[at], flat.to[at]] = phases[i];
        flat.begins[at] = i === 0 ? 1 : 0;
      }
      one.endPhase = at;
    }
  }
  return flat;
}

function densityOf(row, from, to, columns) {
  const steps = STATES.map(() => new Float64Array(columns + 1));
  const scale = columns / (to - from);
  const flat = row.flat || (row.flat = flatten(row));
  const put = (state, first, last) => {
    const low = first < 0 ? 0 : first, high = last > columns - 1 ? columns - 1 : last;
    if (low > high) return;
    steps[state][low] += 1;
    steps[state][high + 1] -= 1;
  };
  for (const lane of row.lanes) {
    const i = firstFrom(lane, from), end = firstAfter(lane, to, i);
    if (i === end) continue;
    /* The column that phases have to share, and who has most of it so far. */
    let shared = -1, best = 0, state = 0;
    for (let p = lane[i].firstPhase; p < lane[end - 1].endPhase; p++) {
      const kind = flat.state[p];
      const b = (flat.from[p] - from) * scale, e = (flat.to[p] - from) * scale;
      const first = Math.floor(b), last = Math.floor(e);
      const there = (last > first ? first + 1 : e) - b;
      if (flat.begins[p] || first !== shared) {
        if (p > lane[i].firstPhase) put(state, shared, shared);
        shared = first;
        best = there;
        state = kind;
      } else if (there > best) {
        best = there;
        state = kind;
      }
      if (last > first) {
        put(state, shared, shared);
        put(kind, first + 1, last - 1);
        shared = last;
        best = e - last;
        state = kind;
      }
    }
    put(state, shared, shared);
  }
  let most = 0;
  for (let x = 0; x < columns; x++) {
    let sum = 0;
    for (const step of steps) {
      if (x) step[x] += step[x - 1];
      sum += step[x];
    }
    most = Math.max(most, sum);
  }
  return { steps, most };
}
