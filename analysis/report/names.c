/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Numbers of the vhost-user specification, sections "Front-end message types" and
 * "Back-end message types"; and devices by what is known of them.
 */
#include "analysis/report/names.h"

static const char *const backend_requests[] = {
    [1] = "IOTLB_MSG",
    [2] = "CONFIG_CHANGE_MSG",
    [3] = "VRING_HOST_NOTIFIER_MSG",
    [4] = "VRING_CALL",
    [5] = "VRING_ERR",
    [6] = "SHARED_OBJECT_ADD",
    [7] = "SHARED_OBJECT_REMOVE",
    [8] = "SHARED_OBJECT_LOOKUP",
    [9] = "SHMEM_MAP",
    [10] = "SHMEM_UNMAP",
};

static const char *const frontend_requests[] = {
    [1] = "GET_FEATURES",
    [2] = "SET_FEATURES",
    [3] = "SET_OWNER",
    [4] = "RESET_OWNER",
    [5] = "SET_MEM_TABLE",
    [6] = "SET_LOG_BASE",
    [7] = "SET_LOG_FD",
    [8] = "SET_VRING_NUM",
    [9] = "SET_VRING_ADDR",
    [10] = "SET_VRING_BASE",
    [11] = "GET_VRING_BASE",
    [12] = "SET_VRING_KICK",
    [13] = "SET_VRING_CALL",
    [14] = "SET_VRING_ERR",
    [15] = "GET_PROTOCOL_FEATURES",
    [16] = "SET_PROTOCOL_FEATURES",
    [17] = "GET_QUEUE_NUM",
    [18] = "SET_VRING_ENABLE",
    [19] = "SEND_RARP",
    [20] = "NET_SET_MTU",
    [21] = "SET_BACKEND_REQ_FD",
    [22] = "IOTLB_MSG",
    [23] = "SET_VRING_ENDIAN",
    [24] = "GET_CONFIG",
    [25] = "SET_CONFIG",
    [26] = "CREATE_CRYPTO_SESSION",
    [27] = "CLOSE_CRYPTO_SESSION",
    [28] = "POSTCOPY_ADVISE",
    [29] = "POSTCOPY_LISTEN",
    [30] = "POSTCOPY_END",
    [31] = "GET_INFLIGHT_FD",
    [32] = "SET_INFLIGHT_FD",
    [33] = "GPU_SET_SOCKET",
    [34] = "RESET_DEVICE",
    [35] = "VRING_KICK",
    [36] = "GET_MAX_MEM_SLOTS",
    [37] = "ADD_MEM_REG",
    [38] = "REM_MEM_REG",
    [39] = "SET_STATUS",
    [40] = "GET_STATUS",
    [41] = "GET_SHARED_OBJECT",
    [42] = "SET_DEVICE_STATE_FD",
    [43] = "CHECK_DEVICE_STATE",
    [44] = "GET_SHMEM_CONFIG",
};

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
