/* Rows put in order by numbers made of their keys: random columns of every type, against the order
 * of their values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "sql/exec/sort_int.h"
#include "world.h"

enum { COLUMNS = 4, ROUNDS = 400 };

static const enum sql_type types[] = {SQL_BOOLEAN, SQL_INTEGER, SQL_DOUBLE, SQL_TEXT,
                                      SQL_NUMERIC, SQL_UUID,    SQL_BYTEA,  SQL_INTERVAL};
enum { TYPES = sizeof types / sizeof *types };

/* How the values of a column are spread. */
struct shape {
    enum sql_type type;
    uint64_t choices; /* about so many different ones */
    uint64_t nulls;   /* one in so many; 0: none */
    uint32_t kind;
};

static struct value text_make(struct prng *prng, const struct shape *shape, struct arena *arena)
{
    static const char *const prefixes[] = {"", "a", "name of ", "https://example.org/a/long/way/"};
    uint8_t bytes[64];
    const char *prefix = prefixes[shape->kind % 4];
    size_t size = strlen(prefix);
    memcpy(bytes, prefix, size);
    uint64_t number = prng_below(prng, shape->choices);
    switch (shape->kind / 4 % 4) {
    case 0: /* digits */
        size += (size_t)snprintf((char *)bytes + size, 24, "%llu", (unsigned long long)number);
        break;
    case 1: /* one is the beginning of the other */
        for (uint64_t i = 0; i < number % 20; i++)
            bytes[size++] = 'x';
        break;
    case 2: /* zeros count, too */
        for (uint64_t i = 0; i < number % 9; i++)
            bytes[size++] = (uint8_t)(prng_below(prng, 4) * 0x55);
        break;
    default: /* far behind */
        memset(bytes + size, 'z', 20);
        size += 20;
        bytes[size++] = (uint8_t)number;
        break;
    }
    return value_text(arena_copy(arena, slice_make(bytes, size)));
}

static struct value value_make(struct prng *prng, const struct shape *shape, struct arena *arena)
{
    struct value value = value_null(shape->type);
    if (shape->nulls > 0 && prng_below(prng, shape->nulls) == 0)
        return value;
    value.null = false;
    uint64_t number = prng_below(prng, shape->choices);
    static const int64_t ends[] = {INT64_MIN, INT64_MAX, -1, 0};
    static const double reals[] = {0.0, -0.0, 1e300, -1e300, __builtin_inf(), __builtin_nan("")};
    switch (type_storage(shape->type)) {
    case SQL_BOOLEAN:
        value.as.boolean = number % 2 == 0;
        break;
    case SQL_INTEGER:
        value.as.integer =
            shape->kind % 3 == 0 ? ends[number % 4] : (int64_t)(number - shape->choices / 2);
        break;
    case SQL_DOUBLE:
        value.as.real = shape->kind % 3 == 0 ? reals[number % 6] : ((double)number - 50) / 7;
        break;
    case SQL_NUMERIC:
        value.as.numeric = numeric_make((__int128)number - 30,
                                        shape->kind % 3 == 0 ? (uint32_t)prng_below(prng, 4) : 2);
        if (shape->kind % 5 == 0)
            value.as.numeric = numeric_make((__int128)number << 60, 2);
        break;
    case SQL_UUID:
        memset(value.as.uuid.bytes, (int)(number % 3), sizeof value.as.uuid.bytes);
        value.as.uuid.bytes[15] = (uint8_t)prng_below(prng, 256);
        break;
    case SQL_INTERVAL:
        value.as.interval = (struct interval){.days = (int32_t)(number % 50)};
        break;
    default:
        value = text_make(prng, shape, arena);
        value.type = shape->type;
        break;
    }
    return value;
}

/* What one round sorts. */
struct round {
    struct arena arena;
    struct exec exec;
    struct collection rows;
    enum sql_type types[COLUMNS];
    struct sort_key keys[COLUMNS];
    uint32_t key_columns[COLUMNS];
    uint32_t key_count;
};

