/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a back-end calls its files (shmemscope_note). A label is the file's, by host, device and
 * inode; what is made of the file bears the one that the file had when its request was sent.
 */
#pragma once

#include <glib.h>

typedef struct SsModel SsModel;
typedef struct SsProcess SsProcess;
typedef struct SsDevice SsDevice;
typedef struct SsMapping SsMapping;
typedef struct SsDescriptor SsDescriptor;
typedef struct SsLabels SsLabels;

/* One that was noted; 0: none. It may be forgotten when later ones need its room. */
typedef guint64 SsLabel;

/* Of all that are remembered: of notes made since, the oldest are forgotten. */
#define SS_LABELS_BYTES (16u * 1024 * 1024)

SsLabels *ss_labels_new(void);
void ss_labels_free(SsLabels *labels);

/* What it says, harmless; NULL when there is none. Valid until the next event. */
const char *ss_label_text(const SsModel *model, SsLabel label);

/* What is mapped or open, by the label of its request; one that had none then is called what its
 * file is called now. NULL when that has no label either. Valid until the next event. */
const char *ss_file_label(const SsProcess *process, SsLabel label, guint64 fdev, guint64 ino);
const char *ss_mapping_label(const SsMapping *mapping);
const char *ss_descriptor_label(const SsDescriptor *descriptor);
/* Of a request, as long as that is remembered; the device may be NULL. */
const char *ss_exchange_label(SsDevice *device, guint64 seq);
