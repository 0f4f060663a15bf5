/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory for the buffers, disk for the recording, and this process's limits. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "analysis/doctor/parts.h"
#include "analysis/report/layout.h"
#include "session.h"

#define AREA "room"
#define SHM "/dev/shm"
#define MIB (G_GUINT64_CONSTANT(1024) * 1024)
#define DISK_LEAST (64 * MIB)
#define DISK_GOOD (1024 * MIB)
/* What QEMU's one main loop can tell at the very worst, in bytes a second. */
#define RATE_MOST (16 * MIB)
#define FILES_GOOD 1024

static guint64 free_bytes(const struct statvfs *place)
{
    return (guint64)place->f_bavail * place->f_frsize;
}

static void look_at_buffers(SsDoctor *doctor)
{
    g_autofree char *free_text = NULL;
    g_autofree char *chosen_text = NULL;
    struct statvfs shm;
    SsBufferSizes buffers;

    if (statvfs(SHM, &shm) < 0) {
        ss_doctor_fails(doctor, AREA, "buffers", SS_ALL_RECORDINGS,
                        g_strdup("sudo mkdir -p " SHM " && sudo mount -t tmpfs -o mode=1777 "
                                 "tmpfs " SHM),
                        SHM ", where LTTng has its buffers: %s", g_strerror(errno));
        return;
    }
    if (access(SHM, R_OK | W_OK | X_OK) < 0) {
        ss_doctor_fails(
            doctor, AREA, "buffers", SS_ALL_RECORDINGS,
            g_strdup(errno == EROFS ? "sudo mount -o remount,rw " SHM : "sudo chmod 1777 " SHM),
            SHM ", where LTTng has its buffers, cannot be written to: %s", g_strerror(errno));
        return;
    }
    buffers = ss_session_buffers();
    free_text = ss_size_text(free_bytes(&shm));
    chosen_text = ss_size_text(buffers.chosen);
    if (free_bytes(&shm) < 2 * buffers.least) {
        ss_doctor_fails(doctor, AREA, "buffers", SS_ALL_RECORDINGS,
                        g_strdup("sudo mount -o remount,size=1G " SHM),
                        SHM " has %s free; the buffers of a recording take %s there", free_text,
                        chosen_text);
    } else if (buffers.chosen < buffers.most) {
        ss_doctor_limit(doctor, AREA, "buffers", 0, NULL,
                        g_strdup("sudo mount -o remount,size=1G " SHM),
                        SHM " has %s free: buffers are kept to %s, and a burst of events may find "
                            "no room",
                        free_text, chosen_text);
    } else {
        ss_doctor_good(doctor, AREA, "buffers", SHM " has %s free, of which buffers take %s",
                       free_text, chosen_text);
    }
}

/* The directory, or the nearest one above it that exists: there it would be made. */
static char *existing(const char *directory)
{
    char *path = g_canonicalize_filename(directory, NULL);

    while (!g_file_test(path, G_FILE_TEST_EXISTS) && strlen(path) > 1) {
        char *parent = g_path_get_dirname(path);

        g_free(path);
        path = parent;
    }
    return path;
}

static void look_at_disk(SsDoctor *doctor)
{
    g_autofree char *path = existing(doctor->directory);
    g_autofree char *free_text = NULL;
    struct statvfs disk;

    if (!g_file_test(path, G_FILE_TEST_IS_DIR) || access(path, W_OK | X_OK) < 0 ||
        statvfs(path, &disk) < 0) {
        const char *reason =
            g_file_test(path, G_FILE_TEST_IS_DIR) ? g_strerror(errno) : "it is no directory";

        ss_doctor_fails(doctor, AREA, "disk", SS_ALL_RECORDINGS,
                        g_strdup("shmemscope record --output DIR, with one that can be written to"),
                        "no recording can be made in \"%s\": %s", path, reason);
        return;
    }
    free_text = ss_size_text(free_bytes(&disk));
    if (free_bytes(&disk) < DISK_LEAST || disk.f_favail == 0) {
        /* Some file systems have no count of files. */
        gboolean files = disk.f_files > 0 && disk.f_favail == 0;

        if (files || free_bytes(&disk) < DISK_LEAST) {
            ss_doctor_fails(doctor, AREA, "disk", SS_ALL_RECORDINGS,
                            g_strdup("shmemscope record --output DIR, with one that has room"),
                            "\"%s\" has %s free%s", path, free_text,
                            files ? ", and no room for another file" : "");
            return;
        }
    }
    if (free_bytes(&disk) < DISK_GOOD) {
        ss_doctor_limit(doctor, AREA, "disk", 0, NULL,
                        g_strdup("shmemscope record --output DIR, with one that has room"),
                        "\"%s\" has %s free: full after %" G_GUINT64_FORMAT
                        " s of the busiest QEMU",
                        path, free_text, free_bytes(&disk) / RATE_MOST);
    } else {
        ss_doctor_good(doctor, AREA, "disk",
                       "\"%s\" has %s free: %" G_GUINT64_FORMAT " min of the busiest QEMU", path,
                       free_text, free_bytes(&disk) / RATE_MOST / 60);
    }
}

static void look_at_limits(SsDoctor *doctor)
{
    struct rlimit files = { 0 };
    struct rlimit size = { 0 };
    gboolean good = TRUE;

    if (getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur != RLIM_INFINITY) {
        g_autofree char *text = ss_size_text(size.rlim_cur);

        good = FALSE;
        ss_doctor_limit(doctor, AREA, "file-size", 0, NULL, g_strdup("ulimit -f unlimited"),
                        "files are limited to %s here: a daemon that record starts ends at that",
                        text);
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_GOOD) {
        good = FALSE;
        ss_doctor_limit(doctor, AREA, "files", 0, NULL, g_strdup_printf("ulimit -n %d", FILES_GOOD),
                        "a program started here may open %" G_GUINT64_FORMAT
                        " files, which its mappings and LTTng's buffers share",
                        (guint64)files.rlim_cur);
    }
    if (good) {
        ss_doctor_good(doctor, AREA, "limits",
                       "a program started here may open %" G_GUINT64_FORMAT " files, of any size",
                       (guint64)files.rlim_cur);
    }
}

void ss_doctor_room(SsDoctor *doctor)
{
    look_at_buffers(doctor);
    look_at_disk(doctor);
    look_at_limits(doctor);
}
