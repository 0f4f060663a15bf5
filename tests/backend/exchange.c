/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "exchange.h"

#include <sys/ioctl.h>

struct SsExchanges {
    SsDevice *device; /* weak */
    SsLog *log;       /* weak */
    GMutex mutex;     /* held for the length of an exchange; guards what follows */
    uint64_t seq;
    GQueue *outstanding; /* owned, of SsExchange: replies come in this order */
    uint64_t maps_ok;
    uint64_t unmaps_ok;
    uint64_t unanswered; /* sent without asking for a reply */
    uint64_t lost;       /* replies that never came, of earlier connections too */
    GHashTable *refused; /* owned: char * tag to count */
};

SsExchange *ss_exchange_new(const char *thread, unsigned line, const char *tag)
{
    SsExchange *exchange = g_new0(SsExchange, 1);

    exchange->thread = g_strdup(thread);
    exchange->tag = g_strdup(tag);
    exchange->line = line;
    exchange->message.fd = -1;
    return exchange;
}

void ss_exchange_free(SsExchange *exchange)
{
    if (exchange == NULL) {
        return;
    }
    g_free(exchange->thread);
    g_free(exchange->tag);
    g_free(exchange);
}

SsExchanges *ss_exchanges_new(SsDevice *device, SsLog *log)
{
    SsExchanges *exchanges = g_new0(SsExchanges, 1);

    exchanges->device = device;
    exchanges->log = log;
    exchanges->outstanding = g_queue_new();
    exchanges->refused = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_mutex_init(&exchanges->mutex);
    return exchanges;
}

void ss_exchanges_free(SsExchanges *exchanges)
{
    if (exchanges == NULL) {
        return;
    }
    g_queue_free_full(exchanges->outstanding, (GDestroyNotify)ss_exchange_free);
    g_hash_table_unref(exchanges->refused);
    g_mutex_clear(&exchanges->mutex);
    g_free(exchanges);
}

void ss_exchanges_restart(SsExchanges *exchanges)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&exchanges->mutex);

    exchanges->seq = 0;
    exchanges->lost += exchanges->outstanding->length;
    g_queue_clear_full(exchanges->outstanding, (GDestroyNotify)ss_exchange_free);
}

static gboolean needs_reply(const SsExchange *exchange)
{
    return (exchange->message.flags & SS_CHANNEL_NEED_REPLY) != 0;
}

static SsLogLine *begin_line(SsExchanges *exchanges, const SsExchange *exchange, const char *phase)
{
    SsLogLine *line =
        ss_log_begin(exchanges->log, exchange->thread, exchange->is_map ? "map" : "unmap", 0);

    ss_log_string(line, "phase", phase);
    ss_log_number(line, "seq", exchange->seq);
    ss_log_number(line, "line", exchange->line);
    ss_log_number(line, "request", exchange->message.request);
    ss_log_number(line, "shmid", exchange->message.shmid);
    ss_log_number(line, "shm_offset", exchange->message.shm_offset);
    ss_log_number(line, "len", exchange->message.len);
    ss_log_number(line, "fd_offset", exchange->message.fd_offset);
    ss_log_number(line, "flags", exchange->message.map_flags);
    ss_log_number(line, "fds", exchange->message.fds);
    ss_log_number(line, "size", exchange->message.size);
    ss_log_boolean(line, "need_reply", needs_reply(exchange));
    if (exchange->ino != 0) {
        ss_log_number(line, "ino", exchange->ino);
    }
    if (exchange->tag != NULL) {
        ss_log_string(line, "tag", exchange->tag);
    }
    return line;
}

/* Counts an answer and compares it with what was expected. */
static gboolean judge(SsExchanges *exchanges, const SsExchange *exchange, gboolean good,
                      GError **error)
{
    if (good) {
        if (exchange->is_map) {
            exchanges->maps_ok++;
        } else {
            exchanges->unmaps_ok++;
        }
    } else {
        const char *kind = exchange->tag != NULL ? exchange->tag : "untagged";
        unsigned count = GPOINTER_TO_UINT(g_hash_table_lookup(exchanges->refused, kind));

        g_hash_table_insert(exchanges->refused, g_strdup(kind), GUINT_TO_POINTER(count + 1));
    }
    if (exchange->expect == SS_EXPECT_ANY || good == (exchange->expect == SS_EXPECT_OK)) {
        return TRUE;
    }
    g_set_error(error, SS_SCENARIO_ERROR, 0,
                "%s seq=%" G_GUINT64_FORMAT ", shmid=%u, shm_offset=0x%" G_GINT64_MODIFIER
                "x, len=0x%" G_GINT64_MODIFIER "x was %s, and was to be %s",
                exchange->is_map ? "map" : "unmap", exchange->seq, exchange->message.shmid,
                exchange->message.shm_offset, exchange->message.len, good ? "done" : "refused",
                good ? "refused" : "done");
    return FALSE;
}

/* libvhost-user sends what a back-end would; all else takes our own framing. */
static gboolean fits_library(const SsExchanges *exchanges, const SsExchange *exchange)
{
    const SsChannelMessage *message = &exchange->message;
    gboolean negotiated = ss_device_negotiated(exchanges->device, SS_PROTOCOL_REPLY_ACK);

    if (exchange->raw || exchange->expect != SS_EXPECT_OK || exchange->wait != SS_WAIT_NOW ||
        message->size != SS_CHANNEL_SHMEM_SIZE || message->cut != 0 ||
        needs_reply(exchange) != negotiated || exchanges->outstanding->length > 0 ||
        !ss_device_negotiated(exchanges->device, SS_PROTOCOL_SHMEM)) {
        return FALSE;
    }
    if (exchange->is_map) {
        return message->request == SS_BACKEND_SHMEM_MAP && message->fds == 1;
    }
    return message->request == SS_BACKEND_SHMEM_UNMAP && message->fds == 0 &&
           message->fd_offset == 0 && message->map_flags == 0;
}

