/* Two planners must agree: random queries are planned with every rewrite switched off, which leaves
 * scans, filters and nested loops as written, and with them on, under various switches and row
 * counts. All plans must give the same rows.
 *
 *     TOYDB_SEED=n    begins with that seed
 *     TOYDB_ROUNDS=n  that many queries
 *     TOYDB_SQL=text  that query on the seed's data, every plan and its answer shown */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../unit/sql_exec/world.h"
#include "base/prng.h"

enum { ROWS = 30, VALUES = 6, TABLES_MAX = 4, LINES_MAX = 200000 };

static struct prng prng;
static struct world world;

/* ---- data --------------------------------------------------------------------------------------
 */

static status_t plan_text(const char *sql, const struct plan_options *options,
                          struct planned *planned, struct error *error)
{
    struct parser parser;
    struct ast_statement *statement = NULL;
    status_t status = parse_begin(&parser, slice_from_string(sql), 0, error);
    if (!status)
        status = parse_next(&parser, &world.arena, &statement, error);
    if (status)
        return status;
    return plan_statement(statement, world.catalog, options, &world.arena, planned, error);
}

static void must_run(const char *sql)
{
    struct planned planned;
    struct error error = {0};
    if (plan_text(sql, NULL, &planned, &error))
        fail_msg("%s: %s", sql, error.message);
    const char *answer = world_run(&world, planned.root);
    assert_null(strstr(answer, "ERROR"));
}

static const char *number(char *out, size_t size, uint32_t nulls)
{
    if (nulls && prng_below(&prng, nulls) == 0)
        snprintf(out, size, "NULL");
    else
        snprintf(out, size, "%d", (int)prng_below(&prng, VALUES));
    return out;
}

static void fill(void)
{
    char sql[512];
    char v[4][32];
    struct error error;
    world_table(&world, "t",
                "id integer primary, a integer null, b text null, d double null, "
                "p boolean null");
    world_table(&world, "u", "x integer primary, y integer primary, t_id integer, s text null");
    world_table(&world, "v", "id integer primary, k integer null, w integer null unique");
    assert_int_equal(world_index(&world, "t", "a", false, &error), OK);
    assert_int_equal(world_index(&world, "t", "b desc, a", false, &error), OK);
    assert_int_equal(world_index(&world, "u", "t_id", false, &error), OK);
    assert_int_equal(world_index(&world, "u", "s, t_id desc", false, &error), OK);
    assert_int_equal(world_index(&world, "v", "k desc", false, &error), OK);
    for (int i = 0; i < ROWS; i++) {
        static const char *const texts[] = {"'a'", "'ab'", "'b'", "''", "NULL"};
        static const char *const truths[] = {"true", "false", "NULL"};
        snprintf(sql, sizeof sql, "INSERT INTO t VALUES (%d, %s, %s, %s / 2.0, %s)", i,
                 number(v[0], 32, 5), texts[prng_below(&prng, 5)], number(v[1], 32, 5),
                 truths[prng_below(&prng, 3)]);
        must_run(sql);
        snprintf(sql, sizeof sql, "INSERT INTO u VALUES (%d, %d, %s, %s)", i / 4, i % 4,
                 number(v[2], 32, 0), texts[prng_below(&prng, 5)]);
        must_run(sql);
        if (i % 3 == 0) {
            snprintf(sql, sizeof sql, "INSERT INTO v VALUES (%d, %s, %d)", i / 3,
                     number(v[3], 32, 3), i);
            must_run(sql);
        }
    }
    must_run("INSERT INTO v VALUES (100, 1, NULL), (101, NULL, NULL)");
}

/* ---- random queries ----------------------------------------------------------------------------
 */

struct from_item {
    const char *const *numbers; /* columns that are integers */
    uint32_t number_count;
    char alias[8];
};

static struct from_item items[TABLES_MAX];
static uint32_t item_count;

static const char *const t_numbers[] = {"id", "a"};
static const char *const u_numbers[] = {"x", "y", "t_id"};
static const char *const v_numbers[] = {"id", "k", "w"};
static const char *const s_numbers[] = {"id", "n"};

static uint32_t below(uint32_t bound)
{
    return (uint32_t)prng_below(&prng, bound);
}

