/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the files that look share. Nothing here changes what it looks at.
 */
#pragma once

#include <sys/types.h>

#include "analysis/autopsy/evidence.h"

/* Permissions by name, for SsDenied. */
#define SS_NEEDS_READ "the same user, or CAP_SYS_PTRACE"
#define SS_NEEDS_ATTACH "CAP_SYS_PTRACE, or the same user with kernel.yama.ptrace_scope=0"
#define SS_NEEDS_NETNS "CAP_SYS_ADMIN"

/* evidence.c */
SsSeenThread *ss_seen_thread_new(gint32 tid);
SsSeenProcess *ss_seen_process_new(gint32 pid);
SsSeenSocket *ss_seen_socket_new(guint64 inode);
SsSeenChannel *ss_seen_channel_new(SsChannelKind kind, SsChannelHow how);
void ss_seen_thread_free(gpointer thread);
void ss_seen_fd_free(gpointer fd);
void ss_seen_map_free(gpointer map);
void ss_seen_process_free(gpointer process);
void ss_seen_socket_free(gpointer socket);
void ss_seen_channel_free(gpointer channel);
void ss_denied_free(gpointer denied);
/* Takes the process into the look, at its place. */
void ss_look_add(SsLook *look, SsSeenProcess *process);
/* Adds an entry unless there is one for `what`. */
void ss_deny(GPtrArray *denied, const char *what, const char *needs, int error);
/* Fills at_message and messages from what was peeked. */
void ss_seen_socket_count(SsSeenSocket *socket);

/* proc.c: files below a directory of /proc, which stays that process's, whoever gets its pid */
/* Returns a descriptor, or -1 with errno. */
int ss_proc_open(gint32 pid);
/* Reads up to size - 1 bytes and ends them with NUL; returns their number, or -1 with errno. */
gssize ss_proc_read(int dir, const char *name, char *buffer, gsize size);
/* The whole file up to `max` bytes, with a NUL behind. Owned; NULL with errno. */
char *ss_proc_text(int dir, const char *name, gsize max, gsize *ret_len);
/* Owned; NULL with errno. */
char *ss_proc_link(int dir, const char *name);
/* The inode of a namespace, say "ns/net"; 0 when it is denied. */
guint64 ss_proc_namespace(int dir, const char *name);
/* The number after a line's name, say "Uid:" of status; false when there is none. */
bool ss_proc_number(const char *text, const char *name, gint64 *ret_number);
/* Fields of stat that are behind the name, which may contain anything: the first is state. */
const char *ss_proc_after_name(const char *stat);
/* The field of a stat file by its number in proc(5), from 3 on. */
guint64 ss_proc_field(const char *stat, guint number);
/* Identity, names and namespaces. False with errno when the process ended. */
bool ss_process_read(int dir, SsSeenProcess *process);
/* Notes what is denied with the permission that this process would need. */
void ss_process_deny(int dir, SsSeenProcess *process, const char *what, const char *needs,
                     int error);
/* Up to `len` bytes of the process's memory; returns how many could be read. */
gsize ss_process_memory(gint32 pid, guint64 address, void *buffer, gsize len);

/* argv.c */
typedef struct SsArgvDevice {
    char *device, *driver, *chardev, *path; /* owned, "" when not told */
    gint32 fd;                              /* that the socket was handed over as; -1 */
    bool is_server;
} SsArgvDevice;
/* Owned SsArgvDevice: what the command line connects to by vhost-user. */
GPtrArray *ss_argv_devices(const SsSeenProcess *process);
/* Its name as administrators know it. Owned, "" when it has none. */
char *ss_argv_vm(const SsSeenProcess *process, const char *cgroup);
bool ss_argv_is_qemu(const SsSeenProcess *process);

/* fds.c */
typedef struct SsSocketFd {
    gint32 pid;
    gint32 fd;
    guint64 inode;
} SsSocketFd;
/* Only its sockets, added to `sockets` (SsSocketFd), and whether it has a VM of KVM. Returns 0, or
 * an errno. */
int ss_fds_scan(int dir, gint32 pid, GArray *sockets, bool *ret_has_vm);
/* All that are kept, into the process. */
void ss_fds_read(int dir, SsSeenProcess *process);
/* What fdinfo tells of a socket: its flags; and the descriptors that lie unread in it, -1 when this
 * kernel does not tell. False when it could not be read. */
bool ss_fds_info(int dir, gint32 fd, gint32 *ret_flags, gint32 *ret_unread_fds);

/* maps.c: maps that are shared, into the process */
void ss_maps_read(int dir, SsSeenProcess *process);
/* The file of which the process has most mapped shared and writable, which is the guest's RAM where
 * a VM's is shared at all. False: none is of a megabyte. */
bool ss_maps_largest(const SsSeenProcess *process, guint64 *ret_dev, guint64 *ret_inode);
bool ss_maps_has(const SsSeenProcess *process, guint64 dev, guint64 inode);

/* since.c: clocks of the scheduler */
typedef struct SsSince SsSince;
SsSince *ss_since_new(void);
void ss_since_free(SsSince *since);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsSince, ss_since_free)
/* "se.exec_start : 47279149.212633" (ms) of a thread's `sched` file, in ns by the clock of its CPU;
 * -1: the kernel does not tell. */
gint64 ss_since_exec_start(int dir, const char *name);
/* Ns before now at which a thread ran last: its se.exec_start in ns, and the CPU it ran on; -1 when
 * that cannot be told. */
gint64 ss_since_ago(SsSince *since, gint64 exec_start_ns, guint cpu);

/* threads.c */
void ss_threads_read(int dir, SsSeenProcess *process, SsSince *since);

