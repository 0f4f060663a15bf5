/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/report/listing.h"

#include <string.h>

#include "analysis/report/names.h"

const char *const ss_listing_columns[][8] = {
    [SS_LISTING_MAPPINGS] = { "device", "range", "len", "inode", "since", "state", NULL },
    [SS_LISTING_FDS] = { "fd", "inode", "since", "device", NULL },
    [SS_LISTING_WAITS] = { "request", "since", "count", "mean", "longest", "spoke", NULL },
};

char *ss_listing_columns_text(SsListing listing)
{
    GString *text = g_string_new(NULL);
    for (const char *const *column = ss_listing_columns[listing]; *column; column++) {
        g_string_append_printf(text, "%s%s", !text->len ? "" : column[1] ? ", " : " or ", *column);
    }
    return g_string_free(text, FALSE);
}

bool ss_listed_sort(SsListed *listed, SsListing listing, const char *word)
{
    listed->descending = *word == '-';
    word += listed->descending;
    for (const char *const *column = ss_listing_columns[listing]; *column; column++) {
        if (g_str_equal(*column, word)) {
            listed->sort = *column;
            return true;
        }
    }
    return false;
}

static int compare(guint64 a, guint64 b)
{
    return a < b ? -1 : a > b;
}

static bool is_sort(const SsListed *listed, const char *column)
{
    return g_str_equal(listed->sort, column);
}

static int by_device(const SsDevice *a, const SsDevice *b)
{
    if (a == b) {
        return 0;
    }
    g_autofree char *na = a ? ss_device_text(a->id, a->chardev, a->dev, a->vdev) : g_strdup("");
    g_autofree char *nb = b ? ss_device_text(b->id, b->chardev, b->dev, b->vdev) : g_strdup("");
    return strcmp(na, nb);
}

static int signed_by(const SsListed *listed, int order)
{
    return listed->descending ? -order : order;
}

/* What is equal keeps the order that it has without: sorting is stable. */
static gint mapping_order(gconstpointer a, gconstpointer b, gpointer user_data)
{
    const SsListed *listed = user_data;
    const SsMapping *ma = *(const SsMapping *const *)a;
    const SsMapping *mb = *(const SsMapping *const *)b;
    if (is_sort(listed, "device")) {
        return signed_by(listed, by_device(ma->device, mb->device));
    }
    if (is_sort(listed, "state")) {
        g_autofree char *sa = ss_mapping_state_text(ma);
        g_autofree char *sb = ss_mapping_state_text(mb);
        return signed_by(listed, strcmp(sa, sb));
    }
    if (is_sort(listed, "range")) {
        int region = compare(ma->shmid, mb->shmid);
        return signed_by(listed, region ? region : compare(ma->shm_offset, mb->shm_offset));
    }
    return signed_by(listed, is_sort(listed, "len") ? compare(ma->len, mb->len)
                             : is_sort(listed, "inode")
                                 ? compare(ma->ino, mb->ino)
                                 : compare((guint64)ma->birth_ns, (guint64)mb->birth_ns));
}

static gint fd_order(gconstpointer a, gconstpointer b, gpointer user_data)
{
    const SsListed *listed = user_data;
    const SsDescriptor *da = *(const SsDescriptor *const *)a;
    const SsDescriptor *db = *(const SsDescriptor *const *)b;
    if (is_sort(listed, "device")) {
        return signed_by(listed, by_device(da->device, db->device));
    }
    return signed_by(listed, is_sort(listed, "inode") ? compare(da->ino, db->ino)
                             : is_sort(listed, "since")
                                 ? compare((guint64)da->birth_ns, (guint64)db->birth_ns)
                                 : compare((guint64)da->number, (guint64)db->number));
}

