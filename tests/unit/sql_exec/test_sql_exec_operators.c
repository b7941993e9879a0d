/* Operators over tables in a store in memory: what they answer, in which order, within which
 * memory. world_run compares batches of 1, 3 and 1024 rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define B SQL_BOOLEAN
#define I SQL_INTEGER
#define D SQL_DOUBLE
#define T SQL_TEXT

static struct world world, *w = &world;

#define CHECK(expected, plan) assert_string_equal(world_run(w, plan), expected)
#define CALL(call, type, ...) e_call(w, call, type, __VA_ARGS__, NULL)

/* t(a primary, b null, c text null): (1,10,x) (2,20,y) (3,10,NULL) (4,NULL,x) (5,30,z) */
static const struct table *table_t(void)
{
    const struct table *t = world_table(w, "t", "a integer primary, b integer null, c text null");
    struct expr *rows[] = {
        e_int(w, 1),    e_int(w, 10),   e_text(w, "x"), e_int(w, 2),  e_int(w, 20),
        e_text(w, "y"), e_int(w, 3),    e_int(w, 10),   e_null(w, T), e_int(w, 4),
        e_null(w, I),   e_text(w, "x"), e_int(w, 5),    e_int(w, 30), e_text(w, "z"),
    };
    CHECK("changed 5\n", p_insert(w, t, p_values(w, 3, 5, rows)));
    return t;
}

static int setup(void **state)
{
    (void)state;
    world_open(w);
    table_t();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(w);
    return 0;
}

static const struct table *t(void)
{
    return world_find(w, "t");
}

static const struct index *index_on(const char *columns, bool unique)
{
    struct error error = {0};
    assert_int_equal(world_index(w, "t", columns, unique, &error), OK);
    return &t()->indexes[t()->index_count - 1];
}

/* ---- scans ---- */

static void test_scan(void **state)
{
    (void)state;
    CHECK("1|10|x\n2|20|y\n3|10|NULL\n4|NULL|x\n5|30|z\n", p_scan(w, t(), NULL, "*"));
    CHECK("x\ny\nNULL\nx\nz\n", p_scan(w, t(), NULL, "c"));
    struct plan *reverse = p_scan(w, t(), NULL, "a");
    reverse->as.scan.reverse = true;
    CHECK("5\n4\n3\n2\n1\n", reverse);
    CHECK("\n\n\n\n\n", p_scan(w, t(), NULL, ""));
}

static struct plan *scan_range(const struct index *index, const char *columns, struct expr *lower,
                               bool lower_inclusive, struct expr *upper, bool upper_inclusive)
{
    struct plan *scan = p_scan(w, t(), index, columns);
    struct key_range *range = p_ranges(w, scan, 1);
    range->lower = lower;
    range->upper = upper;
    range->lower_inclusive = lower_inclusive;
    range->upper_inclusive = upper_inclusive;
    return scan;
}

static void test_primary_ranges(void **state)
{
    (void)state;
    struct expr *two = e_int(w, 2), *four = e_int(w, 4);
    CHECK("2\n3\n4\n", scan_range(NULL, "a", two, true, four, true));
    CHECK("3\n", scan_range(NULL, "a", two, false, four, false));
    CHECK("4\n5\n", scan_range(NULL, "a", four, true, NULL, false));
    CHECK("1\n", scan_range(NULL, "a", NULL, false, two, false));
    CHECK("", scan_range(NULL, "a", four, true, two, true));
    CHECK("", scan_range(NULL, "a", e_null(w, I), true, four, true));
    struct plan *scan = p_scan(w, t(), NULL, "a,c");
    struct key_range *ranges = p_ranges(w, scan, 4);
    int64_t keys[] = {4, 2, 9, 4};
    for (int i = 0; i < 4; i++) {
        ranges[i].equal[0] = e_int(w, keys[i]);
        ranges[i].equal_count = 1;
    }
    CHECK("4|x\n2|y\n", scan); /* as listed, once */
    scan->as.scan.range_count = 1;
    CHECK("4|x\n", scan);
    ranges[0].equal[0] = e_null(w, I);
    CHECK("", scan);
}

