# SPDX-License-Identifier: GPL-2.0-or-later
"""Two devices in one QEMU, each with its own back-end: every verb keeps them apart."""

import signal
import unittest

import apart
import common
from harness.processes import wait_until

LARGE = {(0, i * 0x1000, 0x1000, "large") for i in range(7)} | {(1, 0, 0x3000, "other")}
SMALL = {(0, i * 0x1000, 0x1000, "small") for i in range(5)}
IDLER = {(0, i * 0x1000, 0x1000, "idler") for i in range(3)}
HELD_S = 3.5  # a wait speaks up twice in that time


class TwoDevicesTest(apart.ApartTest):

    def both_mapped(self, fleet, **options):
        """Both back-ends have mapped at the same time, and hold some mappings."""
        machine = fleet.add("both", apart.neighbours(**options))
        fleet.start()
        for chardev in ("vu0", "vu1"):
            machine.on(chardev, "start")
        machine.await_signals("ready")
        machine.give_signals("go")
        machine.await_signals("mapped")
        machine.settle()
        machine.await_held("vu0", len(LARGE))
        machine.await_held("vu1", len(SMALL))
        return machine

    def test_both_map_at_the_same_time(self):
        with apart.fleet("two-both") as fleet:
            machine = self.both_mapped(fleet)
            # The same place of the same region is another one in each device.
            for chardev, word in (("vu0", b"large"), ("vu1", b"small")):
                self.assertEqual(machine.on(chardev, "read 0 0x0"), f"0x{word.hex()}")
            machine.give_signals("again")
            machine.await_signals("done")
            machine.await_held("vu0", len(LARGE))
            machine.await_held("vu1", len(SMALL))
            trace = fleet.end()
            machine.quit()
            machine.end_backends()
        verbs = apart.Verbs(trace)
        self.assert_only_refused(verbs)
        total = 0
        for chardev, name, live in (("vu0", "dev0", LARGE), ("vu1", "dev1", SMALL)):
            _, counts = self.assert_counts(verbs, machine, chardev, name)
            self.assert_live(verbs, machine, chardev, name, live)
            self.assertEqual(counts["mappings_finalized"],
                             counts["mappings_created"] - len(live))
            self.assertEqual(counts["fds_closed"],
                             counts["fds_received"] + counts["fds_duplicated"] - len(live))
            total += counts["requests"]
        self.assertEqual(verbs.report["counts"]["requests"], total)
        self.assertEqual(verbs.report["mappings_total"], len(LARGE) + len(SMALL))
        # Numbers of the one and of the other were the same, one after the other.
        self.assertTrue(apart.numbers_met(trace, "dev"))
        self.assert_readable(verbs)

    def test_devices_without_an_id(self):
        """QEMU knows them by paths that begin alike."""
        with apart.fleet("two-anonymous") as fleet:
            machine = self.both_mapped(fleet, id="")
            machine.give_signals("again")
            machine.await_signals("done")
            machine.await_held("vu0", len(LARGE))
            machine.await_held("vu1", len(SMALL))
            trace = fleet.end()
            machine.quit()
            machine.end_backends()
        verbs = apart.Verbs(trace)
        self.assert_only_refused(verbs)
        names = sorted(entry["id"] for entry in verbs.report["devices"])
        self.assertEqual(len(set(names)), 2)
        for verb in ("mappings", "fds"):
            column = 0 if verb == "mappings" else 3
            rows = verbs.part(verb, machine.vm)[1:]
            shown = sorted(row[column] for row in rows)
            self.assertEqual(sorted(map(shown.count, set(shown))), [len(SMALL), len(LARGE)], rows)
        self.assert_readable(verbs)

    def test_one_is_reset_while_the_other_maps(self):
        with apart.fleet("two-reset") as fleet:
            machine = self.both_mapped(fleet)
            machine.backend("vu1").give_signal("again")
            machine.on("vu0", "reset")
            machine.backend("vu1").await_signal("done", 60)
            machine.await_held("vu0", 0)
            machine.await_held("vu1", len(SMALL))
            trace = fleet.end()
            machine.quit()
        verbs = apart.Verbs(trace)
        self.assert_only_refused(verbs)
        self.assert_live(verbs, machine, "vu0", "dev0", set())
        self.assert_live(verbs, machine, "vu1", "dev1", SMALL)
        self.assert_counts(verbs, machine, "vu1", "dev1")
        _, counts = self.assert_counts(verbs, machine, "vu0", "dev0")
        self.assertEqual(counts["mappings_finalized"], counts["mappings_created"])
        self.assertEqual(sorted(reasons.get("reset", 0)
                                for reasons in apart.removed(trace).values()), [0, len(LARGE)])

    def test_one_is_killed_while_the_other_maps(self):
        with apart.fleet("two-killed") as fleet:
            machine = self.both_mapped(fleet)
            machine.backend("vu0").give_signal("again")
            machine.backend("vu1").signal(signal.SIGKILL)
            machine.backend("vu0").await_signal("done", 60)
            machine.await_held("vu1", 0)
            machine.await_held("vu0", len(LARGE))
            machine.settle()
            trace = fleet.end()
            machine.quit()
        verbs = apart.Verbs(trace)
        self.assert_only_refused(verbs)
        self.assert_live(verbs, machine, "vu1", "dev1", set())
        self.assert_live(verbs, machine, "vu0", "dev0", LARGE)
        self.assert_counts(verbs, machine, "vu0", "dev0")
        self.assertEqual(sorted(reasons.get("disconnect", 0)
                                for reasons in apart.removed(trace).values()), [0, len(SMALL)])
        self.assertTrue(verbs.device(machine.pid, "dev1")["gone"])
        self.assertFalse(verbs.device(machine.pid, "dev0")["gone"])

    def hold(self, fleet, machine, guilty):
        """QEMU stands still with a request of GUILTY's back-end unread, and so it stays until
        the recording has ended."""
        machine.monitor.ask("query-status")
        self.assertFalse(machine.qemu.ended(HELD_S))
        self.assertTrue(machine.unread(guilty))
        trace = fleet.end()
        machine.backend(guilty).signal(signal.SIGKILL)
        return trace

    def assert_one_deadlock(self, verbs, machine, name, chardev):
        """One finding, of that device; the open wait is its own, in both formats."""
        alarms = verbs.alarms()
        self.assertEqual([(finding["id"], finding["process"]["pid"], finding["process"]["vm"],
                           finding["device"]["id"], finding["device"]["chardev"])
                          for finding in alarms],
                         [("reply-commit-deadlock", machine.pid, machine.vm, name, chardev)],
                         verbs.text["report"])
        waits = verbs.json["waits"]["open_waits"]
        self.assertEqual([(wait["pid"], wait["device"]) for wait in waits],
                         [(machine.pid, name)])
        words = " ".join(verbs.text["waits"].split())
        self.assertRegex(words, rf"waits for the reply to \w+ of device {name} since")
        self.assertRegex(" ".join(verbs.text["report"].split()),
                         rf"DEADLOCK suspected {machine.vm} \(.*?\) device {name} stuck for")
        self.assert_readable(verbs)
        return alarms[0]

    def check_deadlock_of(self, guilty, other):
        with apart.fleet(f"two-deadlock-{guilty}") as fleet:
            names = ["idler", "idler"]
            names[int(guilty[2:])] = "pipeliner"
            machine = fleet.add("stuck", apart.neighbours(names))
            fleet.start()
            machine.on("vu0", "start")
            machine.on("vu1", "start")
            machine.await_signals("ready")
            machine.backend(other).give_signal("go")
            machine.backend(other).await_signal("mapped", 60)
            machine.settle()
            machine.backend(guilty).give_signal("go")
            machine.await_unread(guilty, 2)
            # Unread as well, and no deadlock: this back-end serves while it waits.
            machine.backend(other).give_signal("more")
            machine.await_unread(other, len(IDLER) + 1)
            trace = self.hold(fleet, machine, guilty)
            machine.backend(other).await_signal("done", 60)
            machine.quit()
        verbs = apart.Verbs(trace)
        self.assert_one_deadlock(verbs, machine, f"dev{guilty[2:]}", guilty)
        self.assert_live(verbs, machine, other, f"dev{other[2:]}", IDLER)

    def test_deadlock_of_one_beside_a_healthy_one(self):
        for guilty, other in (("vu0", "vu1"), ("vu1", "vu0")):
            with self.subTest(guilty=guilty):
                self.check_deadlock_of(guilty, other)

    def test_deadlock_across_devices(self):
        """A commit tells every back-end: that of one device's MAP waits for the other device's
        back-end, which waits for its own MAP. One by one, both behave."""
        with apart.fleet("two-across") as fleet:
            machine = fleet.add("across", apart.neighbours(("mapper", "mapper")))
            fleet.start()
            machine.on("vu0", "start")
            machine.on("vu1", "start")
            machine.await_signals("ready")
            machine.settle()
            machine.qemu.signal(signal.SIGSTOP)
            machine.give_signals("go")
            for chardev in ("vu0", "vu1"):
                machine.await_unread(chardev, 1)
            machine.qemu.signal(signal.SIGCONT)
            # Which of the two is read first is QEMU's choice; the other one is stuck.
            unread = wait_until(lambda: [one for one in ("vu0", "vu1")
                                         if not machine.unread(one)],
                                60, "one request to be read", [machine.qemu])
            self.assertEqual(len(unread), 1)
            first = unread[0]
            second = {"vu0": "vu1", "vu1": "vu0"}[first]
            trace = self.hold(fleet, machine, second)
            machine.backend(first).await_signal("mapped", 60)
            machine.quit()
        verbs = apart.Verbs(trace)
        finding = self.assert_one_deadlock(verbs, machine, f"dev{second[2:]}", second)
        said = " ".join(statement["text"] for statement in finding["statements"])
        # The commit is that of the other device's request, and said to be.
        self.assertIn(f"commit of SHMEM_MAP #1 of device dev{first[2:]}", said)
        self.assertIn("SHMEM_MAP #1, which lies unread", said)
        witness = [step["text"] for step in finding["witness"]]
        self.assertIn(f"dev{first[2:]}: SHMEM_MAP #1 0x0+0x1000", witness)
        self.assertIn(f"dev{second[2:]}: SHMEM_MAP #1 unread", witness)


if __name__ == "__main__":
    unittest.main(verbosity=2)
