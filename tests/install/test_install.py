# SPDX-License-Identifier: GPL-2.0-or-later
"""What `meson install` puts where, and that `ninja uninstall` leaves nothing of it."""

import os
import re
import tempfile
import unittest

import installed

# What an installed file says of a file that it takes to be installed, too. Pages of the
# documents, which the program has in it, also point into the source: those are links, ../../tests.
REFERENCE = re.compile(rb"(?<![\w./-])(?:docs|tracepoints)/[\w./-]*\w")


def setUpModule():
    global TOP, TREE
    TOP = tempfile.TemporaryDirectory(prefix="shmemscope-install-")
    unittest.addModuleCleanup(TOP.cleanup)
    TREE = installed.Installed(TOP.name)


def below(directory):
    return {path.relative_to(directory) for path in directory.rglob("*") if not path.is_dir()}


def loaded_bytes(path):
    """Of a program or library without what only a debugger reads."""
    stripped = os.path.join(TOP.name, "stripped")
    installed.checked("objcopy", "--strip-debug", path, stripped)
    with open(stripped, "rb") as source:
        return source.read()


class Install(unittest.TestCase):

    def test_files(self):
        """All that users need, of what there is now and will be, and nothing else."""
        source, tree = installed.SOURCE, TREE
        expected = {
            tree.program, tree.plugin, tree.libdir / "libshmemscope-wire.so",
            tree.libdir / "libshmemscope-wire-provider.so",
            *(tree.documents / name for name in ("README.md", "COPYING", "tracepoints/catalogue")),
            *(tree.documents / "docs" / name for name in below(source / "docs")),
            *(tree.documents / "tracepoints/qemu" / name
              for name in below(source / "tracepoints/qemu")),
            *(tree.mandir / "man1" / name for name in below(source / "man")
              if name.suffix == ".1"),
            tree.mandir / "man3/shmemscope_note.3", tree.includedir / "shmemscope.h",
            *(tree.datadir / "shmemscope" / path.name
              for path in (source / "analysis").rglob("*.schema.json"))}
        self.assertEqual(tree.files(), expected)

    def test_plugin_place(self):
        """Of a system's prefix the directory that babeltrace2 takes its own plugins from."""
        if TREE.of_system:
            self.assertTrue((TREE.plugin.parent / "babeltrace-plugin-ctf.so").exists())
        else:
            self.assertTrue(TREE.plugin.is_relative_to(TREE.prefix))

    def test_nothing_of_the_build(self):
        programs = [path for path in TREE.files() if path.suffix == ".so"] + [TREE.program]
        self.assertEqual(len(programs), 4)
        for path in programs:
            with self.subTest(path=path):
                dynamic = installed.checked("readelf", "-dW", TREE.at(path)).stdout
                self.assertIn("NEEDED", dynamic)
                self.assertNotRegex(dynamic, r"\((RPATH|RUNPATH)\)")
                for place in (installed.BUILD, installed.SOURCE):
                    self.assertFalse(os.fsencode(place) in loaded_bytes(TREE.at(path)), place)
                    self.assertNotIn(str(place), installed.checked("ldd", TREE.at(path)).stdout)

    def test_references(self):
        """What messages and manuals refer to is there, under that name."""
        found = set()
        for path in (TREE.program, *(path for path in TREE.files() if path.suffix == ".1")):
            text = TREE.at(path).read_bytes() if path.suffix else loaded_bytes(TREE.at(path))
            for word in REFERENCE.findall(text):
                name = word.decode()
                # A name of a page is made of it: docs/findings/%s.md.
                if name != "docs/findings":
                    found.add(name)
                self.assertTrue(TREE.at(TREE.documents / name).exists(), f"{path}: {name}")
        self.assertGreaterEqual(found, {"docs/now.md", "tracepoints/qemu/10.0"})

    def test_manuals(self):
        """Each is found by its name and rendered, without a word of complaint."""
        man = TREE.at(TREE.mandir)
        pages = sorted(path.stem for path in man.rglob("*.1"))
        self.assertIn("shmemscope", pages)
        for page in pages:
            with self.subTest(page=page):
                place = installed.checked("mman", "-M", man, "-w", page)
                self.assertEqual(place.stdout, f"{man}/man1/{page}.1\n")
                shown = installed.checked("mandoc", "-T", "utf8", "-W", "warning",
                                          place.stdout.strip())
                self.assertEqual(shown.stderr, "")
                text = re.sub(".\b", "", shown.stdout)
                self.assertRegex(text, rf"NAME\n     {page} – \w")
                self.assertIn("EXIT STATUS\n", text)
                for other in re.findall(r"(shmemscope[\w-]*)\(1\)", text):
                    self.assertIn(other, pages)

    def test_uninstall(self):
        other = installed.Installed(TOP.name, name="again")
        self.assertEqual(other.files(), TREE.files())
        said = other.uninstall()
        self.assertIn("Failed: 0\n", said)
        self.assertEqual([str(path) for path in other.dest.rglob("*")], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
