/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the verbs that list tell of a look: what QEMU has of the back-ends' files, and who waits.
 */
#include "analysis/checks/peer-text.h"
#include "analysis/checks/wait-text.h"
#include "analysis/model/text.h"
#include "analysis/report/layout.h"
#include "analysis/report/names.h"
#include "analysis/report/now.h"
#include "analysis/report/text-parts.h"

#define WHO_COLUMNS 20
#define NAME_COLUMNS 24

static void row(GString *out, const char *const *cells, const guint *columns)
{
    g_string_append(out, "  ");
    for (guint i = 0; cells[i]; i++) {
        ss_text_cell(out, cells[i], columns[i], cells[i + 1] != NULL);
        g_string_append(out, cells[i + 1] ? " " : "\n");
    }
}

static void add_process(GString *out, const SsProcess *process)
{
    g_autofree char *name = ss_process_text(process->vm, process->name, process->pid);
    g_string_append(out, out->len ? "\n" : "");
    ss_text_cell(out, name, SS_COLUMNS, false);
    g_string_append_c(out, '\n');
}

static bool is_front(const SsProcess *process)
{
    return ss_process_looked(process) && !ss_process_is_backend(process);
}

/* What nobody may see of a VM is neither there nor missing. */
static void add_unseen(GString *out, const SsModel *model, const char *nothing)
{
    bool unseen = false;
    bool found = out->len > 0;
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        if (!process->unseen) {
            continue;
        }
        g_autofree char *name = ss_process_text(process->vm, process->name, process->pid);
        g_autofree char *why = ss_text_sanitize(process->unseen, 0);
        g_autofree char *text = g_strdup_printf("of %s is not visible: %s", name, why);
        ss_text_wrap(out, 0, 2, text);
        unseen |= is_front(process);
    }
    if (!found && !unseen) {
        ss_text_wrap(out, 0, 0, nothing);
    }
}

/* How the front-ends that were looked at are called, all of them. Weak. */
static const char *front_word(const SsModel *model)
{
    const char *word = NULL;
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        const char *one = is_front(process) ? ss_front_text(process) : word;
        word = !word || g_strcmp0(one, word) == 0 ? one : "a front-end";
    }
    return word ? word : "a front-end";
}

static char *mappings_text(const SsReport *report)
{
    static const guint columns[] = { 12, 14, 12, 12, 2, 10, 5 };
    GString *out = g_string_new(NULL);
    for (guint p = 0; p < report->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(report->model->processes, p);
        bool named = false;
        for (guint d = 0; is_front(process) && d < process->devices->len; d++) {
            const SsDevice *device = g_ptr_array_index(process->devices, d);
            for (guint i = 0; device->held && i < device->held->len; i++) {
                const SsHeld *held = &g_array_index(device->held, SsHeld, i);
                if (!named) {
                    add_process(out, process);
                    row(out,
                        (const char *const[]){ "device", "at", "bytes", "file offset", "", "inode",
                                               "sure", NULL },
                        columns);
                    named = true;
                }
                g_autofree char *name = ss_device_label(device, columns[0]);
                g_autofree char *at = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", held->host);
                g_autofree char *len = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", held->len);
                g_autofree char *offset =
                    g_strdup_printf("0x%" G_GINT64_MODIFIER "x", held->fd_offset);
                g_autofree char *inode = g_strdup_printf("%" G_GUINT64_FORMAT, held->ino);
                row(out,
                    (const char *const[]){ name, at, len, offset, held->writable ? "rw" : "ro",
                                           inode, held->sure ? "yes" : "no", NULL },
                    columns);
            }
        }
    }
    if (out->len) {
        g_autofree char *text =
            g_strdup_printf("At addresses of %s: where in the guest, a look does not show. Sure is "
                            "what the back-end has, too.",
                            front_word(report->model));
        ss_text_wrap(out, 0, 0, text);
    }
    g_autofree char *nothing = g_strdup_printf("No mapping of a back-end's file was seen in %s.",
                                               front_word(report->model));
    add_unseen(out, report->model, nothing);
    return g_string_free(out, FALSE);
}

static bool holds(const SsDevice *device, const SsSeenFd *fd)
{
    for (guint i = 0; device->held && i < device->held->len; i++) {
        if (g_array_index(device->held, SsHeld, i).ino == fd->inode) {
            return true;
        }
    }
    return false;
}

