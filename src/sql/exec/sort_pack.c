/* Collected rows put in order by numbers made of their keys.
 *
 * A row to be sorted is one number: as much of its keys as there is room for, then its own number.
 * Of each key column only the range between its least and its greatest value needs bits, NULLs one
 * value more, texts only what is behind the prefix they all have; a descending column is counted
 * from its end:
 *
 *     63                                            row_bits        0
 *     | key 0 - least | greatest - key 1 | ... , cut | row number    |
 *
 * Numbers are sorted by their digits, the last first (a radix sort). Rows are numbered as they
 * came, so equal keys keep their order. Where the keys did not fit as a whole, rows with equal
 * numbers are sorted again, by the columns that were cut or left out and with ranges and prefixes
 * of their own, which are narrower. What no number stands for (intervals, numerics of many scales
 * that are one double) and handfuls of rows are compared. */
#include "base/mem.h"
#include "sql/exec/sort_int.h"

#include <math.h>
#include <string.h>

enum {
    ROWS_COMPARED = 8,    /* so few are not worth a number */
    ROWS_INSERTED = 64,   /* nor these digits */
    ROWS_MANY = 1 << 14,  /* worth longer digits */
    DIGIT_BITS = 8,       /* of fewer rows */
    DIGIT_BITS_MAX = 11,  /* of many */
    DEPTH_MAX = 40,       /* ranges within ranges: then rows are compared */
    COMPARISON_STEPS = 64 /* of the pace */
};

struct sorter {
    const struct collection *rows;
    const struct sort_key *keys;
    const uint32_t *key_columns;
    uint32_t key_count;
    uint32_t row_bits;
    uint64_t *entries;
    uint64_t *room;
    struct pace pace;
    status_t status; /* ERR_CANCELED, found in the middle of a loop, which then ended */
    struct error *error;
};

enum pack_kind {
    PACK_NOTHING, /* no number says enough */
    PACK_BOOLEAN,
    PACK_INTEGER,
    PACK_DOUBLE,
    PACK_DECIMAL, /* numerics of one scale, as integers */
    PACK_NUMERIC, /* as doubles */
    PACK_TEXT,    /* the eight bytes behind the prefix */
    PACK_SHORT,   /* all that is behind it, and how long that is */
    PACK_UUID,    /* the first half */
};

/* A key column as a number. */
struct pack {
    enum pack_kind kind;
    bool whole; /* equal numbers are equal values */
    bool has_nulls;
    bool nulls_first;
    bool descending;
    uint32_t column;
    uint64_t least; /* of the values' own numbers */
    uint64_t range; /* the greatest minus it */
    uint32_t bits;
    size_t prefix; /* of texts, left out */
    uint32_t size; /* of PACK_SHORT: bytes behind it at most */
};

static uint32_t bit_width(uint64_t number)
{
    return number ? 64 - (uint32_t)__builtin_clzll(number) : 0;
}

static uint32_t row_bits(const struct collection *rows)
{
    return rows->chunk_count ? bit_width((uint64_t)rows->chunk_count * BATCH_ROWS_MAX - 1) : 1;
}

static uint32_t row_of(const struct sorter *sorter, uint64_t entry)
{
    return (uint32_t)(entry & (((uint64_t)1 << sorter->row_bits) - 1));
}

/* Within a loop over entries, of which there may be very many: shall it go on? */
static inline bool goes_on(struct sorter *sorter, uint32_t i)
{
    enum { ENTRIES_BETWEEN = 1 << 20 };
    if (i % ENTRIES_BETWEEN == ENTRIES_BETWEEN - 1 && sorter->status == OK)
        sorter->status = exec__cancel_check(sorter->pace.exec, sorter->error);
    return sorter->status == OK;
}

static status_t sorter_pace(struct sorter *sorter, uint64_t steps, struct error *error)
{
    return sorter->status != OK ? sorter->status : exec__pace(&sorter->pace, steps, error);
}

/* ---- values as numbers --------------------------------------------------------------------------
 */

