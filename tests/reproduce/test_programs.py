#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that bring an order of messages about: made, compiled, and refused.

usage: test_programs.py ORDER_PROGRAM FIXTURE_REPORT COMPILER...
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import orders

ORDER_PROGRAM = FIXTURE_REPORT = ""
TESTS = os.path.dirname(orders.HERE)
COMPILERS = []
DEVICE = "device dev0 0x408429 0:0x100000\n"
HANG = ("0 start\n0 frontend-request ADD_MEM_REG\n0 frontend-waits ADD_MEM_REG\n"
        "0 backend-request SHMEM_MAP 1 0 0x0 0x1000 rw\n0 backend-waits SHMEM_MAP 1\n")


class ProgramTest(unittest.TestCase):
    """What the tests share: a directory, and programs in it."""

    def setUp(self):
        top = tempfile.TemporaryDirectory(prefix="ss-programs-")
        self.addCleanup(top.cleanup)
        self.top = top.name

    def made(self, text):
        """(status, program, stderr) for the text of an order."""
        path = os.path.join(self.top, "text.order")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return orders.generate(ORDER_PROGRAM, path)

    def compiled(self, program, compiler):
        output = os.path.join(self.top, "repro")
        self.assertEqual(orders.build(compiler, program, output), "")
        return output


class ProgramsTest(ProgramTest):
    """The texts of programs."""

    def test_every_order_compiles(self):
        self.assertGreaterEqual(len(orders.names()), 8)
        self.assertEqual(sorted([*orders.HUNG, *orders.NOT_HUNG]), orders.names())
        for name in orders.names():
            status, program, stderr = orders.generate(ORDER_PROGRAM, orders.path(name))
            self.assertEqual((status, stderr), (0, ""), name)
            self.assertTrue(program.startswith("/* SPDX-License-Identifier: GPL-2.0-or-later */"))
            for compiler in COMPILERS:
                with self.subTest(order=name, compiler=compiler):
                    self.compiled(program, compiler)

    def test_no_header_but_of_libc(self):
        _, program, _ = orders.generate(ORDER_PROGRAM, orders.path("map-pipelined"))
        headers = re.findall(r"^#include (.*)$", program, re.MULTILINE)
        self.assertGreater(len(headers), 10)
        for header in headers:
            self.assertRegex(header, r"^<(sys/)?\w+\.h>$")

    def test_what_it_plays_is_the_order(self):
        """Each step of the text, and its numbers, are in the program in their order."""
        _, program, _ = orders.generate(ORDER_PROGRAM, orders.path("unmap-behind-unmap"))
        table = program.partition("struct step order[] = {")[2].partition("};\n\n")[0]
        told = re.findall(r"\.kind = (\w+), \.device = 0(?:, \.request = (\d+))?", table)
        self.assertEqual(told, [("BACKEND_REQUEST", "10"), ("READ", "10"), ("REPLY", "10"),
                                ("COMMIT", "10"), ("FRONTEND_REQUEST", "38"),
                                ("FRONTEND_WAITS", "38"), ("BACKEND_REQUEST", "10"),
                                ("BACKEND_WAITS", "10")])
        self.assertRegex(table, r"\.shmid = 7,[^}]*\.offset = 0x20000000,\s*\.length = 0x200000")
        self.assertIn("{ .shmid = 7, .size = 0x40000000 }", program)
        self.assertRegex(program, r"mapped_0\[\] = \{\s*\{ \.shmid = 7, \.writable = true, "
                                  r"\.offset = 0x0,\s*\.length = 0x3000")

    def test_features_are_those_of_the_device(self):
        slots = 1 << 15
        for told, expected in (("0x408429", 0x408429), ("0x400429", 0x400429),
                               # XEN_MMAP and DEVICE_STATE are nothing it can play.
                               ("0x4a8429", 0x408429), ("-", 0x400429 | slots)):
            with self.subTest(told=told):
                _, program, _ = self.made(DEVICE.replace("0x408429", told) + HANG)
                self.assertIn(f".protocol_features = 0x{expected:x},", program)

    def test_a_region_that_nobody_told_is_large_enough(self):
        _, program, _ = self.made("device dev0 - 1:0x1000\n" + HANG.replace("0x0 0x1000",
                                                                           "0x5000 0x1000"))
        self.assertIn("{ .shmid = 0, .size = 0x6000 }", program)
        self.assertIn("{ .shmid = 1, .size = 0x1000 }", program)

    def test_a_hostile_name_is_harmless(self):
        status, program, _ = self.made(DEVICE.replace("dev0", 'a"*/??/%s\\') + HANG)
        self.assertEqual(status, 0)
        self.assertIn('.name = "a__/__/_s_"', program)
        for compiler in COMPILERS:
            self.compiled(program, compiler)

    def test_refused(self):
        """What cannot be played is said, and no program is written."""
        commit = "0 commit\n"
        for text, reason in (
                (DEVICE + commit + HANG, "what caused the memory commit is not known"),
                (DEVICE + HANG.replace("0 start\n", "").replace("ADD_MEM_REG", "SET_CONFIG"),
                 "what makes QEMU send SET_CONFIG is not known"),
                (DEVICE + HANG.replace("SHMEM_MAP", "FROM_ELSEWHERE"),
                 "the payload of request 0 is not known"),
                (DEVICE + HANG.partition("0 backend-waits")[0], "nobody waits at its end"),
                (HANG, "line 1"),
                (DEVICE * 9 + HANG, "9 devices take part"),
                (DEVICE + HANG.replace("1 0 0x0", "1 256 0x0"), "region 256 cannot be")):
            with self.subTest(reason=reason):
                status, program, stderr = self.made(text)
                self.assertEqual((status, program), (2, ""))
                self.assertIn(reason, stderr)


