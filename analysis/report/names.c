/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Requests by name, from tracepoints/names; and devices by what is known of them.
 */
#include "analysis/report/names.h"

#include "ss-names.h"

static const char *const backend_requests[] = { SS_BACKEND_REQUEST_NAMES };
static const char *const frontend_requests[] = { SS_FRONTEND_REQUEST_NAMES };

const char *ss_backend_request_name(guint32 request)
{
    return request < G_N_ELEMENTS(backend_requests) ? backend_requests[request] : NULL;
}

const char *ss_frontend_request_name(guint32 request)
{
    return request < G_N_ELEMENTS(frontend_requests) ? frontend_requests[request] : NULL;
}

char *ss_backend_request_text(guint32 request)
{
    const char *name = ss_backend_request_name(request);
    return name ? g_strdup(name) : g_strdup_printf("request %u", request);
}

char *ss_frontend_request_text(guint32 request)
{
    const char *name = ss_frontend_request_name(request);
    return name ? g_strdup(name) : g_strdup_printf("request %u", request);
}

char *ss_wait_kind_text(guint32 request)
{
    return request ? ss_frontend_request_text(request) : g_strdup("other requests");
}

char *ss_device_name(const char *id, const char *chardev, guint64 dev, guint64 vdev)
{
    return *id || *chardev ? g_strdup(*id ? id : chardev) : ss_device_text(id, chardev, dev, vdev);
}

char *ss_device_text(const char *id, const char *chardev, guint64 dev, guint64 vdev)
{
    if (*id) {
        return g_strdup(id);
    }
    if (*chardev) {
        return g_strdup_printf("chardev %s", chardev);
    }
    return g_strdup_printf("0x%" G_GINT64_MODIFIER "x", vdev ? vdev : dev);
}