static gint wait_order(gconstpointer a, gconstpointer b, gpointer user_data)
{
    const SsListed *listed = user_data;
    const SsThread *ta = *(const SsThread *const *)a;
    const SsThread *tb = *(const SsThread *const *)b;
    if (is_sort(listed, "request")) {
        /* One that reads a message has none, and is the first. */
        g_autofree char *na = ta->waiting ? ss_frontend_request_text(ta->wait.request) : NULL;
        g_autofree char *nb = tb->waiting ? ss_frontend_request_text(tb->wait.request) : NULL;
        return signed_by(listed, g_strcmp0(na, nb));
    }
    if (!is_sort(listed, "since")) {
        return 0; /* a figure of those that ended */
    }
    return signed_by(listed, compare((guint64)(ta->waiting ? ta->wait.begin_ns : ta->reading_ns),
                                     (guint64)(tb->waiting ? tb->wait.begin_ns : tb->reading_ns)));
}

bool ss_listed_chosen(const SsReport *report, SsListing listing)
{
    const SsListed *listed = report->listed;
    const SsSelection *selection = listed ? listed->selection : NULL;
    return (selection && (selection->devices || selection->vms)) ||
           (listed && listing != SS_LISTING_WAITS && (listed->live || listed->ended));
}

bool ss_listed_device(const SsReport *report, const SsProcess *process, const SsDevice *device)
{
    const SsListed *listed = report->listed;
    return !listed || !listed->selection || ss_selection_wants(listed->selection, process, device);
}

static void sort(const SsReport *report, GPtrArray *rows, GCompareDataFunc order)
{
    if (report->listed && report->listed->sort) {
        g_ptr_array_sort_with_data(rows, order, (gpointer)report->listed);
    }
}

GPtrArray *ss_listed_mappings(const SsReport *report, const SsProcess *process)
{
    const SsListed *listed = report->listed;
    g_autoptr(GPtrArray) all = ss_live_mappings(process);
    GPtrArray *rows = g_ptr_array_new();
    for (guint i = 0; i < all->len; i++) {
        const SsMapping *mapping = g_ptr_array_index(all, i);
        bool live = !mapping->removed_ns && !mapping->finalized_ns;
        if (ss_listed_device(report, process, mapping->device) &&
            (!listed || !listed->live || live)) {
            g_ptr_array_add(rows, (gpointer)mapping);
        }
    }
    for (guint i = 0; listed && listed->ended && !listed->live && i < listed->ended->mappings->len;
         i++) {
        const SsMapping *mapping = g_ptr_array_index(listed->ended->mappings, i);
        if (mapping->process == process && ss_listed_device(report, process, mapping->device)) {
            g_ptr_array_add(rows, (gpointer)mapping);
        }
    }
    sort(report, rows, mapping_order);
    return rows;
}

GPtrArray *ss_listed_fds(const SsReport *report, const SsProcess *process)
{
    const SsListed *listed = report->listed;
    g_autoptr(GPtrArray) all = ss_open_fds(process);
    GPtrArray *rows = g_ptr_array_new();
    for (guint i = 0; i < all->len; i++) {
        const SsDescriptor *descriptor = g_ptr_array_index(all, i);
        const SsMapping *mapping = descriptor->mapping;
        bool live = !mapping || (!mapping->removed_ns && !mapping->finalized_ns);
        if (ss_listed_device(report, process, descriptor->device) &&
            (!listed || !listed->live || live)) {
            g_ptr_array_add(rows, (gpointer)descriptor);
        }
    }
    for (guint i = 0; listed && listed->ended && !listed->live && i < listed->ended->fds->len;
         i++) {
        const SsEndedFd *ended = g_ptr_array_index(listed->ended->fds, i);
        const SsDescriptor *descriptor = &ended->descriptor;
        if (descriptor->process == process &&
            ss_listed_device(report, process, descriptor->device)) {
            g_ptr_array_add(rows, (gpointer)descriptor);
        }
    }
    sort(report, rows, fd_order);
    return rows;
}

