/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the tracer keeps of a thread is allocated when it is used first, if its library was not
 * there from the start. A handler may use it first, in the middle of malloc(): so each thread
 * does at its begin.
 */
#include <stdlib.h>

#include "hooks.h"
#include "load.h"
#include "real.h"

typedef struct SsWireThread {
    void *(*routine)(void *);
    void *data;
} SsWireThread;

static void *begin_thread(void *data)
{
    SsWireThread thread = *(SsWireThread *)data;
    free(data);
    ss_wire_teller->init_thread();
    return thread.routine(thread.data);
}

SS_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                             void *(*routine)(void *), void *data)
{
    ss_wire_load_for_thread();
    SsWireThread *begin = ss_wire_loaded_late() ? malloc(sizeof(*begin)) : NULL;
    if (!begin) {
        return REAL(pthread_create)(thread, attributes, routine, data);
    }
    *begin = (SsWireThread){ .routine = routine, .data = data };
    int error = REAL(pthread_create)(thread, attributes, begin_thread, begin);
    if (error) {
        free(begin);
    }
    return error;
}
