/* Different ways to the same answer, over random tables: hash join, nested loop and lookup join;
 * key ranges of an index and a filter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/prng.h"
#include "world.h"

#define B                     SQL_BOOLEAN
#define I                     SQL_INTEGER
#define T                     SQL_TEXT
#define CALL(call, type, ...) e_call(w, call, type, __VA_ARGS__, NULL)

static struct world world, *w = &world;
static struct prng prng;

static struct expr *random_integer(uint32_t below)
{
    return prng_chance(&prng, 1, 8) ? e_null(w, I) : e_int(w, (int64_t)prng_below(&prng, below));
}

static struct expr *random_text(void)
{
    static const char *const texts[] = {"", "a", "ab", "b", "ba", "\x01", "zz"};
    return prng_chance(&prng, 1, 8) ? e_null(w, T) : e_text(w, texts[prng_below(&prng, 7)]);
}

/* name(id primary, x null, s text null) */
static const struct table *random_table(const char *name, uint32_t rows, uint32_t below)
{
    const struct table *table =
        world_table(w, name, "id integer primary, x integer null, s text null");
    struct expr **exprs = arena_alloc(&w->arena, (3 * rows + 1) * sizeof *exprs);
    for (uint32_t i = 0; i < rows; i++) {
        exprs[3 * i] = e_int(w, i);
        exprs[3 * i + 1] = random_integer(below);
        exprs[3 * i + 2] = random_text();
    }
    if (rows > 0)
        world_run(w, p_insert(w, table, p_values(w, 3, rows, exprs)));
    return table;
}

static char *answer(struct plan *plan)
{
    const char *text = world_run(w, plan);
    assert_int_not_equal(strncmp(text, "ERROR", 5), 0);
    return arena_strndup(&w->arena, text, strlen(text));
}

/* Over l.id l.x l.s r.id r.x r.s, or none. */
static struct expr *random_condition(void)
{
    struct expr *l = e_col(w, 0, I), *r = e_col(w, 3, I);
    switch (prng_below(&prng, 5)) {
    case 0:
        return CALL(CALL_LT, B, l, r);
    case 1:
        return CALL(CALL_EQ, B, e_col(w, 2, T), e_col(w, 5, T));
    case 2:
        return CALL(CALL_GT, B, CALL(CALL_ADD, I, l, r), e_int(w, 9));
    case 3:
        return e_bool(w, false);
    default:
        return NULL;
    }
}

/* Both sides sorted by x, NULLs last: merged and hashed they give the same. */
static void check_merge(enum join_kind kind, struct plan *left, const struct table *r,
                        struct expr *condition)
{
    static const enum join_kind merged[] = {JOIN_INNER, JOIN_LEFT, JOIN_SEMI, JOIN_ANTI};
    struct expr *x = e_col(w, 1, I);
    if (kind == JOIN_RIGHT || kind == JOIN_FULL)
        kind = merged[prng_below(&prng, 4)];
    struct plan *plans[2];
    static const enum plan_kind how[] = {PLAN_MERGE_JOIN, PLAN_HASH_JOIN};
    for (int i = 0; i < 2; i++) {
        struct plan *sorted_left = p_sort(w, left, x, false, false);
        struct plan *sorted_right = p_sort(w, p_scan(w, r, NULL, "*"), x, false, false);
        plans[i] = p_join(w, how[i], kind, sorted_left, sorted_right, x, x, condition);
        if (kind == JOIN_SEMI || kind == JOIN_ANTI)
            plans[i]->column_count = left->column_count;
    }
    assert_string_equal(answer(plans[0]), answer(plans[1]));
}

