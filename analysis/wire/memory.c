/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Descriptors that came over a back-end channel, their duplicates, and the memory that is mapped
 * of them. A duplicate of what came with a SHMEM_MAP is its mapping's own, and the mapping is
 * known by it; that its memory goes says that nothing holds the mapping any more.
 */
#include <string.h>
#include <sys/mman.h>

#include "analysis/wire/frontend.h"

void ss_wire_mapping_free(gpointer mapping)
{
    g_free(mapping);
}

SsWireMapping *ss_wire_mapping_find(const SsWireProcess *process, guint64 id)
{
    return g_hash_table_lookup(process->frontend->mappings, &id);
}

static guint hash_place(gconstpointer key)
{
    const SsWireMapping *mapping = key;
    guint64 place = mapping->shm_offset ^ ((guint64)mapping->shmid << 48) ^ (mapping->len << 7);
    return g_int64_hash(&place);
}

static gboolean same_place(gconstpointer a, gconstpointer b)
{
    const SsWireMapping *ma = a;
    const SsWireMapping *mb = b;
    return ma->shmid == mb->shmid && ma->shm_offset == mb->shm_offset && ma->len == mb->len;
}

SsWireMapping *ss_wire_mapping_at(SsWireConn *main, const SsAsked *asked)
{
    SsFrontendChannel *side = main ? ss_wire_side(main) : NULL;
    SsWireMapping key = { .shmid = asked->shmid,
                          .shm_offset = asked->shm_offset,
                          .len = asked->len };
    return side && side->placed ? g_hash_table_lookup(side->placed, &key) : NULL;
}

static void leave_place(SsWireMapping *mapping)
{
    SsFrontendChannel *side = mapping->main ? ss_wire_side(mapping->main) : NULL;
    if (side && side->placed && g_hash_table_lookup(side->placed, mapping) == mapping) {
        g_hash_table_remove(side->placed, mapping);
    }
}

static gint by_address(gconstpointer a, gconstpointer b, gpointer user_data)
{
    const guint64 *ia = a;
    const guint64 *ib = b;
    (void)user_data;
    return *ia < *ib ? -1 : *ia > *ib;
}

static void leave_memory(SsFrontend *frontend, SsWireMapping *mapping)
{
    if (frontend->memory && mapping->addr &&
        g_tree_lookup(frontend->memory, &mapping->addr) == mapping) {
        (void)g_tree_remove(frontend->memory, &mapping->addr);
    }
}

void ss_wire_mapping_add(SsWireProcess *process, SsWireMapping *mapping, const SsEvent *at)
{
    SsFrontendChannel *side = ss_wire_side(mapping->main);
    mapping->added = true;
    if (!side->placed) {
        side->placed = g_hash_table_new(hash_place, same_place);
    }
    g_hash_table_replace(side->placed, mapping, mapping);
    ss_wire_emit_mapping(process, mapping, at, SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED, NULL);
}

void ss_wire_mapping_remove(SsWireProcess *process, SsWireMapping *mapping, const SsEvent *at,
                            const char *reason)
{
    leave_place(mapping);
    mapping->removed = true;
    ss_wire_emit_mapping(process, mapping, at, SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED, reason);
}

static void forget_mapping(SsFrontend *frontend, SsWireMapping *mapping)
{
    leave_place(mapping);
    leave_memory(frontend, mapping);
    g_hash_table_remove(frontend->mappings, &mapping->id);
}

/* Its memory has gone, or it never had any: whatever held it does so no more. */
static void finalize(SsWireProcess *process, SsWireMapping *mapping, const SsEvent *at)
{
    if (mapping->added && !mapping->removed) {
        ss_wire_mapping_remove(process, mapping, at, mapping->main->closed ? "disconnect" : "");
    }
    mapping->finalized = true;
    ss_wire_emit_mapping(process, mapping, at, SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED, NULL);
    if (mapping->fd < 0) {
        forget_mapping(process->frontend, mapping);
    }
}

static SsWireFd *fd_at(const SsFrontend *frontend, gint32 number)
{
    return g_hash_table_lookup(frontend->fds, GINT_TO_POINTER(number));
}

/* The number names something new: what had it has ended, with or without a word. */
static SsWireFd *fd_new(SsFrontend *frontend, gint32 number)
{
    SsWireFd *older = fd_at(frontend, number);
    if (older && older->open && older->mapping) {
        older->mapping->fd = -1;
        if (older->mapping->finalized) {
            forget_mapping(frontend, older->mapping);
        }
    }
    SsWireFd *fd = g_new0(SsWireFd, 1);
    fd->number = number;
    fd->open = true;
    g_hash_table_replace(frontend->fds, GINT_TO_POINTER(number), fd);
    return fd;
}

