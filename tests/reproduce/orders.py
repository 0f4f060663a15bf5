# SPDX-License-Identifier: GPL-2.0-or-later
"""Orders of messages as text, and programs made of them."""

import os
import subprocess

HERE = os.path.dirname(os.path.realpath(__file__))
ORDERS = os.path.join(HERE, "orders")
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
COMPILE_TIMEOUT_S = 120

# What each order of orders/ leads to on the project's own QEMU: the pair of messages and their
# nesting, or why it does not hang.
HUNG = {
    "guest-adds":
        "front-end=ADD_MEM_REG inside=commit back-end=SHMEM_MAP/1",
    "guest-removes":
        "front-end=REM_MEM_REG inside=commit back-end=SHMEM_MAP/1",
    "lookup-pipelined":
        "front-end=ADD_MEM_REG inside=commit/SHMEM_MAP/1 back-end=SHARED_OBJECT_LOOKUP/2",
    "map-at-realize":
        "front-end=GET_SHMEM_CONFIG inside= back-end=SHMEM_MAP/1",
    "map-at-reset":
        "front-end=SET_VRING_ENABLE inside=stop back-end=SHMEM_MAP/1",
    "map-at-start":
        "front-end=ADD_MEM_REG inside=start back-end=SHMEM_MAP/1",
    "map-pipelined":
        "front-end=ADD_MEM_REG inside=commit/SHMEM_MAP/1 back-end=SHMEM_MAP/2",
    "map-pipelined-table":
        "front-end=SET_MEM_TABLE inside=commit/SHMEM_MAP/1 back-end=SHMEM_MAP/2",
    "map-at-unplug":
        "front-end=GET_VRING_BASE inside=unrealize>stop back-end=SHMEM_MAP/1",
    "two-devices":
        "front-end=ADD_MEM_REG inside=commit/SHMEM_MAP/1@1 back-end=SHMEM_MAP/1",
    "unmap-at-stop":
        "front-end=GET_VRING_BASE inside=stop back-end=SHMEM_UNMAP/1",
    "unmap-behind-unmap":
        "front-end=REM_MEM_REG inside=commit/SHMEM_UNMAP/1 back-end=SHMEM_UNMAP/2",
}
NOT_HUNG = {
    "commit-first": "reason=replied-early back-end=SHMEM_MAP",
}


def path(name):
    return os.path.join(ORDERS, f"{name}.order")


def names():
    return sorted(name.removesuffix(".order") for name in os.listdir(ORDERS))


def generate(order_program, order):
    """(status, program, stderr) for the path of an order."""
    done = subprocess.run([order_program, order], check=False, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def build(compiler, program, output):
    """Compiles the text of a program; what the compiler said, which is nothing when it is good."""
    source = f"{output}.c"
    with open(source, "w", encoding="utf-8") as out:
        out.write(program)
    done = subprocess.run([compiler, *WARNINGS, "-o", output, source], check=False, text=True,
                          capture_output=True, timeout=COMPILE_TIMEOUT_S)
    if done.returncode != 0 or done.stdout or done.stderr:
        return f"{compiler} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return ""


def look_at(compiler, program):
    """What a compiler says to the text of a program without making one of it."""
    done = subprocess.run([compiler, *WARNINGS, "-fsyntax-only", "-x", "c", "-"], check=False,
                          text=True, input=program, capture_output=True,
                          timeout=COMPILE_TIMEOUT_S)
    return f"{done.stdout}{done.stderr}" if done.returncode else ""