static void test_index_scans(void **state)
{
    (void)state;
    const struct index *b = index_on("b", false);
    CHECK("1|10\n3|10\n2|20\n5|30\n4|NULL\n", p_scan(w, t(), b, "a,b"));
    CHECK("2|20\n5|30\n", scan_range(b, "a,b", e_int(w, 10), false, NULL, false));
    CHECK("1|10\n3|10\n", scan_range(b, "a,b", NULL, false, e_int(w, 20), false));
    struct plan *only = scan_range(b, "a,b", NULL, false, e_int(w, 20), true);
    only->as.scan.index_only = true;
    CHECK("1|10\n3|10\n2|20\n", only);
    only->as.scan.reverse = true;
    CHECK("2|20\n3|10\n1|10\n", only);
    struct plan *equal = p_scan(w, t(), b, "a,c");
    struct key_range *range = p_ranges(w, equal, 1);
    range->equal[0] = e_int(w, 10);
    range->equal_count = 1;
    CHECK("1|x\n3|NULL\n", equal);
}

static void test_descending_index(void **state)
{
    (void)state;
    const struct index *b = index_on("b desc", false);
    CHECK("4|NULL\n5|30\n2|20\n1|10\n3|10\n", p_scan(w, t(), b, "a,b"));
    CHECK("5|30\n2|20\n", scan_range(b, "a,b", e_int(w, 10), false, NULL, false));
    CHECK("2|20\n1|10\n3|10\n", scan_range(b, "a,b", NULL, false, e_int(w, 20), true));
    CHECK("1|10\n3|10\n", scan_range(b, "a,b", NULL, false, e_int(w, 20), false));
    CHECK("2|20\n", scan_range(b, "a,b", e_int(w, 20), true, e_int(w, 20), true));
}

static void test_unique_index(void **state)
{
    (void)state;
    const struct index *c = index_on("c,b", true);
    struct plan *scan = p_scan(w, t(), c, "a");
    struct key_range *range = p_ranges(w, scan, 1);
    range->equal[0] = e_text(w, "y");
    range->equal[1] = e_int(w, 20);
    range->equal_count = 2;
    CHECK("2\n", scan);
    range->equal_count = 1;
    CHECK("2\n", scan);
    range->equal[0] = e_text(w, "x");
    CHECK("1\n4\n", scan); /* 4 has a NULL, so its entry has the primary key in the key */
    scan->as.scan.index_only = true;
    CHECK("1\n4\n", scan);
    range->lower = e_int(w, 0);
    CHECK("1\n", scan);
    /* A key longer than any there can be. */
    char *longer = arena_alloc(&w->arena, 3001);
    memset(longer, 'x', 3000);
    longer[3000] = '\0';
    range->equal[0] = e_text(w, longer);
    CHECK("", scan);
    range->equal_count = 0;
    range->lower = e_text(w, longer);
    CHECK("2\n5\n", scan);
    struct error error = {0};
    assert_int_equal(world_index(w, "t", "b", true, &error), ERR_SQL);
    assert_string_equal(error.message, "could not create unique index \"t_b_idx\"");
    assert_string_equal(error.detail, "Key (b)=(10) is duplicated.");
}

/* ---- limit, distinct, sort ---- */

static void test_limit(void **state)
{
    (void)state;
    struct plan *scan = p_scan(w, t(), NULL, "a");
    CHECK("1\n2\n", p_limit(w, scan, e_int(w, 2), NULL));
    CHECK("3\n4\n", p_limit(w, scan, e_int(w, 2), e_int(w, 2)));
    CHECK("", p_limit(w, scan, e_int(w, 0), NULL));
    CHECK("", p_limit(w, scan, e_int(w, 2), e_int(w, 9)));
    CHECK("5\n", p_limit(w, scan, e_null(w, I), e_int(w, 4)));
    CHECK("ERROR 2201W: LIMIT must not be negative\n", p_limit(w, scan, e_int(w, -1), NULL));
    CHECK("ERROR 2201X: OFFSET must not be negative\n", p_limit(w, scan, NULL, e_int(w, -1)));
}