static void check_joins(void)
{
    const struct table *l = random_table("l", (uint32_t)prng_below(&prng, 40), 12);
    uint32_t right_rows = prng_chance(&prng, 1, 4) ? 0 : (uint32_t)prng_below(&prng, 90);
    random_table("r", right_rows, 12);
    struct error error;
    assert_int_equal(world_index(w, "r", "x, s", false, &error), OK);
    const struct table *r = world_find(w, "r");
    enum join_kind kinds[] = {JOIN_INNER, JOIN_LEFT, JOIN_FULL, JOIN_RIGHT};
    enum join_kind kind = kinds[prng_below(&prng, 4)];
    struct expr *condition = random_condition();
    struct expr *x = e_col(w, 1, I);
    struct plan *left = p_scan(w, l, NULL, "*");
    /* Some left batches have a selection. */
    if (prng_chance(&prng, 1, 2))
        left = p_filter(w, left, CALL(CALL_NE, B, e_col(w, 0, I), e_int(w, 2)));
    struct plan *hash =
        p_join(w, PLAN_HASH_JOIN, kind, left, p_scan(w, r, NULL, "*"), x, x, condition);
    struct expr *on = CALL(CALL_EQ, B, x, e_col(w, 4, I));
    if (condition)
        on = e_make(w, EXPR_AND, B, on, condition, NULL);
    struct plan *nested =
        p_join(w, PLAN_NESTED_LOOP_JOIN, kind, left, p_scan(w, r, NULL, "*"), NULL, NULL, on);
    assert_string_equal(answer(hash), answer(nested));
    check_merge(kind, left, r, condition);
    if (kind != JOIN_INNER && kind != JOIN_LEFT)
        return;
    /* The index gives partners in another order: compare sorted by the ids. */
    struct plan *by_key = p_scan(w, r, &r->indexes[1], "*");
    struct key_range *range = p_ranges(w, by_key, 1);
    range->equal[0] = x;
    range->equal_count = 1;
    by_key->as.scan.index_only = true; /* id, x and s are all in it */
    struct plan *lookup = p_join(w, PLAN_LOOKUP_JOIN, kind, left, by_key, NULL, NULL, condition);
    struct plan *sorted = p_sort(w, lookup, e_col(w, 0, I), false, false);
    sorted = p_sort(w, sorted, e_col(w, 3, I), false, false);
    assert_string_equal(answer(sorted), answer(hash));
}

/* Joins of every kind by one whole number, as its own bucket and hashed, and by two keys, of tables
 * whose other columns are read late. */
static void check_hashed(const struct table *l, const struct table *r)
{
    static const enum join_kind kinds[] = {JOIN_INNER, JOIN_LEFT, JOIN_FULL,
                                           JOIN_RIGHT, JOIN_SEMI, JOIN_ANTI};
    enum join_kind kind = kinds[prng_below(&prng, 6)];
    struct expr *condition = random_condition();
    struct plan *sides[2] = {p_scan(w, l, NULL, "*"), p_scan(w, r, NULL, "*")};
    if (prng_chance(&prng, 1, 2))
        sides[0] = p_filter(w, sides[0], CALL(CALL_NE, B, e_col(w, 0, I), e_int(w, 2)));
    int64_t apart = prng_chance(&prng, 1, 2) ? 1 : INT64_C(1000000007000);
    struct expr *key = CALL(CALL_MULTIPLY, I, e_col(w, 1, I), e_int(w, apart));
    struct plan *hash = p_join(w, PLAN_HASH_JOIN, kind, sides[0], sides[1], key, key, condition);
    struct expr *on = CALL(CALL_EQ, B, e_col(w, 1, I), e_col(w, 4, I));
    if (condition)
        on = e_make(w, EXPR_AND, B, on, condition, NULL);
    struct plan *nested =
        p_join(w, PLAN_NESTED_LOOP_JOIN, kind, sides[0], sides[1], NULL, NULL, on);
    if (kind == JOIN_SEMI || kind == JOIN_ANTI)
        hash->column_count = nested->column_count = sides[0]->column_count;
    char *expected = answer(nested);
    assert_string_equal(answer(hash), expected);
    struct expr **keys = arena_alloc(&w->arena, 2 * sizeof(struct expr *));
    keys[0] = keys[1] = hash->as.join.left_keys[0];
    hash->as.join.left_keys = hash->as.join.right_keys = keys;
    hash->as.join.key_count = 2;
    assert_string_equal(answer(hash), expected);
}

static void test_joins_agree(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        prng_seed(&prng, seed);
        world_open(w);
        check_joins();
        for (int i = 0; i < 10; i++)
            check_hashed(world_find(w, "l"), world_find(w, "r"));
        world_close(w);
    }
}

/* Of tables that fill several batches a merge join gives rows up as it goes on. */
static void test_merge_of_many(void **state)
{
    (void)state;
    prng_seed(&prng, 7);
    world_open(w);
    const struct table *l = random_table("l", 3000, 1500);
    const struct table *r = random_table("r", 5000, 1500);
    l = world_find(w, "l");
    for (int i = 0; i < 4; i++)
        check_merge(JOIN_FULL, p_scan(w, l, NULL, "*"), r, i % 2 ? random_condition() : NULL);
    world_close(w);
}

static struct expr *bound_holds(struct expr *column, struct expr *bound, bool is_lower,
                                bool inclusive)
{
    enum expr_call calls[2][2] = {{CALL_LT, CALL_LE}, {CALL_GT, CALL_GE}};
    return CALL(calls[is_lower][inclusive], B, column, bound);
}