void ss_wire_received(SsWireConn *conn, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsAsked *asked = &ss_wire_side(conn)->asked;
    const SsWireFd *known = fd_at(ss_wire_frontend_of(conn->process), u->shmemscope_wire_fd.fd);
    /* A state dump tells again of what is open, duplicates too. */
    bool again = known && known->open && known->conn == conn &&
                 known->seq == u->shmemscope_wire_fd.seq && known->ino == u->shmemscope_wire_fd.ino;
    if (u->shmemscope_wire_fd.fd < 0 || again) {
        return;
    }
    SsWireFd *fd = fd_new(ss_wire_frontend_of(conn->process), u->shmemscope_wire_fd.fd);
    fd->conn = conn;
    fd->seq = u->shmemscope_wire_fd.seq;
    fd->ino = u->shmemscope_wire_fd.ino;
    asked->received++;
    SsEvent made = ss_wire_make(event, SS_EVENT_VHOST_USER_BACKEND_FD);
    made.u.vhost_user_backend_fd.dev = conn->main;
    made.u.vhost_user_backend_fd.seq = u->shmemscope_wire_fd.seq;
    made.u.vhost_user_backend_fd.fd = u->shmemscope_wire_fd.fd;
    made.u.vhost_user_backend_fd.index = u->shmemscope_wire_fd.index;
    made.u.vhost_user_backend_fd.fdev = u->shmemscope_wire_fd.fdev;
    made.u.vhost_user_backend_fd.ino = u->shmemscope_wire_fd.ino;
    made.u.vhost_user_backend_fd.size = u->shmemscope_wire_fd.size;
    (void)ss_wire_emit(conn->process, &made);
}

/* The first duplicate that is made for a SHMEM_MAP is its mapping's. */
static SsWireMapping *mapping_new(SsFrontend *frontend, const SsWireFd *source, gint32 number)
{
    SsWireConn *main = ss_wire_main_of(source->conn);
    SsAsked *asked = &ss_wire_side(source->conn)->asked;
    if (!main || source->mapping || source->mapping_id || asked->seq != source->seq ||
        asked->done || asked->mapping || asked->request != SS_REQUEST_SHMEM_MAP ||
        !asked->has_range) {
        return NULL;
    }
    SsWireMapping *mapping = g_new0(SsWireMapping, 1);
    *mapping = (SsWireMapping){ .id = ++frontend->next_mapping,
                                .main = main,
                                .seq = asked->seq,
                                .shmid = asked->shmid,
                                .fd_offset = asked->fd_offset,
                                .shm_offset = asked->shm_offset,
                                .len = asked->len,
                                .fd = number };
    asked->mapping = mapping->id;
    g_hash_table_insert(frontend->mappings, &mapping->id, mapping);
    return mapping;
}

static void duplicated(SsWireProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsFrontend *frontend = process->frontend;
    const SsWireFd *source = fd_at(frontend, u->shmemscope_wire_fd_dup.fd);
    gint32 number = u->shmemscope_wire_fd_dup.newfd;
    if (!source || !source->open) {
        return;
    }
    SsEvent made = ss_wire_make(event, SS_EVENT_VIRTIO_SHMEM_FD_DUP);
    made.u.virtio_shmem_fd_dup.fd = source->number;
    made.u.virtio_shmem_fd_dup.newfd = number;
    made.u.virtio_shmem_fd_dup.ret = u->shmemscope_wire_fd_dup.ret;
    if (number >= 0 && number != source->number) {
        SsWireFd copy = *source;
        SsWireMapping *mapping = mapping_new(frontend, source, number);
        SsWireFd *fd = fd_new(frontend, number);
        fd->conn = copy.conn;
        fd->seq = copy.seq;
        fd->ino = copy.ino;
        fd->mapping = mapping;
        /* Any other duplicate is nobody's, which is not the same as received. */
        fd->mapping_id = mapping ? mapping->id : G_MAXUINT64;
        made.u.virtio_shmem_fd_dup.mapping = mapping ? mapping->id : 0;
    }
    (void)ss_wire_emit(process, &made);
}

static bool is_received(const SsWireFd *fd)
{
    return !fd->mapping_id;
}

static void close_received(SsWireProcess *process, SsWireFd *fd, const SsEvent *event)
{
    SsAsked *asked = &ss_wire_side(fd->conn)->asked;
    SsEvent made = ss_wire_make(event, SS_EVENT_VHOST_USER_BACKEND_FD_CLOSE);
    made.u.vhost_user_backend_fd_close.dev = fd->conn->main;
    made.u.vhost_user_backend_fd_close.seq = fd->seq;
    made.u.vhost_user_backend_fd_close.fd = fd->number;
    made.u.vhost_user_backend_fd_close.ret = event->u.shmemscope_wire_fd_close.ret;
    (void)ss_wire_emit(process, &made);
    if (!fd->open || asked->seq != fd->seq || asked->done) {
        return;
    }
    asked->received -= asked->received > 0;
    asked->last_ns = MAX(asked->last_ns, event->ns);
    if (!asked->received && !ss_wire_owes(fd->conn)) {
        ss_wire_asked_ends(fd->conn, event, 0);
    }
}

