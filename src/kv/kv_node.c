/* The nodes of a snapshot's tree, and notes about them.
 *
 * A node is a page of one birth: page number and birth together never mean two contents, because a
 * page is written only in the epoch it is born in, which no reader sees before it is over. So a
 * note needs no care by the writer: a page that was given up and born again has another birth, and
 * the note about what it held before is simply not found any more.
 *
 * Notes lie in a table by page number, a few places for each: with one, two branches of a big tree
 * would often have the same, and push each other out at every count. A place is written under its
 * sequence number, odd meanwhile: who finds another one taking notes there leaves it, who reads and
 * finds the number odd or changed has found nothing. Data are stored with release and loaded with
 * acquire, so that a reader who has seen any of another writer's words also sees that writer's
 * number. */
#include "kv/kv_int.h"

static const struct kv__page *page_of(const struct kv_node *node)
{
    return (const struct kv__page *)node->page;
}

static struct kv_node node_make(struct kv *kv, const struct kv__page *page)
{
    return (struct kv_node){.kv = kv, .page = page, .level = page->level, .count = page->count};
}

bool kv_snapshot_has_nodes(const struct kv_snapshot *snapshot)
{
    return snapshot->view == NULL;
}

status_t kv_node_root(struct kv_snapshot *snapshot, struct kv_node *out, bool *found,
                      struct error *error)
{
    struct kv *kv = snapshot->kv;
    const struct kv__page *page;
    *found = false;
    if (!kv_snapshot_has_nodes(snapshot) || snapshot->root == 0)
        return OK;
    status_t status = kv__page_verify(kv, snapshot->root, KV_LEVEL_ANY, error);
    if (status != OK)
        return status;
    page = kv__page_at(kv, snapshot->root);
    *out = node_make(kv, page);
    *found = true;
    return OK;
}

status_t kv_node_child(const struct kv_node *node, uint32_t index, struct kv_node *out,
                       struct error *error)
{
    const struct kv__page *page;
    ASSERT(node->level > 0 && index < node->count);
    status_t status = kv__page_get(node->kv, kv__page_child(page_of(node), index), node->level - 1u,
                                   &page, error);
    if (status == OK)
        *out = node_make(node->kv, page);
    return status;
}

uint32_t kv_node_search(const struct kv_node *node, struct slice key)
{
    bool exact;
    return node->level != 0 ? kv__page_search_child(page_of(node), key)
                            : kv__page_search(page_of(node), 0, key, &exact);
}

struct slice kv_node_key(const struct kv_node *node, uint32_t index, uint8_t *bytes)
{
    ASSERT(node->level == 0 && index < node->count);
    return kv__page_key(page_of(node), index, bytes);
}

status_t kv_node_value(const struct kv_node *node, uint32_t index, struct slice *value,
                       struct error *error)
{
    ASSERT(node->level == 0 && index < node->count);
    struct kv__value found = kv__page_value(page_of(node), index);
    return kv__overflow_value(node->kv, &found, value, error);
}

uint32_t kv_node_shared(const struct kv_node *node)
{
    return page_of(node)->prefix;
}

void kv_node_entries(const struct kv_node *node, uint32_t from, uint32_t count,
                     struct kv_node_entry *entries)
{
    const struct kv__page *page = page_of(node);
    const struct kv__slot *slot = kv__page_slots(page) + from;
    ASSERT(node->level == 0 && from <= node->count && count <= node->count - from);
    for (uint32_t i = 0; i < count; i++, slot++) {
        const uint8_t *cell = (const uint8_t *)page + slot->offset;
        uint32_t size = get_u16_le(cell);
        bool is_long = (size & KV_CELL_LONG) != 0;
        entries[i].rest.data = cell + kv__cell_key_at(0, cell);
        entries[i].rest.size = slot->key_size;
        entries[i].value.data = is_long ? NULL : cell + 2 + slot->key_size;
        entries[i].value.size = is_long ? 0 : size;
    }
}

/* ---- notes ---------------------------------------------------------------------------------- */

/* The places a note of this page may be in. */
static struct kv__noted *places_of(const struct kv_node *node)
{
    const struct kv__page *page = page_of(node);
    ASSERT(page->id >= KV_META_PAGES);
    return &node->kv->notes[page->id % (KV_NOTES / KV_NOTE_PLACES) * KV_NOTE_PLACES];
}

static bool place_read(struct kv__noted *noted, const struct kv__page *page, struct kv_note *note)
{
    uint64_t sequence = atomic_load_explicit(&noted->sequence, memory_order_acquire);
    uint64_t id = atomic_load_explicit(&noted->page, memory_order_acquire);
    uint64_t birth = atomic_load_explicit(&noted->birth, memory_order_acquire);
    for (uint32_t i = 0; i < 2; i++)
        note->words[i] = atomic_load_explicit(&noted->words[i], memory_order_acquire);
    return sequence % 2 == 0 && id == page->id && birth == page->birth &&
           atomic_load_explicit(&noted->sequence, memory_order_relaxed) == sequence;
}

bool kv_node_note(const struct kv_node *node, struct kv_note *note)
{
    struct kv__noted *places = places_of(node);
    for (uint32_t i = 0; i < KV_NOTE_PLACES; i++)
        if (place_read(&places[i], page_of(node), note))
            return true;
    return false;
}

/* That of the page as it was before, or else the one that was written least often: so all places
 * have their turn. */
static struct kv__noted *place_choose(const struct kv_node *node)
{
    struct kv__noted *places = places_of(node), *least = places;
    for (uint32_t i = 0; i < KV_NOTE_PLACES; i++) {
        if (atomic_load_explicit(&places[i].page, memory_order_relaxed) == page_of(node)->id)
            return &places[i];
        if (atomic_load_explicit(&places[i].sequence, memory_order_relaxed) <
            atomic_load_explicit(&least->sequence, memory_order_relaxed))
            least = &places[i];
    }
    return least;
}

void kv_node_set_note(const struct kv_node *node, const struct kv_note *note)
{
    const struct kv__page *page = page_of(node);
    struct kv__noted *noted = place_choose(node);
    uint64_t sequence = atomic_load_explicit(&noted->sequence, memory_order_relaxed);
    if (sequence % 2 != 0 ||
        !atomic_compare_exchange_strong(&noted->sequence, &sequence, sequence + 1))
        return;
    atomic_store_explicit(&noted->page, page->id, memory_order_release);
    atomic_store_explicit(&noted->birth, page->birth, memory_order_release);
    for (uint32_t i = 0; i < 2; i++)
        atomic_store_explicit(&noted->words[i], note->words[i], memory_order_release);
    atomic_store_explicit(&noted->sequence, sequence + 2, memory_order_release);
}
