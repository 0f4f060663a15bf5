/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Rows of the timeline, one for each region of a device, and lanes in them, so that mappings
 * which overlap in time lie under one another.
 */
const LANE_MOST = 13, LANE_LEAST = 3, ROW_MOST = 300, ROW_LEAST = 30, DENSE_HEIGHT = 110;
/* More of one row than this in view are drawn as their number, not one by one. */
const SINGLE_MOST = 3000;

function rowsOf() {
  const rows = new Map();
  for (const life of lives) {
    const key = `${life.owner} ${life.shmid}`;
    if (!rows.has(key)) {
      const owner = more.owners[life.owner];
      const device = report.devices.find((d) => d.pid === owner.pid && d.vm === owner.vm &&
        (d.id === owner.device || d.chardev === owner.device));
      const region = device && device.regions.find((r) => r.shmid === life.shmid);
      rows.set(key, { owner: life.owner, shmid: life.shmid, lives: [], lanes: [],
        size: region ? region.size : null });
    }
    rows.get(key).lives.push(life);
  }
  const sorted = [...rows.values()].sort((a, b) => a.owner - b.owner || a.shmid - b.shmid);
  sorted.forEach((row) => layOut(row));
  return sorted;
}

/* The lowest lane that is free; a heap of those that were given back keeps this fast. */
function layOut(row) {
  const busy = [], free = [];
  const push = (heap, item, less) => {
    let at = heap.push(item) - 1;
    while (at && less(heap[at], heap[(at - 1) >> 1])) {
      const up = (at - 1) >> 1;
      [heap[at], heap[up]] = [heap[up], heap[at]];
      at = up;
    }
  };
  const pop = (heap, less) => {
    const top = heap[0], last = heap.pop();
    if (heap.length) {
      heap[0] = last;
      for (let at = 0; ;) {
        let least = at;
        for (const child of [2 * at + 1, 2 * at + 2]) {
          if (child < heap.length && less(heap[child], heap[least])) least = child;
        }
        if (least === at) break;
        [heap[at], heap[least]] = [heap[least], heap[at]];
        at = least;
      }
    }
    return top;
  };
  const sooner = (a, b) => a.end < b.end, lower = (a, b) => a < b;
  for (const life of row.lives) {
    while (busy.length && busy[0].end <= life.begin) push(free, pop(busy, sooner).lane, lower);
    life.lane = free.length ? pop(free, lower) : row.lanes.length;
    life.row = row;
    if (life.lane === row.lanes.length) row.lanes.push([]);
    row.lanes[life.lane].push(life);
    push(busy, life, sooner);
  }
  const fit = Math.floor(ROW_MOST / row.lanes.length);
  row.laneHeight = Math.max(LANE_LEAST, Math.min(LANE_MOST, fit));
  row.crowded = row.lanes.length * LANE_LEAST > ROW_MOST;
  row.height = row.crowded ? DENSE_HEIGHT
    : Math.max(ROW_LEAST, row.lanes.length * row.laneHeight);
}

/* Of lives in a lane, which do not overlap, the first that ends at `from` or later. */
function firstFrom(lane, from) {
  let low = 0, high = lane.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lane[middle].end < from) low = middle + 1; else high = middle;
  }
  return low;
}

/* And from `low` on the first that begins after `to`. */
function firstAfter(lane, to, low) {
  let high = lane.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lane[middle].begin <= to) low = middle + 1; else high = middle;
  }
  return low;
}

/* How many of the row are in view. */
function inView(row, from, to) {
  let n = 0;
  for (const lane of row.lanes) {
    const first = firstFrom(lane, from);
    n += firstAfter(lane, to, first) - first;
  }
  return n;
}
