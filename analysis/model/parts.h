/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the files of the model share among themselves.
 */
#pragma once

#include "analysis/model/model.h"

/* span.c: counts and harmless strings */
void ss_span_add(SsSpan *span, gint64 duration_ns);
void ss_counts_init(SsCounts *counts);
void ss_counts_clear(SsCounts *counts);
void ss_counts_refusal(SsCounts *counts, const char *reason);
void ss_replace_string(char **owned, const char *value);

/* process.c */
/* Host and pid, under which it is kept in `by_pid`. */
gint64 ss_process_key(const SsModel *model, guint trace, gint32 pid);
SsProcess *ss_process_get(SsModel *model, const SsEvent *event);
void ss_process_free(SsProcess *process);
SsThread *ss_thread_get(SsProcess *process, const SsEvent *event);
/* The thread that has told nothing itself, too. */
SsThread *ss_thread_main(SsProcess *process);

/* device.c. Lookups create what they do not find: a recording may begin late. */
SsDevice *ss_device_get(SsProcess *process, guint64 dev, guint64 vdev, gint64 ns);
SsDevice *ss_device_by_vdev(SsProcess *process, guint64 vdev, gint64 ns);
void ss_device_free(SsDevice *device);
void ss_device_step(SsDevice *device, SsStepKind kind, gint64 ns, const SsStep *details);
/* The request's step in the journal. */
void ss_device_label_request(SsDevice *device, guint64 seq, SsLabel label);
void ss_device_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event);
void ss_device_judge_disconnect(SsModel *model, SsDevice *device, gint64 ns);

/* exchange.c */
SsExchange *ss_exchange_find(SsDevice *device, guint64 seq);
void ss_exchange_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event);
/* A new back-end channel, whose exchanges count from 1 again. */
void ss_exchange_restart(SsModel *model, SsDevice *device, gint64 ns);
/* Tells the checks of every dispatched exchange older than `before_ns`. */
void ss_exchange_settle(SsModel *model, SsDevice *device, gint64 before_ns, gint64 ns);

/* backlog.c: after all others have seen the event */
void ss_backlog_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event);

/* closing.c: after all others have seen the event */
void ss_closing_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event);
/* A mapping is made at that pointer, a RAM block at that address: those that were there have
 * ended. 0 is none. */
void ss_closing_born(SsProcess *process, guint64 pointer, guint64 host);
/* The mapping is alive, and that descriptor of it was closed. */
bool ss_closing_known(const SsProcess *process, guint64 pointer, gint32 number);
/* The number of `older` is handed out again: somebody closed it. */
void ss_closing_implied(SsModel *model, const SsDescriptor *older, gint64 ns);

/* effect.c: after all others have seen the event */
void ss_effect_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event);

/* structure.c: after all others have seen the event */
void ss_structure_event(SsProcess *process, const SsEvent *event);
void ss_structures_init(SsStructures *structures);
void ss_structures_clear(SsStructures *structures);

/* table.c: after all others have seen the event */
void ss_table_event(SsModel *model, SsProcess *process, const SsEvent *event);
/* No event of the process follows. */
void ss_table_finish(SsModel *model, SsProcess *process, gint64 ns);

/* mapping.c */
void ss_mapping_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event);
void ss_mapping_free(SsMapping *mapping);
/* A mapping object was made; another at the same place has ended unseen. */
SsMapping *ss_mapping_born(SsModel *model, SsProcess *process, SsThread *thread, guint64 pointer,
                           gint64 ns);
/* What is known of its descriptor's file. */
void ss_mapping_take_file(SsMapping *mapping, const SsDescriptor *descriptor);
void ss_mapping_commit_ended(SsModel *model, SsProcess *process, gint64 ns);
void ss_mapping_forget(SsProcess *process, SsMapping *mapping);
/* Tells the lives of what is left. */
void ss_mapping_finish(SsModel *model, SsProcess *process);

/* label.c: the file came with a request; returns the label that it had when that was sent. */
SsLabel ss_label_arrived(SsModel *model, guint trace, guint64 fdev, guint64 ino, gint64 ns);

/* place.c */
void ss_place_enter(SsMapping *mapping, gint64 ns);
void ss_place_leave(SsMapping *mapping);
/* After everybody else has seen the event. */
void ss_place_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event);

/* depth.c */
void ss_depth_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event);
void ss_depth_finish(SsModel *model, SsProcess *process, gint64 ns);

/* descriptor.c */
/* A descriptor of that file came, or the one of that number went, by a call that nobody watched;
 * number -1: none went. */
void ss_descriptor_unwatched(SsModel *model, SsProcess *process, gint32 number, guint64 ino);
SsDescriptor *ss_descriptor_open(SsModel *model, SsProcess *process, gint32 number, gint64 ns);
void ss_descriptor_close(SsModel *model, SsDescriptor *descriptor, gint64 ns, gint32 ret);
void ss_descriptor_event(SsModel *model, SsProcess *process, SsThread *thread,
                         const SsEvent *event);

/* transaction.c: transactions, and waits inside of them */
void ss_transaction_event(SsModel *model, SsProcess *process, SsThread *thread,
                          const SsEvent *event);
void ss_wait_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event);
/* Whether the back-end is to reply to a request of the front-end. */
bool ss_request_answered(guint32 request, guint32 flags);
void ss_context_push(SsThread *thread, const SsContext *context);
/* Ends the innermost context of that kind, and what stands above it: their ends were not
 * seen. NULL when there is none. The result is valid until the next push. */
const SsContext *ss_context_pop(SsThread *thread, SsContextKind kind);
SsContext *ss_context_find(SsThread *thread, SsContextKind kind);

/* Whether a request of the front-end is answered: vhost-user's "Communication". */
bool ss_request_answered(guint32 request, guint32 flags);

/* peer.c: what a back-end tells of its channels */
void ss_peer_event(SsModel *model, SsProcess *process, const SsEvent *event);

void ss_model_tell(SsModel *model, const SsNotice *notice);