/* An integer column of one of the items [first, count). */
static void column(struct buffer *sql, uint32_t first, uint32_t count)
{
    const struct from_item *item = &items[first + below(count - first)];
    buffer_printf(sql, "%s.%s", item->alias, item->numbers[below(item->number_count)]);
}

static void condition(struct buffer *sql, uint32_t first, uint32_t count, int depth);

/* On a column that is no integer, if the item has one; # stands for its alias. */
static void other_condition(struct buffer *sql, uint32_t first, uint32_t count)
{
    static const char *const of_t[] = {"#.b LIKE 'a%'", "#.b = 'ab'", "coalesce(#.b, 'b') > 'a'",
                                       "#.d = 1",       "#.d < 1.5",  "#.d IS NULL",
                                       "#.p",           "NOT #.p",    "#.p IS NOT TRUE"};
    static const char *const of_u[] = {"#.s >= 'ab'", "#.s LIKE 'a%'", "NOT #.s = 'a'"};
    const struct from_item *item = &items[first + below(count - first)];
    const char *test = item->numbers == t_numbers   ? of_t[below(9)]
                       : item->numbers == u_numbers ? of_u[below(3)]
                                                    : "#.id IS NOT NULL";
    for (; *test; test++) {
        if (*test == '#')
            buffer_append_string(sql, item->alias);
        else
            buffer_append_byte(sql, (uint8_t)*test);
    }
}

/* # stands for a column. */
static void with_columns(struct buffer *sql, const char *text, uint32_t first, uint32_t count)
{
    for (; *text; text++) {
        if (*text == '#')
            column(sql, first, count);
        else
            buffer_append_byte(sql, (uint8_t)*text);
    }
}

/* A query as a condition. */
static void subquery(struct buffer *sql, uint32_t first, uint32_t count)
{
    static const char *const tests[] = {
        "EXISTS (SELECT 1 FROM u WHERE u.t_id = # AND u.y < #)",
        "NOT EXISTS (SELECT 1 FROM u WHERE u.x = # AND u.y > 1)",
        "EXISTS (SELECT 1 FROM t JOIN v ON t.a = v.k WHERE t.id = # AND v.w > 3)",
        "NOT EXISTS (SELECT 1 FROM v WHERE v.k = # AND v.w <> #)",
        "# IN (SELECT k FROM v WHERE w < 20)",
        "# IN (SELECT y FROM u WHERE u.x = #)",
        "# NOT IN (SELECT k FROM v WHERE k > 2)",
        "# <= (SELECT max(y) FROM u WHERE u.t_id = #)",
        "# > (SELECT count(*) FROM v WHERE v.k = # AND v.w > 2)",
        "# = (SELECT min(a) + count(*) FROM t WHERE t.a = # AND t.id > 3)",
        "(SELECT sum(y) FROM u WHERE u.x = # AND u.t_id = #) IS NULL",
    };
    with_columns(sql, tests[below(sizeof tests / sizeof *tests)], first, count);
}

/* A query as a value. */
static void scalar(struct buffer *sql, uint32_t first, uint32_t count)
{
    static const char *const values[] = {
        "(SELECT count(*) FROM u WHERE u.t_id = #)",
        "(SELECT max(y) FROM u WHERE u.x = # AND u.y < 3)",
        "(SELECT count(k) + min(w) FROM v WHERE v.k = #)",
        "(SELECT sum(a) FROM t WHERE t.id = # + 1)",
    };
    with_columns(sql, values[below(sizeof values / sizeof *values)], first, count);
}

static void atom(struct buffer *sql, uint32_t first, uint32_t count)
{
    static const char *const comparisons[] = {
        "=", "=", "=", "<", "<=", ">", ">=", "<>", "IS DISTINCT FROM"};
    switch (below(9)) {
    case 0:
    case 1:
        column(sql, first, count);
        buffer_printf(sql, " %s %u", comparisons[below(9)], below(VALUES));
        return;
    case 2:
        column(sql, first, count);
        buffer_printf(sql, " %s ", comparisons[below(9)]);
        column(sql, first, count);
        return;
    case 3:
        column(sql, first, count);
        buffer_printf(sql, " %sIN (%u, %u, %s)", below(3) ? "" : "NOT ", below(VALUES),
                      below(VALUES), below(4) ? "3" : "NULL");
        return;
    case 4:
        column(sql, first, count);
        buffer_printf(sql, " BETWEEN %u AND %u + 2", below(VALUES), below(VALUES));
        return;
    case 5:
        column(sql, first, count);
        buffer_append_string(sql, below(2) ? " IS NULL" : " + 1 > 3");
        return;
    case 6:
        subquery(sql, first, count);
        return;
    default:
        other_condition(sql, first, count);
    }
}

