# SPDX-License-Identifier: GPL-2.0-or-later
"""The table: every specimen, grouped by what goes wrong in it.

BUG words are those of tests/zoo/qemu; scenarios are in tests/zoo/scenarios, else those of the
back-end and of the integration tests. A specimen without a bug is the product's own QEMU.
"""

import acts
import witnesses as w
from zoo import Finding, Specimen

NOTHING_LEFT = (w.held, w.nothing_held, w.logged)

HEALTHY = (
    Specimen("healthy", "healthy", acts.through, witnesses=NOTHING_LEFT),
    Specimen("healthy-in-detail", "churn", acts.through_warm, record=("--set", "catalogue"),
             witnesses=NOTHING_LEFT),
    Specimen("two-threads", "two-threads", acts.through, witnesses=NOTHING_LEFT),
    Specimen("no-reply-ack", "no-reply-ack", acts.through, witnesses=(w.held, w.nothing_held)),
    Specimen("reset", "leaky", acts.reset, witnesses=NOTHING_LEFT),
    Specimen("backend-killed", "leaky", acts.backend_killed, witnesses=NOTHING_LEFT),
    Specimen("stopped", "stopped", acts.stopped, witnesses=NOTHING_LEFT),
    Specimen("no-room", "large", acts.stopped_without_room, witnesses=NOTHING_LEFT),
    Specimen("late-close", "bursts", acts.through, witnesses=(*NOTHING_LEFT, w.closed_late)),
    Specimen("slow-not-stuck", "slow-not-stuck", acts.through,
             expect=(Finding("stuck-wait", "suspected"),), witnesses=(w.held, w.nothing_held)),
)

WAITS = (
    Specimen("map-pipelined", "map-pipelined", acts.hangs_at_start,
             expect=(Finding("reply-commit-deadlock", "suspected", said="SET_MEM_TABLE"),),
             witnesses=(w.silent, w.unread("SHMEM_MAP"),
                        w.stands_in("vhost_user_set_mem_table", "vhost_commit",
                                    "memory_region_transaction_commit", "backend_read"))),
    Specimen("request-at-stop", "request-at-stop", acts.hangs_at_reset,
             expect=(Finding("reply-commit-deadlock", "suspected", said="SET_VRING_ENABLE"),),
             witnesses=(w.silent, w.unread("SHMEM_UNMAP"), w.stands_in("vring_enable"))),
    Specimen("commit-first", "one-map", acts.hangs_with_read_request, bug="commit-first",
             expect=(Finding("reply-commit-deadlock", "suspected", said="ADD_MEM_REG"),),
             witnesses=(w.silent, w.stands_in("vhost_commit", "memory_region_transaction_commit",
                                              "handle_shmem_map", "backend_read"))),
    Specimen("commit-first-stopped", "stopped", acts.stopped, bug="commit-first",
             expect=(Finding("commit-before-reply", "hazard", 3),), witnesses=NOTHING_LEFT),
    Specimen("half-message", "half-message", acts.half_message,
             expect=(Finding("stuck-wait", "suspected", said="back-end channel"),),
             witnesses=(w.silent, w.stands_in("qio_channel_readv", "backend_read"))),
    Specimen("self-echo", "echo", acts.through,
             expect=(Finding("memory-table-failed", "observed", 6,
                             place=("vhost_user_set_mem_table", "No buffer space available")),),
             witnesses=(w.held, w.tables_sent, w.logged)),
)

DEATHS = (
    Specimen("commit-unbegun", "refused-once", acts.dies_stopped, bug="commit-unbegun",
             expect=(Finding("commit-without-begin", "observed", said="SHMEM_MAP #1"),
                     Finding("died-in-request", "observed", said="SHMEM_MAP #1")),
             witnesses=(w.aborted("memory_region_transaction_commit"), w.replied(1))),
    Specimen("too-many", "many", acts.dies, bug="too-many",
             expect=(Finding("died-in-request", "observed", said="SHMEM_MAP #31"),),
             witnesses=(w.aborted("vhost_user_add_remove_regions"), w.replied(31))),
    Specimen("assert-nregions", ("--configs", "add"), acts.dies_when_a_device_is_added,
             bug="assert-nregions", qemu={"devices": []},
             expect=(Finding("died-in-request", "suspected", said="reply to GET_SHMEM_CONFIG"),),
             witnesses=(w.aborted("vhost_user_get_shmem_config"),)),
)


