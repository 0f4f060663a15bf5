/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * For vhost-user back-ends: what a descriptor is, in words that a recording has beside it wherever
 * it is mapped. Nothing is linked: it does something when libshmemscope-wire.so is preloaded, and
 * is one test of a pointer when it is not. See shmemscope_note(3).
 */
#ifndef SHMEMSCOPE_H
#define SHMEMSCOPE_H

#ifdef __cplusplus
extern "C" {
#endif

/* The bytes of a label that are taken; of a longer one it is told that it was cut. */
#define SHMEMSCOPE_LABEL_BYTES 255

/*
 * The function of the library, or a null pointer. Its address is taken from the global offset
 * table: where a program is linked to a fixed address the compiler would have the linker settle it
 * for good, and no library could be preloaded any more.
 */
#if defined(__GNUC__) && defined(__ELF__)
#if !defined(__x86_64__) || !defined(__LP64__)
extern void shmemscope_wire_note(int fd, const char *label) __attribute__((__weak__));
#endif
static __inline__ void shmemscope_note(int fd, const char *label)
{
    void (*note)(int fd, const char *label);
#if defined(__x86_64__) && defined(__LP64__)
    __asm__(".weak shmemscope_wire_note\n\t"
            "mov{q}\t{shmemscope_wire_note@GOTPCREL(%%rip), %0|"
            "%0, QWORD PTR shmemscope_wire_note@GOTPCREL[rip]}"
            : "=r"(note));
#else
    note = shmemscope_wire_note;
#endif
    if (note) {
        note(fd, label);
    }
}
#else
static void shmemscope_note(int fd, const char *label)
{
    (void)fd;
    (void)label;
}
#endif

#ifdef __cplusplus
}
#endif

#endif
