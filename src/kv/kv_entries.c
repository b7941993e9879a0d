/* Entries between pages: where to cut when a page is split or two neighbours share anew, and
 * building the pages.
 *
 * A page of entries [from, to) has the prefix that its first and its last key share, since those
 * between them share it too; so its size is known from the sum of the whole entries, their number,
 * and that prefix. Moving the cut by one entry changes the sums by one entry. */
#include "kv/kv_int.h"

#define SLOT_SIZE ((uint32_t)sizeof(struct kv__slot))

struct kv__entry kv__entries_at(const struct kv__entries *entries, uint32_t i)
{
    ASSERT(i < entries->count);
    if (entries->added != NULL && i == entries->index)
        return *entries->added;
    if (entries->added != NULL && i > entries->index)
        i--;
    if (i < entries->left->count)
        return kv__page_entry(entries->left, i);
    struct kv__entry entry = kv__page_entry(entries->right, i - entries->left->count);
    if (i == entries->left->count && entries->left->level != 0) {
        entry.shared = entries->leading.shared;
        entry.rest = entries->leading.rest;
    }
    return entry;
}

static struct kv__entry keyless(struct kv__entry entry)
{
    entry.shared = entry.rest = slice_make(NULL, 0);
    return entry;
}

/* Of the entry with its whole key. */
static uint32_t whole_size(const struct kv__entry *entry)
{
    return (uint32_t)(entry->head.size + entry->value.size) + kv__entry_key_size(entry) + SLOT_SIZE;
}

/* What the keys of a page of [from, to) share. */
static uint32_t prefix_of(const struct kv__entries *entries, uint32_t from, uint32_t to)
{
    uint32_t first = from + kv__page_first_key(entries->left);
    if (first >= to)
        return 0;
    struct kv__entry low = kv__entries_at(entries, first), high = kv__entries_at(entries, to - 1);
    return kv__entry_common(&low, &high);
}

/* The size of a page: `whole` is the sum of its entries' whole sizes, without the key that the
 * first one of a branch loses. */
static uint32_t size_with(const struct kv__entries *entries, uint32_t whole, uint32_t count,
                          uint32_t prefix)
{
    uint32_t keys = count - kv__page_first_key(entries->left);
    ASSERT(count > 0 && whole >= keys * prefix);
    return whole - keys * prefix + kv__prefix_room(prefix);
}

uint32_t kv__entries_size(const struct kv__entries *entries, uint32_t from, uint32_t to)
{
    uint32_t whole = 0;
    ASSERT(from < to);
    for (uint32_t i = from; i < to; i++) {
        struct kv__entry entry = kv__entries_at(entries, i);
        whole += whole_size(&entry);
        if (i == from && entries->left->level != 0)
            whole -= kv__entry_key_size(&entry);
    }
    return size_with(entries, whole, to - from, prefix_of(entries, from, to));
}

/* Does what is added share the prefix of the page it is added to? Then both halves share it, which
 * is near enough to the truth to choose a cut by, and guarantees that they fit. */
static bool shares_prefix(const struct kv__entries *entries)
{
    if (entries->added == NULL)
        return false;
    uint32_t first = kv__page_first_key(entries->left);
    if (entries->left->count <= first)
        return false;
    struct kv__entry other = kv__page_entry(entries->left, first);
    return kv__entry_common(&other, entries->added) >= entries->left->prefix;
}

uint32_t kv__entries_cut(const struct kv *kv, const struct kv__entries *entries)
{
    uint32_t capacity = kv__page_capacity(kv), first = kv__page_first_key(entries->left);
    bool shared = shares_prefix(entries);
    uint32_t total = 0, left = 0, best = 0, best_size = UINT32_MAX, prefix = entries->left->prefix;
    for (uint32_t i = 0; i < entries->count; i++) {
        struct kv__entry entry = kv__entries_at(entries, i);
        total += whole_size(&entry);
    }
    for (uint32_t cut = 1; cut < entries->count; cut++) {
        struct kv__entry before = kv__entries_at(entries, cut - 1);
        struct kv__entry behind = kv__entries_at(entries, cut);
        left += whole_size(&before);
        uint32_t right = total - left - (first != 0 ? kv__entry_key_size(&behind) : 0);
        uint32_t low = shared ? prefix : prefix_of(entries, 0, cut);
        uint32_t high = shared ? prefix : prefix_of(entries, cut, entries->count);
        uint32_t low_size = size_with(entries, left, cut, cut > first ? low : 0);
        uint32_t high_size = size_with(entries, right, entries->count - cut,
                                       entries->count - cut > first ? high : 0);
        uint32_t larger = low_size > high_size ? low_size : high_size;
        if (larger < best_size) {
            best_size = larger;
            best = cut;
        }
    }
    ASSERT(best > 0 && best_size <= capacity);
    return best;
}

struct slice kv__entries_separator(const struct kv__entries *entries, uint32_t cut, uint8_t *bytes)
{
    uint8_t left_bytes[KV_KEY_SIZE_MAX], right_bytes[KV_KEY_SIZE_MAX];
    ASSERT(cut > 0 && cut < entries->count);
    struct kv__entry left = kv__entries_at(entries, cut - 1);
    struct kv__entry right = kv__entries_at(entries, cut);
    struct slice key = kv__entry_key(&right, right_bytes);
    if (entries->left->level == 0)
        key = kv__tree_separator(kv__entry_key(&left, left_bytes), key);
    memcpy(bytes, key.data, key.size);
    return slice_make(bytes, key.size);
}

void kv__entries_build(const struct kv__entries *entries, uint32_t from, uint32_t to,
                       struct kv__page *page)
{
    ASSERT(page->count == 0 && from < to);
    uint32_t prefix = prefix_of(entries, from, to);
    struct kv__entry last = kv__entries_at(entries, to - 1);
    kv__page_start(page, &last, prefix);
    for (uint32_t i = from; i < to; i++) {
        struct kv__entry entry = kv__entries_at(entries, i);
        if (i == from && page->level != 0)
            entry = keyless(entry); /* its key has moved up */
        kv__page_append(page, &entry);
    }
}