static void test_distinct(void **state)
{
    (void)state;
    CHECK("x\ny\nNULL\nz\n", p_distinct(w, p_scan(w, t(), NULL, "c")));
    CHECK("10\n20\nNULL\n30\n", p_distinct(w, p_scan(w, t(), NULL, "b")));
    CHECK("\n", p_distinct(w, p_scan(w, t(), NULL, "")));
}

static void test_sort(void **state)
{
    (void)state;
    struct plan *scan = p_scan(w, t(), NULL, "a,b,c");
    struct expr *a = e_col(w, 0, I), *b = e_col(w, 1, I), *c = e_col(w, 2, T);
    CHECK("1|10|x\n3|10|NULL\n2|20|y\n5|30|z\n4|NULL|x\n", p_sort(w, scan, b, false, false));
    CHECK("4|NULL|x\n5|30|z\n2|20|y\n1|10|x\n3|10|NULL\n", p_sort(w, scan, b, true, true));
    struct plan *two = p_sort(w, p_sort(w, scan, c, false, true), a, true, false);
    CHECK("3|10|NULL\n4|NULL|x\n1|10|x\n2|20|y\n5|30|z\n", two);
    CHECK("5|30|z\n4|NULL|x\n3|10|NULL\n2|20|y\n1|10|x\n",
          p_sort(w, scan, CALL(CALL_NEGATE, I, a), false, false));
    two->kind = PLAN_TOP_N;
    two->as.sort.limit = e_int(w, 2);
    two->as.sort.offset = e_int(w, 1);
    CHECK("4|NULL|x\n1|10|x\n", two);
    two->as.sort.limit = e_int(w, 0);
    CHECK("", two);
    two->as.sort.limit = e_null(w, I);
    two->as.sort.offset = e_int(w, 4);
    CHECK("5|30|z\n", two);
}

/* n(k primary): 0 .. count-1; v is a scrambled number, s its text with a long common start. */
static const struct table *numbers(uint32_t count)
{
    const struct table *n = world_table(w, "n", "k integer primary, v integer null, s text");
    struct expr **exprs = arena_alloc(&w->arena, 3 * count * sizeof *exprs);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t v = i * 7919 % 10007;
        exprs[3 * i] = e_int(w, i);
        exprs[3 * i + 1] = i % 100 == 99 ? e_null(w, I) : e_int(w, v);
        exprs[3 * i + 2] = e_text(w, arena_printf(&w->arena, "common-start-%05u", v));
    }
    const char *answer = world_run(w, p_insert(w, n, p_values(w, 3, count, exprs)));
    assert_string_equal(answer, arena_printf(&w->arena, "changed %u\n", count));
    return n;
}

/* Keys whose order must never go down. */
static void assert_sorted(const char *text, uint32_t rows)
{
    uint32_t count = 0;
    char previous[64] = "";
    while (*text) {
        char line[64];
        size_t size = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)size, text);
        assert_true(strcmp(previous, line) <= 0);
        memcpy(previous, line, sizeof line);
        text += size + 1;
        count++;
    }
    assert_int_equal(count, rows);
}

static void test_large_sort_and_top_n(void **state)
{
    (void)state;
    const struct table *n = numbers(5000);
    struct plan *scan = p_scan(w, n, NULL, "s");
    struct plan *sort = p_sort(w, scan, e_col(w, 0, T), false, false);
    assert_sorted(world_run(w, sort), 5000);
    char *all = arena_strndup(&w->arena, (char *)w->text.data, w->text.size);
    sort->kind = PLAN_TOP_N;
    sort->as.sort.limit = e_int(w, 40);
    const char *first = world_run(w, sort);
    assert_sorted(first, 40);
    assert_memory_equal(all, first, strlen(first));
    /* Text made by a function is copied, not pointed to. */
    struct plan *upper = p_project(w, scan, CALL(CALL_REVERSE, T, e_col(w, 0, T)), NULL);
    sort = p_sort(w, upper, CALL(CALL_REVERSE, T, e_col(w, 0, T)), false, false);
    sort->kind = PLAN_TOP_N;
    sort->as.sort.limit = e_int(w, 2);
    CHECK("00000-trats-nommoc\n50000-trats-nommoc\n", sort);
}

