/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "analysis/autopsy/parts.h"

/* The kernel fills at most 32 kB a message. */
#define SS_DUMP_BYTES (64u << 10)
#define SS_MAX_SOCKETS 1000000u

static void diag_free(gpointer data)
{
    SsDiag *diag = data;
    g_free(diag->path);
    g_free(diag);
}

GHashTable *ss_diag_new(void)
{
    return g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, diag_free);
}

SsDiag *ss_diag_of(GHashTable *table, guint64 inode)
{
    SsDiag *diag = g_hash_table_lookup(table, &inode);
    if (!diag) {
        diag = g_new0(SsDiag, 1);
        diag->inode = inode;
        diag->path = g_strdup("");
        g_hash_table_insert(table, &diag->inode, diag);
    }
    return diag;
}

/* A name in the abstract space begins with NUL, and has no end but its length. */
char *ss_socket_path(const char *name, gsize len)
{
    if (len && name[0] == '\0') {
        g_autofree char *abstract = g_strndup("", len);
        abstract[0] = '@';
        for (gsize i = 1; i < len; i++) {
            abstract[i] = name[i] ? name[i] : '@';
        }
        return g_utf8_make_valid(abstract, (gssize)len);
    }
    return ss_evidence_string(name, len, 108);
}

/* Connections that the listener has not accepted: their inodes. */
static void note_pending(GHashTable *pending, const SsDiag *listener, const struct rtattr *attr)
{
    const guint32 *inodes = RTA_DATA(attr);
    for (gsize i = 0; i < RTA_PAYLOAD(attr) / sizeof *inodes; i++) {
        guint64 *pair = g_new(guint64, 2);
        pair[0] = inodes[i];
        pair[1] = listener->inode;
        g_hash_table_replace(pending, pair, pair);
    }
}

static void take_attribute(SsDiag *diag, GHashTable *pending, const struct rtattr *attr)
{
    gsize len = RTA_PAYLOAD(attr);
    const void *data = RTA_DATA(attr);
    switch (attr->rta_type) {
    case UNIX_DIAG_NAME:
        g_free(diag->path);
        diag->path = ss_socket_path(data, len);
        break;
    case UNIX_DIAG_VFS:
        if (len >= sizeof(struct unix_diag_vfs)) {
            const struct unix_diag_vfs *file = data;
            /* As the kernel has a device inside: 12 bits, then 20. */
            diag->file_dev = makedev(file->udiag_vfs_dev >> 20, file->udiag_vfs_dev & 0xfffff);
            diag->file_inode = file->udiag_vfs_ino;
        }
        break;
    case UNIX_DIAG_PEER:
        if (len >= sizeof(guint32)) {
            guint32 peer;
            memcpy(&peer, data, sizeof peer);
            diag->peer = peer;
        }
        break;
    case UNIX_DIAG_RQLEN:
        if (len >= sizeof(struct unix_diag_rqlen)) {
            diag->unread = ((const struct unix_diag_rqlen *)data)->udiag_rqueue;
        }
        break;
    case UNIX_DIAG_ICONS:
        note_pending(pending, diag, attr);
        break;
    default:
        break;
    }
}

static void take_socket(GHashTable *table, GHashTable *pending, const struct nlmsghdr *header,
                        guint64 netns)
{
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)) ||
        g_hash_table_size(table) >= SS_MAX_SOCKETS) {
        return;
    }
    const struct unix_diag_msg *message = NLMSG_DATA(header);
    /* What is known already, of another namespace's listener, stays at its place. */
    SsDiag *diag = ss_diag_of(table, message->udiag_ino);
    diag->netns = netns;
    diag->listens = message->udiag_state == TCP_LISTEN;
    if (diag->hidden) { /* no more, and the name is that of either end */
        diag->hidden = false;
        diag->path[0] = '\0';
    }
    int len = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof *message));
    const struct rtattr *attr = (const struct rtattr *)(message + 1);
    for (; RTA_OK(attr, len); attr = RTA_NEXT(attr, len)) {
        take_attribute(diag, pending, attr);
    }
    if (diag->listens) {
        diag->unread = 0; /* connections, not bytes */
    }
}

/* Returns 1 at the end, 0 when more comes, or a negative errno. */
static int take_messages(GHashTable *table, GHashTable *pending, const void *bytes, gssize len,
                         guint64 netns)
{
    for (gsize at = 0; at + sizeof(struct nlmsghdr) <= (gsize)len;) {
        const struct nlmsghdr *header = (const struct nlmsghdr *)((const char *)bytes + at);
        if (header->nlmsg_len < sizeof *header || header->nlmsg_len > (gsize)len - at) {
            return -EIO;
        }
        at += NLMSG_ALIGN(header->nlmsg_len);
        if (header->nlmsg_type == NLMSG_DONE) {
            return 1;
        }
        if (header->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *error = NLMSG_DATA(header);
            return error->error < 0 ? error->error : -EIO;
        }
        if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY) {
            take_socket(table, pending, header, netns);
        }
    }
    return 0;
}

static int ask(int socket)
{
    struct {
        struct nlmsghdr header;
        struct unix_diag_req request;
    } message = {
        .header = { .nlmsg_len = sizeof message,
                    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .request = { .sdiag_family = AF_UNIX,
                     .udiag_states = ~0u,
                     .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER |
                                   UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN },
    };
    return send(socket, &message, sizeof message, 0) < 0 ? errno : 0;
}

int ss_diag_dump(GHashTable *table, int socket, guint64 netns)
{
    int result = ask(socket);
    if (result) {
        return result;
    }
    g_autofree char *buffer = g_malloc(SS_DUMP_BYTES);
    g_autoptr(GHashTable) pending =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    while (result == 0) {
        gssize len = recv(socket, buffer, SS_DUMP_BYTES, 0);
        if (len < 0 && errno == EINTR) {
            continue;
        }
        result = len < 0 ? -errno : take_messages(table, pending, buffer, len, netns);
    }
    GHashTableIter iter;
    gpointer pair;
    g_hash_table_iter_init(&iter, pending);
    while (g_hash_table_iter_next(&iter, &pair, NULL)) {
        const guint64 *inodes = pair;
        if (inodes[0]) { /* 0: it was closed meanwhile; else it may be another namespace's */
            ss_diag_of(table, inodes[0])->pending_at = inodes[1];
        }
    }
    return result < 0 ? -result : 0;
}
