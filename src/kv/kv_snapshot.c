/* Snapshots: a table of reader slots, as in LMDB, without locks.
 *
 * A slot's `pin` tells the writer which epoch its reader sees, so which pages it may reach.
 * Opening:
 *
 *   reader                                  writer (publish e, then reclaim)
 *   1 take a closed slot                    a published_root[e & 1] = root
 *   2 pin = OPENING                         b published = e
 *   3 e = published                         c read the pins
 *   4 root = published_root[e & 1]
 *   5 if published != e: back to 3
 *   6 pin = e
 *
 * All of these are sequentially consistent. Either 2 comes before c, then the writer sees OPENING
 * (or e) and frees nothing that the reader could get; or c comes before 2, then 3 reads an epoch
 * at least as new as the one the writer reclaimed under. The root read in 4 belongs to e: the place
 * is only written again for e + 2, after e + 1 was published, which 5 would notice.
 *
 * Closed slots form a stack (Treiber 1986); its head carries a counter against ABA in the upper
 * half. Slots beyond slots_used were never opened, so a store with few readers touches few of them.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "kv/kv_int.h"

static struct kv_snapshot *pop_closed(struct kv *kv)
{
    uint64_t head = atomic_load(&kv->slots_free);
    for (;;) {
        uint32_t place = (uint32_t)head;
        if (place == 0)
            return NULL;
        struct kv_snapshot *slot = &kv->slots[place - 1];
        uint64_t next = ((head >> 32) + 1) << 32 | atomic_load(&slot->next_free);
        if (atomic_compare_exchange_weak(&kv->slots_free, &head, next))
            return slot;
    }
}

static void push_closed(struct kv *kv, struct kv_snapshot *slot)
{
    uint32_t place = (uint32_t)(slot - kv->slots) + 1;
    uint64_t head = atomic_load(&kv->slots_free), next;
    ASSERT(place <= kv->slots_max);
    do {
        atomic_store(&slot->next_free, (uint32_t)head);
        next = ((head >> 32) + 1) << 32 | place;
    } while (!atomic_compare_exchange_weak(&kv->slots_free, &head, next));
}

static struct kv_snapshot *take_unused(struct kv *kv)
{
    uint32_t used = atomic_load(&kv->slots_used);
    while (used < kv->slots_max)
        if (atomic_compare_exchange_weak(&kv->slots_used, &used, used + 1))
            return &kv->slots[used];
    return NULL;
}

status_t kv_snapshot_open(struct kv *kv, struct kv_snapshot **out, struct error *error)
{
    struct kv_snapshot *slot = pop_closed(kv);
    if (slot == NULL)
        slot = take_unused(kv);
    if (slot == NULL)
        return error_set(error, ERR_BUSY, "%u snapshots of \"%s\" are open, the most allowed",
                         kv->slots_max, kv->path);
    ASSERT(atomic_load(&slot->pin) == 0);
    if (kv__is_lsm(kv)) {
        slot->kv = kv;
        slot->view = lsm_view_open(kv->lsm, (uint32_t)(slot - kv->slots));
        atomic_store(&slot->pin, 1);
        *out = slot;
        return OK;
    }
    atomic_store(&slot->pin, KV_PIN_OPENING);
    uint64_t epoch;
    do {
        epoch = atomic_load(&kv->published);
        slot->root = atomic_load(&kv->published_root[epoch & 1]);
    } while (atomic_load(&kv->published) != epoch);
    slot->kv = kv;
    atomic_store(&slot->pin, epoch);
    *out = slot;
    return OK;
}

void kv_snapshot_close(struct kv_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    struct kv *kv = snapshot->kv;
    ASSERT(atomic_load(&snapshot->pin) != 0);
    if (kv__is_lsm(kv))
        lsm_view_close(snapshot->view);
    atomic_store(&snapshot->pin, 0);
    push_closed(kv, snapshot);
}

static int compare_epochs(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

bool kv__snapshot_pins(struct kv *kv, uint64_t **pins, uint32_t *count)
{
    uint32_t used = atomic_load(&kv->slots_used), found = 0, capacity = 0;
    uint64_t *list = NULL;
    for (uint32_t i = 0; i < used; i++) {
        uint64_t pin = atomic_load(&kv->slots[i].pin);
        if (pin == KV_PIN_OPENING) {
            mem_free(list);
            return false;
        }
        if (pin != 0) {
            list = vec_grow(list, &capacity, found + 1, sizeof *list);
            list[found++] = pin;
        }
    }
    if (found > 1)
        qsort(list, found, sizeof *list, compare_epochs);
    *pins = list;
    *count = found;
    return true;
}

uint32_t kv__snapshot_count(struct kv *kv)
{
    uint32_t used = atomic_load(&kv->slots_used), open = 0;
    for (uint32_t i = 0; i < used; i++)
        open += atomic_load(&kv->slots[i].pin) != 0;
    return open;
}
