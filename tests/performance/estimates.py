# SPDX-License-Identifier: GPL-2.0-or-later
"""Medians with their intervals, by the bootstrap."""

import random
import statistics
from dataclasses import dataclass

RESAMPLES = 10000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A median and the interval that holds the true one with a confidence of 95 %."""
    median: float
    low: float
    high: float

    def within(self, limit):
        """True when the interval lies between minus and plus LIMIT."""
        return -limit <= self.low and self.high <= limit

    def verdict(self, budget):
        """What the interval says of a budget that must not be exceeded."""
        if self.high <= budget:
            return "met"
        if self.low > budget:
            return "missed"
        return "not decided"


def median_interval(samples, seed):
    """Estimate of the median of SAMPLES: percentiles of the medians of resamples.

    SAMPLES must be independent of each other: neighbours that share a block are not.
    """
    if len(samples) < 2:
        raise ValueError(f"an interval needs two samples, not {len(samples)}")
    chance = random.Random(seed)
    medians = sorted(statistics.median(chance.choices(samples, k=len(samples)))
                     for _ in range(RESAMPLES))
    outside = (1 - CONFIDENCE) / 2
    return Estimate(statistics.median(samples), medians[int(outside * RESAMPLES)],
                    medians[int((1 - outside) * RESAMPLES) - 1])


def table(headings, rows):
    """Lines of a Markdown table, with columns of one width."""
    cells = [headings, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |"
             for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return lines
