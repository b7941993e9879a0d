/* The table of a hash join by one whole number (or date, or time).
 *
 * The right rows lie bucket by bucket, in the order they came within each, so that the partners of
 * a left row are one behind the other:
 *
 *     starts     0     2 2       5 ...        one for each bucket
 *     places    | 7  9 | 1  4  8 | ...        right rows
 *     numbers   | 30 30| 50 51 50| ...        their keys, where a bucket may have several
 *
 * Where the numbers are near each other (keys that were given out in turn) a bucket is one number,
 * counted from the least of them; then there is nothing to hash and nothing to compare, and what a
 * semi join asks is whether the bucket is empty. Otherwise the number's hash tells the bucket.
 *
 * Of a left batch those rows are found first that may have partners; only of these other columns
 * are read (late_int.h), unless the join keeps all. */
#include "base/mem.h"
#include "sql/exec/hash_join_int.h"
#include "sql/exec/late_int.h"

enum {
    BUCKETS_OF_A_ROW = 4, /* at most, of numbers that are their own buckets */
    BUCKETS_FEW = 1 << 10,
};

bool exec__hash_by_number(const struct hash_join *hash)
{
    const struct plan *plan = hash->op.plan;
    return hash->key_count == 1 && type_storage(plan->as.join.left_keys[0]->type) == SQL_INTEGER &&
           type_storage(plan->as.join.right_keys[0]->type) == SQL_INTEGER;
}

static inline uint64_t bucket_of(const struct number_table *table, int64_t number)
{
    if (!table->numbers)
        return (uint64_t)number - table->least;
    uint64_t hash = (uint64_t)number * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
    return (hash * 0xd6e8feb86659fd93) >> table->shift;
}

/* ---- making -------------------------------------------------------------------------------------
 */

static const struct vector *keys_of(const struct hash_join *hash, uint32_t chunk)
{
    return &hash->rows.chunks[chunk]->columns[hash->key_columns[0]];
}

/* How many numbers there are, and between which; NULLs equal nothing. */
static uint32_t numbers_range(const struct hash_join *hash, int64_t *least, int64_t *greatest)
{
    uint32_t count = 0;
    *least = INT64_MAX;
    *greatest = INT64_MIN;
    for (uint32_t c = 0; c < hash->rows.chunk_count; c++) {
        const struct vector *keys = keys_of(hash, c);
        for (uint32_t i = 0; i < hash->rows.chunks[c]->row_count; i++) {
            if (vector_is_null(keys, i))
                continue;
            int64_t number = keys->as.integers[i];
            *least = number < *least ? number : *least;
            *greatest = number > *greatest ? number : *greatest;
            count++;
        }
    }
    return count;
}

static status_t table_allocate(struct hash_join *hash, uint32_t count, uint64_t range,
                               struct error *error)
{
    struct number_table *table = &hash->by_number;
    bool hashed = range >= BUCKETS_FEW && range / BUCKETS_OF_A_ROW >= count;
    table->buckets = range + 1;
    if (hashed) {
        uint32_t bits = 1;
        while (bits < 31 && (uint32_t)1 << bits < count)
            bits++;
        table->buckets = (uint64_t)1 << bits;
        table->shift = 64 - bits;
    }
    ASSERT(table->buckets < UINT32_MAX);
    hash->charged = (table->buckets + 1) * sizeof *table->starts +
                    count * (sizeof *table->places + (hashed ? sizeof *table->numbers : 0));
    status_t status = exec__memory_charge(hash->op.exec, hash->charged, error);
    if (status != OK)
        return status;
    table->starts = mem_zalloc(table->buckets + 1, sizeof *table->starts);
    table->places = mem_alloc(((size_t)count + 1) * sizeof *table->places);
    if (hashed)
        table->numbers = mem_alloc(((size_t)count + 1) * sizeof *table->numbers);
    return OK;
}

/* starts[b] is where bucket b ends, from here on going back to where it begins. */
static status_t buckets_count(struct hash_join *hash, struct error *error)
{
    struct number_table *table = &hash->by_number;
    struct pace pace = {.exec = hash->op.exec};
    status_t status = OK;
    for (uint32_t c = 0; c < hash->rows.chunk_count && status == OK; c++) {
        const struct vector *keys = keys_of(hash, c);
        for (uint32_t i = 0; i < hash->rows.chunks[c]->row_count; i++) {
            if (!vector_is_null(keys, i))
                table->starts[bucket_of(table, keys->as.integers[i])]++;
        }
        status = exec__pace(&pace, BATCH_ROWS_MAX, error);
    }
    uint32_t sum = 0;
    for (uint64_t b = 0; b <= table->buckets; b++)
        table->starts[b] = sum += table->starts[b];
    return status == OK ? exec__pace(&pace, table->buckets, error) : status;
}