static void condition(struct buffer *sql, uint32_t first, uint32_t count, int depth)
{
    uint32_t kind = depth == 0 ? 0 : below(6);
    if (kind < 3) {
        atom(sql, first, count);
        return;
    }
    buffer_append_string(sql, kind == 5 ? "NOT (" : "(");
    condition(sql, first, count, depth - 1);
    buffer_append_string(sql, kind == 4 ? " OR " : " AND ");
    condition(sql, first, count, depth - 1);
    buffer_append_byte(sql, ')');
}

static void relation(struct buffer *sql)
{
    struct from_item *item = &items[item_count];
    snprintf(item->alias, sizeof item->alias, "r%u", item_count);
    switch (below(5)) {
    case 0:
    case 1:
        item->numbers = t_numbers;
        item->number_count = 2;
        buffer_printf(sql, "t AS %s", item->alias);
        break;
    case 2:
        item->numbers = u_numbers;
        item->number_count = 3;
        buffer_printf(sql, "u AS %s", item->alias);
        break;
    case 3:
        item->numbers = v_numbers;
        item->number_count = 3;
        buffer_printf(sql, "v AS %s", item->alias);
        break;
    default: {
        static const char *const selects[] = {
            "SELECT a AS id, count(*) AS n FROM t GROUP BY a",
            "SELECT id, a + 1 AS n FROM t WHERE a > 1",
            "SELECT DISTINCT t_id AS id, y AS n FROM u",
            "SELECT id, k AS n FROM v ORDER BY id LIMIT 5",
            "SELECT u.x AS id, v.k AS n FROM u LEFT JOIN v ON v.id = u.x AND v.k < 4",
            "SELECT id, a AS n FROM t UNION ALL SELECT x, t_id FROM u",
            "SELECT id, w AS n FROM v UNION ALL SELECT max(id), a FROM t GROUP BY a",
        };
        item->numbers = s_numbers;
        item->number_count = 2;
        buffer_printf(sql, "(%s) AS %s", selects[below(7)], item->alias);
    }
    }
    item_count++;
}

/* A chain or a nest of joins over `tables` relations. */
static void from(struct buffer *sql, uint32_t tables)
{
    static const char *const joins[] = {"JOIN",      "JOIN",       "LEFT JOIN",
                                        "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"};
    uint32_t first = item_count;
    if (tables == 1) {
        relation(sql);
        return;
    }
    uint32_t left = 1 + below(tables - 1);
    const char *join = joins[below(6)];
    bool nested = left < tables - 1;
    from(sql, left);
    uint32_t middle = item_count;
    buffer_printf(sql, " %s %s", join, nested ? "(" : "");
    from(sql, tables - left);
    buffer_append_string(sql, nested ? ")" : "");
    buffer_append_string(sql, " ON ");
    column(sql, first, middle);
    buffer_printf(sql, " %s ", below(5) || join[0] == 'F' ? "=" : "<");
    column(sql, middle, item_count);
    if (below(3) == 0) {
        buffer_append_string(sql, " AND ");
        condition(sql, first, item_count, 1);
    }
}

/* What several threads may put together. */
static void whole_aggregate(struct buffer *sql)
{
    static const char *const functions[] = {"sum(", "min(", "max(", "count(", "bit_or(", "avg("};
    uint32_t function = below(sizeof functions / sizeof *functions);
    buffer_append_string(sql, functions[function]);
    column(sql, 0, item_count);
    if (below(3) == 0) {
        buffer_append_string(sql, " * ");
        column(sql, 0, item_count);
    }
    buffer_append_string(sql, ")");
    if (below(6) == 0) {
        buffer_append_string(sql, " FILTER (WHERE ");
        condition(sql, 0, item_count, 1);
        buffer_append_string(sql, ")");
    }
}

