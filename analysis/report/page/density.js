/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A row of many mappings: for each column of pixels, how many are there at some time of it, by
 * the state that they were in for most of it. None is left out, however short it was.
 */
function densityOf(row, from, to, columns) {
  const steps = STATES.map(() => new Float64Array(columns + 1));
  const scale = columns / (to - from);
  const put = (state, first, last) => {
    const low = Math.max(0, first), high = Math.min(columns - 1, last);
    if (low > high) return;
    steps[state][low] += 1;
    steps[state][high + 1] -= 1;
  };
  for (const lane of row.lanes) {
    for (let i = firstFrom(lane, from); i < lane.length && lane[i].begin <= to; i++) {
      let shared = -Infinity, best = 0, state = 0; // the column that phases have to share
      for (const [kind, begin, end] of phasesOf(lane[i])) {
        const b = (begin - from) * scale, e = (end - from) * scale;
        const first = Math.floor(b), last = Math.floor(e);
        const there = Math.min(e, first + 1) - b;
        if (first !== shared) {
          put(state, shared, shared);
          [shared, best, state] = [first, there, kind];
        } else if (there > best) {
          [best, state] = [there, kind];
        }
        if (last > first) {
          put(state, shared, shared);
          put(kind, first + 1, last - 1);
          [shared, best, state] = [last, e - last, kind];
        }
      }
      put(state, shared, shared);
    }
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