uint64_t exec__sort_double(double value)
{
    if (isnan(value))
        return UINT64_MAX;
    if (value == 0)
        value = 0; /* -0 */
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

uint64_t exec__sort_text(struct slice text)
{
    uint8_t bytes[8] = {0};
    if (text.size >= 8)
        return get_u64_be(text.data);
    for (size_t i = 0; i < text.size; i++)
        bytes[i] = text.data[i];
    return get_u64_be(bytes);
}

static inline uint64_t number_of(const struct pack *pack, enum pack_kind kind,
                                 const struct vector *vector, uint32_t row)
{
    switch (kind) {
    case PACK_BOOLEAN:
        return vector->as.booleans[row];
    case PACK_INTEGER:
        return (uint64_t)vector->as.integers[row] ^ (uint64_t)1 << 63;
    case PACK_DOUBLE:
        return exec__sort_double(vector->as.reals[row]);
    case PACK_DECIMAL:
        return (uint64_t)numeric_coefficient(vector->as.numerics[row]) ^ (uint64_t)1 << 63;
    case PACK_NUMERIC:
        return exec__sort_double(numeric_to_double(vector->as.numerics[row]));
    case PACK_TEXT:
    case PACK_SHORT: {
        struct slice text = vector->as.texts[row];
        struct slice rest = text;
        if (pack->prefix > 0)
            rest = slice_make(text.data + pack->prefix, text.size - pack->prefix);
        uint64_t number = exec__sort_text(rest);
        if (kind == PACK_TEXT)
            return number;
        number = pack->size ? number >> (64 - 8 * pack->size) : 0;
        return number << 3 | rest.size;
    }
    case PACK_UUID:
        return get_u64_be(vector->as.uuids[row].bytes);
    case PACK_NOTHING:
        break;
    }
    UNREACHABLE();
}

/* ---- what a column's rows have in common --------------------------------------------------------
 */

static void texts_measure(struct sorter *sorter, const uint64_t *entries, uint32_t count,
                          struct pack *pack)
{
    struct slice first = {0};
    size_t longest = 0;
    bool any = false;
    for (uint32_t i = 0; i < count && goes_on(sorter, i); i++) {
        uint32_t row = row_of(sorter, entries[i]);
        const struct vector *vector = exec__collection_vector(sorter->rows, pack->column, row);
        if (vector_is_null(vector, row % BATCH_ROWS_MAX))
            continue;
        struct slice text = vector->as.texts[row % BATCH_ROWS_MAX];
        longest = text.size > longest ? text.size : longest;
        if (!any)
            first = text;
        any = true;
        if (first.size > text.size)
            first.size = text.size;
        if (first.size > 0 && memcmp(first.data, text.data, first.size) != 0) {
            size_t same = 0;
            while (first.data[same] == text.data[same])
                same++;
            first.size = same;
        }
    }
    pack->prefix = first.size;
    pack->whole = longest - first.size < 8;
    pack->kind = pack->whole ? PACK_SHORT : PACK_TEXT;
    pack->size = pack->whole ? (uint32_t)(longest - first.size) : 0;
}

static void numerics_measure(struct sorter *sorter, const uint64_t *entries, uint32_t count,
                             struct pack *pack)
{
    bool any = false;
    uint32_t scale = 0;
    pack->kind = PACK_DECIMAL;
    for (uint32_t i = 0; i < count && pack->kind == PACK_DECIMAL && goes_on(sorter, i); i++) {
        uint32_t row = row_of(sorter, entries[i]);
        const struct vector *vector = exec__collection_vector(sorter->rows, pack->column, row);
        if (vector_is_null(vector, row % BATCH_ROWS_MAX))
            continue;
        struct numeric numeric = vector->as.numerics[row % BATCH_ROWS_MAX];
        __int128 coefficient = numeric_coefficient(numeric);
        if (!any)
            scale = numeric_scale(numeric);
        any = true;
        if (numeric_scale(numeric) != scale || coefficient != (int64_t)coefficient)
            pack->kind = PACK_NUMERIC;
    }
    pack->whole = pack->kind == PACK_DECIMAL;
}

static void range_measure(struct sorter *sorter, const uint64_t *entries, uint32_t count,
                          struct pack *pack)
{
    uint64_t least = UINT64_MAX, most = 0;
    for (uint32_t i = 0; i < count && goes_on(sorter, i); i++) {
        uint32_t row = row_of(sorter, entries[i]);
        const struct vector *vector = exec__collection_vector(sorter->rows, pack->column, row);
        if (vector_is_null(vector, row % BATCH_ROWS_MAX)) {
            pack->has_nulls = true;
            continue;
        }
        uint64_t number = number_of(pack, pack->kind, vector, row % BATCH_ROWS_MAX);
        least = number < least ? number : least;
        most = number > most ? number : most;
    }
    pack->least = least;
    pack->range = least <= most ? most - least : 0; /* 0: all are NULL */
    if (pack->range == UINT64_MAX && pack->has_nulls)
        pack->kind = PACK_NOTHING;
    else
        pack->bits = bit_width(pack->range + pack->has_nulls);
}

static void pack_make(struct sorter *sorter, const uint64_t *entries, uint32_t count, uint32_t k,
                      struct pack *pack)
{
    const struct sort_key *key = &sorter->keys[k];
    uint32_t column = sorter->key_columns[k];
    *pack = (struct pack){.column = column,
                          .whole = true,
                          .nulls_first = key->nulls_first,
                          .descending = key->descending};
    switch (type_storage(sorter->rows->types[column])) {
    case SQL_BOOLEAN:
        pack->kind = PACK_BOOLEAN;
        break;
    case SQL_INTEGER:
        pack->kind = PACK_INTEGER;
        break;
    case SQL_DOUBLE:
        pack->kind = PACK_DOUBLE;
        break;
    case SQL_TEXT:
        texts_measure(sorter, entries, count, pack);
        break;
    case SQL_NUMERIC:
        numerics_measure(sorter, entries, count, pack);
        break;
    case SQL_UUID:
        pack->kind = PACK_UUID;
        pack->whole = false;
        break;
    default:
        pack->kind = PACK_NOTHING;
        break;
    }
    if (pack->kind != PACK_NOTHING)
        range_measure(sorter, entries, count, pack);
    pack->whole = pack->whole && pack->kind != PACK_NOTHING;
}

/* ---- numbers into entries -----------------------------------------------------------------------
 */

static inline void column_put(struct sorter *sorter, const struct pack *pack, enum pack_kind kind,
                              uint64_t *entries, uint32_t count, uint32_t drop, uint32_t shift)
{
    uint64_t null = pack->nulls_first ? 0 : pack->range + 1;
    uint64_t offset = pack->has_nulls && pack->nulls_first;
    for (uint32_t i = 0; i < count && goes_on(sorter, i); i++) {
        uint32_t row = row_of(sorter, entries[i]);
        const struct vector *vector = exec__collection_vector(sorter->rows, pack->column, row);
        uint64_t number = null;
        if (!vector_is_null(vector, row % BATCH_ROWS_MAX)) {
            number = number_of(pack, kind, vector, row % BATCH_ROWS_MAX) - pack->least;
            number = (pack->descending ? pack->range - number : number) + offset;
        }
        entries[i] |= number >> drop << shift;
    }
}

/* A loop for each kind. */
static void pack_put(struct sorter *sorter, const struct pack *pack, uint64_t *entries,
                     uint32_t count, uint32_t drop, uint32_t shift)
{
    ASSERT(shift < 64 && drop < 64);
    switch (pack->kind) {
    case PACK_INTEGER:
        column_put(sorter, pack, PACK_INTEGER, entries, count, drop, shift);
        break;
    case PACK_DOUBLE:
        column_put(sorter, pack, PACK_DOUBLE, entries, count, drop, shift);
        break;
    case PACK_DECIMAL:
        column_put(sorter, pack, PACK_DECIMAL, entries, count, drop, shift);
        break;
    case PACK_SHORT:
        column_put(sorter, pack, PACK_SHORT, entries, count, drop, shift);
        break;
    case PACK_TEXT:
        column_put(sorter, pack, PACK_TEXT, entries, count, drop, shift);
        break;
    default:
        column_put(sorter, pack, pack->kind, entries, count, drop, shift);
        break;
    }
}

/* Puts as much of the keys from *column on into the entries as there is room for; `bits` of it.
 * *column becomes the first one that is not there as a whole. */
static status_t keys_put(struct sorter *sorter, uint64_t *entries, uint32_t count, uint32_t *column,
                         uint32_t *bits, struct error *error)
{
    uint32_t room = 64 - sorter->row_bits;
    uint64_t mask = ((uint64_t)1 << sorter->row_bits) - 1;
    status_t status = OK;
    *bits = 0;
    for (uint32_t i = 0; i < count; i++)
        entries[i] &= mask;
    bool whole = true;
    while (*column < sorter->key_count && whole && *bits < room && status == OK) {
        struct pack pack;
        pack_make(sorter, entries, count, *column, &pack);
        uint32_t left = room - *bits;
        uint32_t drop = pack.bits > left ? pack.bits - left : 0;
        uint32_t put = pack.bits - drop;
        if (put > 0)
            pack_put(sorter, &pack, entries, count, drop, 64 - *bits - put);
        *bits += put;
        whole = pack.whole && drop == 0;
        *column += whole;
        status = sorter_pace(sorter, (uint64_t)count * 8, error);
    }
    return status;
}

/* ---- comparing ----------------------------------------------------------------------------------
 */

static inline int order_of(const struct sorter *sorter, uint32_t column, uint64_t x, uint64_t y)
{
    uint32_t a = row_of(sorter, x), b = row_of(sorter, y);
    for (uint32_t k = column; k < sorter->key_count; k++) {
        struct value left = exec__collection_value(sorter->rows, sorter->key_columns[k], a);
        struct value right = exec__collection_value(sorter->rows, sorter->key_columns[k], b);
        int order = exec__sort_key_order(&sorter->keys[k], &left, &right);
        if (order)
            return order;
    }
    return (a > b) - (a < b);
}

/* A merge sort. */
static status_t compare_sort(struct sorter *sorter, uint64_t *entries, uint64_t *room,
                             uint32_t count, uint32_t column, struct error *error)
{
    if (count <= ROWS_COMPARED) {
        for (uint32_t i = 1; i < count; i++) {
            uint64_t entry = entries[i];
            uint32_t at = i;
            for (; at > 0 && order_of(sorter, column, entries[at - 1], entry) > 0; at--)
                entries[at] = entries[at - 1];
            entries[at] = entry;
        }
        return OK;
    }
    uint32_t half = count / 2;
    status_t status = compare_sort(sorter, entries, room, half, column, error);
    if (status == OK)
        status = compare_sort(sorter, entries + half, room, count - half, column, error);
    if (status == OK)
        status = exec__pace(&sorter->pace, (uint64_t)count * COMPARISON_STEPS, error);
    if (status != OK || order_of(sorter, column, entries[half - 1], entries[half]) <= 0)
        return status;
    /* The left half moves out; merging fills from the front and never overtakes the right half. */
    memcpy(room, entries, half * sizeof *room);
    uint32_t a = 0, b = half, at = 0;
    while (a < half && b < count)
        entries[at++] =
            order_of(sorter, column, room[a], entries[b]) <= 0 ? room[a++] : entries[b++];
    memcpy(entries + at, room + a, (half - a) * sizeof *room);
    return OK;
}

/* ---- digits -------------------------------------------------------------------------------------
 */

static void insertion_sort(uint64_t *entries, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint64_t entry = entries[i];
        uint32_t at = i;
        for (; at > 0 && entries[at - 1] > entry; at--)
            entries[at] = entries[at - 1];
        entries[at] = entry;
    }
}