/* A random range over (x, s) or its variants, and the filter that says the same. */
static void check_range(const struct table *table, const struct index *index, bool reverse)
{
    struct plan *scan = p_scan(w, table, index, "*");
    struct key_range *range = p_ranges(w, scan, 1);
    struct expr *filter = e_bool(w, true);
    scan->as.scan.index_only = index->column_count == 2 && prng_chance(&prng, 1, 2);
    scan->as.scan.reverse = reverse;
    range->equal_count = (uint32_t)prng_below(&prng, index->column_count + 1);
    for (uint32_t i = 0; i < range->equal_count; i++) {
        struct expr *value = index->columns[i] == 1 ? random_integer(6) : random_text();
        range->equal[i] = value;
        filter = e_make(w, EXPR_AND, B, filter,
                        CALL(CALL_EQ, B, e_col(w, index->columns[i], value->type), value), NULL);
    }
    if (range->equal_count < index->column_count) {
        uint32_t place = index->columns[range->equal_count];
        struct expr *lower = place == 1 ? random_integer(6) : random_text();
        struct expr *upper = place == 1 ? random_integer(6) : random_text();
        struct expr *column = e_col(w, place, lower->type);
        range->lower_inclusive = prng_chance(&prng, 1, 2);
        range->upper_inclusive = prng_chance(&prng, 1, 2);
        if (prng_chance(&prng, 2, 3)) {
            range->lower = lower;
            filter = e_make(w, EXPR_AND, B, filter,
                            bound_holds(column, lower, true, range->lower_inclusive), NULL);
        }
        if (prng_chance(&prng, 2, 3)) {
            range->upper = upper;
            filter = e_make(w, EXPR_AND, B, filter,
                            bound_holds(column, upper, false, range->upper_inclusive), NULL);
        }
    }
    struct plan *all = p_scan(w, table, index, "*");
    all->as.scan.reverse = reverse;
    assert_string_equal(answer(scan), answer(p_filter(w, all, filter)));
}

static void test_ranges_agree_with_filters(void **state)
{
    (void)state;
    static const char *const indexes[] = {"x, s", "s desc, x", "x desc", "s, x desc"};
    for (uint64_t seed = 1; seed <= 8; seed++) {
        prng_seed(&prng, seed);
        world_open(w);
        random_table("t", 80, 6);
        struct error error;
        assert_int_equal(world_index(w, "t", indexes[seed % 4], false, &error), OK);
        const struct table *table = world_find(w, "t");
        for (int i = 0; i < 60; i++)
            check_range(table, &table->indexes[1], prng_chance(&prng, 1, 2));
        world_close(w);
    }
}

/* The order an index has is the order a sort makes. */
static void test_index_order_agrees_with_sort(void **state)
{
    (void)state;
    prng_seed(&prng, 5);
    world_open(w);
    random_table("t", 300, 20);
    struct error error;
    assert_int_equal(world_index(w, "t", "s, x desc", false, &error), OK);
    const struct table *t = world_find(w, "t");
    struct plan *sort = p_sort(w, p_scan(w, t, NULL, "*"), e_col(w, 2, T), false, false);
    sort = p_sort(w, sort, e_col(w, 1, I), true, true);
    assert_string_equal(answer(p_scan(w, t, &t->indexes[1], "*")), answer(sort));
    /* Of a top-n the same beginning. */
    char *whole = answer(sort);
    sort->kind = PLAN_TOP_N;
    for (int64_t limit = 1; limit < 300; limit += 37) {
        sort->as.sort.limit = e_int(w, limit);
        char *some = answer(sort);
        assert_memory_equal(some, whole, strlen(some));
    }
    world_close(w);
}

/* Groups by the first columns of an index, whose rows come group by group, are those of a table of
 * groups, in the same order. */
