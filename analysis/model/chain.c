/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which chains are kept, and how they are found again.
 */
#include "analysis/model/chain.h"

#include <string.h>

#define MANY_KEYS 32

typedef struct Key {
    gconstpointer owner;
    guint64 a, b;
    SsChainKey kind;
} Key;

static guint key_hash(gconstpointer data)
{
    const Key *key = data;
    guint64 mixed = key->a * 31 + key->b;
    return g_direct_hash(key->owner) ^ g_int64_hash(&mixed) ^ ((guint)key->kind << 27);
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
    const Key *ka = a, *kb = b;
    return ka->owner == kb->owner && ka->a == kb->a && ka->b == kb->b && ka->kind == kb->kind;
}

static void chain_free(gpointer data)
{
    SsChain *chain = data;
    g_array_unref(chain->keys);
    g_array_unref(chain->steps);
    g_free(chain);
}

SsChains *ss_chains_new(SsModel *model, const SsWanted *wanted)
{
    SsChains *chains = g_new0(SsChains, 1);
    chains->model = model;
    chains->wanted = *wanted;
    chains->index = g_hash_table_new_full(key_hash, key_equal, g_free, NULL);
    chains->live = g_ptr_array_new_with_free_func(chain_free);
    chains->ended = g_ptr_array_new_with_free_func(chain_free);
    chains->pending = g_ptr_array_new();
    ss_model_set_applied(model, ss_chains_event, chains);
    return chains;
}

void ss_chains_free(SsChains *chains)
{
    if (!chains) {
        return;
    }
    g_hash_table_unref(chains->index);
    g_ptr_array_unref(chains->live);
    g_ptr_array_unref(chains->ended);
    g_ptr_array_unref(chains->pending);
    g_free(chains);
}

SsChain *ss_chain_lookup(const SsChains *chains, SsChainKey kind, gconstpointer owner, guint64 a,
                         guint64 b)
{
    Key key = { .owner = owner, .a = a, .b = b, .kind = kind };
    return owner ? g_hash_table_lookup(chains->index, &key) : NULL;
}

/* Drops the keys that find it no more. */
static void prune(const SsChains *chains, SsChain *chain)
{
    for (guint i = chain->keys->len; i > 0; i--) {
        if (g_hash_table_lookup(chains->index, &g_array_index(chain->keys, Key, i - 1)) != chain) {
            (void)g_array_remove_index_fast(chain->keys, i - 1);
        }
    }
}

void ss_chain_index(SsChains *chains, SsChain *chain, SsChainKey kind, gconstpointer owner,
                    guint64 a, guint64 b)
{
    Key key = { .owner = owner, .a = a, .b = b, .kind = kind };
    if (!owner) {
        return;
    }
    if (chain->keys->len >= MANY_KEYS) {
        prune(chains, chain);
    }
    g_hash_table_replace(chains->index, g_memdup2(&key, sizeof(key)), chain);
    g_array_append_val(chain->keys, key);
}

void ss_chain_unindex(SsChains *chains, const SsChain *chain, SsChainKey kind, gconstpointer owner,
                      guint64 a, guint64 b)
{
    Key key = { .owner = owner, .a = a, .b = b, .kind = kind };
    if (owner && g_hash_table_lookup(chains->index, &key) == chain) {
        g_hash_table_remove(chains->index, &key);
    }
}

static gint64 at_ns(const SsChains *chains)
{
    const SsWanted *wanted = &chains->wanted;
    return wanted->at_absolute ? wanted->at_ns : chains->model->begin_ns + wanted->at_ns;
}

bool ss_chains_open(const SsChains *chains, const SsProcess *process, gint64 ns)
{
    const SsWanted *wanted = &chains->wanted;
    return (!wanted->pid || wanted->pid == process->pid) &&
           (!wanted->at_given || ns <= at_ns(chains));
}

bool ss_chains_want_range(const SsChains *chains, guint32 shmid, guint64 offset, guint64 len)
{
    const SsWanted *wanted = &chains->wanted;
    if (wanted->of_region && wanted->shmid != shmid) {
        return false;
    }
    return (wanted->kind == SS_WANTED_RANGE && wanted->offset == offset && wanted->len == len) ||
           (wanted->kind == SS_WANTED_OFFSET && offset <= wanted->offset &&
            wanted->offset - offset < len);
}

bool ss_chains_want_file(const SsChains *chains, gint32 fd, guint64 ino)
{
    const SsWanted *wanted = &chains->wanted;
    return (wanted->kind == SS_WANTED_FD && fd >= 0 && wanted->fd == fd) ||
           (wanted->kind == SS_WANTED_INODE && ino && wanted->ino == ino);
}

