/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Labels by file. A request brings its file's label along: a back-end that calls the file something
 * else as soon as it has sent the request has not renamed what is on its way.
 */
#include "analysis/model/label.h"

#include <string.h>

#include "analysis/model/parts.h"
#include "analysis/model/text.h"

/* More than that of one label the library does not tell; a trace may have anything. */
#define MAX_LABEL_BYTES 255
/* Of one label, beside its text. */
#define OVERHEAD 160
/* Requests that were sent with one file, and not read yet. */
#define ON_THEIR_WAY 8
/* Between two events of which each was told after what it tells of. */
#define MOMENT_NS SS_NS_PER_S

typedef struct FileKey {
    guint64 fdev, ino;
    guint host;
} FileKey;

typedef struct File {
    FileKey key;
    SsLabel label; /* 0: it has none any more */
    gint32 pid;    /* that noted it */
    guint n_sent;
    SsLabel sent[ON_THEIR_WAY]; /* of requests that nobody told to have read yet, in order */
    guint early;                /* requests that were told as read before they were as sent */
    gint64 early_ns;
    guint64 channels; /* as many had begun or ended then */
} File;

typedef struct Note {
    SsLabel number;
    char *text; /* owned; harmless */
    FileKey of;
} Note;

struct SsLabels {
    GHashTable *files; /* FileKey * -> owned File */
    GHashTable *notes; /* SsLabel * -> owned Note */
    SsLabel oldest, next;
    gsize bytes;
    guint64 channels; /* of back-ends, that began or ended */
};

static guint key_hash(gconstpointer data)
{
    const FileKey *key = data;
    guint64 mixed = key->ino ^ key->fdev << 20 ^ (guint64)key->host << 40;
    return g_int64_hash(&mixed);
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
    const FileKey *ka = a, *kb = b;
    return ka->ino == kb->ino && ka->fdev == kb->fdev && ka->host == kb->host;
}

static void note_free(gpointer data)
{
    Note *note = data;
    g_free(note->text);
    g_free(note);
}

SsLabels *ss_labels_new(void)
{
    SsLabels *labels = g_new0(SsLabels, 1);
    labels->files = g_hash_table_new_full(key_hash, key_equal, NULL, g_free);
    labels->notes = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, note_free);
    labels->oldest = labels->next = 1;
    return labels;
}

void ss_labels_free(SsLabels *labels)
{
    if (!labels) {
        return;
    }
    g_hash_table_unref(labels->files);
    g_hash_table_unref(labels->notes);
    g_free(labels);
}

static Note *note_at(const SsLabels *labels, SsLabel label)
{
    return label ? g_hash_table_lookup(labels->notes, &label) : NULL;
}

const char *ss_label_text(const SsModel *model, SsLabel label)
{
    const Note *note = note_at(model->labels, label);
    return note ? note->text : NULL;
}

static gsize size_of(const char *text)
{
    return OVERHEAD + strlen(text);
}

static void forget_oldest(SsLabels *labels)
{
    SsLabel number = labels->oldest++;
    const Note *note = note_at(labels, number);
    const File *file = note ? g_hash_table_lookup(labels->files, &note->of) : NULL;
    if (file && file->label <= number) {
        g_hash_table_remove(labels->files, &note->of);
    }
    if (note) {
        labels->bytes -= size_of(note->text);
        g_hash_table_remove(labels->notes, &number);
    }
}

static void add(SsLabels *labels, File *file, char *text_taken)
{
    Note *note = g_new0(Note, 1);
    *note = (Note){ .number = labels->next++, .text = text_taken, .of = file->key };
    g_hash_table_insert(labels->notes, &note->number, note);
    labels->bytes += size_of(note->text);
    file->label = note->number;
    while (labels->bytes > SS_LABELS_BYTES && labels->oldest < note->number) {
        forget_oldest(labels);
    }
}

static FileKey key_of(const SsModel *model, guint trace, guint64 fdev, guint64 ino)
{
    return (FileKey){ .fdev = fdev, .ino = ino, .host = ss_model_trace(model, trace)->host };
}