/* ---- aggregates ---- */

static void test_aggregates(void **state)
{
    (void)state;
    struct expr *b = e_col(w, 1, I), *c = e_col(w, 2, T);
    struct plan *plan = p_aggregate(w, p_scan(w, t(), NULL, "*"), NULL);
    p_aggregate_add(w, plan, AGGREGATE_COUNT_ROWS, NULL);
    p_aggregate_add(w, plan, AGGREGATE_COUNT, b);
    p_aggregate_add(w, plan, AGGREGATE_SUM, b);
    p_aggregate_add(w, plan, AGGREGATE_AVG, b);
    p_aggregate_add(w, plan, AGGREGATE_MIN, b);
    p_aggregate_add(w, plan, AGGREGATE_MAX, c);
    p_aggregate_add(w, plan, AGGREGATE_COUNT, c)->distinct = true;
    p_aggregate_add(w, plan, AGGREGATE_SUM, b)->distinct = true;
    p_aggregate_add(w, plan, AGGREGATE_COUNT_ROWS, NULL)->filter =
        CALL(CALL_EQ, B, c, e_text(w, "x"));
    p_aggregate_add(w, plan, AGGREGATE_SUM, e_make(w, EXPR_CAST, D, b, NULL));
    CHECK("5|4|70|17.5|10|z|3|60|2|70\n", plan);
    plan->left = p_filter(w, plan->left, e_bool(w, false));
    CHECK("0|0|NULL|NULL|NULL|NULL|0|NULL|0|NULL\n", plan);
}

static void test_groups(void **state)
{
    (void)state;
    struct expr *a = e_col(w, 0, I), *b = e_col(w, 1, I), *c = e_col(w, 2, T);
    struct plan *plan = p_aggregate(w, p_scan(w, t(), NULL, "*"), c);
    p_aggregate_add(w, plan, AGGREGATE_COUNT_ROWS, NULL);
    p_aggregate_add(w, plan, AGGREGATE_SUM, b);
    p_aggregate_add(w, plan, AGGREGATE_MIN, a);
    p_aggregate_add(w, plan, AGGREGATE_COUNT, b)->filter = CALL(CALL_GT, B, a, e_int(w, 1));
    CHECK("x|2|10|1|0\ny|1|20|2|1\nNULL|1|10|3|1\nz|1|30|5|1\n", plan);
    plan->left = p_filter(w, plan->left, e_bool(w, false));
    CHECK("", plan);
    plan = p_aggregate(w, p_scan(w, t(), NULL, "*"), CALL(CALL_CONCAT, T, c, e_text(w, "!")));
    p_aggregate_add(w, plan, AGGREGATE_MAX, CALL(CALL_UPPER, T, c));
    CHECK("x!|X\ny!|Y\nNULL|NULL\nz!|Z\n", plan);
}

static void test_sum_out_of_range(void **state)
{
    (void)state;
    struct expr *rows[] = {e_int(w, INT64_MAX), e_int(w, 1), e_int(w, -5)};
    struct plan *plan = p_aggregate(w, p_values(w, 1, 2, rows), NULL);
    p_aggregate_add(w, plan, AGGREGATE_SUM, e_col(w, 0, I));
    CHECK("ERROR 22003: bigint out of range\n", plan);
    plan->left = p_values(w, 1, 3, rows); /* the sum fits, whatever lies between */
    CHECK("9223372036854775803\n", plan);
}

static void test_many_groups(void **state)
{
    (void)state;
    const struct table *n = numbers(5000);
    struct plan *plan = p_aggregate(w, p_scan(w, n, NULL, "*"),
                                    CALL(CALL_MODULO, I, e_col(w, 0, I), e_int(w, 2500)));
    p_aggregate_add(w, plan, AGGREGATE_SUM, e_col(w, 0, I));
    struct plan *total = p_aggregate(w, plan, NULL);
    p_aggregate_add(w, total, AGGREGATE_COUNT_ROWS, NULL);
    p_aggregate_add(w, total, AGGREGATE_SUM, e_col(w, 1, I));
    p_aggregate_add(w, total, AGGREGATE_MAX, e_col(w, 1, I));
    CHECK("2500|12497500|7498\n", total);
}