SsChain *ss_chain_begin(SsChains *chains, SsProcess *process, SsDevice *device, gint64 ns)
{
    SsChain *chain = g_new0(SsChain, 1);
    chain->process = process;
    chain->device = device;
    chain->own_fd = chain->a_received = -1;
    chain->first_ns = chain->last_ns = ns;
    chain->keys = g_array_new(FALSE, FALSE, sizeof(Key));
    chain->steps = g_array_new(FALSE, TRUE, sizeof(SsChainStep));
    g_ptr_array_add(chains->live, chain);
    return chain;
}

SsChainStep *ss_chain_add(SsChain *chain, SsChainStepKind kind, gint64 ns, gint32 tid)
{
    chain->first_ns = MIN(chain->first_ns, ns);
    chain->last_ns = MAX(chain->last_ns, ns);
    if (chain->steps->len == SS_CHAIN_STEPS) {
        chain->more++;
        return NULL;
    }
    SsChainStep step = { .ns = ns, .kind = kind, .tid = tid };
    g_array_append_val(chain->steps, step);
    return &g_array_index(chain->steps, SsChainStep, chain->steps->len - 1);
}

static bool any_word(char **words, const char *a, const char *b)
{
    return !words || g_strv_contains((const char *const *)words, a) ||
           (b && g_strv_contains((const char *const *)words, b));
}

/* Of the process and the device by all that is known of them by now. */
static bool fits(const SsChains *chains, const SsChain *chain)
{
    const SsWanted *wanted = &chains->wanted;
    const SsDevice *device = chain->device;
    bool file = wanted->kind == SS_WANTED_FD || wanted->kind == SS_WANTED_INODE;
    return any_word(wanted->vms, chain->process->vm, NULL) &&
           (!wanted->devices ||
            (device && any_word(wanted->devices, *device->id ? device->id : device->chardev,
                                device->chardev))) &&
           !(file && wanted->of_region && (!chain->has_range || chain->shmid != wanted->shmid)) &&
           !(wanted->at_given && chain->ended && chain->last_ns < at_ns(chains));
}

static void forget(SsChains *chains, SsChain *chain)
{
    prune(chains, chain);
    for (guint i = 0; i < chain->keys->len; i++) {
        (void)g_hash_table_remove(chains->index, &g_array_index(chain->keys, Key, i));
    }
    g_array_set_size(chain->keys, 0);
    (void)g_ptr_array_remove_fast(chains->pending, chain);
}

void ss_chain_end(SsChains *chains, SsChain *chain)
{
    guint index = 0;
    chain->ended = true;
    forget(chains, chain);
    if (!g_ptr_array_find(chains->live, chain, &index)) {
        return;
    }
    (void)g_ptr_array_steal_index_fast(chains->live, index);
    if (!fits(chains, chain)) {
        chain_free(chain);
    } else if (chains->ended->len == SS_CHAINS_ENDED) {
        chains->more++;
        chain_free(chain);
    } else {
        g_ptr_array_add(chains->ended, chain);
    }
}

void ss_chain_try_end(SsChains *chains, SsChain *chain)
{
    /* The next request is read only when the one before is done. */
    bool done = !chain->request || chain->dispatched ||
                (chain->device && chain->device->last_seq > chain->seq);
    bool made = chain->pointer != 0;
    bool gone = !made || (chain->finalized && (chain->host ? chain->reclaimed : !chain->own_open));
    if (done && gone && !chain->n_received && !chain->own_open && !chain->pending) {
        ss_chain_end(chains, chain);
    }
}

static gint by_begin(gconstpointer a, gconstpointer b)
{
    const SsChain *ca = *(const SsChain *const *)a;
    const SsChain *cb = *(const SsChain *const *)b;
    if (ca->first_ns != cb->first_ns) {
        return ca->first_ns < cb->first_ns ? -1 : 1;
    }
    return ca->seq < cb->seq ? -1 : ca->seq > cb->seq;
}

GPtrArray *ss_chains_found(const SsChains *chains)
{
    GPtrArray *found = g_ptr_array_new();
    const GPtrArray *const all[] = { chains->ended, chains->live };
    for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
        for (guint j = 0; j < all[i]->len; j++) {
            if (fits(chains, g_ptr_array_index(all[i], j))) {
                g_ptr_array_add(found, g_ptr_array_index(all[i], j));
            }
        }
    }
    g_ptr_array_sort(found, by_begin);
    return found;
}
