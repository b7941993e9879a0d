/* Collected rows put in order, by their numbers: a stable merge sort that can be cancelled. */
#include "sql/exec/exec_int.h"

#include <string.h>

#include "base/mem.h"

enum { COMPARISON_STEPS = 64 };

struct ordering {
    const struct collection *rows;
    const struct sort_key *keys;
    uint32_t key_count;
    uint32_t first_column;
    struct pace pace;
};

static int compare(const struct ordering *ordering, uint32_t a, uint32_t b)
{
    for (uint32_t k = 0; k < ordering->key_count; k++) {
        struct value x = exec__collection_value(ordering->rows, ordering->first_column + k, a);
        struct value y = exec__collection_value(ordering->rows, ordering->first_column + k, b);
        int order = exec__sort_key_order(&ordering->keys[k], &x, &y);
        if (order)
            return order;
    }
    return 0;
}

/* [from, middle) and [middle, to) of `in` become one in `out`. */
static status_t merge(struct ordering *ordering, const uint32_t *in, uint32_t *out, uint32_t from,
                      uint32_t middle, uint32_t to, struct error *error)
{
    uint32_t a = from, b = middle;
    status_t status = OK;
    ASSERT(from <= middle && middle <= to);
    for (uint32_t at = from; at < to && status == OK; at++) {
        bool left = b == to || (a < middle && compare(ordering, in[a], in[b]) <= 0);
        out[at] = left ? in[a++] : in[b++];
        status = exec__pace(&ordering->pace, ordering->key_count * COMPARISON_STEPS, error);
    }
    return status;
}

status_t exec__rows_order(const struct collection *rows, uint32_t first_column,
                          const struct sort_key *keys, uint32_t key_count, uint32_t *order,
                          struct error *error)
{
    struct ordering ordering = {.rows = rows,
                                .keys = keys,
                                .key_count = key_count,
                                .first_column = first_column,
                                .pace = {.exec = rows->exec}};
    uint32_t count = rows->row_count;
    size_t size = ((size_t)count + 1) * sizeof *order;
    status_t status = exec__memory_charge(rows->exec, size, error);
    uint32_t *room = status == OK ? mem_alloc(size) : NULL;
    uint32_t *in = order, *out = room;
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint64_t width = 1; width < count && status == OK; width *= 2) {
        for (uint64_t from = 0; from < count && status == OK; from += 2 * width) {
            uint64_t middle = from + width < count ? from + width : count;
            uint64_t to = middle + width < count ? middle + width : count;
            status =
                merge(&ordering, in, out, (uint32_t)from, (uint32_t)middle, (uint32_t)to, error);
        }
        uint32_t *swapped = in;
        in = out;
        out = swapped;
    }
    if (status == OK && in != order)
        memcpy(order, in, count * sizeof *order);
    mem_free(room);
    exec__memory_release(rows->exec, size);
    return status;
}