/* ---- joins ---- */

static const struct table *table_u(void)
{
    const struct table *u = world_table(w, "u", "id integer primary, b integer null");
    struct expr *rows[] = {e_int(w, 1),  e_int(w, 10), e_int(w, 2),  e_int(w, 10), e_int(w, 3),
                           e_int(w, 20), e_int(w, 4),  e_null(w, I), e_int(w, 5),  e_int(w, 99)};
    CHECK("changed 5\n", p_insert(w, u, p_values(w, 2, 5, rows)));
    return u;
}

static struct plan *join_tb(enum plan_kind how, enum join_kind kind, struct expr *condition)
{
    const struct table *u = world_find(w, "u");
    struct plan *left = p_scan(w, t(), NULL, "a,b");
    struct plan *right = p_scan(w, u, NULL, "*");
    if (how == PLAN_HASH_JOIN)
        return p_join(w, how, kind, left, right, e_col(w, 1, I), e_col(w, 1, I), condition);
    struct expr *equal = CALL(CALL_EQ, B, e_col(w, 1, I), e_col(w, 3, I));
    if (condition)
        equal = e_make(w, EXPR_AND, B, equal, condition, NULL);
    return p_join(w, how, kind, left, right, NULL, NULL, equal);
}

static void test_hash_and_nested_loop_joins(void **state)
{
    (void)state;
    table_u();
    static const enum plan_kind kinds[] = {PLAN_HASH_JOIN, PLAN_NESTED_LOOP_JOIN};
    for (int i = 0; i < 2; i++) {
        enum plan_kind how = kinds[i];
        struct expr *odd =
            CALL(CALL_NE, B, CALL(CALL_MODULO, I, e_col(w, 2, I), e_int(w, 2)), e_int(w, 0));
        CHECK("1|10|1|10\n1|10|2|10\n2|20|3|20\n3|10|1|10\n3|10|2|10\n",
              join_tb(how, JOIN_INNER, NULL));
        CHECK("1|10|1|10\n2|20|3|20\n3|10|1|10\n", join_tb(how, JOIN_INNER, odd));
        CHECK("1|10|1|10\n1|10|2|10\n2|20|3|20\n3|10|1|10\n3|10|2|10\n4|NULL|NULL|NULL\n"
              "5|30|NULL|NULL\n",
              join_tb(how, JOIN_LEFT, NULL));
        CHECK("1|10|NULL|NULL\n2|20|NULL|NULL\n3|10|NULL|NULL\n4|NULL|NULL|NULL\n"
              "5|30|NULL|NULL\n",
              join_tb(how, JOIN_LEFT, e_bool(w, false)));
        CHECK("1|10|1|10\n2|20|3|20\n3|10|1|10\n4|NULL|NULL|NULL\n5|30|NULL|NULL\n",
              join_tb(how, JOIN_LEFT, odd));
        CHECK("1|10|1|10\n1|10|2|10\n2|20|3|20\n3|10|1|10\n3|10|2|10\n4|NULL|NULL|NULL\n"
              "5|30|NULL|NULL\nNULL|NULL|4|NULL\nNULL|NULL|5|99\n",
              join_tb(how, JOIN_FULL, NULL));
        CHECK("1|10|1|10\n2|20|3|20\n3|10|1|10\nNULL|NULL|2|10\nNULL|NULL|4|NULL\n"
              "NULL|NULL|5|99\n",
              join_tb(how, JOIN_RIGHT, odd));
    }
}

