/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The MemoryRegion structures of mappings: when they end, and whether their memory is used
 * again. A structure inside of its mapping's object goes with it; one that was allocated apart
 * has to be freed by itself.
 */
#include "analysis/model/parts.h"

/* Addresses beyond these are not remembered: what there is to know is known by then. */
#define MAX_ADDRESSES 4096

static void structure_free(gpointer data)
{
    g_free(data);
}

void ss_structures_init(SsStructures *structures)
{
    structures->live = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, structure_free);
    structures->by_mapping = g_hash_table_new(g_int64_hash, g_int64_equal);
    structures->mappings_seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    structures->seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
}

void ss_structures_clear(SsStructures *structures)
{
    g_hash_table_unref(structures->by_mapping);
    g_hash_table_unref(structures->live);
    g_hash_table_unref(structures->mappings_seen);
    g_hash_table_unref(structures->seen);
}

/* Whether it was there before. */
static bool seen_again(GHashTable *seen, guint64 address)
{
    if (g_hash_table_contains(seen, &address)) {
        return true;
    }
    g_hash_table_add(seen, g_memdup2(&address, sizeof(address)));
    return false;
}

static void forget(SsStructures *structures, SsStructure *structure)
{
    if (g_hash_table_lookup(structures->by_mapping, &structure->mapping) == structure) {
        g_hash_table_remove(structures->by_mapping, &structure->mapping);
    }
    g_hash_table_remove(structures->live, &structure->mr);
}

static void made(SsProcess *process, const SsEvent *event)
{
    SsStructures *all = &process->structures;
    guint64 mr = event->u.virtio_shmem_mapping_ram.mr;
    guint64 pointer = event->u.virtio_shmem_mapping_ram.mapping;
    const SsMapping *mapping = g_hash_table_lookup(process->mappings, &pointer);
    if (!mr) {
        return; /* told from outside, where nobody sees it */
    }
    SsStructure *older = g_hash_table_lookup(all->live, &mr);
    if (older) {
        forget(all, older); /* it ended unseen: its memory is in use again */
    }
    older = g_hash_table_lookup(all->by_mapping, &pointer);
    if (older) {
        forget(all, older); /* and so did its mapping */
    }
    SsStructure *structure = g_new0(SsStructure, 1);
    structure->mr = mr;
    structure->mapping = pointer;
    structure->birth_ns = event->ns;
    structure->ino = mapping ? mapping->ino : 0;
    structure->label = mapping ? mapping->label : 0;
    structure->fd = event->u.virtio_shmem_mapping_ram.fd;
    structure->device = mapping ? mapping->device : NULL;
    g_hash_table_insert(all->live, &structure->mr, structure);
    g_hash_table_insert(all->by_mapping, &structure->mapping, structure);

    all->first_ns = all->first_ns ? all->first_ns : event->ns;
    all->several = all->several || (all->made && all->device != structure->device);
    all->device = structure->device;
    all->made++;
    if (g_hash_table_size(all->seen) < MAX_ADDRESSES) {
        all->mappings_again += seen_again(all->mappings_seen, pointer);
        all->again += seen_again(all->seen, mr);
    }
}

static void placed(SsProcess *process, const SsEvent *event)
{
    guint64 pointer = event->u.virtio_shmem_mapping_added.mapping;
    SsStructure *structure = g_hash_table_lookup(process->structures.by_mapping, &pointer);
    if (structure) {
        structure->device =
            ss_device_by_vdev(process, event->u.virtio_shmem_mapping_added.vdev, event->ns);
        structure->shmid = event->u.virtio_shmem_mapping_added.shmid;
        structure->shm_offset = event->u.virtio_shmem_mapping_added.shm_offset;
        structure->len = event->u.virtio_shmem_mapping_added.len;
    }
}

static void mapping_ended(SsProcess *process, const SsEvent *event)
{
    SsStructures *all = &process->structures;
    guint64 pointer = event->u.virtio_shmem_mapping_finalized.mapping;
    SsStructure *structure = g_hash_table_lookup(all->by_mapping, &pointer);
    if (!structure) {
        /* It ended before its mapping, as it should, or was not seen to begin. */
        all->newest_whole_ns = MAX(all->newest_whole_ns, event->ns);
        return;
    }
    structure->mapping_ended_ns = event->ns;
    g_hash_table_remove(all->by_mapping, &pointer);
}

static void ended(SsProcess *process, const SsEvent *event)
{
    SsStructures *all = &process->structures;
    guint64 mr = event->u.memory_region_finalized.mr;
    SsStructure *structure = g_hash_table_lookup(all->live, &mr);
    if (!structure) {
        return; /* one of QEMU's other regions */
    }
    all->ended++;
    all->newest_whole_ns = MAX(all->newest_whole_ns, structure->mapping_ended_ns);
    forget(all, structure);
}

void ss_structure_event(SsProcess *process, const SsEvent *event)
{
    switch (event->id) {
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_RAM:
        made(process, event);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED:
        placed(process, event);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED:
        mapping_ended(process, event);
        break;
    case SS_EVENT_MEMORY_REGION_FINALIZED:
        ended(process, event);
        break;
    default:
        break;
    }
}