/* calls.c */
typedef enum SsCallWait {
    SS_WAIT_OTHER, /* none of the following */
    SS_WAIT_FD,    /* on the descriptor in args[0] */
    SS_WAIT_POLL,
    SS_WAIT_PPOLL,
    SS_WAIT_SELECT,
    SS_WAIT_PSELECT,
    SS_WAIT_EPOLL,
    SS_WAIT_EPOLL2, /* the time-out is a timespec */
    SS_WAIT_FUTEX,
    SS_WAIT_SLEEP, /* ends by itself */
    SS_WAIT_SIGNAL,
} SsCallWait;
SsCallWait ss_call_wait(gint32 nr);
/* What the thread's call waits for: fd, polls, time-out, owner of a mutex. */
void ss_call_read(int dir, const SsSeenProcess *process, SsSeenThread *thread);

/* sockets.c: what the kernel tells of all unix sockets of a network namespace */
typedef struct SsDiag {
    guint64 inode, netns, peer, unread, pending_at;
    guint64 file_dev, file_inode; /* of the path that it is bound to; 0: none */
    bool listens;
    bool hidden; /* it is connected, and the kernel tells nothing of its other end here */
    char *path;  /* owned */
} SsDiag;
/* guint64 * -> owned SsDiag */
GHashTable *ss_diag_new(void);
/* That of a socket, which is added when there is none. Weak; it stays where it is. */
SsDiag *ss_diag_of(GHashTable *diag, guint64 inode);
/* Adds the sockets of a namespace; `socket` is a NETLINK_SOCK_DIAG socket of it. Returns 0, or an
 * errno. */
int ss_diag_dump(GHashTable *diag, int socket, guint64 netns);

/* A socket's name of `len` bytes as it is shown. Owned. */
char *ss_socket_path(const char *name, gsize len);

/* namespaces.c */
/* A NETLINK_SOCK_DIAG socket in the network namespace of a process, or with dir -1 in this one's.
 * Returns -1 with errno. */
int ss_namespace_diag(int dir);
/* The looker's own. */
guint64 ss_namespace_own(const char *name);

/* peek.c */
/* Peeks into the socket by its holder's descriptor, and asks who made the other end. */
void ss_peek(SsSeenSocket *socket, SsSeenProcess *holder, gint32 fd);

/* Of a connected unix socket, by a copy of the descriptor: the name of whichever end has one,
 * owned, and who made the other, 0 when that is not told. Returns 0; ENOTCONN of any other file, of
 * a socket that is not connected, and of one whose other end is closed; or another errno. */
int ss_peek_ends(const SsSocketFd *socket, char **ret_path, gint32 *ret_peer_pid);

/* finder.c: who has which socket, and what the kernel tells of it */
typedef struct SsFinder {
    SsLook *look;        /* weak */
    GHashTable *diag;    /* owned; see sockets.c */
    GHashTable *holders; /* owned; guint64 * inode -> owned GArray of SsSeenHolder */
    GHashTable *of_pid;  /* owned; int pid -> owned GArray of SsSocketFd */
    GHashTable *asked;   /* owned; network namespaces whose sockets were asked for */
    GHashTable *maps;    /* owned; int pid -> owned SsSeenProcess that has only its maps */
    bool all;            /* every process of the host was scanned */
} SsFinder;
SsFinder *ss_finder_new(SsLook *look);
void ss_finder_free(SsFinder *finder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsFinder, ss_finder_free)
/* Notes the sockets of a process; returns whether it has a VM of KVM. */
bool ss_finder_scan(SsFinder *finder, gint32 pid);
/* Those that ss_finder_scan() was not called for. */
void ss_finder_scan_all(SsFinder *finder);
/* Asks for the sockets of the network namespace that the process is in. */
void ss_finder_ask(SsFinder *finder, gint32 pid);
/* SsSocketFd of a process in order of descriptor, weak; NULL when it was not scanned. */
const GArray *ss_finder_sockets(const SsFinder *finder, gint32 pid);
/* The first that has the socket open and is not `but`; NULL when none was found. Weak. */
const SsSeenHolder *ss_finder_holder(const SsFinder *finder, guint64 inode, gint32 but);
/* What the kernel tells of a socket, its holder's network namespace asked if it has to be. Weak;
 * NULL when it tells nothing. */
const SsDiag *ss_finder_diag(SsFinder *finder, guint64 inode);
/* The same of a socket of a front-end, whose other end may be in another network namespace: by who
 * made that. What cannot be told is denied. */
const SsDiag *ss_finder_end(SsFinder *finder, SsSeenProcess *front, const SsSocketFd *socket);
/* Only its maps. Weak. */
const SsSeenProcess *ss_finder_maps(SsFinder *finder, gint32 pid);
/* Moves the maps into the process, if they were read. Returns whether they were. */
bool ss_finder_take_maps(SsFinder *finder, SsSeenProcess *process);
/* A process of the look, which is taken into it when it is not there. Weak; NULL when it ended. */
SsSeenProcess *ss_finder_process(SsFinder *finder, gint32 pid);

/* channels.c */
/* Finds the channels of a front-end, into the look. */
void ss_channels_find(SsFinder *finder, SsSeenProcess *front);

/* recall.c */
/* What a part with descriptors hides in the sockets, from the stacks of those who sent it. */
void ss_recall(SsLook *look);

/* details.c */
/* Sockets of all channels of the look, peeked; who is at their other end, if it was not known. */
void ss_details_sockets(SsFinder *finder);
/* Descriptors, maps and threads of a process. */
void ss_details_process(SsFinder *finder, SsSeenProcess *process, SsSince *since);
/* What is known only once sockets and threads are: which calls have no time-out. */
void ss_details_finish(SsLook *look);