static void test_joins_with_nothing(void **state)
{
    (void)state;
    const struct table *u = world_table(w, "u", "id integer primary, b integer null");
    static const enum plan_kind kinds[] = {PLAN_HASH_JOIN, PLAN_NESTED_LOOP_JOIN};
    for (int i = 0; i < 2; i++) {
        CHECK("", join_tb(kinds[i], JOIN_INNER, NULL));
        CHECK("1|10|NULL|NULL\n2|20|NULL|NULL\n3|10|NULL|NULL\n4|NULL|NULL|NULL\n"
              "5|30|NULL|NULL\n",
              join_tb(kinds[i], JOIN_FULL, NULL));
    }
    struct plan *empty = p_scan(w, u, NULL, "*");
    struct plan *full = p_join(w, PLAN_HASH_JOIN, JOIN_FULL, empty, p_scan(w, t(), NULL, "a"),
                               e_col(w, 0, I), e_col(w, 0, I), NULL);
    CHECK("NULL|NULL|1\nNULL|NULL|2\nNULL|NULL|3\nNULL|NULL|4\nNULL|NULL|5\n", full);
}

static void test_cross_join(void **state)
{
    (void)state;
    struct plan *left = p_limit(w, p_scan(w, t(), NULL, "a"), e_int(w, 2), NULL);
    struct plan *right = p_limit(w, p_scan(w, t(), NULL, "c"), e_int(w, 3), NULL);
    CHECK("1|x\n1|y\n1|NULL\n2|x\n2|y\n2|NULL\n",
          p_join(w, PLAN_NESTED_LOOP_JOIN, JOIN_INNER, left, right, NULL, NULL, NULL));
}

static struct plan *lookup(enum join_kind kind, const struct index *index, struct expr *key,
                           struct expr *condition)
{
    const struct table *u = world_find(w, "u");
    struct plan *right = p_scan(w, u, index, "*");
    struct key_range *range = p_ranges(w, right, 1);
    range->equal[0] = key;
    range->equal_count = 1;
    return p_join(w, PLAN_LOOKUP_JOIN, kind, p_scan(w, t(), NULL, "a,b"), right, NULL, NULL,
                  condition);
}

static void test_lookup_join(void **state)
{
    (void)state;
    table_u();
    struct error error = {0};
    assert_int_equal(world_index(w, "u", "b", false, &error), OK);
    const struct index *by_b = &world_find(w, "u")->indexes[1];
    struct expr *b = e_col(w, 1, I);
    CHECK("1|10|1|10\n1|10|2|10\n2|20|3|20\n3|10|1|10\n3|10|2|10\n",
          lookup(JOIN_INNER, by_b, b, NULL));
    CHECK("1|10|1|10\n1|10|2|10\n2|20|3|20\n3|10|1|10\n3|10|2|10\n4|NULL|NULL|NULL\n"
          "5|30|NULL|NULL\n",
          lookup(JOIN_LEFT, by_b, b, NULL));
    struct expr *second = CALL(CALL_EQ, B, e_col(w, 2, I), e_int(w, 2));
    CHECK("1|10|2|10\n2|20|NULL|NULL\n3|10|2|10\n4|NULL|NULL|NULL\n5|30|NULL|NULL\n",
          lookup(JOIN_LEFT, by_b, b, second));
    /* By the primary key: gets. */
    struct expr *half = CALL(CALL_DIVIDE, I, e_col(w, 0, I), e_int(w, 2));
    CHECK("1|10|NULL|NULL\n2|20|1|10\n3|10|1|10\n4|NULL|2|10\n5|30|2|10\n",
          lookup(JOIN_LEFT, NULL, half, NULL));
    CHECK("4|NULL|2|10\n5|30|2|10\n", lookup(JOIN_INNER, NULL, half, second));
}

static void test_large_join(void **state)
{
    (void)state;
    const struct table *n = numbers(5000);
    struct expr *third = CALL(CALL_DIVIDE, I, e_col(w, 0, I), e_int(w, 3));
    struct plan *join = p_join(w, PLAN_HASH_JOIN, JOIN_INNER, p_scan(w, n, NULL, "k"),
                               p_scan(w, n, NULL, "k,s"), e_col(w, 0, I), third, NULL);
    struct plan *plan = p_aggregate(w, join, NULL);
    p_aggregate_add(w, plan, AGGREGATE_COUNT_ROWS, NULL);
    p_aggregate_add(w, plan, AGGREGATE_SUM, e_col(w, 0, I));
    p_aggregate_add(w, plan, AGGREGATE_SUM, e_col(w, 1, I));
    p_aggregate_add(w, plan, AGGREGATE_MAX, e_col(w, 2, T));
    CHECK("5000|4164167|12497500|common-start-10006\n", plan);
}

