/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a mapping tells of itself, in its chain.
 */
#include "analysis/model/chain-parts.h"
#include "analysis/model/text.h"

typedef struct Place {
    guint64 pointer, vdev;
    guint32 shmid;
    guint64 offset, len;
    gint32 fd;
} Place;

/* The chain of a mapping that an event tells the place of; begins it when that is asked for. */
static SsChain *of_mapping(const SsTelling *telling, const Place *place)
{
    SsChains *chains = telling->chains;
    SsChain *chain =
        ss_chain_lookup(chains, SS_CHAIN_KEY_MAPPING, telling->process, place->pointer, 0);
    if (!chain) {
        const SsMapping *mapping = g_hash_table_lookup(telling->process->mappings, &place->pointer);
        guint64 ino = mapping ? mapping->ino : 0;
        bool wanted = ss_chains_open(chains, telling->process, telling->event->ns) &&
                      (ss_chains_want_range(chains, place->shmid, place->offset, place->len) ||
                       ss_chains_want_file(chains, place->fd, ino));
        bool born = telling->event->id == SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED ||
                    telling->event->id == SS_EVENT_VIRTIO_SHMEM_MAPPING_NEW;
        chain = born ? ss_telling_dispatch(telling, wanted) : NULL;
        if (chain && chain->pointer) {
            chain = NULL; /* it has one already */
        }
        if (!chain && !wanted) {
            return NULL;
        }
        if (!chain) {
            chain =
                ss_chain_begin(chains, telling->process,
                               ss_device_by_vdev(telling->process, place->vdev, telling->event->ns),
                               telling->event->ns);
        }
        if (!chain->ino && mapping) {
            chain->ino = ino;
            chain->fdev = mapping->fdev;
            chain->label = mapping->label;
        }
        ss_chain_set_pointer(telling, chain, place->pointer);
    }
    if (!chain->device) {
        chain->device = ss_device_by_vdev(telling->process, place->vdev, telling->event->ns);
    }
    ss_chain_set_range(chain, place->shmid, place->offset, place->len);
    ss_chain_set_own(telling, chain, place->fd);
    return chain;
}

static void enter(const SsTelling *telling, SsChain *chain)
{
    chain->added = true;
    ss_chain_index(telling->chains, chain, SS_CHAIN_KEY_PLACE, chain->device, chain->shmid,
                   chain->shm_offset);
}

static void await_commit(const SsTelling *telling, SsChain *chain)
{
    if (!chain->pending) {
        chain->pending = true;
        g_ptr_array_add(telling->chains->pending, chain);
    }
}

static void added(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    Place place = { u->virtio_shmem_mapping_added.mapping, u->virtio_shmem_mapping_added.vdev,
                    u->virtio_shmem_mapping_added.shmid,   u->virtio_shmem_mapping_added.shm_offset,
                    u->virtio_shmem_mapping_added.len,     u->virtio_shmem_mapping_added.fd };
    const SsChain *known =
        ss_chain_lookup(telling->chains, SS_CHAIN_KEY_MAPPING, telling->process, place.pointer, 0);
    if (known && (known->added || known->removed)) {
        ss_telling_reused(telling, place.pointer);
    }
    SsChain *chain = of_mapping(telling, &place);
    if (!chain) {
        return;
    }
    ss_telling_add(telling, chain, SS_CHAIN_ADDED)->a = u->virtio_shmem_mapping_added.gpa;
    enter(telling, chain);
    chain->host = u->virtio_shmem_mapping_added.host;
    ss_chain_index(telling->chains, chain, SS_CHAIN_KEY_RAM, chain->host ? telling->process : NULL,
                   chain->host, 0);
    await_commit(telling, chain);
}