/* By one digit, from `in` to `out`; false: it is the same in all, and nothing was done. */
static bool digit_sort(struct sorter *sorter, const uint64_t *in, uint64_t *out, uint32_t count,
                       uint32_t shift, uint32_t bits)
{
    uint32_t starts[1 << DIGIT_BITS_MAX] = {0};
    uint64_t mask = ((uint64_t)1 << bits) - 1;
    ASSERT(bits <= DIGIT_BITS_MAX && shift + bits <= 64);
    for (uint32_t i = 0; i < count && goes_on(sorter, i); i++)
        starts[in[i] >> shift & mask]++;
    if (starts[in[0] >> shift & mask] == count || sorter->status != OK)
        return false;
    uint32_t start = 0;
    for (uint32_t digit = 0; digit <= mask; digit++) {
        uint32_t size = starts[digit];
        starts[digit] = start;
        start += size;
    }
    for (uint32_t i = 0; i < count && goes_on(sorter, i); i++)
        out[starts[in[i] >> shift & mask]++] = in[i];
    return sorter->status == OK;
}

static bool ascends(const uint64_t *entries, uint32_t count)
{
    uint32_t i = 1;
    while (i < count && entries[i - 1] < entries[i])
        i++;
    return i >= count;
}

/* By the upper `bits` bits; what is below ascends already. */
static status_t radix_sort(struct sorter *sorter, uint64_t *entries, uint64_t *room, uint32_t count,
                           uint32_t bits, struct error *error)
{
    if (ascends(entries, count))
        return OK;
    if (count <= ROWS_INSERTED) {
        insertion_sort(entries, count);
        return OK;
    }
    uint64_t *in = entries, *out = room;
    uint32_t most = count < ROWS_MANY ? DIGIT_BITS : DIGIT_BITS_MAX;
    uint32_t digits = (bits + most - 1) / most;
    uint32_t shift = 64 - bits;
    status_t status = OK;
    for (uint32_t i = 0; i < digits && status == OK; i++) {
        uint32_t width = (bits - (shift - (64 - bits)) + digits - i - 1) / (digits - i);
        if (digit_sort(sorter, in, out, count, shift, width)) {
            uint64_t *swapped = in;
            in = out;
            out = swapped;
        }
        shift += width;
        status = sorter_pace(sorter, (uint64_t)count * 8, error);
    }
    if (in != entries)
        memcpy(entries, in, count * sizeof *entries);
    return status;
}