class FixturesTest(ProgramTest):
    """Every finding of a fixture that has an order has its program, or says why not."""

    @staticmethod
    def fixtures():
        for directory, pattern in (("analysis/fixtures", "*"), ("checks", "nested-wait.*"),
                                   ("checks", "reply-commit-deadlock.*"),
                                   ("checks", "commit-before-reply.*")):
            yield from sorted(pathlib.Path(TESTS, directory).glob(f"{pattern}.fixture"))

    def test_all_compile(self):
        """Each order is looked at once: what is the same in all has been compiled above."""
        seen, made, refused = set(), 0, set()
        for fixture in self.fixtures():
            done = subprocess.run([FIXTURE_REPORT, "programs", fixture], check=True, text=True,
                                  capture_output=True)
            for part in re.split("^@ ", done.stdout, flags=re.MULTILINE)[1:]:
                title, _, program = part.partition("\n")
                name, cannot, reason = title.partition(" cannot ")
                if cannot:
                    refused.add(reason)
                    continue
                made += 1
                order = program.partition("#define DEVICE_COUNT")[2].partition("front_end_names")[0]
                if order in seen:
                    continue
                seen.add(order)
                with self.subTest(fixture=fixture.name, finding=name):
                    self.assertEqual(orders.look_at(COMPILERS[0], program), "")
        self.assertGreaterEqual(made, 50)
        self.assertGreaterEqual(len(seen), 20)
        for reason in refused:
            self.assertRegex(reason, "^(what makes QEMU send|what caused the memory commit)")


class UsageTest(ProgramTest):
    """What the program itself says when it is not given what it needs."""

    def repro(self, *arguments):
        if not os.path.exists(os.path.join(self.top, "repro")):
            _, program, _ = orders.generate(ORDER_PROGRAM, orders.path("map-pipelined"))
            self.compiled(program, COMPILERS[0])
        return subprocess.run([os.path.join(self.top, "repro"), *arguments], check=False,
                              capture_output=True, text=True, timeout=60)

    def test_help(self):
        done = self.repro("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("Exit status: 0 it hung", done.stdout)

    def test_usage(self):
        for arguments in ((), ("--serve",), ("qemu", "--device"), ("qemu", "--seconds", "0"),
                          ("qemu", "more")):
            with self.subTest(arguments=arguments):
                done = self.repro(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn("Usage: ", done.stderr)

    def test_no_qemu(self):
        done = self.repro("/no/such/qemu")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("Cannot tell whether QEMU hangs: QEMU ended, or closed ", done.stderr)
        self.assertIn("/no/such/qemu: No such file or directory", done.stderr)


if __name__ == "__main__":
    ORDER_PROGRAM = os.path.abspath(sys.argv[1])
    FIXTURE_REPORT = os.path.abspath(sys.argv[2])
    COMPILERS = sys.argv[3:]
    unittest.main(argv=sys.argv[:1], verbosity=2)