static File *file_of(const SsModel *model, guint trace, guint64 fdev, guint64 ino)
{
    if (!ino || !g_hash_table_size(model->labels->files)) {
        return NULL;
    }
    FileKey key = key_of(model, trace, fdev, ino);
    return g_hash_table_lookup(model->labels->files, &key);
}

void ss_label_noted(SsModel *model, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsLabels *labels = model->labels;
    guint64 fdev = u->shmemscope_wire_note.fdev, ino = u->shmemscope_wire_note.ino;
    File *file = file_of(model, event->trace, fdev, ino);
    if (file && u->shmemscope_wire_note.again && file->pid != event->pid) {
        return; /* of a process that was forked before the label was changed */
    }
    bool none = !*u->shmemscope_wire_note.label;
    if (!ino || (!file && none)) {
        return;
    }
    if (!file) {
        file = g_new0(File, 1);
        file->key = key_of(model, event->trace, fdev, ino);
        g_hash_table_insert(labels->files, &file->key, file);
    }
    file->pid = event->pid;
    if (none) {
        file->label = 0;
        return;
    }
    const char *noted = u->shmemscope_wire_note.label;
    bool dots = u->shmemscope_wire_note.cut && strlen(noted) <= MAX_LABEL_BYTES;
    g_autofree char *text = ss_text_sanitize(noted, MAX_LABEL_BYTES);
    g_autofree char *label = g_strconcat(text, dots ? "..." : "", NULL);
    const char *before = ss_label_text(model, file->label);
    if (!before || !g_str_equal(before, label)) {
        add(labels, file, g_steal_pointer(&label));
    }
}

/* What was on its way over channels that have ended since is not any more. */
static void look_at_way(const SsLabels *labels, File *file, gint64 ns)
{
    if (file->channels != labels->channels) {
        file->channels = labels->channels;
        file->n_sent = file->early = 0;
    }
    if (ns - file->early_ns > MOMENT_NS) {
        file->early = 0;
    }
}

void ss_label_channel(SsModel *model)
{
    model->labels->channels++;
}

SsLabel ss_label_sent(SsModel *model, guint trace, gint32 pid, guint64 fdev, guint64 ino, gint64 ns)
{
    File *file = file_of(model, trace, fdev, ino);
    if (!file || file->pid != pid) {
        return 0;
    }
    look_at_way(model->labels, file, ns);
    if (file->early) {
        file->early--;
        return file->label;
    }
    if (file->n_sent == ON_THEIR_WAY) {
        file->n_sent = 0; /* nobody tells of what arrives */
    }
    file->sent[file->n_sent++] = file->label;
    return file->label;
}

SsLabel ss_label_arrived(SsModel *model, guint trace, guint64 fdev, guint64 ino, gint64 ns)
{
    File *file = file_of(model, trace, fdev, ino);
    if (!file) {
        return 0;
    }
    look_at_way(model->labels, file, ns);
    if (!file->n_sent) {
        file->early++;
        file->early_ns = ns;
        return file->label;
    }
    SsLabel label = file->sent[0];
    memmove(file->sent, file->sent + 1, --file->n_sent * sizeof(label));
    return label;
}

const char *ss_file_label(const SsProcess *process, SsLabel label, guint64 fdev, guint64 ino)
{
    const File *file = label ? NULL : file_of(process->model, process->trace, fdev, ino);
    return ss_label_text(process->model, file ? file->label : label);
}

const char *ss_mapping_label(const SsMapping *mapping)
{
    return ss_file_label(mapping->process, mapping->label, mapping->fdev, mapping->ino);
}

const char *ss_descriptor_label(const SsDescriptor *descriptor)
{
    return ss_file_label(descriptor->process, descriptor->label, descriptor->fdev, descriptor->ino);
}

const char *ss_exchange_label(SsDevice *device, guint64 seq)
{
    const SsExchange *exchange = ss_exchange_find(device, seq);
    return exchange ? ss_label_text(device->process->model, exchange->label) : NULL;
}
