# SPDX-License-Identifier: GPL-2.0-or-later
"""Two QEMUs in one recording, alike to the last number: every verb keeps them apart.

Device ids, regions, offsets and descriptor numbers are the same; without address space
randomisation many pointers are, too. What differs is the process, and what the back-ends did.
"""

import re
import signal
import unittest

import apart
import common

LARGE = {(0, i * 0x1000, 0x1000, "large") for i in range(7)} | {(1, 0, 0x3000, "other")}
SMALL = {(0, i * 0x1000, 0x1000, "small") for i in range(5)}
IDLER = {(0, i * 0x1000, 0x1000, "idler") for i in range(3)}
SAME_ADDRESSES = ["setarch", "--addr-no-randomize"]
HELD_S = 3.5  # a wait speaks up twice in that time


class TwoQemusTest(apart.ApartTest):

    def start(self, fleet):
        """Starts the devices of all machines, until their back-ends are ready."""
        fleet.start()
        for machine in fleet.machines:
            for device in machine.devices:
                machine.on(device.chardev, "start")
        for machine in fleet.machines:
            machine.await_signals("ready")

    def map_all(self, fleet):
        """All back-ends map at the same time."""
        for machine in fleet.machines:
            machine.give_signals("go")
        for machine in fleet.machines:
            machine.await_signals("mapped")
            machine.settle()

    def twins(self, fleet):
        """Two machines with two devices each, crosswise: what dev0 is in one, dev1 is in the
        other. Returns [(machine, chardev, device, its live mappings)]."""
        names = ("neighbour-large", "neighbour-small")
        one = fleet.add("left", apart.neighbours(names), wrapper=SAME_ADDRESSES)
        other = fleet.add("rear", apart.neighbours(names[::-1]), wrapper=SAME_ADDRESSES)
        self.start(fleet)
        self.map_all(fleet)
        expected = [(one, "vu0", "dev0", LARGE), (one, "vu1", "dev1", SMALL),
                    (other, "vu0", "dev0", SMALL), (other, "vu1", "dev1", LARGE)]
        for machine, chardev, _, live in expected:
            machine.await_held(chardev, len(live))
        return expected

    def test_both_map_at_the_same_time(self):
        with apart.fleet("twins-both") as fleet:
            expected = self.twins(fleet)
            trace = fleet.end()
            for machine in fleet.machines:
                machine.quit()
        verbs = apart.Verbs(trace)
        self.assert_only_refused(verbs)
        self.assertEqual(len(verbs.report["processes"]), 2)
        for machine, chardev, device, live in expected:
            self.assert_counts(verbs, machine, chardev, device)
            self.assert_live(verbs, machine, chardev, device, live)
        self.assertEqual(verbs.report["mappings_total"], 2 * (len(LARGE) + len(SMALL)))
        self.assertEqual({entry["vm"] for entry in verbs.report["devices"]}, {"left", "rear"})
        # They are alike indeed, to the numbers of their descriptors.
        self.assertTrue(apart.numbers_met(trace, "vpid"))
        for text in (verbs.text["mappings"], verbs.text["fds"], verbs.text["report"]):
            for machine in fleet.machines:
                self.assertRegex(text, rf"\b{machine.vm} \(\S+ {machine.pid}\)")
        self.assert_readable(verbs)

    def test_one_is_stuck(self):
        with apart.fleet("twins-stuck") as fleet:
            stuck = fleet.add("stuck", apart.neighbours(("idler", "pipeliner")),
                              wrapper=SAME_ADDRESSES)
            healthy = fleet.add("healthy", apart.neighbours(("idler", "idler")),
                                wrapper=SAME_ADDRESSES)
            self.start(fleet)
            stuck.backend("vu0").give_signal("go")
            stuck.backend("vu0").await_signal("mapped", 60)
            stuck.settle()
            stuck.backend("vu1").give_signal("go")
            stuck.await_unread("vu1", 2)
            # Now the other one maps, resets a device and starts it again.
            healthy.give_signals("go")
            healthy.await_signals("mapped")
            healthy.settle()
            healthy.backend("vu1").give_signal("more")
            healthy.backend("vu1").await_signal("done", 60)
            healthy.on("vu1", "reset")
            healthy.await_held("vu1", 0)
            self.assertFalse(stuck.qemu.ended(HELD_S))
            self.assertTrue(stuck.unread("vu1"))
            trace = fleet.end()
            stuck.backend("vu1").signal(signal.SIGKILL)
            stuck.quit()
            healthy.quit()
        verbs = apart.Verbs(trace)
        self.assertEqual([(finding["id"], finding["process"]["pid"], finding["process"]["vm"],
                           finding["device"]["id"], finding["device"]["chardev"])
                          for finding in verbs.alarms()],
                         [("reply-commit-deadlock", stuck.pid, "stuck", "dev1", "vu1")],
                         verbs.text["report"])
        self.assertEqual([(wait["pid"], wait["vm"], wait["device"])
                          for wait in verbs.json["waits"]["open_waits"]],
                         [(stuck.pid, "stuck", "dev1")])
        spoke = [(wait["pid"], wait["device"]) for wait in verbs.json["waits"]["device_waits"]
                 if wait["spoke_up"]]
        self.assertEqual(spoke, [(stuck.pid, "dev1")])
        self.assertRegex(verbs.text["report"],
                         rf"DEADLOCK suspected   stuck \(\S+ {stuck.pid}\)   device dev1\b")
        self.assertRegex(" ".join(verbs.text["waits"].split()),
                         rf"stuck \(\S+ {stuck.pid}\) QEMU main loop waits for the reply to \w+ "
                         "of device dev1 since")
        self.assert_live(verbs, stuck, "vu0", "dev0", IDLER)
        self.assert_live(verbs, healthy, "vu0", "dev0", IDLER)
        self.assert_live(verbs, healthy, "vu1", "dev1", set())
        self.assert_counts(verbs, healthy, "vu0", "dev0")
        self.assert_counts(verbs, healthy, "vu1", "dev1")
        self.assert_readable(verbs)

    def test_one_is_killed(self):
        with apart.fleet("twins-killed") as fleet:
            expected = self.twins(fleet)
            killed, other = fleet.machines
            killed.qemu.signal(signal.SIGKILL)
            killed.starter.status(60, "its end by the signal")
            other.give_signals("again")
            other.await_signals("done")
            other.settle()
            for machine, chardev, _, live in expected:
                if machine is other:
                    machine.await_held(chardev, len(live))
            trace = fleet.end()
            other.quit()
        verbs = apart.Verbs(trace)
        self.assert_only_refused(verbs)
        self.assertEqual({process["pid"]: process["end"]
                          for process in verbs.report["processes"]},
                         {killed.pid: "exited", other.pid: "alive"})
        for machine, chardev, device, live in expected:
            self.assert_counts(verbs, machine, chardev, device)
            self.assert_live(verbs, machine, chardev, device, live)
        # What is listed of a dead process is what it had, and that is said.
        for verb in ("mappings", "fds"):
            self.assertRegex(verbs.text[verb], rf"(?m)^{killed.vm} \(\S+ {killed.pid}\), "
                                               r"which has ended at \d+\.\d+ s$")
            self.assertRegex(verbs.text[verb], rf"(?m)^{other.vm} \(\S+ {other.pid}\)$")
        self.assert_readable(verbs)
        # At a time before, it was alive.
        ended, = re.findall(r"ended at (\S+) s", verbs.text["mappings"])
        before = common.tool("mappings", "--at", str(float(ended) - 0.05), trace)
        self.assertEqual(before.returncode, 0, before.stderr)
        self.assertRegex(before.stdout, rf"(?m)^{killed.vm} \(\S+ {killed.pid}\)$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
