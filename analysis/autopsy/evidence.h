/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Evidence: what /proc and the sockets tell of this host's vhost-user front-ends and back-ends, at
 * two times. Facts only: nothing in here was concluded, and what could not be seen is named. It is
 * the only thing that explaining sees, so that it can be kept in a file and explained elsewhere.
 *
 * Strings are valid UTF-8, never NULL ("": not known) and as hostile as the processes they come
 * from: who prints them escapes them. Times are ns since the Unix epoch unless it is said
 * otherwise. Pids and tids are those of the looker's pid namespace.
 */
#pragma once

#include <stdbool.h>

#include <glib.h>

#define SS_EVIDENCE_VERSION 1
/* Of the looks that were taken, the first and the last are kept. */
#define SS_EVIDENCE_MAX_LOOKS 2
/* Peeked at most: longer than every message but those that carry a configuration. */
#define SS_PEEK_BYTES 4096

/* Something that could not be seen. */
typedef struct SsDenied {
    char *what;   /* "calls of threads" */
    char *needs;  /* permission by name: "CAP_SYS_PTRACE, or ..."; or what else is missing */
    gint32 error; /* errno */
} SsDenied;

typedef enum SsCallKind {
    SS_CALL_UNKNOWN, /* denied, or the thread ended */
    SS_CALL_RUNNING, /* on a CPU, or ready for one */
    SS_CALL_OUTSIDE, /* stands still, but in no system call: say, in a page fault */
    SS_CALL_IN,      /* stands in system call nr */
} SsCallKind;

/* What a thread asked to be told of: poll, ppoll, select, pselect6, epoll_wait, ... */
typedef struct SsSeenPoll {
    gint32 fd;
    guint32 events; /* POLLIN, ... */
} SsSeenPoll;

typedef struct SsSeenThread {
    gint32 tid;
    gint32 own_tid; /* in its own pid namespace */
    char *comm;
    char state; /* as in /proc/TID/stat: R S D T t Z X; 0: not known */
    SsCallKind call;
    gint32 nr;       /* x86_64's number */
    guint64 args[6]; /* OUTSIDE: none */
    guint64 sp, pc;
    gint32 fd; /* that the call is on: read, recvmsg, sendmsg, accept, epoll_wait, ...; -1: none */
    GArray *polls;      /* SsSeenPoll; a descriptor of an epoll is there in its stead */
    bool polls_known;   /* polls is all that it waits for; false also where it does not poll */
    gint64 timeout_ns;  /* that the call was made with; -1: none, it may last for ever */
    bool timeout_known; /* false: a call of which it is not known whether it has one */
    gint32 futex_owner; /* tid of its process that holds the mutex it waits for; 0: not known */
    guint64 switches;   /* times it was taken off a CPU, or put on one; see the stood function */
    guint64 cpu_ns;     /* that it has run */
    bool counts_known;  /* switches and cpu_ns */
    gint64 last_ran_ns; /* when it came to stand still; 0: not known by this kernel. Too late by
                         * what interrupts, or a host, took from its CPU since */
} SsSeenThread;

typedef enum SsFdKind {
    SS_FD_OTHER,
    SS_FD_SOCKET, /* inode */
    SS_FD_FILE,   /* dev, inode, size, name: a file that can be mapped; memfds, too */
    SS_FD_EPOLL,
} SsFdKind;

/* Only sockets, files that can be mapped shared, and epolls are kept. */
typedef struct SsSeenFd {
    gint32 fd;
    SsFdKind kind;
    guint64 inode, dev; /* dev: of a file; as makedev() has it */
    guint64 size;       /* bytes, of a file */
    char *name;         /* of a file: path, or "/memfd:NAME (deleted)" */
    gint32 flags;       /* O_RDWR, O_NONBLOCK, ...; -1: not asked for */
} SsSeenFd;

/* A range that is mapped shared from a file. */
typedef struct SsSeenMap {
    guint64 begin, end; /* address */
    guint64 offset;     /* in the file, bytes */
    bool readable, writable;
    bool guarded; /* memory that nobody may touch is right behind it: QEMU's way with RAM blocks */
    guint64 dev, inode;
    char *path;
} SsSeenMap;

typedef enum SsSeenRole {
    SS_ROLE_FRONT_END = 1 << 0, /* QEMU or another VMM, or one end of a main channel that is */
    SS_ROLE_BACK_END = 1 << 1,
} SsSeenRole;

