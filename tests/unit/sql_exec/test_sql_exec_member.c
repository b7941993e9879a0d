/* IN: sets of numbers and texts know their members, and a list that is made a set, as it is in
 * large batches, answers as one whose entries are asked one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "sql/exec/member_set_int.h"
#include "world.h"

#define B                     SQL_BOOLEAN
#define I                     SQL_INTEGER
#define T                     SQL_TEXT
#define CALL(call, type, ...) e_call(w, call, type, __VA_ARGS__, NULL)

static struct world world, *w = &world;
static struct prng prng;

enum { VALUES = 200, FEW = 20 };

static const int64_t edges[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};

/* Near each other, far from each other, or at the edges. */
static int64_t random_number(uint32_t manner)
{
    switch (manner % 3) {
    case 0:
        return (int64_t)prng_below(&prng, 300) - 150;
    case 1:
        return (int64_t)prng_next(&prng) >> prng_below(&prng, 60);
    default:
        return edges[prng_below(&prng, sizeof edges / sizeof *edges)];
    }
}

/* Of the sizes around eight bytes. */
static struct slice random_text(struct arena *arena)
{
    char text[12];
    size_t size = prng_below(&prng, sizeof text);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)prng_below(&prng, i < 4 ? 2 : 1); /* zeros, too */
    if (size > 0 && prng_chance(&prng, 1, 2))
        text[size - 1] = (char)prng_below(&prng, 3);
    return arena_copy(arena, slice_make(text, size));
}

static void check_set(enum sql_type type, uint32_t manner)
{
    struct arena *arena = &w->run_arena;
    struct vector members, values;
    bool found[VALUES];
    uint32_t selection[VALUES];
    struct batch in = {.columns = &values, .column_count = 1, .row_count = VALUES};
    arena_reset(arena);
    vector_init(&members, arena, type, VALUES);
    vector_init(&values, arena, type, VALUES);
    /* Few members are kept another way than many. */
    uint32_t count = (uint32_t)prng_below(&prng, prng_chance(&prng, 1, 2) ? FEW : VALUES);
    for (uint32_t i = 0; i < VALUES; i++) {
        if (type == T) {
            members.as.texts[i] = random_text(arena);
            values.as.texts[i] = random_text(arena);
        } else {
            members.as.integers[i] = random_number(manner);
            values.as.integers[i] = random_number(manner);
        }
        if (prng_chance(&prng, 2, 3))
            selection[in.selected++] = i;
    }
    in.selection = selection;
    if (prng_chance(&prng, 1, 3)) {
        in.selection = NULL;
        in.selected = VALUES;
    }
    struct member_set *set = exec__member_set_make(arena, &members, count);
    exec__member_set_find(set, &values, &in, found);
    for (uint32_t i = 0; i < in.selected; i++) {
        uint32_t row = batch_row(&in, i);
        bool expected = false;
        for (uint32_t m = 0; m < count; m++)
            expected |= exec__entries_equal(&members, m, &values, row);
        assert_int_equal(found[row], expected);
    }
}

static void test_sets_know_their_members(void **state)
{
    (void)state;
    prng_seed(&prng, 3);
    for (uint32_t i = 0; i < 1200; i++)
        check_set(i % 4 == 3 ? T : I, i);
}

/* ---- lists ------------------------------------------------------------------------------------
 */

static struct expr *random_entry(enum sql_type type)
{
    char text[20];
    if (prng_chance(&prng, 1, 20))
        return e_null(w, type);
    if (type == SQL_DOUBLE)
        return e_double(w, (double)prng_below(&prng, 40) / 2);
    if (type == I)
        return e_int(w, (int64_t)prng_below(&prng, 40));
    (void)snprintf(text, sizeof text, "text %u", (unsigned)prng_below(&prng, 40));
    return e_text(w, arena_strndup(&w->arena, text, strlen(text)));
}

/* name(id primary, x, s, d), x, s and d with NULLs */
static const struct table *random_table(const char *name, uint32_t rows)
{
    const struct table *table =
        world_table(w, name, "id integer primary, x integer null, s text null, d double null");
    static const enum sql_type types[] = {I, T, SQL_DOUBLE};
    struct expr **exprs = arena_alloc(&w->arena, (4 * rows + 1) * sizeof *exprs);
    for (uint32_t i = 0; i < rows; i++) {
        exprs[4 * i] = e_int(w, i);
        for (uint32_t c = 0; c < 3; c++)
            exprs[4 * i + 1 + c] = random_entry(types[c]);
    }
    world_run(w, p_insert(w, table, p_values(w, 4, rows, exprs)));
    return table;
}

static bool seen_true, seen_false, seen_null;

/* x IN (a, b, ...) and x = a OR x = b OR ..., with NULL where it is unknown; world_run asks each
 * with batches of all sizes. */
static void check_list(const struct table *table, uint32_t column, uint32_t entries)
{
    static const enum sql_type types[] = {I, I, T, SQL_DOUBLE};
    enum sql_type type = types[column];
    struct expr *x = e_col(w, column, type);
    struct expr *in = e_make(w, EXPR_IN, B, x, NULL);
    in->arguments = arena_alloc(&w->arena, (entries + 1) * sizeof *in->arguments);
    in->arguments[0] = x;
    struct expr *same = e_bool(w, false);
    for (uint32_t i = 1; i <= entries; i++) {
        in->arguments[i] = random_entry(type);
        same = e_make(w, EXPR_OR, B, same, CALL(CALL_EQ, B, x, in->arguments[i]), NULL);
    }
    in->argument_count = entries + 1;
    struct expr *id = e_col(w, 0, I);
    const char *text = world_run(w, p_project(w, p_scan(w, table, NULL, "*"), id, in, NULL));
    char *first = arena_strndup(&w->arena, text, strlen(text));
    assert_string_equal(first,
                        world_run(w, p_project(w, p_scan(w, table, NULL, "*"), id, same, NULL)));
    seen_true |= strstr(first, "|t") != NULL;
    seen_false |= strstr(first, "|f") != NULL;
    seen_null |= strstr(first, "|NULL") != NULL;
}

