# SPDX-License-Identifier: GPL-2.0-or-later
"""What can happen to a VM with mapped devices: back-ends that come again, hot unplug and plug,
resets, stop and continue, and snapshots and migration, which are refused."""

import os
import unittest

import apart
import common
from harness.processes import HarnessError, wait_until
from harness.qemu import Device

IDLER = {(0, i * 0x1000, 0x1000, "idler") for i in range(3)}
MORE = IDLER | {(0, 0x8000, 0x1000, "idler")}
SHARED = "has shared memory regions"


class DeviceLifeTest(apart.ApartTest):

    def start(self, fleet, names=("idler", "idler"), ports=False, **options):
        """A machine whose two back-ends have mapped."""
        devices = [(apart.device(number, port=f"rp{number}" if ports else "", **options), path)
                   for number, (_, path) in enumerate(apart.neighbours(names))]
        machine = fleet.add("life", devices)
        fleet.start()
        machine.on("vu0", "start")
        machine.on("vu1", "start")
        machine.await_signals("ready")
        machine.give_signals("go")
        machine.await_signals("mapped")
        machine.settle()
        return machine

    def more(self, machine, *chardevs):
        """Maps once more: that works."""
        for chardev in chardevs:
            machine.backend(chardev).give_signal("more")
            machine.backend(chardev).await_signal("done", 60)
            machine.settle()
            machine.await_held(chardev, len(MORE))

    def finish(self, fleet, machine):
        """The end of the recording, and what the verbs say of it: no alarm."""
        trace = fleet.end()
        machine.quit()
        machine.end_backends()
        verbs = apart.Verbs(trace)
        self.assertEqual(verbs.alarms(), [], verbs.text["report"])
        self.assert_readable(verbs)
        return verbs

    def test_one_comes_again_and_again(self):
        with apart.fleet("life-reconnect") as fleet:
            machine = self.start(fleet, ("reconnects", "idler"), reconnect_ms=200)
            machine.await_held("vu0", 4)
            machine.await_held("vu1", len(IDLER))
            self.more(machine, "vu1")
            verbs = self.finish(fleet, machine)
        _, counts = self.assert_counts(verbs, machine, "vu0", "dev0")
        self.assertEqual((counts["maps"], counts["mappings_removed"]), (16, 12))
        self.assert_live(verbs, machine, "vu0", "dev0",
                         {(0, i * 0x1000, 0x1000, "pages") for i in range(4)})
        self.assert_counts(verbs, machine, "vu1", "dev1")
        self.assert_live(verbs, machine, "vu1", "dev1", MORE)
        reasons = apart.removed(fleet.trace)
        self.assertEqual(list(reasons.values()), [{"unmap": 3, "disconnect": 9}])
        # One connection after the other is the same device.
        self.assertEqual(len(verbs.report["devices"]), 2)

    def test_unplug_and_plug(self):
        with apart.fleet("life-plug") as fleet:
            machine = self.start(fleet, ports=True)
            machine.on("vu0", "unplug dev0")
            machine.await_held("vu0", 0)
            machine.await_held("vu1", len(IDLER))
            self.more(machine, "vu1")
            machine.drop("vu0")
            machine.plug(Device("dev0", "vu2", port="rp0"), apart.choreography.path("idler"), 0)
            machine.on("vu2", "start")
            machine.backend("vu2").await_signal("ready", 60)
            machine.backend("vu2").give_signal("go")
            machine.backend("vu2").await_signal("mapped", 60)
            machine.settle()
            machine.await_held("vu2", len(IDLER))
            self.more(machine, "vu2")
            verbs = self.finish(fleet, machine)
        devices = [(entry["id"], entry["chardev"], entry["gone"], entry["regions"])
                   for entry in verbs.report["devices"]]
        region = [{"shmid": 0, "size": 1 << 20}]
        self.assertEqual(sorted(devices), [("dev0", "vu0", True, region),
                                           ("dev0", "vu2", False, region),
                                           ("dev1", "vu1", False, region)])
        _, counts = self.assert_counts(verbs, machine, "vu0", "dev0", "vu0")
        self.assertEqual(counts["mappings_finalized"], counts["mappings_created"])
        self.assert_counts(verbs, machine, "vu2", "dev0", "vu2")
        self.assert_counts(verbs, machine, "vu1", "dev1")
        self.assert_live(verbs, machine, "vu2", "dev0", MORE)
        self.assert_live(verbs, machine, "vu1", "dev1", MORE)
        self.assertEqual(list(apart.removed(fleet.trace).values()), [{"unrealize": len(IDLER)}])

    def test_system_reset(self):
        with apart.fleet("life-system-reset") as fleet:
            machine = self.start(fleet, ("resettable", "resettable"))
            machine.monitor.execute("system_reset")
            for chardev in ("vu0", "vu1"):
                machine.backend(chardev).await_signal("stopped", 60)
                machine.await_held(chardev, 0)
            for chardev in ("vu0", "vu1"):
                machine.on(chardev, "start")
            machine.await_signals("done")
            machine.settle()
            verbs = self.finish(fleet, machine)
        for chardev, device in (("vu0", "dev0"), ("vu1", "dev1")):
            self.assert_counts(verbs, machine, chardev, device)
            self.assert_live(verbs, machine, chardev, device,
                             {(0, i * 0x1000, 0x1000, "pages") for i in range(4)})
        self.assertEqual(list(apart.removed(fleet.trace).values()), [{"reset": 3}] * 2)

    def test_stop_and_continue(self):
        with apart.fleet("life-stop") as fleet:
            machine = self.start(fleet)
            for _ in range(3):
                machine.monitor.execute("stop")
                self.assertEqual(machine.monitor.execute("query-status")["status"], "paused")
                self.assertEqual(machine.held("vu0"), (len(IDLER), len(IDLER)))
                machine.monitor.execute("cont")
            self.more(machine, "vu0", "vu1")
            verbs = self.finish(fleet, machine)
        for chardev, device in (("vu0", "dev0"), ("vu1", "dev1")):
            self.assert_counts(verbs, machine, chardev, device)
            self.assert_live(verbs, machine, chardev, device, MORE)
        self.assertEqual(apart.removed(fleet.trace), {})

    def blockers(self, machine):
        """How many devices block migration by their shared memory regions."""
        reasons = machine.monitor.execute("query-migrate").get("blocked-reasons", [])
        return len([reason for reason in reasons if SHARED in reason])

    def assert_refused(self, machine):
        """Every way to save or move the VM is refused, and says which device is in the way."""
        saved = machine.path("state")
        refusal = "vhost-user-test-device|shared memory regions"
        for uri in (f"file:{saved}", f"exec:cat >{saved}"):
            with self.assertRaisesRegex(HarnessError, f"refuses: .*({refusal})"):
                machine.monitor.execute("migrate", uri=uri)
        answer = machine.monitor.execute("human-monitor-command",
                                         **{"command-line": "savevm state"})
        self.assertRegex(answer, f"Error: .*({refusal})")
        machine.monitor.execute("snapshot-save", devices=[], tag="state", vmstate="none",
                                **{"job-id": "save"})
        job, = wait_until(lambda: [job for job in machine.monitor.execute("query-jobs")
                                   if job["status"] == "concluded"], 60, "the snapshot's end")
        self.assertRegex(job["error"], refusal)
        machine.monitor.execute("job-dismiss", id="save")
        self.assertFalse(os.path.exists(saved))

    def test_what_the_monitor_tells_of_a_device(self):
        """Also while it is not started; and which device it is that blocks migration."""
        with apart.fleet("life-monitor") as fleet:
            machine = fleet.add("life", apart.neighbours(("idler", "idler")))
            fleet.start()
            paths = [f"/machine/peripheral/dev{number}/virtio-backend" for number in range(2)]
            for path in paths:
                status = machine.monitor.execute("x-query-virtio-status", path=path)
                self.assertFalse(status["vhost-started"])
            machine.on("vu1", "start")
            status = machine.monitor.execute("x-query-virtio-status", path=paths[1])
            self.assertTrue(status["vhost-started"])
            protocols = status["vhost-dev"]["protocol-features"]["protocols"]
            self.assertTrue([feature for feature in protocols
                             if feature.startswith("VHOST_USER_PROTOCOL_F_SHMEM:")], protocols)
            reasons = [reason for reason in
                       machine.monitor.execute("query-migrate")["blocked-reasons"]
                       if SHARED in reason]
            for path in paths:
                self.assertEqual(len([reason for reason in reasons if f"'{path}'" in reason]), 1,
                                 reasons)
            fleet.end()
            machine.quit()

    def test_save_and_migrate_are_refused(self):
        with apart.fleet("life-migrate") as fleet:
            machine = self.start(fleet, ports=True)
            self.assertEqual(self.blockers(machine), 2)
            self.assert_refused(machine)
            # All goes on, and what was mapped still is.
            self.assertTrue(machine.monitor.execute("query-status")["running"])
            self.assertEqual(machine.held("vu0"), (len(IDLER), len(IDLER)))
            self.more(machine, "vu0", "vu1")
            machine.on("vu0", "unplug dev0")
            machine.await_held("vu0", 0)
            self.assertEqual(self.blockers(machine), 1)
            self.assert_refused(machine)
            self.assertEqual(machine.held("vu1"), (len(MORE), len(MORE)))
            trace = fleet.end()
            machine.on("vu1", "unplug dev1")
            self.assertEqual(self.blockers(machine), 0)
            machine.monitor.execute("migrate", uri=f"file:{machine.path('state')}")
            wait_until(lambda: machine.monitor.execute("query-migrate")["status"] == "completed",
                       60, "the migration without the devices", [machine.qemu])
            self.assertGreater(os.path.getsize(machine.path("state")), 0)
            machine.quit()
            machine.end_backends()
        verbs = apart.Verbs(trace)
        self.assertEqual(verbs.alarms(), [], verbs.text["report"])
        self.assert_counts(verbs, machine, "vu0", "dev0")
        self.assert_live(verbs, machine, "vu0", "dev0", set())
        self.assert_live(verbs, machine, "vu1", "dev1", MORE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
