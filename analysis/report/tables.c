/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mappings, fds and waits as text.
 */
#include "analysis/report/layout.h"
#include "analysis/report/listing.h"
#include "analysis/report/names.h"
#include "analysis/report/report.h"
#include "analysis/report/text-table.h"

/* Of a device's name in running text. */
#define NAME_COLUMNS 48

static double since_begin(const SsReport *report, gint64 ns)
{
    return (double)(ns - report->model->begin_ns) / SS_NS_PER_S;
}

/* What a process had when it ended is shown; that it has it no more is said. */
static void add_process(const SsReport *report, GString *out, const SsProcess *process)
{
    g_autofree char *name = ss_process_text(process->vm, process->name, process->pid);
    GString *text = g_string_new(name);
    if (process->end == SS_END_EXITED || process->end == SS_END_SIGNAL) {
        g_string_append(text, ", which has ended");
        if (process->ended_ns > report->model->begin_ns) {
            g_string_append_printf(text, " at %.3f s", since_begin(report, process->ended_ns));
        }
    }
    ss_text_wrap(out, 0, 2, text->str);
    g_string_free(text, TRUE);
}

/* What is said when nothing is listed. */
typedef struct None {
    const char *asked; /* when some were asked for */
    const char *all;
    const char *told; /* when there is more than was told */
} None;

/* Ends a table: that there is nothing is a fact only when nothing is unknown. */
static void add_unknown(const SsReport *report, GString *out, SsListing listing, const None *none)
{
    g_autoptr(GPtrArray) undecided = ss_listing_undecided(report, listing);
    if (!out->len) {
        g_string_append(out, ss_listed_chosen(report, listing) ? none->asked
                             : undecided->len                  ? none->told
                                                               : none->all);
    }
    ss_undecided_text(out, undecided);
}

char *ss_mappings_text(const SsReport *report)
{
    static const guint columns[] = { 12, 3, 21, 2, 7, 8, 18 };
    GString *out = g_string_new(NULL);
    for (guint p = 0; p < report->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(report->model->processes, p);
        g_autoptr(GPtrArray) mappings = ss_listed_mappings(report, process);
        if (!mappings->len) {
            continue;
        }
        add_process(report, out, process);
        SsTextTable *table = ss_text_table_new(report, columns, G_N_ELEMENTS(columns), 0);
        ss_text_table_row(table, (const char *const[]){ "device", "reg", "range", "", "inode",
                                                        "since s", "state", NULL });
        for (guint i = 0; i < mappings->len; i++) {
            const SsMapping *mapping = g_ptr_array_index(mappings, i);
            g_autofree char *device =
                ss_device_label(mapping->device, ss_text_table_first_columns(table));
            g_autofree char *region = g_strdup_printf("%u", mapping->shmid);
            g_autofree char *range =
                g_strdup_printf("0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x",
                                mapping->shm_offset, mapping->len);
            g_autofree char *inode =
                mapping->ino ? g_strdup_printf("%" G_GUINT64_FORMAT, mapping->ino) : g_strdup("?");
            g_autofree char *since =
                g_strdup_printf("%.3f", since_begin(report, mapping->birth_ns));
            g_autofree char *state =
                mapping->closed_ns
                    ? g_strdup_printf("closed at %.3f s", since_begin(report, mapping->closed_ns))
                    : ss_mapping_state_text(mapping);
            const char *access = !mapping->details ? "?" : mapping->writable ? "rw" : "ro";
            ss_text_table_row(table, (const char *const[]){ device, region, range, access, inode,
                                                            since, state, NULL });
            ss_text_table_label(table, ss_mapping_label(mapping));
        }
        ss_text_table_end(table, out);
    }
    add_unknown(report, out, SS_LISTING_MAPPINGS,
                &(None){ "No mapping is such as was asked for.\n",
                         "No mapping is live at the end of what was read.\n",
                         "No live mapping was told of; whether there is one is not known.\n" });
    return g_string_free(out, FALSE);
}

char *ss_fds_text(const SsReport *report)
{
    static const guint columns[] = { 6, 9, 9, 12, 36 };
    GString *out = g_string_new(NULL);
    for (guint p = 0; p < report->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(report->model->processes, p);
        g_autoptr(GPtrArray) fds = ss_listed_fds(report, process);
        if (!fds->len) {
            continue;
        }
        add_process(report, out, process);
        SsTextTable *table = ss_text_table_new(report, columns, G_N_ELEMENTS(columns), 3);
        ss_text_table_row(
            table, (const char *const[]){ "fd", "inode", "since s", "device", "what for", NULL });
        for (guint i = 0; i < fds->len; i++) {
            const SsDescriptor *descriptor = g_ptr_array_index(fds, i);
            g_autofree char *number = g_strdup_printf("%d", descriptor->number);
            g_autofree char *inode = descriptor->ino
                                         ? g_strdup_printf("%" G_GUINT64_FORMAT, descriptor->ino)
                                         : g_strdup("?");
            g_autofree char *since =
                g_strdup_printf("%.3f", since_begin(report, descriptor->birth_ns));
            g_autofree char *device =
                ss_device_label(descriptor->device, ss_text_table_first_columns(table));
            g_autofree char *purpose = ss_fd_purpose_text(descriptor);
            ss_text_table_row(table,
                              (const char *const[]){ number, inode, since, device, purpose, NULL });
            ss_text_table_label(table, ss_descriptor_label(descriptor));
        }
        ss_text_table_end(table, out);
    }
    add_unknown(report, out, SS_LISTING_FDS,
                &(None){ "No descriptor is such as was asked for.\n",
                         "No received or duplicated descriptor is open at the end of what was "
                         "read.\n",
                         "No open descriptor was told of; whether there is one is not known.\n" });
    return g_string_free(out, FALSE);
}

