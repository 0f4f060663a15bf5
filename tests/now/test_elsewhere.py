# SPDX-License-Identifier: GPL-2.0-or-later
"""What `now --save` kept is explained elsewhere, where nothing of that host is: the same."""

import json
import os
import re
import shutil
import tempfile
import unittest

from farm import Farm, VERSIONS
from verb import DEADLOCK, Look, Output

# Other name spaces of processes and mounts, and a /proc in which there is nobody else.
APART = ["unshare", *([] if os.getuid() == 0 else ["--map-root-user"]), "--mount", "--pid",
         "--fork", "--mount-proc"]


class ElsewhereTest(unittest.TestCase):

    def test_the_same_findings(self):
        with Farm("now-elsewhere") as farm:
            for version in VERSIONS:
                for role in ("map-pipelined", "request-at-stop", "resident", "slow"):
                    farm.add(f"{version}-{role}", version, role)
            farm.start()
            one = farm.vms["released-map-pipelined"]
            host = self.look(farm, "host")
            alone = self.look(farm, "one", one.vm)
            stacks = self.look(farm, "stacks", one.vm, "--stacks")
            hung = farm.of("map-pipelined", "request-at-stop")
            for vm in hung:
                self.assertEqual(host[1].ids(vm), [(DEADLOCK, "observed")])
            self.assertEqual(alone[1].ids(one), [(DEADLOCK, "observed")])
        # By now no process of it is left, and the back-ends' files are gone.
        for vm in farm.vms.values():
            self.assertFalse(os.path.exists(f"/proc/{vm.qemu.pid}"), vm.vm)
        self.assertRegex(stacks[0].text, r"(?m)^ +#\d+ +vu_shmem_map\+0x")
        self.assertEqual({one["pid"] for one in stacks[1].json["look"]["stacks"]},
                         {one.qemu.pid, one.peer.pid})
        with tempfile.TemporaryDirectory(prefix="ss-elsewhere-") as place:
            for text, look, page in (host, alone, stacks):
                self.check_text(text, place)
                self.check_json(look, place)
                self.check_page(page, place)
        self.assertEqual({one["pid"] for one in of_page(stacks[2])["look"]["stacks"]},
                         {one.qemu.pid, one.peer.pid})

    @staticmethod
    def look(farm, name, *arguments):
        """Looks that print text, JSON and a page, each kept in a file of its own."""
        text = Output("now", "--save", farm.path(f"{name}-text.json"), *arguments)
        text.file = farm.path(f"{name}-text.json")
        look = Look(*arguments, file=farm.path(f"{name}.json"))
        look.file = farm.path(f"{name}.json")
        page = Output("now", "--format", "html", "--save", farm.path(f"{name}-page.json"),
                      *arguments)
        page.file = farm.path(f"{name}-page.json")
        return text, look, page

    def check_text(self, here, place):
        there = Output("report", os.path.basename(shutil.copy(here.file, place)), wrapper=APART,
                       cwd=place)
        self.assertEqual((there.status, there.stderr), (here.status, ""))
        self.assertEqual(there.text, here.text)
        self.assertIn("deadlock", there.text.lower())

    def check_json(self, here, place):
        moved = os.path.basename(shutil.copy(here.file, place))
        there = Output("report", "--format", "json", moved, wrapper=APART, cwd=place)
        self.assertEqual((there.status, there.stderr), (here.status, ""))
        self.assertEqual(there.json()["findings"], here.json["findings"])
        self.assertEqual(without_place(there.json()), without_place(here.json))

    def check_page(self, here, place):
        moved = os.path.basename(shutil.copy(here.file, place))
        there = Output("report", "--format", "html", moved, wrapper=APART, cwd=place)
        self.assertEqual((there.status, there.stderr), (here.status, ""))
        self.assertEqual(without_place(of_page(there)), without_place(of_page(here)))
        self.assertIn(DEADLOCK, {finding["id"] for finding in of_page(there)["findings"]})


def of_page(output):
    """The document that a page shows."""
    return json.loads(re.search(r' id="report">(.*?)</script>', output.text, re.DOTALL)[1])


def without_place(report):
    """All of a report but where it was read from."""
    return {key: value for key, value in report.items() if key != "trace"}


if __name__ == "__main__":
    unittest.main(verbosity=2)
