/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is mapped of descriptors that came over a channel: ranges, sorted, none over another.
 */
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "file.h"
#include "tell.h"

/* Never shrinks while anything is mapped: what lies outside is nothing of ours. */
static _Atomic uint64_t lowest = UINT64_MAX, highest;

static uint64_t whole_pages(uint64_t len)
{
    static uint64_t page;
    if (!page) {
        page = (uint64_t)sysconf(_SC_PAGESIZE);
    }
    return (len + page - 1) & ~(page - 1);
}

/* Index of the first that ends behind @addr. */
static uint32_t first_behind(uint64_t addr)
{
    uint32_t low = 0, high = ss_wire_n_maps;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ss_wire_maps[middle].addr + ss_wire_maps[middle].len <= addr) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void insert(uint32_t at, const SsWireMap *map)
{
    uint32_t count = ss_wire_n_maps;
    if (count == SS_WIRE_MAPS || map->len == 0) {
        return;
    }
    memmove(&ss_wire_maps[at + 1], &ss_wire_maps[at], (count - at) * sizeof(*map));
    ss_wire_maps[at] = *map;
    if (map->addr < lowest) {
        lowest = map->addr;
    }
    if (map->addr + map->len > highest) {
        highest = map->addr + map->len;
    }
    ss_wire_n_maps = count + 1;
}

static void cut_out(uint64_t addr, uint64_t len)
{
    uint64_t end = addr + len;
    uint32_t at = first_behind(addr);
    while (at < ss_wire_n_maps && ss_wire_maps[at].addr < end) {
        SsWireMap *map = &ss_wire_maps[at];
        SsWireMap rest = *map;
        uint64_t map_end = map->addr + map->len;
        if (map->addr < addr) {
            map->len = addr - map->addr;
            at++;
        } else {
            ss_wire_n_maps--;
            memmove(map, map + 1, (ss_wire_n_maps - at) * sizeof(*map));
        }
        if (map_end > end) {
            rest.offset += end - rest.addr;
            rest.addr = end;
            rest.len = map_end - end;
            insert(at, &rest);
            break;
        }
    }
    if (ss_wire_n_maps == 0) {
        lowest = UINT64_MAX;
        highest = 0;
    }
}

bool ss_wire_may_be_mapped(uint64_t addr, uint64_t len)
{
    return atomic_load_explicit(&ss_wire_n_maps, memory_order_acquire) != 0 &&
           addr < atomic_load_explicit(&highest, memory_order_relaxed) &&
           addr + whole_pages(len) > atomic_load_explicit(&lowest, memory_order_relaxed);
}

bool ss_wire_is_mapped(uint64_t addr, uint64_t len)
{
    uint32_t at = first_behind(addr);
    return at < ss_wire_n_maps && ss_wire_maps[at].addr < addr + whole_pages(len);
}

void ss_wire_mapped(int fd, uint64_t addr, uint64_t len, uint64_t offset, int prot, int flags,
                    int error)
{
    uint32_t entry = ss_wire_entry(fd);
    if (ss_wire_entry_kind(entry) != SS_WIRE_FILE) {
        return;
    }
    ss_wire_carried_now(fd);
    SsWireMap map = {
        .addr = addr,
        .len = whole_pages(len),
        .offset = offset,
        .ino = ss_wire_files[ss_wire_entry_index(entry)].identity.ino,
        .fd = fd,
        .prot = prot,
        .flags = flags,
    };
    if (!error) {
        /* The kernel gave the range out, so whatever was there has gone. */
        cut_out(addr, map.len);
        insert(first_behind(addr), &map);
    }
    SS_WIRE_TELL(map, fd, error ? 0 : addr, len, offset, (uint32_t)prot, (uint32_t)flags, error,
                 map.ino);
}

void ss_wire_unmapped(uint64_t addr, uint64_t len, int error)
{
    if (!error) {
        cut_out(addr, whole_pages(len));
    }
    SS_WIRE_TELL(unmap, addr, len, error);
}

void ss_wire_remapped(uint64_t old_addr, uint64_t old_len, uint64_t addr, uint64_t len, int error)
{
    uint32_t at = first_behind(old_addr);
    if (!error && at < ss_wire_n_maps) {
        SsWireMap map = ss_wire_maps[at];
        map.offset += old_addr > map.addr ? old_addr - map.addr : 0;
        map.addr = addr;
        map.len = whole_pages(len);
        cut_out(old_addr, whole_pages(old_len));
        cut_out(addr, map.len);
        insert(first_behind(addr), &map);
    }
    SS_WIRE_TELL(remap, old_addr, old_len, error ? 0 : addr, len, error);
}

void ss_wire_maps_tell(void)
{
    for (uint32_t i = 0; i < ss_wire_n_maps; i++) {
        const SsWireMap *map = &ss_wire_maps[i];
        SS_WIRE_TELL(map, map->fd, map->addr, map->len, map->offset, (uint32_t)map->prot,
                     (uint32_t)map->flags, 0, map->ino);
    }
}