def kept(check):
    """Mappings that should be gone, and with each of them its descriptor."""
    return (w.kept_maps(check), w.held)


LEAKS = (
    Specimen("channel-dies", "leaky", acts.backend_killed, bug="channel-dies",
             expect=(Finding("stale-mapping", "observed", 4),),
             witnesses=(*kept("stale-mapping"), w.subregions("held", 4))),
    Specimen("reply-fails", "reply-fails", acts.through, bug="reply-fails",
             expect=(Finding("stale-mapping", "observed", 2),),
             witnesses=(*kept("stale-mapping"), w.subregions("held", 2))),
    Specimen("unmap-reply-fails", "unmap-reply-fails", acts.through, bug="unmap-reply-fails",
             expect=(Finding("stale-mapping", "observed"),
                     Finding("accepted-not-mapped", "observed", said="could not be sent",
                             place=("vhost_user_backend_handle_shmem_unmap", None))),
             witnesses=(*kept("stale-mapping"), w.subregions("held", 1))),
    Specimen("reset-keeps", "leaky", acts.reset, bug="reset-keeps",
             expect=(Finding("mapping-leak", "observed", 4, said="reset"),
                     Finding("fd-leak", "observed", 4, place=("virtio_reset", "reset"))),
             witnesses=(*kept("fd-leak"), w.kept_fds, w.subregions("held", 4))),
    Specimen("mapping-leak-unmap", "leaky", acts.mapped_then_unmapped, bug="mapping-leak-unmap",
             expect=(Finding("mapping-leak", "suspected", 4,
                             place=("virtio_del_shmem_map", "unmap")),),
             witnesses=(*kept("mapping-leak"), w.subregions("held", 0))),
    Specimen("mapping-leak-reset", "leaky", acts.reset_twice, bug="mapping-leak-reset",
             expect=(Finding("mapping-leak", "suspected", 4,
                             place=("virtio_del_shmem_map", "reset")),),
             witnesses=(*kept("mapping-leak"), w.subregions("held", 0))),
    Specimen("mapping-leak-disconnect", "leaky", acts.backend_killed,
             bug="mapping-leak-disconnect",
             expect=(Finding("mapping-leak", "suspected", 4,
                             place=("virtio_del_shmem_map", "disconnect")),),
             witnesses=(*kept("mapping-leak"), w.subregions("held", 0))),
    Specimen("fd-leak-dispatch", "leaky", acts.mapped_then_unmapped, bug="fd-leak-dispatch",
             expect=(Finding("fd-leak", "observed", 4, place=("backend_read", None)),),
             witnesses=(w.kept_fds, w.held)),
    Specimen("fd-leak-refused", "refused", acts.through, bug="fd-leak-refused",
             expect=(Finding("fd-leak", "observed", 1, place=("backend_read", "short-payload")),
                     Finding("fd-leak", "observed", 1, place=("backend_read", "bad-flags")),
                     Finding("fd-leak", "observed", 3, place=("backend_read", "bad-fd-count"))),
             witnesses=(w.kept_fds, w.held)),
    Specimen("fd-leak-new", "large", acts.stopped_without_room, bug="fd-leak-new",
             expect=(Finding("fd-leak", "suspected", 1,
                             place=("virtio_shared_memory_mapping_new", "bad-file")),),
             witnesses=(w.kept_fds, w.refused_by_log(1))),
    Specimen("region-struct-leak", "churn", acts.churn, bug="region-struct-leak",
             record=("--set", "catalogue"),
             expect=(Finding("memory-region-leak", "suspected", 2500,
                             place=("virtio_shared_memory_mapping_finalize", None)),),
             witnesses=(w.heap_grew(500), w.nothing_held, w.logged)),
    Specimen("region-leak", "leaky", acts.mapped_then_unmapped, bug="region-leak",
             record=("--set", "catalogue"),
             expect=(Finding("memory-region-leak", "suspected", 4,
                             place=("virtio_shared_memory_mapping_new", None)),
                     Finding("fd-leak", "suspected", 4, place=("reclaim_ramblock", "unmap"))),
             witnesses=(*kept("memory-region-leak"), w.kept_fds, w.subregions("held", 0))),
    Specimen("double-close", "leaky", acts.mapped_then_unmapped, bug="double-close",
             wrapper=w.closes_seen,
             expect=(Finding("double-close", "observed", 4,
                             place=("virtio_shared_memory_mapping_finalize", None)),),
             witnesses=(w.failed_closes, w.nothing_held)),
    Specimen("fd-closed-early", "read-only", acts.stopped, bug="fd-closed-early",
             expect=(Finding("fd-closed-early", "observed", 3),),
             witnesses=(w.maps_without_fd, w.held)),
    Specimen("fd-leak-reclaim", "leaky", acts.mapped_then_unmapped, bug="fd-leak-reclaim",
             expect=(Finding("fd-leak", "suspected", 4, place=("reclaim_ramblock", "unmap")),),
             witnesses=(*kept("fd-leak"), w.kept_fds)),
)