static char *fds_text(const SsReport *report)
{
    static const guint columns[] = { 6, 10, 12, 45 };
    const GPtrArray *looks = report->evidence->looks;
    const SsLook *look = looks->len ? g_ptr_array_index(looks, looks->len - 1) : NULL;
    GString *out = g_string_new(NULL);
    for (guint p = 0; look && p < report->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(report->model->processes, p);
        const SsSeenProcess *seen = ss_look_process(look, process->pid);
        bool named = false;
        for (guint d = 0; seen && is_front(process) && d < process->devices->len; d++) {
            const SsDevice *device = g_ptr_array_index(process->devices, d);
            for (guint i = 0; i < seen->fds->len; i++) {
                const SsSeenFd *fd = g_ptr_array_index(seen->fds, i);
                if (fd->kind != SS_FD_FILE || !holds(device, fd)) {
                    continue;
                }
                if (!named) {
                    add_process(out, process);
                    row(out, (const char *const[]){ "fd", "inode", "device", "file", NULL },
                        columns);
                    named = true;
                }
                g_autofree char *number = g_strdup_printf("%d", fd->fd);
                g_autofree char *inode = g_strdup_printf("%" G_GUINT64_FORMAT, fd->inode);
                g_autofree char *name = ss_device_label(device, columns[2]);
                g_autofree char *file = ss_text_sanitize(fd->name, 0);
                row(out, (const char *const[]){ number, inode, name, file, NULL }, columns);
            }
        }
    }
    if (out->len) {
        g_string_append(out, "Of files that are mapped; of others a look does not show whose they "
                             "are.\n");
    }
    g_autofree char *nothing = g_strdup_printf("No descriptor of a back-end's file was seen in %s.",
                                               front_word(report->model));
    add_unseen(out, report->model, nothing);
    return g_string_free(out, FALSE);
}

static void add_wait(GString *out, const SsThread *thread)
{
    g_autofree char *who = ss_thread_text(thread);
    const SsWait *wait = &thread->wait;
    const SsDevice *device = thread->waiting ? wait->device : thread->reading;
    g_autofree char *name = ss_device_label(device, NAME_COLUMNS);
    gint64 since = thread->waiting ? wait->begin_ns : thread->reading_ns;
    g_autofree char *lasts = ss_duration_text(device->process->last_ns - since);
    g_autofree char *request = thread->waiting ? ss_wait_request_text(wait) : NULL;
    g_autofree char *text = g_strdup_printf(
        "%s%s of device %s, for %s%s",
        thread->waiting ? "waits for the reply to " : "reads a message of the back-end channel",
        request ? request : "", name, thread->waiting && wait->at_least ? "at least " : "", lasts);
    ss_text_labelled(out, WHO_COLUMNS, who, text);
}

static char *waits_text(const SsReport *report)
{
    GString *out = g_string_new(NULL);
    for (guint p = 0; p < report->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(report->model->processes, p);
        g_autoptr(GPtrArray) threads = ss_waiting_threads(process);
        bool named = false;
        for (guint i = 0; is_front(process) && i < threads->len; i++) {
            if (!named) {
                add_process(out, process);
                named = true;
            }
            add_wait(out, g_ptr_array_index(threads, i));
        }
        for (guint d = 0; is_front(process) && d < process->devices->len; d++) {
            const SsPeer *peer = ((const SsDevice *)g_ptr_array_index(process->devices, d))->peer;
            const SsPeerWait *own = peer ? ss_peer_wait(peer) : NULL;
            if (!own) {
                continue;
            }
            if (!named) {
                add_process(out, process);
                named = true;
            }
            g_autofree char *who = ss_peer_text(peer);
            g_autofree char *waits = ss_peer_wait_text(peer, own);
            g_autofree char *lasts = ss_duration_text((gint64)own->waited_ms * SS_NS_PER_MS);
            g_autofree char *text = g_strdup_printf("%s, for %s", waits, lasts);
            ss_text_labelled(out, WHO_COLUMNS, who, text);
        }
    }
    add_unseen(out, report->model, "Nobody waited for a reply all the time between the looks.");
    return g_string_free(out, FALSE);
}

const SsFormat ss_now_mappings_formats[] = { { "text", mappings_text },
                                             { "json", ss_now_json },
                                             { NULL, NULL } };
const SsFormat ss_now_fds_formats[] = { { "text", fds_text },
                                        { "json", ss_now_json },
                                        { NULL, NULL } };
const SsFormat ss_now_waits_formats[] = { { "text", waits_text },
                                          { "json", ss_now_json },
                                          { NULL, NULL } };