static void test_lists_agree(void **state)
{
    (void)state;
    prng_seed(&prng, 5);
    const struct table *table = random_table("t", 100);
    for (uint32_t i = 0; i < 90; i++)
        check_list(table, 1 + i % 3, 1 + (uint32_t)prng_below(&prng, 12));
    assert_true(seen_true && seen_false && seen_null);
}

/* An entry that fails is asked only for rows that equal none before it, however many they are. */
static void test_a_list_is_lazy(void **state)
{
    (void)state;
    const struct table *table = world_table(w, "lazy", "id integer primary, x integer");
    struct expr **exprs = arena_alloc(&w->arena, 80 * sizeof *exprs);
    for (uint32_t i = 0; i < 40; i++) {
        exprs[2 * i] = e_int(w, i);
        exprs[2 * i + 1] = e_int(w, 1);
    }
    world_run(w, p_insert(w, table, p_values(w, 2, 40, exprs)));
    struct expr *fails = CALL(CALL_DIVIDE, I, e_int(w, 1), e_int(w, 0));
    struct expr *in = e_make(w, EXPR_IN, B, e_col(w, 1, I), e_int(w, 1), fails, NULL);
    struct plan *count = p_aggregate(w, p_filter(w, p_scan(w, table, NULL, "*"), in), NULL);
    p_aggregate_add(w, count, AGGREGATE_COUNT_ROWS, NULL);
    assert_string_equal(world_run(w, count), "40\n");
}

/* Conditions that cannot fail change places with those beside them, and the rows stay the same. One
 * that may fail stays where it is, and so does what stands behind it. */
static void test_conditions_change_places(void **state)
{
    (void)state;
    prng_seed(&prng, 9);
    const struct table *table = random_table("t", 100);
    struct expr *x = e_col(w, 1, I), *s = e_col(w, 2, T);
    struct expr *part = CALL(CALL_SUBSTRING, T, s, e_int(w, 6), e_int(w, 1));
    struct expr *conditions[] = {
        CALL(CALL_NOT, B, CALL(CALL_LIKE, B, s, e_text(w, "%1%"))),
        e_make(w, EXPR_IN, B, part, e_text(w, "2"), e_text(w, "3"), NULL),
        e_make(w, EXPR_IN, B, x, e_int(w, 1), e_int(w, 3), e_int(w, 5), e_int(w, 30), NULL),
        CALL(CALL_NE, B, x, e_int(w, 3)),
    };
    char *expected = NULL;
    for (uint32_t i = 0; i < 24; i++) {
        for (uint32_t k = 3; k > 0; k--) {
            uint32_t other = (uint32_t)prng_below(&prng, k + 1);
            struct expr *swap = conditions[k];
            conditions[k] = conditions[other];
            conditions[other] = swap;
        }
        struct expr *all = e_make(w, EXPR_AND, B, conditions[0], conditions[1], conditions[2],
                                  conditions[3], NULL);
        const char *rows = world_run(w, p_filter(w, p_scan(w, table, NULL, "*"), all));
        if (!expected)
            expected = arena_strndup(&w->arena, rows, strlen(rows));
        assert_string_equal(rows, expected);
    }
    assert_true(strlen(expected) > 0);
    struct expr *divided = CALL(CALL_DIVIDE, I, e_int(w, 10), x);
    struct expr *guarded = e_make(w, EXPR_AND, B, CALL(CALL_NE, B, x, e_int(w, 0)),
                                  CALL(CALL_LT, B, divided, e_int(w, 3)),
                                  e_make(w, EXPR_IN, B, x, e_int(w, 0), e_int(w, 9), NULL), NULL);
    const char *rows = world_run(w, p_filter(w, p_scan(w, table, NULL, "*"), guarded));
    assert_null(strstr(rows, "ERROR"));
    guarded->arguments[0] = guarded->arguments[2];
    rows = world_run(w, p_filter(w, p_scan(w, table, NULL, "*"), guarded));
    assert_non_null(strstr(rows, "ERROR 22012"));
    /* A pattern that is broken, and a part of negative length. */
    struct expr *none = e_make(w, EXPR_IN, B, x, e_int(w, 77), e_int(w, 78), NULL);
    struct expr *broken[] = {
        CALL(CALL_LIKE, B, s, e_text(w, "text 1\\")),
        CALL(CALL_EQ, B, CALL(CALL_SUBSTRING, T, s, e_int(w, 1), e_int(w, -1)), e_text(w, "t")),
    };
    for (uint32_t i = 0; i < 2; i++) {
        struct expr *both = e_make(w, EXPR_AND, B, broken[i], none, NULL);
        rows = world_run(w, p_filter(w, p_scan(w, table, NULL, "*"), both));
        assert_non_null(strstr(rows, "ERROR 220"));
    }
}

static int setup(void **state)
{
    (void)state;
    world_open(w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(w);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sets_know_their_members, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists_agree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_list_is_lazy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conditions_change_places, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