REPLIES = (
    Specimen("two-replies", "believed", acts.stopped, bug="two-replies",
             expect=(Finding("double-reply", "observed", 3),),
             witnesses=(w.replies_left_over, w.refused(1), w.believes_refused(1), w.held)),
    Specimen("no-reply", "no-reply", acts.stopped, bug="no-reply",
             expect=(Finding("missing-reply", "observed", 2, said="SHMEM_MAP"),
                     Finding("missing-reply", "observed", 1, said="SHMEM_UNMAP")),
             witnesses=(w.unanswered, w.held)),
    Specimen("unasked-reply", "unasked", acts.stopped, bug="unasked-reply",
             expect=(Finding("unsolicited-reply", "observed", 2, said="SHMEM_MAP"),
                     Finding("unsolicited-reply", "observed", 1, said="SHMEM_UNMAP")),
             witnesses=(w.unasked_left_over, w.held)),
    Specimen("early-errno", "refused-once", acts.stopped, bug="early-errno",
             expect=(Finding("accepted-not-mapped", "observed",
                             place=("vhost_user_backend_handle_shmem_map", "bad-flags")),),
             witnesses=(w.refused(1), w.believes_refused(1), w.nothing_held, w.subregions("end", 0))),
    Specimen("refused-late", "one-map-any", acts.started, bug="refused-late",
             expect=(Finding("refused-but-mapped", "observed",
                             place=("vhost_user_backend_handle_shmem_map", "bad-flags")),),
             witnesses=(w.refused_by_log(1), w.held, w.subregions("end", 1))),
    Specimen("transaction-left-open", "refused-unmap", acts.started,
             bug="transaction-left-open",
             expect=(Finding("transaction-left-open", "observed", said="SHMEM_UNMAP #2"),),
             witnesses=(w.refused_by_log(1), w.held, w.subregions("end", 2), w.shown("end", 1))),
)

REQUESTS = (
    Specimen("refusals", "refusals", acts.through,
             expect=(Finding("overlap", "observed", 50),
                     *(Finding("out-of-range", "observed", count) for count in
                       (25, 25, 25, 25, 30, 20, 40, 10, 50)),
                     Finding("unmap-unknown", "observed", 50, said="nothing is mapped"),
                     Finding("unmap-unknown", "observed", 50, said="which is not the same")),
             witnesses=(*NOTHING_LEFT, w.refused_as_logged)),
    Specimen("overlap", "overlapped", acts.started, bug="overlap",
             expect=(Finding("overlap", "observed", said="mapped it over that"),),
             witnesses=(w.held, w.done_by_log("overlap", 1), w.subregions("end", 2))),
    Specimen("readonly-writable", "read-only", acts.stopped, bug="readonly-writable",
             expect=(Finding("readonly-writable", "observed", 2,
                             place=("virtio_shared_memory_mapping_new", None)),),
             witnesses=(w.writable_maps, w.held)),
    Specimen("grows-the-file", "grows", acts.stopped, bug="grows-the-file",
             expect=(Finding("out-of-range", "suspected", said="extended the back-end's file"),),
             witnesses=(w.file_grew(4096), w.held)),
)

GROUPS = {"healthy": HEALTHY, "waits": WAITS, "deaths": DEATHS, "leaks": LEAKS,
          "replies": REPLIES, "requests": REQUESTS}
