/* A row changed by its key, and as many are: the same random UPDATEs, DELETEs and INSERTs go to two
 * stores, of which one has every rule of the planner switched off. Answers, errors among them, must
 * be alike, and after each statement everything in the stores: rows, and the entries of all
 * indexes. A statement that fails is taken back on both sides.
 *
 *     TOYDB_SEED=n    begins with that seed
 *     TOYDB_ROUNDS=n  that many statements */
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

enum { VALUES = 7 };

static struct prng prng;
static struct world worlds[2]; /* rules off, rules on */
static const struct plan_options options[2] = {{.no_one_row = true, .no_index = true}, {0}};

static uint32_t below(uint32_t bound)
{
    return (uint32_t)prng_below(&prng, bound);
}

/* ---- tables -------------------------------------------------------------------------------------
 */

/* A parent with all kinds of indexes and a CHECK; nobody's key acts on another table, but for
 * `owner`, whose rows go with it or follow it. */
static void tables_make(struct world *world)
{
    struct column_definition parent[] = {
        {.name = "id", .type = {.kind = SQL_INTEGER}, .not_null = true},
        {.name = "a", .type = {.kind = SQL_INTEGER}},
        {.name = "b", .type = {.kind = SQL_TEXT, .length_max = 4}},
        {.name = "c", .type = {.kind = SQL_INTEGER}, .not_null = true},
    };
    struct key_definition unique[] = {{.column_count = 1, .columns = {"a"}}};
    struct check_definition check[] = {{.sql = "c < 6 OR a IS NULL"}};
    struct table_definition definition = {.name = "p",
                                          .columns = parent,
                                          .column_count = 4,
                                          .primary_key = {.column_count = 1, .columns = {"id"}},
                                          .uniques = unique,
                                          .unique_count = 1,
                                          .checks = check,
                                          .check_count = 1};
    struct error error = {0};
    assert_int_equal(catalog_create_table(world->txn, world->catalog, &definition, &error), OK);
    world_reload(world);
    struct key_definition partial = {.column_count = 1, .columns = {"b"}, .predicate = "c > 2"};
    struct key_definition computed = {
        .column_count = 1, .columns = {"a + c"}, .computed = {SQL_INTEGER}};
    uint16_t id;
    assert_int_equal(catalog_create_index(world->txn, world->catalog, world_find(world, "p"),
                                          &partial, true, &id, &error),
                     OK);
    world_reload(world);
    assert_int_equal(catalog_create_index(world->txn, world->catalog, world_find(world, "p"),
                                          &computed, false, &id, &error),
                     OK);
    world_reload(world);
    assert_int_equal(world_index(world, "p", "c desc, b", false, &error), OK);
    world_table(world, "owner", "k integer primary, n integer null unique, v integer null");
    world_foreign_key(world, "p_id", "p", "id");
    world_table(world, "child", "k integer primary, p_id integer null, s text null");
    world_foreign_key(world, "n", "owner", "n");
    world->next_key.on_delete = FK_CASCADE;
    world->next_key.on_update = FK_CASCADE;
    world_table(world, "owned",
                "x integer primary, y text primary, n integer null, v integer null");
}

/* ---- statements ---------------------------------------------------------------------------------
 */

struct target {
    const char *name;
    const char *const *columns; /* integers first */
    uint32_t integer_count;
    uint32_t column_count;
    const char *const *keys; /* whole unique ones: # stands for a number, $ for a text */
    uint32_t key_count;
};

static const char *const p_columns[] = {"id", "a", "c", "b"};
static const char *const p_keys[] = {"id = #", "a = #", "id = #", "id = # AND a = #", "# = id"};
static const char *const owner_columns[] = {"k", "n", "v"};
static const char *const owner_keys[] = {"k = #", "n = #"};
static const char *const child_columns[] = {"k", "p_id", "s"};
static const char *const child_keys[] = {"k = #"};
static const char *const owned_columns[] = {"x", "n", "v", "y"};
static const char *const owned_keys[] = {"x = # AND y = $", "y = $ AND x = # AND v > #"};
static const struct target targets[] = {
    {"p", p_columns, 3, 4, p_keys, 5},
    {"owner", owner_columns, 3, 3, owner_keys, 2},
    {"child", child_columns, 2, 3, child_keys, 1},
    {"owned", owned_columns, 3, 4, owned_keys, 2},
};