typedef struct SsSeenProcess {
    gint32 pid;
    guint64 start_ticks; /* since boot; with pid: identity */
    gint64 start_ns;     /* the same since the epoch; 0: not known */
    bool ended;          /* it was there before, or when the look began; the rest may be missing */
    guint roles;         /* SsSeenRole */
    bool is_qemu;
    gint32 own_pid; /* in its own pid namespace */
    gint32 uid;
    char *comm;
    char *exe;       /* path in its own mount namespace */
    GPtrArray *argv; /* owned char *; 4096 words at most, of 4096 bytes at most */
    char *vm;        /* name as administrators know it: -name guest=, or its machine's scope; "" */
    guint64 netns, pidns, mntns; /* namespace's inode where it is not the looker's; 0: the same */
    bool detailed;      /* threads, descriptors and maps were asked for: it has a channel */
    GPtrArray *threads; /* owned SsSeenThread, in order of tid */
    GPtrArray *fds;     /* owned SsSeenFd, in order of number */
    GPtrArray *maps;    /* owned SsSeenMap, in order of address */
    guint64 n_fds;      /* that it has open, kept or not */
    guint64 fd_limit;   /* RLIMIT_NOFILE; 0: not known */
    GPtrArray *denied;  /* owned SsDenied */
} SsSeenProcess;

/* Who has a descriptor of a socket. */
typedef struct SsSeenHolder {
    gint32 pid;
    gint32 fd;
} SsSeenHolder;

typedef enum SsPeek {
    SS_PEEK_NOT_ASKED, /* not of a channel */
    SS_PEEK_DONE,      /* peeked: has the first bytes, which may be none */
    SS_PEEK_DENIED,    /* permission is missing: the process's denied */
    SS_PEEK_OFFSET,    /* its owner uses SO_PEEK_OFF, which a peek would move */
    SS_PEEK_ENDED,     /* the process, or the descriptor, went meanwhile */
    SS_PEEK_NO_HOLDER, /* no process was found that has it open */
} SsPeek;

typedef struct SsSeenSocket {
    guint64 inode;
    guint64 netns; /* where it lives when that is not the looker's; 0: the same */
    bool known;    /* the kernel told of it: the five below; else only its inode is known */
    bool listens;
    guint64 peer;       /* inode; 0: none, or it is closed */
    char *path;         /* it is bound to, or its listener was; "@..." abstract; "": unnamed */
    guint64 unread;     /* bytes in it that its owner did not read */
    guint64 pending_at; /* inode of the listener that has not accepted it yet; 0: none */
    gint64 receive_timeout_ns; /* SO_RCVTIMEO; 0: none, reading may last for ever; -1: not known */
    GArray *holders;           /* SsSeenHolder, in order of pid, then fd */
    gint32 peer_pid;           /* who made the other end (SO_PEERCRED); 0: not known */
    gint32 unread_fds;         /* descriptors that lie unread in it; -1: not known */
    SsPeek peek;
    GByteArray *peeked; /* what lies unread, from its first byte: up to SS_PEEK_BYTES, and up to
                         * the end of the first part that brings descriptors */
    bool at_message;    /* peeked begins with what can be a vhost-user header */
    guint messages;     /* whole ones in peeked */
    /* The last bytes of peeked that are not from the socket. A part that brings descriptors hides
     * what lies behind it; that is from the stack of the thread that sent it and waits for its
     * answer: header, length and descriptors fit, and nothing else there does. */
    guint32 recalled;
    gint32 recalled_tid; /* 0: none */
} SsSeenSocket;

typedef enum SsChannelKind {
    SS_CHANNEL_MAIN,
    SS_CHANNEL_BACK_END,
} SsChannelKind;

typedef enum SsChannelHow {
    SS_CHANNEL_BY_ARGV,   /* the chardev of a vhost-user device */
    SS_CHANNEL_BY_MEMORY, /* the two processes map the same memory */
    SS_CHANNEL_BY_PAIR,   /* back-end channel: an unnamed pair between the two ends of a main one */
} SsChannelHow;

typedef struct SsSeenChannel {
    SsChannelKind kind;
    SsChannelHow how;
    char *device;  /* id of the device in argv; "" */
    char *driver;  /* "vhost-user-fs-pci"; "" */
    char *chardev; /* id; "" */
    char *path;    /* of the socket, as argv has it, else as it is bound */
    gint32 front_pid, front_fd;
    guint64 front_inode; /* 0: not connected (front_fd is -1 then) */
    gint32 back_pid;     /* first holder of the other end; 0: none was found */
    gint32 back_fd;      /* -1 then */
    guint64 back_inode;  /* 0: the other end is closed, or there is none */
    gint32 main;         /* of a back-end channel: index of its main channel in the look's
                          * channels; -1: several fit */
} SsSeenChannel;