/* Ordered by every output, so that a LIMIT has one answer. */
static void query(struct buffer *sql)
{
    struct buffer source = {0};
    item_count = 0;
    from(&source, 1 + below(TABLES_MAX));
    buffer_append_byte(&source, 0);
    bool grouped = below(5) == 0;
    bool whole = !grouped && below(4) == 0;
    buffer_append_string(sql, below(6) ? "SELECT " : "SELECT DISTINCT ");
    uint32_t outputs = 1 + below(3);
    struct buffer group = {0};
    column(&group, 0, item_count);
    buffer_append_byte(&group, 0);
    for (uint32_t i = 0; i < outputs; i++) {
        if (i > 0)
            buffer_append_string(sql, ", ");
        if (whole) {
            whole_aggregate(sql);
        } else if (grouped) {
            buffer_append_string(sql, i ? "sum(" : (const char *)group.data);
            if (i > 0) {
                column(sql, 0, item_count);
                buffer_append_string(sql, ")");
            }
        } else if (below(10) == 0) {
            scalar(sql, 0, item_count);
        } else {
            column(sql, 0, item_count);
            buffer_append_string(sql, below(5) ? "" : " + 1");
        }
    }
    buffer_printf(sql, " FROM %s", (const char *)source.data);
    if (below(4)) {
        buffer_append_string(sql, " WHERE ");
        condition(sql, 0, item_count, 2);
    }
    if (grouped)
        buffer_printf(sql, " GROUP BY %s", (const char *)group.data);
    if (grouped && below(2))
        buffer_printf(sql, " HAVING %s > 1 AND count(*) > 0", (const char *)group.data);
    if (below(2)) {
        for (uint32_t i = 0; i < outputs; i++)
            buffer_printf(sql, "%s%u%s%s", i ? ", " : " ORDER BY ", i + 1, below(2) ? "" : " DESC",
                          below(4) ? "" : " NULLS FIRST");
        if (below(2))
            buffer_printf(sql, " LIMIT %u", 1 + below(8));
        if (below(4) == 0)
            buffer_printf(sql, " OFFSET %u", below(4));
    }
    buffer_append_byte(sql, 0);
    buffer_free(&source);
    buffer_free(&group);
}

static void pick(struct buffer *sql, const char *const *texts, uint32_t count)
{
    buffer_append_string(sql, texts[below(count)]);
}

/* Those whose bit is set. */
static void put_conditions(struct buffer *sql, const char *const *texts, uint32_t count,
                           uint32_t bits)
{
    for (uint32_t i = 0; i < count; i++) {
        if (bits >> i & 1)
            buffer_printf(sql, " AND %s", texts[i]);
    }
}

