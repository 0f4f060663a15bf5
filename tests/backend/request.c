/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "request.h"

#include <glib.h>
#include <stddef.h>
#include <string.h>

static const char *const names[SS_REQUEST_MAX] = {
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

const char *ss_request_name(uint32_t request)
{
    return request < SS_REQUEST_MAX ? names[request] : NULL;
}

uint32_t ss_request_number(const char *name)
{
    for (uint32_t i = 0; i < SS_REQUEST_MAX; i++) {
        if (names[i] != NULL && strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return 0;
}