/* ---- all of it ----------------------------------------------------------------------------------
 */

/* Entries [from, from + count) by the key columns from `column` on. */
static status_t range_sort(struct sorter *sorter, uint32_t from, uint32_t count, uint32_t column,
                           uint32_t depth, struct error *error)
{
    uint64_t *entries = sorter->entries + from;
    uint64_t *room = sorter->room + from;
    uint32_t bits, next = column;
    if (count <= ROWS_COMPARED || depth == DEPTH_MAX)
        return compare_sort(sorter, entries, room, count, column, error);
    status_t status = keys_put(sorter, entries, count, &next, &bits, error);
    if (status == OK && bits > 0)
        status = radix_sort(sorter, entries, room, count, bits, error);
    if (status != OK || next == sorter->key_count)
        return status;
    if (bits == 0 || entries[0] >> (64 - bits) == entries[count - 1] >> (64 - bits))
        return compare_sort(sorter, entries, room, count, next, error);
    for (uint32_t start = 0, end; start < count && status == OK; start = end) {
        uint64_t key = entries[start] >> sorter->row_bits;
        for (end = start + 1; end < count && entries[end] >> sorter->row_bits == key;)
            end++;
        if (end - start > 1)
            status = range_sort(sorter, from + start, end - start, next, depth + 1, error);
    }
    return status == OK ? exec__pace(&sorter->pace, count, error) : status;
}

size_t exec__sort_order_size(uint32_t count)
{
    return ((size_t)count + 1) * 2 * sizeof(uint64_t);
}

status_t exec__sort_order(const struct collection *rows, const struct sort_key *keys,
                          const uint32_t *key_columns, uint32_t key_count, void *memory,
                          uint32_t count, struct error *error)
{
    uint64_t *entries = memory;
    uint32_t *order = memory;
    struct sorter sorter = {.rows = rows,
                            .keys = keys,
                            .key_columns = key_columns,
                            .key_count = key_count,
                            .entries = entries,
                            .room = entries + count + 1,
                            .row_bits = row_bits(rows),
                            .pace = {.exec = rows->exec},
                            .error = error};
    uint32_t found = 0;
    for (uint32_t c = 0; c < rows->chunk_count; c++) {
        for (uint32_t i = 0; i < rows->chunks[c]->row_count; i++)
            entries[found++] = (uint64_t)c * BATCH_ROWS_MAX + i;
    }
    ASSERT(found == count && sorter.row_bits <= 32);
    status_t status = range_sort(&sorter, 0, count, 0, 0, error);
    for (uint32_t i = 0; i < count; i++)
        order[i] = row_of(&sorter, entries[i]);
    return status;
}