static void number(struct buffer *sql)
{
    buffer_printf(sql, "%u", below(VALUES));
}

static void text(struct buffer *sql)
{
    static const char *const texts[] = {"'a'", "'ab'", "''", "'abcde'"};
    buffer_append_string(sql, texts[below(below(8) ? 3 : 4)]);
}

static void key(struct buffer *sql, const struct target *target)
{
    for (const char *at = target->keys[below(target->key_count)]; *at; at++) {
        if (*at == '#')
            number(sql);
        else if (*at == '$')
            text(sql);
        else
            buffer_append_byte(sql, (uint8_t)*at);
    }
    const char *column = target->columns[below(target->integer_count)];
    if (below(4) == 0)
        buffer_printf(sql, " AND %s %s %u", column, below(2) ? ">" : "<>", below(VALUES));
    if (below(8) == 0)
        buffer_printf(sql, " AND 10 / %s > 1", column);
}

static void assigned(struct buffer *sql, const struct target *target, uint32_t column)
{
    const char *other = target->columns[below(target->integer_count)];
    if (below(8) == 0)
        buffer_append_string(sql, "NULL");
    else if (column >= target->integer_count && below(3))
        text(sql);
    else if (column >= target->integer_count)
        buffer_printf(sql, "%s || 'b'", target->columns[column]);
    else if (below(3) == 0)
        buffer_printf(sql, "%s + %u", other, below(3));
    else if (below(3) == 0)
        buffer_append_string(sql, other);
    else
        number(sql);
}

static void update(struct buffer *sql, const struct target *target)
{
    uint32_t first = below(target->column_count), count = 1 + below(target->column_count);
    if (count > 2)
        count = 1;
    buffer_printf(sql, "UPDATE %s SET ", target->name);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t column = (first + i) % target->column_count;
        buffer_printf(sql, "%s%s = ", i ? ", " : "", target->columns[column]);
        assigned(sql, target, column);
    }
    buffer_append_string(sql, " WHERE ");
    key(sql, target);
}

static void insert(struct buffer *sql, const struct target *target)
{
    buffer_printf(sql, "INSERT INTO %s (", target->name);
    for (uint32_t c = 0; c < target->column_count; c++)
        buffer_printf(sql, "%s%s", c ? ", " : "", target->columns[c]);
    buffer_append_string(sql, ") VALUES (");
    for (uint32_t c = 0; c < target->column_count; c++) {
        buffer_append_string(sql, c ? ", " : "");
        if (c > 0 && below(6) == 0)
            buffer_append_string(sql, "NULL");
        else if (c < target->integer_count)
            number(sql);
        else
            text(sql);
    }
    buffer_append_string(sql, ")");
}

static void statement(struct buffer *sql)
{
    const struct target *target = &targets[below(4)];
    uint32_t kind = below(8);
    if (kind < 4) {
        update(sql, target);
    } else if (kind < 5) {
        buffer_printf(sql, "DELETE FROM %s WHERE ", target->name);
        key(sql, target);
    } else {
        insert(sql, target);
    }
    if (below(3) == 0)
        buffer_append_string(sql, " RETURNING *");
    buffer_append_byte(sql, 0);
}

/* ---- both sides ---------------------------------------------------------------------------------
 */

