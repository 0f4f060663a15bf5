# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a real QEMU, a test back-end and a recording, and leaves evidence of what happened."""
