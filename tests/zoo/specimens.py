# SPDX-License-Identifier: GPL-2.0-or-later
"""The table: every specimen, grouped by what goes wrong in it.

BUG words are those of tests/zoo/qemu; scenarios are in tests/zoo/scenarios, else those of the
back-end and of the integration tests.
"""

import acts
import witnesses as w
from zoo import Finding, Specimen

HEALTHY = (
    Specimen("healthy", "healthy", acts.through, witnesses=(w.held, w.nothing_held, w.logged)),
    Specimen("two-threads", "two-threads", acts.through,
             witnesses=(w.held, w.nothing_held, w.logged)),
    Specimen("no-reply-ack", "no-reply-ack", acts.through, witnesses=(w.held, w.nothing_held)),
    Specimen("refusals", "refusals", acts.through, witnesses=(w.held, w.nothing_held, w.logged)),
    Specimen("reset", "leaky", acts.reset, witnesses=(w.held, w.nothing_held, w.logged)),
    Specimen("killed", "leaky", acts.backend_killed,
             witnesses=(w.held, w.nothing_held, w.logged)),
    Specimen("stopped", "stopped", acts.stopped, witnesses=(w.logged,)),
    Specimen("late-close", "bursts", acts.through,
             witnesses=(w.held, w.nothing_held, w.logged)),
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
    Specimen("half-message", "half-message", acts.half_message,
             expect=(Finding("stuck-wait", "suspected", said="back-end channel"),),
             witnesses=(w.silent, w.stands_in("qio_channel_readv", "backend_read"))),
)

DEATHS = (
    Specimen("commit-unbegun", "refused-once", acts.dies_stopped, bug="commit-unbegun",
             expect=(Finding("died-in-request", "observed", said="SHMEM_MAP #1"),),
             witnesses=(w.aborted("memory_region_transaction_commit"),)),
    Specimen("too-many", "many", acts.dies, bug="too-many",
             expect=(Finding("died-in-request", "observed", said="SHMEM_MAP #31"),),
             witnesses=(w.aborted("vhost_user_add_remove_regions"), w.replied(31))),
)

LEAKS = (
    Specimen("channel-dies", "leaky", acts.backend_killed, bug="channel-dies",
             expect=(Finding("stale-mapping", "observed", 4),),
             witnesses=(w.kept_maps("stale-mapping"), w.subregions("held", 4), w.held)),
    Specimen("reply-fails", "reply-fails", acts.through, bug="reply-fails",
             expect=(Finding("stale-mapping", "observed", 2),),
             witnesses=(w.kept_maps("stale-mapping"), w.subregions("held", 2), w.held)),
    Specimen("unmap-reply-fails", "unmap-reply-fails", acts.through, bug="unmap-reply-fails",
             expect=(Finding("stale-mapping", "observed"),),
             witnesses=(w.kept_maps("stale-mapping"), w.subregions("held", 1), w.held)),
    Specimen("mapping-leak-unmap", "leaky", acts.mapped_then_unmapped, bug="mapping-leak-unmap",
             expect=(Finding("mapping-leak", "suspected", 4, said=r"\(unmap\)"),),
             witnesses=(w.kept_maps("mapping-leak"), w.subregions("held", 0), w.held)),
    Specimen("mapping-leak-reset", "leaky", acts.reset, bug="mapping-leak-reset",
             expect=(Finding("mapping-leak", "suspected", 4, said=r"\(reset\)"),),
             witnesses=(w.kept_maps("mapping-leak"), w.subregions("held", 0), w.held)),
    Specimen("mapping-leak-disconnect", "leaky", acts.backend_killed,
             bug="mapping-leak-disconnect",
             expect=(Finding("mapping-leak", "suspected", 4, said=r"\(disconnect\)"),),
             witnesses=(w.kept_maps("mapping-leak"), w.subregions("held", 0), w.held)),
    Specimen("fd-leak-dispatch", "leaky", acts.mapped_then_unmapped, bug="fd-leak-dispatch",
             expect=(Finding("fd-leak", "observed", 4, said="done with SHMEM_MAP #1$"),),
             witnesses=(w.kept_fds, w.held)),
    Specimen("fd-leak-refused", "refused", acts.through, bug="fd-leak-refused",
             expect=(Finding("fd-leak", "observed", 1, said=r"refused \(overlap\)"),
                     Finding("fd-leak", "observed", 1, said=r"refused \(bad-flags\)"),
                     Finding("fd-leak", "observed", 3, said=r"refused \(bad-fd-count\)")),
             witnesses=(w.kept_fds, w.held)),
    Specimen("fd-leak-reclaim", "leaky", acts.mapped_then_unmapped, bug="fd-leak-reclaim",
             expect=(Finding("fd-leak", "suspected", 4, said="was not reclaimed"),),
             witnesses=(w.kept_fds, w.kept_maps("fd-leak"), w.held)),
)

REPLIES = (
    Specimen("two-replies", "believed", acts.stopped, bug="two-replies",
             expect=(Finding("double-reply", "observed", 3),),
             witnesses=(w.replies_left_over, w.believes_refused(1), w.held)),
)

GROUPS = {"healthy": HEALTHY, "waits": WAITS, "deaths": DEATHS, "leaks": LEAKS,
          "replies": REPLIES}
