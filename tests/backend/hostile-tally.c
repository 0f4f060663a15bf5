/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hostile-tally.h"

#include "request.h"

SsHostileTally *ss_hostile_tally_new(void)
{
    SsHostileTally *tally = g_new0(SsHostileTally, 1);

    tally->refused = g_hash_table_new(g_str_hash, g_str_equal);
    return tally;
}

void ss_hostile_tally_free(SsHostileTally *tally)
{
    if (tally == NULL) {
        return;
    }
    g_hash_table_unref(tally->refused);
    g_free(tally);
}

static void log_message(const SsHostileTally *tally, SsLog *log, const SsHostileMessage *message,
                        const SsHostileVerdict *verdict, uint64_t seq)
{
    const char *op = "unknown";
    SsLogLine *line;

    if (message->request == SS_BACKEND_SHMEM_MAP) {
        op = "map";
    } else if (message->request == SS_BACKEND_SHMEM_UNMAP) {
        op = "unmap";
    }
    line = ss_log_begin(log, "hostile", op, 0);
    ss_log_string(line, "phase", "sent");
    ss_log_number(line, "number", tally->sent);
    ss_log_number(line, "seq", seq);
    ss_log_number(line, "request", message->request);
    ss_log_number(line, "header_flags", message->flags);
    ss_log_number(line, "size", message->size);
    ss_log_number(line, "shmid", message->shmid);
    ss_log_number(line, "shm_offset", message->shm_offset);
    ss_log_number(line, "len", message->len);
    ss_log_number(line, "fd_offset", message->fd_offset);
    ss_log_number(line, "flags", message->map_flags);
    ss_log_number(line, "fds", message->file != NULL ? message->fds : 0);
    if (message->file != NULL) {
        ss_log_string(line, "file", message->file->name);
    }
    if (message->late_fds) {
        ss_log_boolean(line, "late_fds", TRUE);
    }
    if (message->pieces > 1) {
        ss_log_number(line, "pieces", message->pieces);
    }
    if (verdict->outcome == SS_HOSTILE_CLOSED) {
        ss_log_number(line, "cut", message->cut);
    }
    ss_log_boolean(line, "need_reply", verdict->replied);
    if (verdict->outcome == SS_HOSTILE_REFUSED) {
        ss_log_string(line, "tag", verdict->reason);
    }
    ss_log_end(line);
}

static void add_refusal(SsHostileTally *tally, const char *reason)
{
    unsigned before = GPOINTER_TO_UINT(g_hash_table_lookup(tally->refused, reason));

    g_hash_table_insert(tally->refused, (char *)reason, GUINT_TO_POINTER(before + 1));
}

void ss_hostile_tally_add(SsHostileTally *tally, SsLog *log, const SsHostileMessage *message,
                          const SsHostileVerdict *verdict, uint64_t seq)
{
    tally->sent++;
    tally->received += verdict->received;
    switch (verdict->outcome) {
    case SS_HOSTILE_DONE:
        if (message->request == SS_BACKEND_SHMEM_MAP) {
            tally->maps++;
        } else {
            tally->unmaps++;
        }
        break;
    case SS_HOSTILE_REFUSED:
        add_refusal(tally, verdict->reason);
        break;
    case SS_HOSTILE_UNKNOWN:
        tally->unknown++;
        break;
    case SS_HOSTILE_CLOSED:
        tally->closed++;
        break;
    }
    log_message(tally, log, message, verdict, seq);
}

void ss_hostile_tally_write(const SsHostileTally *tally, SsLogLine *line)
{
    ss_log_number(line, "messages", tally->sent);
    ss_log_number(line, "connections", tally->connections);
    ss_log_number(line, "closed", tally->closed);
    ss_log_number(line, "maps_ok", tally->maps);
    ss_log_number(line, "unmaps_ok", tally->unmaps);
    ss_log_counts(line, "refused", tally->refused);
    ss_log_number(line, "unknown", tally->unknown);
    ss_log_number(line, "replies", tally->replies);
    ss_log_number(line, "fds", tally->received);
}