/* A subquery that aggregates the rows the block around joins, or nearly those. */
static void query_of_same_rows(struct buffer *sql)
{
    static const struct {
        const char *from, *inner, *correlation, *outer, *value;
        const char *shared[3], *own[2];
    } shapes[] = {
        {"t, u",
         "u",
         "u.t_id = t.id",
         "t.a",
         "u.y",
         {"u.y > 1", "u.x <> 2", "u.s = 'a'"},
         {"t.a < 4", "t.b IS NOT NULL"}},
        {"u, t, v",
         "v, u",
         "u.t_id = t.id AND u.x = v.id",
         "t.id",
         "v.k",
         {"v.k > 1", "u.y + v.id < 6", "u.x <> v.k"},
         {"t.a < 4", "t.id > 1"}},
        {"v JOIN u ON v.id = u.x",
         "u",
         "u.x = v.id",
         "v.k",
         "u.t_id",
         {"u.y < 3", "u.t_id <> 2", "u.s >= 'a'"},
         {"v.k < 4", "v.w > 3"}},
        {"t, v, u",
         "u, v",
         "v.k < t.a AND u.x = v.id",
         "t.a",
         "u.y",
         {"v.w > 2", "u.y > 0", "v.id <> u.t_id"},
         {"t.id < 20", "t.b < 'b'"}},
    };
    static const char *const aggregates[] = {"min", "max", "count", "sum", "avg"};
    static const char *const comparisons[] = {"=", "<", ">=", "<>"};
    uint32_t shape = below(sizeof shapes / sizeof *shapes);
    uint32_t common = below(8), inside = below(8) ? common : below(8), own = below(4);
    bool grouped = below(4) == 0;
    buffer_printf(sql, "SELECT %s, %s FROM %s WHERE %s", grouped ? "u.y" : shapes[shape].outer,
                  grouped ? "count(*)" : shapes[shape].value, shapes[shape].from,
                  shapes[shape].correlation);
    put_conditions(sql, shapes[shape].shared, 3, common);
    put_conditions(sql, shapes[shape].own, 2, own);
    buffer_printf(sql, " AND %s ", shapes[shape].value);
    pick(sql, comparisons, 4);
    buffer_append_string(sql, below(2) ? " (SELECT " : " 1 + (SELECT ");
    pick(sql, aggregates, 5);
    buffer_printf(sql, "(%s)%s FROM %s WHERE %s", shapes[shape].value,
                  below(4) ? "" : " FILTER (WHERE u.y <> 1)", shapes[shape].inner,
                  shapes[shape].correlation);
    put_conditions(sql, shapes[shape].shared, 3, inside);
    buffer_append_string(sql, ")");
    if (grouped)
        buffer_printf(sql, " GROUP BY u.y%s", below(2) ? "" : " HAVING u.y < 3");
    if (below(2))
        buffer_append_string(sql, below(2) ? " ORDER BY 1, 2" : " ORDER BY 1, 2 LIMIT 4");
    buffer_append_byte(sql, 0);
}

/* ---- comparing ---------------------------------------------------------------------------------
 */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The answer with its lines sorted, unless their order was asked for. */
static char *answer_of(const struct planned *planned, bool ordered)
{
    const char *answer = world_run_planned(&world, planned);
    char *text = arena_strndup(&world.arena, answer, strlen(answer));
    if (ordered)
        return text;
    static char *lines[LINES_MAX];
    uint32_t count = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        assert_true(count < LINES_MAX);
        lines[count++] = line;
    }
    qsort(lines, count, sizeof *lines, compare_lines);
    struct buffer sorted = {0};
    for (uint32_t i = 0; i < count; i++)
        buffer_printf(&sorted, "%s\n", lines[i]);
    char *copy = arena_strndup(&world.arena, (const char *)sorted.data, sorted.size);
    buffer_free(&sorted);
    return copy;
}

static double any_rows(void *context, const struct table *table)
{
    const uint64_t *salt = context;
    static const double sizes[] = {1, 10, 1000, 100000};
    return sizes[(*salt >> (table->id % 16 * 2)) & 3];
}

/* Each rule of the planner with its switch. */
static const struct {
    const char *name;
    size_t offset; /* of the bool in struct plan_options */
} rules[] = {
    {"fold", offsetof(struct plan_options, no_fold)},
    {"pushdown", offsetof(struct plan_options, no_pushdown)},
    {"index", offsetof(struct plan_options, no_index)},
    {"hash join", offsetof(struct plan_options, no_hash_join)},
    {"merge join", offsetof(struct plan_options, no_merge_join)},
    {"rows group by group", offsetof(struct plan_options, no_grouped)},
    {"lookup join", offsetof(struct plan_options, no_lookup_join)},
    {"join order", offsetof(struct plan_options, no_join_order)},
    {"top n", offsetof(struct plan_options, no_top_n)},
    {"decorrelate", offsetof(struct plan_options, no_decorrelate)},
    {"extremes", offsetof(struct plan_options, no_extremes)},
    {"limit pushdown", offsetof(struct plan_options, no_limit_pushdown)},
    {"same rows", offsetof(struct plan_options, no_same_rows)},
    {"key filter", offsetof(struct plan_options, no_key_filter)},
    {"prune", offsetof(struct plan_options, no_prune)},
    {"one row", offsetof(struct plan_options, no_one_row)},
    {"unnest", offsetof(struct plan_options, no_unnest)},
};
enum { RULES = sizeof rules / sizeof *rules };

static void switch_off(struct plan_options *options, size_t rule)
{
    memcpy((char *)options + rules[rule].offset, &(bool){true}, sizeof(bool));
}