status_t exec__number_table_make(struct hash_join *hash, struct error *error)
{
    struct number_table *table = &hash->by_number;
    int64_t least, greatest;
    *table = (struct number_table){0};
    uint32_t count = numbers_range(hash, &least, &greatest);
    table->least = (uint64_t)least;
    uint64_t range = count > 0 ? (uint64_t)greatest - (uint64_t)least : 0;
    status_t status = table_allocate(hash, count, range, error);
    if (status == OK)
        status = buckets_count(hash, error);
    for (uint32_t c = hash->rows.chunk_count; c-- > 0 && status == OK;) {
        const struct vector *keys = keys_of(hash, c);
        for (uint32_t i = hash->rows.chunks[c]->row_count; i-- > 0;) {
            if (vector_is_null(keys, i))
                continue;
            int64_t number = keys->as.integers[i];
            uint32_t place = --table->starts[bucket_of(table, number)];
            table->places[place] = c * BATCH_ROWS_MAX + i;
            if (table->numbers)
                table->numbers[place] = number;
        }
        status = exec__cancel_check(hash->op.exec, error);
    }
    return status;
}

void exec__number_table_free(struct hash_join *hash)
{
    struct number_table *table = &hash->by_number;
    mem_free(table->starts);
    mem_free(table->places);
    mem_free(table->numbers);
    *table = (struct number_table){0};
}

/* ---- looking up ---------------------------------------------------------------------------------
 */

/* Where partners of a number may be: [*from, *to). */
static inline void places_find(const struct number_table *table, int64_t number, uint32_t *from,
                               uint32_t *to)
{
    uint64_t bucket = bucket_of(table, number);
    *from = *to = 0;
    if (bucket >= table->buckets)
        return;
    *from = table->starts[bucket];
    *to = table->starts[bucket + 1];
}

static inline bool is_partner(const struct number_table *table, uint32_t place, int64_t number)
{
    return !table->numbers || table->numbers[place] == number;
}

uint32_t exec__number_rows(const struct number_table *table, const struct vector *keys,
                           const struct batch *batch, bool wanted, uint32_t *rows)
{
    uint32_t count = 0;
    ASSERT(table->starts);
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch_row(batch, i), from, to;
        int64_t number = keys->as.integers[row];
        places_find(table, number, &from, &to);
        while (table->numbers && from < to && table->numbers[from] != number)
            from++;
        bool found = from < to && !vector_is_null(keys, row);
        rows[count] = row;
        count += found == wanted;
    }
    return count;
}

status_t exec__number_select(struct hash_join *hash, struct batch **out, struct error *error)
{
    const struct join *join = &hash->join;
    ASSERT((join->is_semi || join->is_anti) && !join->condition && hash->source == HASH_WHOLE);
    *out = NULL;
    while (!*out) {
        struct batch *left;
        status_t status = exec__hash_left_take(hash, &left, error);
        if (status != OK || !left)
            return status;
        hash->selected = *left;
        hash->selected.column_count = hash->op.plan->column_count;
        hash->selected.selection = hash->hits;
        hash->selected.selected = exec__number_rows(&hash->by_number, hash->left_vectors[0], left,
                                                    join->is_semi, hash->hits);
        if (hash->selected.selected == 0)
            continue;
        status = exec__late_fill(hash->late, hash->hits, hash->selected.selected, error);
        if (status != OK)
            return status;
        *out = &hash->selected;
    }
    return OK;
}

/* The rows of a left batch that are to be joined, with the places of their partners. */
status_t exec__number_left_begin(struct hash_join *hash, struct error *error)
{
    const struct number_table *table = &hash->by_number;
    const struct batch *left = hash->left;
    const struct vector *keys = hash->left_vectors[0];
    bool all = hash->join.keep_left;
    uint32_t count = 0;
    for (uint32_t i = 0; i < left->selected; i++) {
        uint32_t row = batch_row(left, i), from, to;
        places_find(table, keys->as.integers[row], &from, &to);
        if (keys->has_nulls && vector_is_null(keys, row))
            to = from;
        hash->hits[count] = row;
        hash->hit_from[count] = from;
        hash->hit_to[count] = to;
        count += all || from < to;
    }
    hash->left_end = count;
    bool whole = hash->source == HASH_WHOLE; /* parts have all columns */
    return exec__late_fill(whole ? hash->late : NULL, hash->hits, count, error);
}

void exec__number_pairs_fill(struct hash_join *hash)
{
    struct join *join = &hash->join;
    const struct number_table *table = &hash->by_number;
    const int64_t *numbers = hash->left_vectors[0]->as.integers;
    for (; hash->left_at < hash->left_end; hash->left_at++) {
        uint32_t row = hash->hits[hash->left_at], to = hash->hit_to[hash->left_at];
        int64_t number = numbers[row];
        if (hash->chain == HASH_CHAIN_START)
            hash->chain = hash->hit_from[hash->left_at];
        for (; hash->chain < to && !exec__join_full(join); hash->chain++) {
            if (is_partner(table, hash->chain, number))
                exec__join_pair(join, row, table->places[hash->chain]);
            if (exec__join_row_known(join, row)) {
                hash->chain = to;
                break;
            }
        }
        if (hash->chain < to || !exec__join_row_end(join, row))
            return;
        hash->chain = HASH_CHAIN_START;
    }
}