/* True when the planner took it for one of one row. */
static bool run(size_t side, const char *sql, char **answer)
{
    struct world *world = &worlds[side];
    struct parser parser;
    struct ast_statement *parsed = NULL;
    struct planned planned;
    struct error error = {0};
    status_t status = parse_begin(&parser, slice_from_string(sql), 0, &error);
    if (!status)
        status = parse_next(&parser, &world->arena, &parsed, &error);
    if (!status)
        status =
            plan_statement(parsed, world->catalog, &options[side], &world->arena, &planned, &error);
    if (status)
        fail_msg("%s\n%s", sql, error.message);
    const char *got = world_run_planned(world, &planned);
    *answer = arena_strndup(&world->arena, got, strlen(got));
    const struct plan *plan = planned.root->kind >= PLAN_INSERT ? planned.root : planned.root->left;
    return plan->kind != PLAN_INSERT && plan->as.modify.one_row;
}

/* Ends the statement's transaction, and begins the next one's. */
static void end(struct world *world, bool failed)
{
    if (failed)
        store_memory_rollback(world->txn);
    else
        store_memory_commit(world->txn);
    world->txn = world->context.txn = store_memory_begin(world->store);
}

static void check_same_stores(const char *sql)
{
    struct store_cursor *cursors[2];
    struct store_entry entries[2];
    struct error error;
    uint32_t counts[2];
    for (int s = 0; s < 2; s++)
        assert_int_equal(store_scan_open(worlds[s].txn, slice_make(NULL, 0), slice_make(NULL, 0),
                                         false, &cursors[s], &error),
                         OK);
    do {
        for (int s = 0; s < 2; s++)
            assert_int_equal(store_scan_next(cursors[s], &entries[s], 1, &counts[s], &error), OK);
        bool same = counts[0] == counts[1] &&
                    (counts[0] == 0 || (slice_equal(entries[0].key, entries[1].key) &&
                                        slice_equal(entries[0].value, entries[1].value)));
        if (!same)
            fail_msg("%s: the stores differ", sql);
    } while (counts[0] > 0);
    for (int s = 0; s < 2; s++)
        store_scan_close(cursors[s]);
}

static uint64_t environment(const char *name, uint64_t fallback)
{
    const char *given = getenv(name);
    return given ? strtoull(given, NULL, 10) : fallback;
}

static void test_writes_agree(void **state)
{
    (void)state;
    uint64_t seed = environment("TOYDB_SEED", 1), rounds = environment("TOYDB_ROUNDS", 20000);
    uint64_t one_row = 0, changed = 0, failed = 0;
    printf("# seed %llu\n", (unsigned long long)seed);
    prng_seed(&prng, seed);
    for (int s = 0; s < 2; s++) {
        world_open(&worlds[s]);
        worlds[s].context.batch_rows = 3; /* each statement is run once */
        tables_make(&worlds[s]);
        end(&worlds[s], false);
    }
    for (uint64_t i = 0; i < rounds; i++) {
        struct buffer sql = {0};
        char *answers[2];
        statement(&sql);
        const char *written = (const char *)sql.data;
        assert_false(run(0, written, &answers[0]));
        one_row += run(1, written, &answers[1]);
        if (strcmp(answers[0], answers[1]) != 0)
            fail_msg("%s\n%s--\n%s", written, answers[0], answers[1]);
        bool refused = strncmp(answers[0], "ERROR", 5) == 0;
        failed += refused;
        changed += strcmp(answers[0], "changed 1\n") == 0;
        for (int s = 0; s < 2; s++) {
            end(&worlds[s], refused);
            arena_reset(&worlds[s].arena);
        }
        check_same_stores(written);
        buffer_free(&sql);
    }
    printf("# %llu changed a row, %llu were refused, %llu planned for one row\n",
           (unsigned long long)changed, (unsigned long long)failed, (unsigned long long)one_row);
    assert_true(rounds < 1000 || (one_row > rounds / 10 && changed > rounds / 20));
    for (int s = 0; s < 2; s++)
        world_close(&worlds[s]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_writes_agree)};
    return cmocka_run_group_tests_name("sql_writes_model", tests, NULL, NULL);
}