/* ---- limits ---- */

#define NO_MEMORY "ERROR 53200: out of memory: statement needs more than 65536 bytes\n"

static void test_memory_budget(void **state)
{
    (void)state;
    const struct table *n = numbers(5000);
    w->context.memory_budget = 65536;
    struct plan *scan = p_scan(w, n, NULL, "*");
    struct expr *k = e_col(w, 0, I), *s = e_col(w, 2, T);
    CHECK(NO_MEMORY, p_sort(w, scan, k, false, false));
    CHECK(NO_MEMORY, p_distinct(w, scan));
    CHECK(NO_MEMORY, p_aggregate(w, scan, s));
    CHECK(NO_MEMORY, p_join(w, PLAN_HASH_JOIN, JOIN_INNER, scan, scan, k, k, NULL));
    CHECK(NO_MEMORY, p_join(w, PLAN_NESTED_LOOP_JOIN, JOIN_INNER, scan, scan, NULL, NULL, NULL));
    CHECK(NO_MEMORY, p_delete(w, n, scan));
    struct plan *count = p_aggregate(w, p_scan(w, n, NULL, "*"), NULL);
    p_aggregate_add(w, count, AGGREGATE_COUNT, s)->distinct = true;
    CHECK(NO_MEMORY, count);
    /* A few rows of many need little. */
    struct plan *top = p_sort(w, p_scan(w, n, NULL, "k"), e_col(w, 0, I), true, false);
    top->kind = PLAN_TOP_N;
    top->as.sort.limit = e_int(w, 1);
    w->context.memory_budget = 200000;
    CHECK("4999\n", top);
}

static void test_cancel(void **state)
{
    (void)state;
    atomic_bool cancel = true;
    w->context.cancel = &cancel;
    CHECK("ERROR 57014: canceling statement due to user request\n", p_scan(w, t(), NULL, "a"));
    CHECK("ERROR 57014: canceling statement due to user request\n",
          p_delete(w, t(), p_scan(w, t(), NULL, "*")));
}

static void test_figures(void **state)
{
    (void)state;
    struct plan *scan = p_scan(w, t(), NULL, "a");
    struct plan *filter = p_filter(w, scan, CALL(CALL_GT, B, e_col(w, 0, I), e_int(w, 2)));
    struct planned planned = {.root = filter};
    struct exec_context context = w->context;
    struct error error;
    struct exec *exec;
    struct batch *batch;
    context.measure = true;
    assert_int_equal(exec_open(&planned, &context, &exec, &error), OK);
    do
        assert_int_equal(exec_next(exec, &batch, &error), OK);
    while (batch);
    struct exec_figures figures;
    assert_true(exec_figures(exec, scan, &figures));
    assert_int_equal(figures.rows, 5);
    assert_true(exec_figures(exec, filter, &figures));
    assert_int_equal(figures.rows, 3);
    assert_int_equal(figures.batches, 1);
    struct buffer text = {0};
    exec_explain_analyze(exec, &text);
    buffer_append_byte(&text, '\0');
    assert_non_null(strstr((char *)text.data, " (rows=3 batches=1 time="));
    assert_non_null(strstr((char *)text.data, " (rows=5 batches=1 time="));
    buffer_free(&text);
    exec_close(exec);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_scan),
        TEST(test_primary_ranges),
        TEST(test_index_scans),
        TEST(test_descending_index),
        TEST(test_unique_index),
        TEST(test_limit),
        TEST(test_distinct),
        TEST(test_sort),
        TEST(test_large_sort_and_top_n),
        TEST(test_aggregates),
        TEST(test_groups),
        TEST(test_sum_out_of_range),
        TEST(test_many_groups),
        TEST(test_hash_and_nested_loop_joins),
        TEST(test_joins_with_nothing),
        TEST(test_cross_join),
        TEST(test_lookup_join),
        TEST(test_large_join),
        TEST(test_memory_budget),
        TEST(test_cancel),
        TEST(test_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