static void round_fill(struct round *round, struct prng *prng, uint32_t count)
{
    struct shape shapes[COLUMNS];
    struct error error;
    static const uint64_t choices[] = {1, 2, 10, 1000, UINT64_MAX};
    for (int c = 0; c < COLUMNS; c++) {
        shapes[c] = (struct shape){.type = types[prng_below(prng, TYPES)],
                                   .choices = choices[prng_below(prng, 5)],
                                   .nulls = prng_below(prng, 2) * 5,
                                   .kind = (uint32_t)prng_below(prng, 60)};
        round->types[c] = shapes[c].type;
    }
    exec__collection_init(&round->rows, &round->exec, round->types, NULL, COLUMNS);
    for (uint32_t at = 0; at < count;) {
        uint32_t some = count - at < BATCH_ROWS_MAX ? count - at : BATCH_ROWS_MAX;
        struct batch *batch = batch_create(&round->arena, round->types, COLUMNS, some);
        for (uint32_t i = 0; i < some; i++) {
            for (int c = 0; c < COLUMNS; c++) {
                struct value value = value_make(prng, &shapes[c], &round->arena);
                vector_set(&batch->columns[c], i, &value);
            }
        }
        batch->row_count = batch->selected = some;
        assert_int_equal(exec__collection_append_batch(&round->rows, batch, &error), OK);
        at += some;
    }
    round->key_count = 1 + (uint32_t)prng_below(prng, COLUMNS);
    for (uint32_t k = 0; k < round->key_count; k++) {
        round->key_columns[k] = (uint32_t)prng_below(prng, COLUMNS);
        round->keys[k].descending = prng_below(prng, 2) == 0;
        round->keys[k].nulls_first = prng_below(prng, 2) == 0;
    }
}

static int order_of(const struct round *round, uint32_t a, uint32_t b)
{
    for (uint32_t k = 0; k < round->key_count; k++) {
        struct value x = exec__collection_value(&round->rows, round->key_columns[k], a);
        struct value y = exec__collection_value(&round->rows, round->key_columns[k], b);
        int order = exec__sort_key_order(&round->keys[k], &x, &y);
        if (order)
            return order;
    }
    return a < b ? -1 : a > b;
}

static void test_random_keys(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 2, 9, 70, 1000, 3000, 20000};
    struct prng prng;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        struct round round = {0};
        struct error error;
        prng_seed(&prng, seed);
        uint32_t count = counts[prng_below(&prng, seed % 20 == 0 ? 8 : 7)];
        exec__init(&round.exec, &(struct exec_context){.arena = &round.arena});
        round_fill(&round, &prng, count);
        uint32_t *order = mem_alloc(exec__sort_order_size(count));
        assert_int_equal(exec__sort_order(&round.rows, round.keys, round.key_columns,
                                          round.key_count, order, count, &error),
                         OK);
        bool *seen = mem_zalloc(count + 1, sizeof *seen);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(order[i] < count && !seen[order[i]]);
            seen[order[i]] = true;
            if (i > 0 && order_of(&round, order[i - 1], order[i]) >= 0)
                fail_msg("seed %d: place %u of %u is wrong", (int)seed, i, count);
        }
        mem_free(seen);
        mem_free(order);
        exec__collection_free(&round.rows);
        arena_free(&round.arena);
    }
}

/* Texts of which each is the beginning of the next, far beyond what numbers tell apart. */
static void test_beginnings(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct round round = {.key_count = 1, .types = {SQL_TEXT, SQL_TEXT, SQL_TEXT, SQL_TEXT}};
    struct error error;
    static uint8_t bytes[COUNT];
    exec__init(&round.exec, &(struct exec_context){.arena = &round.arena});
    exec__collection_init(&round.rows, &round.exec, round.types, NULL, 1);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct batch *batch = batch_create(&round.arena, round.types, 1, 1);
        struct value value = value_text(slice_make(bytes, i * 7919 % COUNT));
        vector_set(&batch->columns[0], 0, &value);
        batch->row_count = batch->selected = 1;
        assert_int_equal(exec__collection_append_batch(&round.rows, batch, &error), OK);
    }
    uint32_t *order = mem_alloc(exec__sort_order_size(COUNT));
    assert_int_equal(
        exec__sort_order(&round.rows, round.keys, round.key_columns, 1, order, COUNT, &error), OK);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(exec__collection_value(&round.rows, 0, order[i]).as.text.size, i);
    mem_free(order);
    exec__collection_free(&round.rows);
    arena_free(&round.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_keys),
        cmocka_unit_test(test_beginnings),
    };
    return cmocka_run_group_tests_name("sql_exec_sort", tests, NULL, NULL);
}