static void told(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    Place place = { u->virtio_shmem_mapping_state.mapping, u->virtio_shmem_mapping_state.vdev,
                    u->virtio_shmem_mapping_state.shmid,   u->virtio_shmem_mapping_state.shm_offset,
                    u->virtio_shmem_mapping_state.len,     u->virtio_shmem_mapping_state.fd };
    SsChain *chain = of_mapping(telling, &place);
    if (chain && !chain->added) {
        (void)ss_telling_add(telling, chain, SS_CHAIN_TOLD);
        enter(telling, chain);
        chain->visible = !chain->request;
    }
}

static void made(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    SsChain *chain = of_mapping(
        telling,
        &(Place){ u->virtio_shmem_mapping_new.mapping, u->virtio_shmem_mapping_new.vdev,
                  u->virtio_shmem_mapping_new.shmid, u->virtio_shmem_mapping_new.shm_offset,
                  u->virtio_shmem_mapping_new.len, u->virtio_shmem_mapping_new.fd });
    if (chain) {
        (void)ss_telling_add(telling, chain, SS_CHAIN_MADE);
    }
}

static void has_ram(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    SsChain *chain = ss_chain_lookup(telling->chains, SS_CHAIN_KEY_MAPPING, telling->process,
                                     u->virtio_shmem_mapping_ram.mapping, 0);
    if (chain) {
        (void)ss_telling_add(telling, chain, SS_CHAIN_RAM);
        chain->host = u->virtio_shmem_mapping_ram.host;
        ss_chain_index(telling->chains, chain, SS_CHAIN_KEY_RAM,
                       chain->host ? telling->process : NULL, chain->host, 0);
    }
}

static void removed(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    Place place = {
        u->virtio_shmem_mapping_removed.mapping, u->virtio_shmem_mapping_removed.vdev,
        u->virtio_shmem_mapping_removed.shmid,   u->virtio_shmem_mapping_removed.shm_offset,
        u->virtio_shmem_mapping_removed.len,     u->virtio_shmem_mapping_removed.fd
    };
    SsChain *chain = of_mapping(telling, &place);
    if (!chain || chain->removed) {
        return;
    }
    g_autofree char *reason = ss_text_sanitize(u->virtio_shmem_mapping_removed.reason, 20);
    SsChainStep *step = ss_telling_add(telling, chain, SS_CHAIN_REMOVED);
    g_strlcpy(step->word, reason, sizeof(step->word));
    chain->removed = true;
    ss_chain_unindex(telling->chains, chain, SS_CHAIN_KEY_PLACE, chain->device, chain->shmid,
                     chain->shm_offset);
    await_commit(telling, chain);
}

static void finalized(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    Place place = {
        u->virtio_shmem_mapping_finalized.mapping, u->virtio_shmem_mapping_finalized.vdev,
        u->virtio_shmem_mapping_finalized.shmid,   u->virtio_shmem_mapping_finalized.shm_offset,
        u->virtio_shmem_mapping_finalized.len,     -1
    };
    SsChain *chain = of_mapping(telling, &place);
    if (!chain) {
        return;
    }
    (void)ss_telling_add(telling, chain, SS_CHAIN_FINALIZED);
    chain->finalized = true;
    if (chain->pending) {
        chain->pending = false; /* it is not held any more: no commit is to tell of it */
        (void)g_ptr_array_remove_fast(telling->chains->pending, chain);
    }
    ss_chain_unindex(telling->chains, chain, SS_CHAIN_KEY_MAPPING, telling->process, chain->pointer,
                     0);
    ss_chain_unindex(telling->chains, chain, SS_CHAIN_KEY_PLACE, chain->device, chain->shmid,
                     chain->shm_offset);
    ss_chain_try_end(telling->chains, chain);
}

void ss_telling_mapping(const SsTelling *telling)
{
    switch (telling->event->id) {
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_NEW:
        made(telling);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_RAM:
        has_ram(telling);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED:
        added(telling);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_STATE:
        told(telling);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED:
        removed(telling);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED:
        finalized(telling);
        break;
    default:
        break;
    }
}