static void emit_closed(SsWireProcess *process, const SsWireFd *fd, const SsEvent *event,
                        bool by_mapping)
{
    gint32 ret = event->u.shmemscope_wire_fd_close.ret;
    if (by_mapping) {
        SsEvent made = ss_wire_make(event, SS_EVENT_VIRTIO_SHMEM_FD_CLOSE);
        made.u.virtio_shmem_fd_close.mapping = fd->mapping_id == G_MAXUINT64 ? 0 : fd->mapping_id;
        made.u.virtio_shmem_fd_close.fd = fd->number;
        made.u.virtio_shmem_fd_close.ret = ret;
        (void)ss_wire_emit(process, &made);
    } else {
        SsEvent made = ss_wire_make(event, SS_EVENT_RAM_BLOCK_RECLAIMED);
        made.u.ram_block_reclaimed.host = fd->host;
        made.u.ram_block_reclaimed.len = fd->host_len;
        made.u.ram_block_reclaimed.fd = fd->number;
        made.u.ram_block_reclaimed.ret = ret;
        (void)ss_wire_emit(process, &made);
    }
}

static void close_duplicate(SsWireProcess *process, SsWireFd *fd, const SsEvent *event)
{
    SsWireMapping *mapping = fd->mapping;
    if (!fd->open) {
        /* What was closed with the mapping's memory still there, the memory's end closes again. */
        emit_closed(process, fd, event, !(fd->by_mapping && fd->host));
        return;
    }
    fd->by_mapping = !mapping || !mapping->finalized || !mapping->told_memory;
    if (mapping && mapping->addr) {
        /* One that is closed while the request's dispatch goes on is closed of a mapping. */
        SsWireConn *conn = fd->conn;
        const SsAsked *asked = &ss_wire_side(conn)->asked;
        if (asked->mapping == mapping->id && !asked->done) {
            ss_wire_asked_adds(conn, event);
        }
    }
    fd->mapping = NULL;
    emit_closed(process, fd, event, fd->by_mapping);
    if (!mapping) {
        return;
    }
    mapping->fd = -1;
    if (mapping->finalized) {
        forget_mapping(process->frontend, mapping);
    } else if (!mapping->told_memory || mapping->removed) {
        /* Who closes it with its memory still there is the mapping at its own end. */
        finalize(process, mapping, event);
    }
}

static void closed(SsWireProcess *process, const SsEvent *event)
{
    SsWireFd *fd = fd_at(process->frontend, event->u.shmemscope_wire_fd_close.fd);
    if (!fd) {
        return;
    }
    if (is_received(fd)) {
        close_received(process, fd, event);
    } else {
        close_duplicate(process, fd, event);
    }
    fd->open = false;
}

static void mapped(SsWireProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsFrontend *frontend = process->frontend;
    SsWireFd *fd = fd_at(frontend, u->shmemscope_wire_map.fd);
    SsWireMapping *mapping = fd && fd->open ? fd->mapping : NULL;
    if (!mapping || mapping->told_memory || u->shmemscope_wire_map.ret ||
        !u->shmemscope_wire_map.addr || !u->shmemscope_wire_map.len) {
        return;
    }
    mapping->told_memory = true;
    mapping->addr = u->shmemscope_wire_map.addr;
    mapping->mapped = fd->host_len = u->shmemscope_wire_map.len;
    mapping->writable = u->shmemscope_wire_map.prot & PROT_WRITE;
    fd->host = mapping->addr;
    if (!frontend->memory) {
        frontend->memory = g_tree_new_full(by_address, NULL, NULL, NULL);
    }
    g_tree_insert(frontend->memory, &mapping->addr, mapping);
    SsEvent object = ss_wire_make(event, SS_EVENT_VIRTIO_SHMEM_MAPPING_NEW);
    object.u.virtio_shmem_mapping_new.mapping = mapping->id;
    object.u.virtio_shmem_mapping_new.vdev = mapping->main->conn;
    object.u.virtio_shmem_mapping_new.shmid = mapping->shmid;
    object.u.virtio_shmem_mapping_new.shm_offset = mapping->shm_offset;
    object.u.virtio_shmem_mapping_new.len = mapping->len;
    object.u.virtio_shmem_mapping_new.fd_offset = mapping->fd_offset;
    object.u.virtio_shmem_mapping_new.writable = mapping->writable;
    object.u.virtio_shmem_mapping_new.fd = mapping->fd;
    ss_wire_emit(process, &object);
    SsEvent made = ss_wire_make(event, SS_EVENT_VIRTIO_SHMEM_MAPPING_RAM);
    made.u.virtio_shmem_mapping_ram.mapping = mapping->id;
    made.u.virtio_shmem_mapping_ram.host = mapping->addr;
    made.u.virtio_shmem_mapping_ram.len = mapping->mapped;
    made.u.virtio_shmem_mapping_ram.fd = mapping->fd;
    ss_wire_emit(process, &made);
}

