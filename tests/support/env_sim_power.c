/* What a power cut leaves of the disk. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "env_sim_int.h"

/* The odds of one cut: a thing not synced survives `odds` times in 4. */
struct lot {
    struct env_sim *sim;
    uint64_t odds;
};

static bool survives(struct lot *lot)
{
    switch (lot->sim->survival) {
    case ENV_SIM_SURVIVE_NOTHING:
        return false;
    case ENV_SIM_SURVIVE_ALL: /* the program alone died: nothing is settled */
        break;
    case ENV_SIM_SURVIVE_RANDOM:
        return prng_chance(&lot->sim->prng, lot->odds, 4);
    case ENV_SIM_SURVIVE_CHOSEN:
        return lot->sim->chosen >> (lot->sim->choices++ % 64) & 1;
    }
    UNREACHABLE();
}

static uint64_t surviving_size(struct lot *lot, const struct sim_inode *inode)
{
    if (inode->size == inode->size_durable || !survives(lot))
        return inode->size_durable;
    /* Growth may stop on the way. */
    if (lot->sim->survival == ENV_SIM_SURVIVE_RANDOM && inode->size > inode->size_durable &&
        prng_chance(&lot->sim->prng, 1, 2))
        return prng_between(&lot->sim->prng, inode->size_durable, inode->size);
    return inode->size;
}

/* Puts the sector's surviving bytes to `to`, which is zeros. */
static void settle_sector(struct lot *lot, const struct sim_inode *inode, uint64_t offset,
                          uint8_t *to, uint64_t size)
{
    uint8_t now[SIM_SECTOR] = {0}, durable[SIM_SECTOR] = {0};
    ASSERT(size <= SIM_SECTOR);
    if (offset < inode->size)
        memcpy(now, inode->now.at + offset,
               inode->size - offset < size ? inode->size - offset : size);
    if (offset < inode->size_durable)
        memcpy(durable, inode->durable.at + offset,
               inode->size_durable - offset < size ? inode->size_durable - offset : size);
    bool same = memcmp(now, durable, size) == 0;
    const uint8_t *from = same || survives(lot) ? now : durable;
    static const uint8_t zeros[SIM_SECTOR];
    if (memcmp(from, zeros, size) != 0) /* keeps untouched pages untouched */
        memcpy(to, from, size);
}

/* The file as it comes back: a new inode, volatile and durable content alike. */
static struct sim_inode *settle_inode(struct lot *lot, const struct sim_inode *inode)
{
    struct sim_inode *settled = sim__inode_create();
    uint64_t size = surviving_size(lot, inode);
    settled->size = size;
    settled->size_durable = size;
    if (size == 0)
        return settled;
    sim__region_grow(&settled->now, 0, size, false);
    sim__region_grow(&settled->durable, 0, size, false);
    for (uint64_t at = 0; at < size; at += SIM_SECTOR) {
        uint64_t n = size - at < SIM_SECTOR ? size - at : SIM_SECTOR;
        settle_sector(lot, inode, at, settled->now.at + at, n);
    }
    for (uint64_t at = 0; at < size; at += SIM_PAGE) {
        uint64_t n = size - at < SIM_PAGE ? size - at : SIM_PAGE;
        static const uint8_t zeros[SIM_PAGE];
        if (memcmp(settled->now.at + at, zeros, n) != 0)
            memcpy(settled->durable.at + at, settled->now.at + at, n);
    }
    return settled;
}

/* ---- the death of the program alone -------------------------------------------------------------
 *
 * Everything reads as before, and what was not synced still is not. Each inode is copied, because
 * handles and maps of the dead program hold on to the old one. */

struct copies {
    struct {
        struct sim_inode *from, *to;
    } * items;
    uint32_t count, capacity;
};

static void copy_bytes(struct sim_region *to, const struct sim_region *from, uint64_t size)
{
    static const uint8_t zeros[SIM_PAGE];
    if (size == 0)
        return;
    sim__region_grow(to, 0, size, false);
    for (uint64_t at = 0; at < size; at += SIM_PAGE) {
        uint64_t n = size - at < SIM_PAGE ? size - at : SIM_PAGE;
        if (memcmp(from->at + at, zeros, n) != 0)
            memcpy(to->at + at, from->at + at, n);
    }
}