static void check_groups(const struct table *table, const struct index *index, uint32_t columns)
{
    static const enum sql_type types[] = {I, I, T};
    struct plan *rows = p_scan(w, table, index, "*");
    if (prng_chance(&prng, 1, 2))
        rows = p_filter(w, rows, CALL(CALL_NE, B, e_col(w, 1, I), random_integer(6)));
    struct plan *plan = p_aggregate(w, rows, e_col(w, 1, I));
    struct expr **groups = arena_alloc(&w->arena, 2 * sizeof *groups);
    groups[0] = plan->as.aggregate.groups[0];
    for (uint32_t g = 1; g < columns; g++) {
        groups[g] = e_col(w, 2, types[2]);
        plan->types[plan->column_count++] = types[2];
    }
    plan->as.aggregate.groups = groups;
    plan->as.aggregate.group_count = columns;
    p_aggregate_add(w, plan, AGGREGATE_COUNT_ROWS, NULL);
    p_aggregate_add(w, plan, AGGREGATE_SUM, e_col(w, 0, I))->filter =
        CALL(CALL_LT, B, e_col(w, 0, I), e_int(w, 40));
    p_aggregate_add(w, plan, AGGREGATE_COUNT, e_col(w, 2, T));
    p_aggregate_add(w, plan, AGGREGATE_MAX, e_col(w, 0, I));
    if (prng_chance(&prng, 1, 4)) /* keeps texts: a table after all */
        p_aggregate_add(w, plan, AGGREGATE_MIN, e_col(w, 2, T));
    char *expected = answer(plan);
    plan->as.aggregate.grouped = true;
    assert_string_equal(answer(plan), expected);
    /* As many rows to a group as several threads would need to have tables of their own. */
    plan->rows_estimate = 1;
    rows->rows_estimate = 1000;
    assert_string_equal(answer(plan), expected);
}

static void test_groups_in_order_agree_with_a_table(void **state)
{
    (void)state;
    struct error error;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        prng_seed(&prng, seed);
        world_open(w);
        bool large = seed % 4 == 0;
        random_table("t", large ? 3000 : (uint32_t)prng_below(&prng, 90), large ? 1800 : 6);
        assert_int_equal(world_index(w, "t", "x, s", false, &error), OK);
        const struct table *table = world_find(w, "t");
        for (uint32_t i = 0; i < (large ? 4 : 20); i++)
            check_groups(table, &table->indexes[1], 1 + i % 2);
        world_close(w);
    }
}

/* Groups joined with a few rows, with a key filter below the grouping or without one. */
static void check_key_filter(const struct table *many, const struct table *few)
{
    bool by_text = prng_chance(&prng, 1, 3);
    struct expr *key = by_text ? e_col(w, 2, T) : e_col(w, 1, I);
    enum join_kind kind = prng_chance(&prng, 1, 2) ? JOIN_INNER : JOIN_SEMI;
    bool filtered = prng_chance(&prng, 1, 2), above = prng_chance(&prng, 1, 2);
    struct expr *chosen = CALL(CALL_LT, B, e_col(w, 0, I), e_int(w, 1500));
    char *answers[2];
    for (int with = 0; with < 2; with++) {
        struct plan *rows = p_scan(w, many, NULL, "*"), *filter = NULL;
        if (filtered && !above)
            rows = p_filter(w, rows, chosen);
        if (with) {
            rows = filter = p_filter(w, rows, e_bool(w, true));
            filter->kind = PLAN_KEY_FILTER;
        }
        if (filtered && above)
            rows = p_filter(w, rows, chosen);
        struct plan *groups = p_aggregate(w, rows, key);
        p_aggregate_add(w, groups, AGGREGATE_COUNT_ROWS, NULL);
        p_aggregate_add(w, groups, AGGREGATE_SUM, e_col(w, 0, I));
        struct plan *join = p_join(w, PLAN_HASH_JOIN, kind, groups, p_scan(w, few, NULL, "*"),
                                   e_col(w, 0, key->type), key, NULL);
        if (kind == JOIN_SEMI)
            join->column_count = groups->column_count;
        if (with) {
            struct expr **keys = arena_alloc(&w->arena, sizeof *keys);
            keys[0] = key;
            filter->as.key_filter.join = join;
            filter->as.key_filter.keys = keys;
            filter->as.key_filter.key_count = 1;
        }
        answers[with] = answer(join);
    }
    assert_string_equal(answers[1], answers[0]);
}

static void test_key_filters_agree(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        prng_seed(&prng, seed);
        world_open(w);
        bool large = seed % 3 == 0;
        uint32_t keys = 1 + (uint32_t)prng_below(&prng, large ? 2000 : 30);
        random_table("many", large ? 6000 : (uint32_t)prng_below(&prng, 200), keys);
        random_table("few", (uint32_t)prng_below(&prng, large ? 300 : 12), keys);
        for (uint32_t i = 0; i < (large ? 4 : 12); i++)
            check_key_filter(world_find(w, "many"), world_find(w, "few"));
        world_close(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joins_agree),
        cmocka_unit_test(test_merge_of_many),
        cmocka_unit_test(test_ranges_agree_with_filters),
        cmocka_unit_test(test_index_order_agrees_with_sort),
        cmocka_unit_test(test_groups_in_order_agree_with_a_table),
        cmocka_unit_test(test_key_filters_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