static gboolean perform_by_library(SsExchanges *exchanges, const SsExchange *exchange,
                                   GError **error)
{
    const SsChannelMessage *message = &exchange->message;
    SsLogLine *line;
    gboolean good;

    if (exchange->is_map) {
        good = ss_device_library_map(exchanges->device, message->shmid, message->fd_offset,
                                     message->shm_offset, message->len, message->map_flags,
                                     message->fd);
    } else {
        good = ss_device_library_unmap(exchanges->device, message->shmid, message->shm_offset,
                                       message->len);
    }
    if (!needs_reply(exchange)) {
        exchanges->unanswered++;
        if (!good) {
            g_set_error(error, SS_SCENARIO_ERROR, 0,
                        "Cannot write to back-end channel: "
                        "libvhost-user gave up");
        }
        return good;
    }
    line = begin_line(exchanges, exchange, "replied");
    if (good) {
        ss_log_number(line, "value", 0);
    } else {
        ss_log_null(line, "value"); /* libvhost-user does not tell it */
    }
    ss_log_end(line);
    return judge(exchanges, exchange, good, error);
}

/* Reads the reply of the oldest outstanding exchange. With the mutex held. */
static gboolean read_oldest(SsExchanges *exchanges, GError **error)
{
    g_autoptr(SsExchange) exchange = g_queue_peek_head(exchanges->outstanding);
    SsLogLine *line;
    uint64_t value;

    if (!ss_channel_read_reply(ss_device_backend_fd(exchanges->device), exchange->message.request,
                               &value, error)) {
        (void)g_steal_pointer(&exchange); /* it stays outstanding */
        return FALSE;
    }
    (void)g_queue_pop_head(exchanges->outstanding);
    line = begin_line(exchanges, exchange, "replied");
    ss_log_number(line, "value", value);
    ss_log_end(line);
    return judge(exchanges, exchange, value == 0, error);
}

/* Serves the main channel until the back-end channel has something to read. */
static gboolean serve_until_reply(SsExchanges *exchanges, GError **error)
{
    SsServeResult result = SS_SERVE_DONE;

    while (result != SS_SERVE_BACKEND) {
        if (!ss_device_serve(exchanges->device, -1, TRUE, &result, error)) {
            return FALSE;
        }
        if (result == SS_SERVE_CLOSED) {
            g_set_error(error, SS_SCENARIO_ERROR, 0,
                        "the front-end closed the main channel before the reply");
            return FALSE;
        }
    }
    return TRUE;
}

gboolean ss_exchanges_perform(SsExchanges *exchanges, SsExchange *taken, GError **error)
{
    g_autoptr(SsExchange) exchange = taken;
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&exchanges->mutex);
    SsWait wait = exchange->wait;

    if (ss_device_backend_fd(exchanges->device) < 0) {
        g_set_error(error, SS_SCENARIO_ERROR, 0, "there is no back-end channel");
        return FALSE;
    }
    exchange->seq = ++exchanges->seq;
    exchange->message.flags = SS_CHANNEL_VERSION;
    if (exchange->ask_reply && ss_device_negotiated(exchanges->device, SS_PROTOCOL_REPLY_ACK)) {
        exchange->message.flags |= SS_CHANNEL_NEED_REPLY;
    }
    /* Before the send: what comes after may never come. */
    ss_log_end(begin_line(exchanges, exchange, "sent"));
    if (fits_library(exchanges, exchange)) {
        return perform_by_library(exchanges, exchange, error);
    }
    if (!ss_channel_send(ss_device_backend_fd(exchanges->device), &exchange->message, error)) {
        return FALSE;
    }
    /* A message cut short is none that could be answered. */
    if (!needs_reply(exchange) || exchange->message.cut != 0) {
        exchanges->unanswered++;
        return TRUE;
    }
    g_queue_push_tail(exchanges->outstanding, g_steal_pointer(&exchange));
    if (wait == SS_WAIT_LATER) {
        return TRUE;
    }
    while (exchanges->outstanding->length > 0) {
        if (wait == SS_WAIT_SERVING && !serve_until_reply(exchanges, error)) {
            return FALSE;
        }
        if (!read_oldest(exchanges, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean ss_exchanges_collect(SsExchanges *exchanges, GError **error)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&exchanges->mutex);

    while (exchanges->outstanding->length > 0) {
        if (!read_oldest(exchanges, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean ss_exchanges_finish(SsExchanges *exchanges, SsLogLine *line, GError **error)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&exchanges->mutex);
    int channel = ss_device_backend_fd(exchanges->device);
    int unread = 0;

    if (channel >= 0 && exchanges->outstanding->length == 0) {
        (void)ioctl(channel, FIONREAD, &unread);
    }
    ss_log_number(line, "maps_ok", exchanges->maps_ok);
    ss_log_number(line, "unmaps_ok", exchanges->unmaps_ok);
    ss_log_counts(line, "refused", exchanges->refused);
    ss_log_number(line, "unanswered", exchanges->unanswered);
    ss_log_number(line, "outstanding", exchanges->outstanding->length + exchanges->lost);
    ss_log_number(line, "unsolicited", (uint64_t)unread);
    if (unread > 0) {
        g_set_error(error, SS_SCENARIO_ERROR, 0,
                    "%d bytes that nobody asked for lie in the back-end channel", unread);
        return FALSE;
    }
    return TRUE;
}