/* Nothing but scans, filters and nested loops. */
static struct plan_options dull(void)
{
    struct plan_options options = {0};
    for (size_t i = 0; i < RULES; i++)
        switch_off(&options, i);
    return options;
}

/* Any rules may be off, and tables of any size. */
static struct plan_options random_options(uint64_t *salt)
{
    struct plan_options options = {.table_rows = any_rows, .table_rows_context = salt};
    *salt = prng_next(&prng);
    bool plain = below(2);
    for (size_t i = 0; i < RULES && !plain; i++) {
        if (below(4) == 0)
            switch_off(&options, i);
    }
    return options;
}

static void show_plan(const char *sql, const struct plan_options *options)
{
    struct planned planned;
    struct error error = {0};
    struct buffer drawn = {0};
    if (plan_text(sql, options, &planned, &error))
        fail_msg("%s\n%s", sql, error.message);
    plan_explain(planned.root, &drawn);
    buffer_append_byte(&drawn, 0);
    printf("%s%s\n", (const char *)drawn.data, world_run_planned(&world, &planned));
    buffer_free(&drawn);
}

/* One query without any rule, with all, and without each by itself. */
static void show_query(const char *sql)
{
    struct plan_options options = dull();
    show_plan(sql, &options);
    show_plan(sql, &(struct plan_options){0});
    for (size_t i = 0; i < RULES; i++) {
        options = (struct plan_options){0};
        switch_off(&options, i);
        printf("without %s\n", rules[i].name);
        show_plan(sql, &options);
    }
}

static void check_plan(const char *sql, const struct plan_options *options,
                       const struct plan *expected_plan, const char *expected, bool ordered)
{
    struct planned planned;
    struct error error = {0};
    if (plan_text(sql, options, &planned, &error))
        fail_msg("%s\n%s", sql, error.message);
    const char *got = answer_of(&planned, ordered);
    if (strcmp(got, expected) == 0)
        return;
    struct buffer drawn = {0};
    plan_explain(planned.root, &drawn);
    plan_explain(expected_plan, &drawn);
    buffer_append_byte(&drawn, 0);
    printf("# %s\n%s# expected\n%s# got\n%s", sql, (const char *)drawn.data, expected, got);
    buffer_free(&drawn);
    fail_msg("plans disagree");
}

/* All rules, then all but one in turn, then any of them. */
static void check_query(const char *sql, uint64_t round)
{
    struct planned planned;
    struct error error = {0};
    struct plan_options options = dull();
    if (plan_text(sql, &options, &planned, &error)) {
        if (strcmp(error.sqlstate, "0A000") != 0) /* a FULL JOIN that cannot be done */
            fail_msg("%s\n%s", sql, error.message);
        return;
    }
    bool ordered = strstr(sql, "ORDER BY 1") != NULL;
    const char *expected = answer_of(&planned, ordered);
    uint64_t salt = prng_next(&prng);
    options = (struct plan_options){.table_rows = any_rows, .table_rows_context = &salt};
    check_plan(sql, &options, planned.root, expected, ordered);
    switch_off(&options, round % RULES);
    check_plan(sql, &options, planned.root, expected, ordered);
    for (int i = 0; i < 4; i++) {
        options = random_options(&salt);
        check_plan(sql, &options, planned.root, expected, ordered);
    }
}

static uint64_t environment(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : fallback;
}

static void test_plans_agree(void **state)
{
    (void)state;
    uint64_t seed = environment("TOYDB_SEED", 1);
    uint64_t rounds = environment("TOYDB_ROUNDS", 1000);
    printf("# seed %llu\n", (unsigned long long)seed);
    prng_seed(&prng, seed);
    world_open(&world);
    fill();
    if (getenv("TOYDB_SQL")) {
        show_query(getenv("TOYDB_SQL"));
        rounds = 0;
    }
    for (uint64_t i = 0; i < rounds; i++) {
        struct buffer sql = {0};
        if (below(6) == 0)
            query_of_same_rows(&sql);
        else
            query(&sql);
        check_query((const char *)sql.data, i);
        buffer_free(&sql);
        arena_reset(&world.arena);
    }
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plans_agree)};
    return cmocka_run_group_tests_name("sql_plan_model", tests, NULL, NULL);
}
