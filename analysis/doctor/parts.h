/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this folder share among themselves. */
#pragma once

#include <sys/types.h>

#include "analysis/doctor/doctor.h"

/* Each adds an item; texts may hold names of any kind, and become harmless here. `mend` becomes
 * the item's. */
void ss_doctor_good(SsDoctor *doctor, const char *area, const char *id, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
/* only: in the verdict of the abilities `takes`, which it narrows; or NULL */
void ss_doctor_limit(SsDoctor *doctor, const char *area, const char *id, guint takes,
                     const char *only, char *mend, const char *format, ...) G_GNUC_PRINTF(7, 8);
void ss_doctor_fails(SsDoctor *doctor, const char *area, const char *id, guint takes, char *mend,
                     const char *format, ...) G_GNUC_PRINTF(6, 7);

/* The areas, in the order of the data's way. */
void ss_doctor_programs(SsDoctor *doctor);    /* programs.c: QEMU and back-end */
void ss_doctor_library(SsDoctor *doctor);     /* library.c: what is preloaded */
void ss_doctor_confinement(SsDoctor *doctor); /* confinement.c: AppArmor, SELinux */
void ss_doctor_daemon(SsDoctor *doctor);      /* daemon.c: the session daemon, its group */
void ss_doctor_room(SsDoctor *doctor);        /* room.c: buffers, disk, limits */
void ss_doctor_kernel(SsDoctor *doctor);      /* kernel.c: what `now` needs of it */
void ss_doctor_running(SsDoctor *doctor);     /* running.c: QEMUs that run */
void ss_doctor_reading(SsDoctor *doctor);     /* reading.c: what reads recordings */

/* library.c: whether the wire library can be in a program. takes: what is lost when it cannot; 0:
 * a limit only, for nobody asked for this program. */
void ss_doctor_preload(SsDoctor *doctor, const char *area, const char *path, guint takes);

/* run.c: the program's standard output, at most a MiB of it, and of its standard error with
 * `both`; NULL when it does not end within `seconds`, or does not start. `environment` NULL: ours.
 * The caller frees it. */
char *ss_doctor_run(const char *const *argv, char **environment, bool both, guint seconds);

/* run.c: the first line of a small file, or NULL; the caller frees it. */
char *ss_doctor_line_of(const char *path);

/* The effective capability set of this process has this one. */
bool ss_doctor_capable(guint capability);
