/* Long values: a run of contiguous pages, the header on the first, then the value's bytes to the
 * end of the run without a break (so that a reader gets one slice), then zeros. One checksum covers
 * the run. A run is never changed after it was written: a new value is a new run. */
#include "kv/kv_int.h"

#define SHORT_VALUE_SIZE 64u

/* A leaf holds at least four cells, except that a short value goes with its key however long the
 * key is; even then three cells fit, which splitting relies on (kv_tree.c). */
bool kv__overflow_needed(const struct kv *kv, size_t key_size, size_t value_size)
{
    size_t cell_size = 2 + key_size + value_size + sizeof(struct kv__slot);
    return value_size > SHORT_VALUE_SIZE && cell_size > kv__page_capacity(kv) / 4;
}

_Static_assert(2 + KV_KEY_SIZE_MAX + SHORT_VALUE_SIZE + sizeof(struct kv__slot) <=
                   (KV_PAGE_SIZE_MIN - sizeof(struct kv__page)) / 3,
               "three of the largest leaf cells fit into a page");

uint32_t kv__overflow_pages(const struct kv *kv, uint32_t value_size)
{
    uint64_t bytes = sizeof(struct kv__page) + (uint64_t)value_size;
    return (uint32_t)((bytes + kv->page_size - 1) / kv->page_size);
}

void kv__overflow_write(struct kv *kv, uint32_t id, struct slice value)
{
    struct kv__page *page = kv__page_at(kv, id);
    uint64_t run_bytes = (uint64_t)kv__overflow_pages(kv, (uint32_t)value.size) * kv->page_size;
    ASSERT(id >= KV_META_PAGES && value.size <= KV_VALUE_SIZE_MAX);
    page->id = id;
    page->birth = kv->epoch;
    page->type = KV_PAGE_OVERFLOW;
    page->level = KV_LEVEL_OVERFLOW;
    page->count = 0;
    page->heap_low = 0;
    page->garbage = 0;
    page->extra = (uint32_t)value.size;
    page->prefix = 0;
    page->ascending = 0;
    uint8_t *bytes = (uint8_t *)(page + 1);
    memcpy(bytes, value.data, value.size);
    memset(bytes + value.size, 0, run_bytes - sizeof *page - value.size);
}

status_t kv__overflow_get(struct kv *kv, uint32_t id, uint32_t size, const struct kv__page **out,
                          struct error *error)
{
    status_t status = kv__page_get(kv, id, KV_LEVEL_OVERFLOW, out, error);
    if (status != OK)
        return status;
    if ((*out)->extra != size)
        return kv__page_corrupt(kv, id, "value size differs from its leaf's", error);
    return OK;
}

status_t kv__overflow_value(struct kv *kv, const struct kv__value *value, struct slice *out,
                            struct error *error)
{
    const struct kv__page *head;
    if (value->overflow == 0) {
        *out = value->inline_bytes;
        return OK;
    }
    status_t status = kv__overflow_get(kv, value->overflow, value->size, &head, error);
    if (status == OK)
        *out = slice_make(head + 1, value->size);
    return status;
}