/* The copy of `inode`, referenced for the caller; the caller's reference to the old one goes. */
static struct sim_inode *copy_take(struct copies *copies, struct sim_inode *inode)
{
    if (inode == NULL)
        return NULL;
    uint32_t i = 0;
    while (i < copies->count && copies->items[i].from != inode)
        i++;
    if (i == copies->count) {
        struct sim_inode *copy = sim__inode_create();
        copy->size = inode->size;
        copy->size_durable = inode->size_durable;
        copy_bytes(&copy->now, &inode->now, inode->size);
        copy_bytes(&copy->durable, &inode->durable, inode->size_durable);
        copy->dirty_words = inode->dirty_words;
        copy->dirty = mem_zalloc(inode->dirty_words, sizeof *copy->dirty);
        if (inode->dirty_words)
            memcpy(copy->dirty, inode->dirty, inode->dirty_words * sizeof *copy->dirty);
        copies->items =
            vec_grow(copies->items, &copies->capacity, copies->count + 1, sizeof *copies->items);
        sim__inode_reference(inode); /* lest its address be another's */
        copies->items[copies->count].from = inode;
        copies->items[copies->count++].to = copy;
    }
    sim__inode_reference(copies->items[i].to);
    sim__inode_release(inode);
    return copies->items[i].to;
}

static void program_dies(struct env_sim *sim)
{
    struct copies copies = {0};
    for (uint32_t i = 0; i < sim->name_count; i++) {
        sim->names[i].now = copy_take(&copies, sim->names[i].now);
        sim->names[i].durable = copy_take(&copies, sim->names[i].durable);
    }
    for (uint32_t i = 0; i < sim->change_count; i++)
        sim->changes[i].inode = copy_take(&copies, sim->changes[i].inode);
    for (uint32_t i = 0; i < copies.count; i++) {
        sim__inode_release(copies.items[i].from);
        sim__inode_release(copies.items[i].to);
    }
    mem_free(copies.items);
}

void env_sim_power_on(struct env_sim *sim)
{
    ASSERT(sim->off);
    if (sim->survival == ENV_SIM_SURVIVE_ALL) {
        program_dies(sim);
        sim->incarnation++;
        sim->off = false;
        return;
    }
    sim->choices = 0;
    struct lot lot = {.sim = sim, .odds = prng_below(&sim->prng, 5)};
    for (uint32_t i = 0; i < sim->change_count; i++) {
        if (survives(&lot))
            sim__change_apply(sim, &sim->changes[i]);
        sim__change_free(&sim->changes[i]);
    }
    sim->change_count = 0;

    uint32_t kept = 0;
    for (uint32_t i = 0; i < sim->name_count; i++) {
        struct sim_name name = sim->names[i];
        struct sim_inode *settled = name.durable != NULL ? settle_inode(&lot, name.durable) : NULL;
        if (name.now != NULL)
            sim__inode_release(name.now);
        if (name.durable != NULL)
            sim__inode_release(name.durable);
        if (settled == NULL) {
            mem_free(name.path);
            continue;
        }
        sim__inode_reference(settled);
        name.now = settled;
        name.durable = settled;
        sim->names[kept++] = name;
    }
    sim->name_count = kept;
    sim->incarnation++;
    sim->off = false;
}

void env_sim_power_off(struct env_sim *sim)
{
    sim->off = true;
    sim->off_at = 0;
}

void env_sim_choose(struct env_sim *sim, uint64_t bits)
{
    sim->chosen = bits;
}

uint32_t env_sim_choices(const struct env_sim *sim)
{
    return sim->choices;
}

bool env_sim_is_off(const struct env_sim *sim)
{
    return sim->off;
}

void env_sim_crash(struct env_sim *sim)
{
    if (!sim->off)
        env_sim_power_off(sim);
    env_sim_power_on(sim);
}

void env_sim_flip_bit(struct env_sim *sim, const char *path, uint64_t offset, unsigned bit)
{
    struct sim_name *name = sim__name_find(sim, path, false);
    ASSERT(name != NULL && name->now != NULL);
    struct sim_inode *inode = name->now;
    ASSERT(offset < inode->size && bit < 8);
    sim__holes_fill(inode, offset, offset + 1);
    inode->now.at[offset] ^= (uint8_t)(1u << bit);
    if (offset < inode->size_durable)
        inode->durable.at[offset] ^= (uint8_t)(1u << bit);
}
