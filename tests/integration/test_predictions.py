# SPDX-License-Identifier: GPL-2.0-or-later
"""What is predicted from healthy runs comes true: the same messages, in the same nesting.

SHMEMSCOPE_SEEDS tells the seeds as FIRST-LAST; without it there are a few.
"""

import os
import unittest

import common
import predictions

FIRST, LAST = (int(word) for word in os.environ.get("SHMEMSCOPE_SEEDS", "1-2").split("-"))


class PredictionsTest(common.IntegrationTest):

    def test_seeds(self):
        tried = 0
        for number in range(FIRST, LAST + 1):
            tried += predictions.check(self, predictions.Seed(number))
        print(f"seeds {FIRST} to {LAST}: {tried} predictions tried", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
