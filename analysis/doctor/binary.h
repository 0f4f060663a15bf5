/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an ELF file tells of the program in it, read and not run: whether it is a QEMU, which one,
 * what of ours is in it, and what it is linked with.
 */
#pragma once

#include <stdbool.h>

#include <glib.h>

typedef enum SsTraceBackend {
    SS_BACKEND_UST,
    SS_BACKEND_LOG, /* or syslog: they have the same words */
    SS_BACKEND_DTRACE,
    SS_BACKEND_SIMPLE,
    SS_BACKEND_FTRACE,
    SS_N_BACKENDS,
} SsTraceBackend;

typedef struct SsBinary {
    char *version;        /* "11.1.2 (Debian ...)"; NULL: no QEMU; owned */
    bool has_feature;     /* the name of the protocol feature for shared memory is in it */
    int feature_bit;      /* the number it has there; -1: not found out */
    bool has_test_device; /* the generic vhost-user device */
    guint told_to_ust;    /* events of the catalogue that it has as LTTng-UST tracepoints */
    guint named;          /* those whose names are in it at all */
    GPtrArray *untold;    /* events of the catalogue's that it has not for LTTng-UST; weak names */
    bool backends[SS_N_BACKENDS];
    bool is_go;        /* built by Go, which calls the kernel without libc */
    GPtrArray *needed; /* libraries it is linked with; owned */
} SsBinary;

/* Reads the file. FALSE with the reason when it is no ELF file of this machine's width and byte
 * order, or cannot be read; then `binary` is empty. */
bool ss_binary_read(SsBinary *binary, const char *path, char **ret_reason);

/* The first needed library of that beginning, or NULL; weak. */
const char *ss_binary_needs(const SsBinary *binary, const char *prefix);

/* Events of QEMU's own in the catalogue. */
guint ss_binary_expected(void);

/* "ust", "log", ... */
const char *ss_trace_backend_name(SsTraceBackend backend);

void ss_binary_clear(SsBinary *binary);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SsBinary, ss_binary_clear)