GPtrArray *ss_listed_waits(const SsReport *report, const SsProcess *process)
{
    GPtrArray *rows = ss_waiting_threads(process);
    for (guint i = rows->len; i > 0; i--) {
        const SsThread *thread = g_ptr_array_index(rows, i - 1);
        const SsDevice *device = thread->waiting ? thread->wait.device : thread->reading;
        if (!ss_listed_device(report, process, device)) {
            (void)g_ptr_array_remove_index(rows, i - 1);
        }
    }
    sort(report, rows, wait_order);
    return rows;
}

bool ss_listed_ended(const SsReport *report)
{
    return !report->listed || !report->listed->live;
}

const SsWaitKind *ss_listed_kinds(const SsReport *report, const SsDevice *device)
{
    const SsListed *listed = report->listed;
    if (!ss_listed_device(report, device->process, device)) {
        return NULL;
    }
    return listed && listed->ended ? ss_ended_waits(listed->ended, device) : device->waits;
}

void ss_listed_total(const SsReport *report, SsWaitKind *ret_kinds)
{
    if (!report->listed) {
        memcpy(ret_kinds, report->model->waits, sizeof(report->model->waits));
        return;
    }
    memset(ret_kinds, 0, sizeof(report->model->waits));
    for (guint p = 0; p < report->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(report->model->processes, p);
        for (guint d = 0; d < process->devices->len; d++) {
            const SsWaitKind *kinds =
                ss_listed_kinds(report, g_ptr_array_index(process->devices, d));
            for (guint i = 0; kinds && i < SS_MAX_REQUEST; i++) {
                ret_kinds[i].span.count += kinds[i].span.count;
                ret_kinds[i].span.sum_ns += kinds[i].span.sum_ns;
                ret_kinds[i].span.max_ns = MAX(ret_kinds[i].span.max_ns, kinds[i].span.max_ns);
                ret_kinds[i].spoke += kinds[i].spoke;
            }
        }
    }
}

typedef struct KindOrder {
    const SsListed *listed;
    const SsWaitKind *kinds;
} KindOrder;

static guint64 mean_of(const SsWaitKind *kind)
{
    return kind->span.count ? (guint64)kind->span.sum_ns / kind->span.count : 0;
}

static gint kind_order(gconstpointer a, gconstpointer b, gpointer user_data)
{
    const KindOrder *order = user_data;
    const SsListed *listed = order->listed;
    guint ra = *(const guint *)a, rb = *(const guint *)b;
    const SsWaitKind *ka = &order->kinds[ra], *kb = &order->kinds[rb];
    if (is_sort(listed, "request")) {
        g_autofree char *na = ss_wait_kind_text(ra);
        g_autofree char *nb = ss_wait_kind_text(rb);
        return signed_by(listed, strcmp(na, nb));
    }
    if (is_sort(listed, "since")) {
        return 0; /* of those that wait */
    }
    return signed_by(listed, is_sort(listed, "count")  ? compare(ka->span.count, kb->span.count)
                             : is_sort(listed, "mean") ? compare(mean_of(ka), mean_of(kb))
                             : is_sort(listed, "longest")
                                 ? compare((guint64)ka->span.max_ns, (guint64)kb->span.max_ns)
                                 : compare(ka->spoke, kb->spoke));
}

void ss_listed_order(const SsReport *report, const SsWaitKind *kinds, guint *ret_requests)
{
    KindOrder order = { report->listed, kinds };
    for (guint i = 0; i < SS_MAX_REQUEST; i++) {
        ret_requests[i] = i;
    }
    if (report->listed && report->listed->sort) {
        g_autoptr(GArray) sorted = g_array_new(FALSE, FALSE, sizeof(guint));
        g_array_append_vals(sorted, ret_requests, SS_MAX_REQUEST);
        g_array_sort_with_data(sorted, kind_order, &order);
        memcpy(ret_requests, sorted->data, sizeof(guint) * SS_MAX_REQUEST);
    }
}