/* The first mapping that has a byte of the range; NULL when there is none. */
static SsWireMapping *first_in(const SsFrontend *frontend, guint64 addr, guint64 end)
{
    GTreeNode *node = g_tree_upper_bound(frontend->memory, &addr);
    GTreeNode *before = node ? g_tree_node_previous(node) : g_tree_node_last(frontend->memory);
    SsWireMapping *mapping = before ? g_tree_node_value(before) : NULL;
    if (mapping && mapping->mapped > addr - mapping->addr) {
        return mapping;
    }
    mapping = node ? g_tree_node_value(node) : NULL;
    return mapping && mapping->addr < end ? mapping : NULL;
}

static void unmapped(SsWireProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsFrontend *frontend = process->frontend;
    guint64 addr = u->shmemscope_wire_unmap.addr;
    guint64 end = addr + MIN(u->shmemscope_wire_unmap.len, G_MAXUINT64 - addr);
    SsWireMapping *mapping;
    if (u->shmemscope_wire_unmap.ret || !frontend->memory) {
        return;
    }
    while (addr < end && (mapping = first_in(frontend, addr, end))) {
        guint64 last = mapping->addr + mapping->mapped;
        leave_memory(frontend, mapping);
        if (mapping->addr < addr) {
            mapping->mapped = addr - mapping->addr; /* what follows the hole is not known of */
            g_tree_insert(frontend->memory, &mapping->addr, mapping);
        } else if (last > end) {
            mapping->mapped = last - end;
            mapping->addr = end;
            g_tree_insert(frontend->memory, &mapping->addr, mapping);
        } else {
            mapping->addr = mapping->mapped = 0;
            finalize(process, mapping, event);
        }
        addr = MAX(addr, MIN(last, end));
    }
}

static void remapped(SsWireProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsFrontend *frontend = process->frontend;
    guint64 addr = u->shmemscope_wire_remap.old_addr;
    SsWireMapping *mapping = frontend->memory ? g_tree_lookup(frontend->memory, &addr) : NULL;
    if (!mapping || u->shmemscope_wire_remap.ret || !u->shmemscope_wire_remap.addr ||
        !u->shmemscope_wire_remap.len) {
        return;
    }
    leave_memory(frontend, mapping);
    mapping->addr = u->shmemscope_wire_remap.addr;
    mapping->mapped = u->shmemscope_wire_remap.len;
    g_tree_insert(frontend->memory, &mapping->addr, mapping);
}

/* It has gone, and nobody saw who closed it. */
static void lost(SsWireProcess *process, const SsEvent *event)
{
    gint32 number = event->u.shmemscope_wire_fd_lost.fd;
    guint64 ino = event->u.shmemscope_wire_fd_lost.ino;
    SsWireFd *fd = fd_at(process->frontend, number);
    bool its = fd && fd->open && (!fd->ino || fd->ino == ino);
    if (process->known) {
        ss_descriptor_unwatched(process->wire->model, process->known, its ? number : -1, ino);
    }
    if (!its) {
        return;
    }
    fd->open = false;
    SsAsked *asked = &ss_wire_side(fd->conn)->asked;
    if (is_received(fd) && asked->seq == fd->seq && !asked->done) {
        asked->received -= asked->received > 0;
    }
    SsWireMapping *mapping = fd->mapping;
    fd->mapping = NULL;
    if (mapping) {
        mapping->fd = -1;
        if (mapping->finalized) {
            forget_mapping(process->frontend, mapping);
        }
    }
}

void ss_wire_memory_event(SsWireProcess *process, const SsEvent *event)
{
    switch (event->id) {
    case SS_EVENT_SHMEMSCOPE_WIRE_FD_DUP:
        duplicated(process, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_FD_CLOSE:
        closed(process, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_MAP:
        mapped(process, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_UNMAP:
        unmapped(process, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_REMAP:
        remapped(process, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_FD_LOST:
        lost(process, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_FD_FOUND:
        if (process->known) {
            ss_descriptor_unwatched(process->wire->model, process->known, -1,
                                    event->u.shmemscope_wire_fd_found.ino);
        }
        break;
    default:
        break;
    }
}
