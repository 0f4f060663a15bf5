# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tracepoints cost: instructions and time of a MAP/UNMAP pair."""