typedef struct SsLook {
    gint64 ns, monotonic_ns; /* when it began */
    gint64 took_ns;
    GPtrArray *processes; /* owned SsSeenProcess, in order of pid: front-ends and their back-ends */
    GPtrArray *channels;  /* owned SsSeenChannel: by front-end, then fd; main ones first */
    GHashTable *sockets; /* guint64 * -> owned SsSeenSocket, of the channels; and their listeners */
    GPtrArray *denied;   /* owned SsDenied, of no process in particular */
} SsLook;

typedef struct SsEvidence {
    char *tool; /* "shmemscope 0.1.0" */
    char *host, *boot_id, *kernel;
    GPtrArray *looks;  /* owned SsLook, in order of time: one or two */
    GPtrArray *stacks; /* owned SsStacks (stacks.h), taken after the looks; NULL: not asked for */
} SsEvidence;

/* evidence.c */
SsEvidence *ss_evidence_new(void);
void ss_evidence_free(SsEvidence *evidence);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsEvidence, ss_evidence_free)
SsLook *ss_look_new(void);
void ss_look_free(SsLook *look);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsLook, ss_look_free)
/* Weak; NULL when there is none. */
SsSeenProcess *ss_look_process(const SsLook *look, gint32 pid);
SsSeenSocket *ss_look_socket(const SsLook *look, guint64 inode);
SsSeenThread *ss_seen_thread(const SsSeenProcess *process, gint32 tid);
SsSeenFd *ss_seen_fd(const SsSeenProcess *process, gint32 fd);
/* The inode of the socket that a descriptor of the process is; 0: it is none. */
guint64 ss_seen_socket_of(const SsSeenProcess *process, gint32 fd);
/* Whether it is the same process in both looks, and alive in the later one. */
bool ss_seen_same(const SsSeenProcess *before, const SsSeenProcess *after);
/*
 * Whether the thread did not run between the two looks: it stands in the same call, with the same
 * arguments, and was not once put on a CPU. False where the counts are not known.
 */
bool ss_seen_stood(const SsSeenThread *before, const SsSeenThread *after);
/* Makes valid UTF-8 of what a process or a file said, of at most `max` bytes. Owned. */
char *ss_evidence_string(const char *bytes, gsize len, gsize max);

/* A vhost-user message that lies unread. */
typedef struct SsUnread {
    guint32 request, flags, size;
    const guint8 *payload; /* weak; into peeked */
    gsize len;             /* bytes of payload that are there; fewer than size: not whole */
    bool is_recalled;      /* some of it is not from the socket */
} SsUnread;
/* Takes the message at *offset of what was peeked, and moves it behind. False: no header is there.
 */
bool ss_unread_next(const SsSeenSocket *socket, gsize *offset, SsUnread *ret_unread);

/* find.c: looking */
typedef struct SsLookOptions {
    gint32 pid;     /* only the VMs that this process is an end of; 0: all */
    const char *vm; /* only that of this name; NULL: all */
} SsLookOptions;
/*
 * Looks at the front-ends of this host, their back-ends and channels: no signal, no byte consumed,
 * no descriptor kept, nothing stopped. What is denied is in the evidence; fails only when /proc
 * cannot be read, or the process or VM asked for is not there.
 */
SsEvidence *ss_look_first(const SsLookOptions *options, GError **error);
/* A second look at what the first one found. New channels of the same processes are found, new
 * processes at the other end of them too; new VMs are not looked for. */
gboolean ss_look_again(SsEvidence *evidence, GError **error);

/* save.c, load.c: as JSON; a file of another version is refused. */
gboolean ss_evidence_save(const SsEvidence *evidence, const char *path, GError **error);
SsEvidence *ss_evidence_load(const char *path, GError **error);
/* Of `length` bytes; `name` is for the error. What is hostile or damaged is refused as a whole. */
SsEvidence *ss_evidence_parse(const char *data, gsize length, const char *name, GError **error);
/* Whether the file seems to be evidence, without reading it as a whole. */
bool ss_evidence_is(const char *path);
/* calls.c: "recvmsg"; NULL when it has no name here. */
const char *ss_call_name(gint32 nr);