static void add_open_wait(const SsReport *report, GString *out, const SsThread *thread)
{
    g_autofree char *who = ss_thread_text(thread);
    GString *text = g_string_new(NULL);
    const SsWait *wait = &thread->wait;
    g_autofree char *device =
        ss_device_label(thread->waiting ? wait->device : thread->reading, NAME_COLUMNS);
    if (!thread->waiting) {
        g_string_append_printf(text,
                               "reads a message of the back-end channel of device %s since %.3f s",
                               device, since_begin(report, thread->reading_ns));
    } else {
        g_autofree char *request = ss_frontend_request_text(wait->request);
        g_string_append_printf(text, "waits for the reply to %s of device %s since %.3f s", request,
                               device, since_begin(report, wait->begin_ns));
        if (wait->spoke_ns) {
            g_string_append_printf(text, ", spoke up after %.1f s", (double)wait->waited_ms / 1000);
        } else {
            g_string_append(text, ", did not speak up: the recording may end in mid-wait");
        }
        if (wait->spoke_ns && wait->unread) {
            g_autofree char *peek = ss_backend_request_text(wait->peek_request);
            g_string_append_printf(text, "; unread in the back-end channel: %u bytes, %s",
                                   wait->unread, peek);
        }
    }
    ss_text_labelled(out, 20, who, text->str);
    g_string_free(text, TRUE);
}

static bool any_wait(const SsWaitKind *kinds)
{
    for (guint i = 0; i < SS_MAX_REQUEST; i++) {
        if (kinds[i].span.count || kinds[i].spoke) {
            return true;
        }
    }
    return false;
}

static void add_wait_kinds(const SsReport *report, GString *out, const SsWaitKind *kinds,
                           bool known)
{
    static const guint columns[] = { 22, 10, 12, 12, 9 };
    guint requests[SS_MAX_REQUEST];
    ss_listed_order(report, kinds, requests);
    SsTextTable *table = ss_text_table_new(report, columns, G_N_ELEMENTS(columns), 0);
    ss_text_table_row(
        table, (const char *const[]){ "reply to", "count", "mean", "longest", "spoke up", NULL });
    for (guint at = 0; at < SS_MAX_REQUEST; at++) {
        guint i = requests[at];
        const SsWaitKind *kind = &kinds[i];
        if (!kind->span.count && !kind->spoke) {
            continue;
        }
        g_autofree char *request = ss_wait_kind_text(i);
        g_autofree char *count = g_strdup_printf("%" G_GUINT64_FORMAT, kind->span.count);
        g_autofree char *mean =
            ss_duration_text(kind->span.count ? kind->span.sum_ns / (gint64)kind->span.count : 0);
        g_autofree char *longest = ss_duration_text(kind->span.max_ns);
        g_autofree char *spoke = g_strdup_printf("%" G_GUINT64_FORMAT, kind->spoke);
        ss_text_table_row(table,
                          (const char *const[]){ request, count, mean, longest, spoke, NULL });
    }
    if (!known) {
        ss_text_table_row(table, (const char *const[]){ "?", "?", "?", "?", "?", NULL });
    }
    ss_text_table_end(table, out);
}

/* The devices whose back-ends were waited for; the caller unrefs the array. */
static GPtrArray *awaited_devices(const SsReport *report)
{
    GPtrArray *awaited = g_ptr_array_new();
    for (guint p = 0; p < report->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(report->model->processes, p);
        for (guint d = 0; d < process->devices->len; d++) {
            SsDevice *device = g_ptr_array_index(process->devices, d);
            const SsWaitKind *kinds = ss_listed_kinds(report, device);
            if (kinds && any_wait(kinds)) {
                g_ptr_array_add(awaited, device);
            }
        }
    }
    return awaited;
}

/* One table, or one for each device when there are several. */
static void add_ended_waits(const SsReport *report, GString *out)
{
    g_autoptr(GPtrArray) awaited = awaited_devices(report);
    SsWaitKind total[SS_MAX_REQUEST];
    ss_listed_total(report, total);
    g_autoptr(GPtrArray) undecided = ss_listing_undecided(report, SS_LISTING_WAITS);
    if (awaited->len < 2) {
        g_string_append(out, "\nWaits that ended\n");
        add_wait_kinds(report, out, total, any_wait(total) || !undecided->len);
    }
    for (guint i = 0; i < awaited->len && awaited->len > 1; i++) {
        const SsDevice *device = g_ptr_array_index(awaited, i);
        const SsProcess *process = device->process;
        g_autofree char *who = ss_process_text(process->vm, process->name, process->pid);
        g_autofree char *name = ss_device_label(device, NAME_COLUMNS);
        g_autofree char *heading = g_strdup_printf("Waits that ended, %s, device %s", who, name);
        g_string_append_c(out, '\n');
        ss_text_wrap(out, 0, 2, heading);
        add_wait_kinds(report, out, ss_listed_kinds(report, device), true);
    }
}

char *ss_waits_text(const SsReport *report)
{
    GString *out = g_string_new(NULL);
    for (guint p = 0; p < report->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(report->model->processes, p);
        g_autoptr(GPtrArray) threads = ss_listed_waits(report, process);
        if (threads->len) {
            add_process(report, out, process);
        }
        for (guint i = 0; i < threads->len; i++) {
            add_open_wait(report, out, g_ptr_array_index(threads, i));
        }
    }
    add_unknown(report, out, SS_LISTING_WAITS,
                &(None){ "None of those asked for waits at the end of what was read.\n",
                         "Nothing waits at the end of what was read.\n",
                         "No open wait was told of; whether there is one is not known.\n" });
    if (ss_listed_ended(report)) {
        add_ended_waits(report, out);
    }
    return g_string_free(out, FALSE);
}
