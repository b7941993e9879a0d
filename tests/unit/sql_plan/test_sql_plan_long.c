/* Statements that take long to plan: none takes a square of its length, each can be ended at any
 * place, and what would grow without bounds is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "plan_world.h"

enum { COLUMNS = 200 };

static int set_up(void **state)
{
    (void)state;
    static char names[COLUMNS][8];
    static struct column_definition columns[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) {
        snprintf(names[i], sizeof names[i], "c%d", i);
        columns[i] = (struct column_definition){.name = names[i], .type = {.kind = SQL_INTEGER}};
    }
    struct table_definition definition = {.name = "w",
                                          .columns = columns,
                                          .column_count = COLUMNS,
                                          .primary_key = {.column_count = 1, .columns = {"c0"}}};
    plan_world_open(&definition);
    return 0;
}

/* ---- lengths ----------------------------------------------------------------------------------
 */

static const struct {
    const char *head;
    const char *item;
    const char *separator;
    uint32_t count;
    const char *tail;
} longs[] = {
    {"SELECT 1 FROM ", "w AS w#", ",", 64, ""},
    {"SELECT 1 FROM w x, w y WHERE ", "x.c0 + # = y.c1", " AND ", 20000, ""},
    {"SELECT 1 FROM w x, w y WHERE x.c0 = 1 AND ", "x.c# = y.c~", " AND ", COLUMNS - 1, ""},
    /* what follows from c199 = 1 goes from the end to the beginning */
    {"SELECT 1 FROM w WHERE c199 = 1 AND ", "c# = c~", " AND ", COLUMNS - 1, ""},
    {"SELECT 1 FROM w WHERE c0 = 1 AND ", "c@ = c&", " AND ", COLUMNS - 1, ""},
    {"SELECT 1 FROM w WHERE ", "(c1 = # AND c2 = # AND c3 = 7)", " OR ", 10000, ""},
    {"SELECT 1 FROM w WHERE ", "c1 BETWEEN # AND ~", " OR ", 20000, ""},
    {"SELECT 1 FROM w WHERE c1 IN (", "c2 + #", ",", 50000, ")"},
    {"SELECT 1 FROM w WHERE c1 NOT IN (", "#", ",", 50000, ")"},
    {"SELECT CASE ", "WHEN c1 = # THEN ~", " ", 20000, " END FROM w"},
    {"SELECT * FROM w w0 NATURAL JOIN ", "w AS x#", " NATURAL JOIN ", 20, ""},
    {"WITH w0 AS (SELECT DISTINCT c0 FROM w), ",
     "w~ AS (SELECT DISTINCT x.c0 FROM w# x, w# y WHERE x.c0 > (SELECT count(*) FROM w# z WHERE "
     "z.c0 = y.c0))",
     ", ", 100, " SELECT * FROM w100"},
};

static void long_text(struct buffer *sql, size_t i)
{
    buffer_reset(sql);
    repeat(sql, longs[i].head, longs[i].item, longs[i].separator, longs[i].count, longs[i].tail);
    assert_false(sql->failed);
}

static void test_long(void **state)
{
    (void)state;
    struct buffer sql = {0};
    for (size_t i = 0; i < sizeof longs / sizeof *longs; i++) {
        long_text(&sql, i);
        struct ast_statement *statement = parse((const char *)sql.data);
        clock_t begin = clock();
        assert_int_equal(plan_statement(statement, f.catalog, NULL, &f.arena, &f.planned, &f.error),
                         OK);
        printf("# %6.1f ms: %s%s%s... x %u\n", (double)(clock() - begin) * 1000 / CLOCKS_PER_SEC,
               longs[i].head, longs[i].item, longs[i].separator, longs[i].count);
        arena_reset(&f.arena);
    }
    buffer_free(&sql);
}

/* ---- ended ------------------------------------------------------------------------------------
 */

struct ending {
    uint32_t calls;
    uint32_t end_at;
};

static status_t poll_ending(void *context, struct error *error)
{
    struct ending *ending = context;
    if (ending->calls++ != ending->end_at)
        return OK;
    return error_set(error, ERR_CANCELED, "%s", status_text(ERR_CANCELED));
}

/* At the first call, at the last one, and at some between. */
static void test_ended_anywhere(void **state)
{
    (void)state;
    struct buffer sql = {0};
    for (size_t i = 0; i < sizeof longs / sizeof *longs; i++) {
        long_text(&sql, i);
        struct ending all = {.end_at = UINT32_MAX};
        struct plan_options options = {.poll = poll_ending, .poll_context = &all};
        struct ast_statement *statement = parse((const char *)sql.data);
        assert_int_equal(
            plan_statement(statement, f.catalog, &options, &f.arena, &f.planned, &f.error), OK);
        assert_true(all.calls > 0);
        uint32_t step = all.calls < 20 ? 1 : all.calls / 20;
        for (uint32_t at = 0; at < all.calls; at += step) {
            struct ending ending = {.end_at = at};
            struct arena arena = {0};
            options.poll_context = &ending;
            assert_int_equal(
                plan_statement(statement, f.catalog, &options, &arena, &f.planned, &f.error),
                ERR_CANCELED);
            assert_int_equal(ending.calls, at + 1); /* and is not asked again */
            arena_free(&arena);
        }
        arena_reset(&f.arena);
    }
    buffer_free(&sql);
}

/* ---- refused ----------------------------------------------------------------------------------
 */

/* Each is bound anew for the two places that read it: it sees the row around. */
static void test_doubled(void **state)
{
    (void)state;
    struct buffer sql = {0};
    const char *text =
        repeat(&sql, "SELECT 1 FROM w WHERE EXISTS (WITH w0 AS (SELECT w.c0), ",
               "w~ AS (SELECT x.c0 FROM w# x, w# y)", ", ", 40, " SELECT * FROM w40)");
    assert_int_equal(plan_with(text, NULL), ERR_SQL);
    assert_string_equal(f.error.sqlstate, "54001");
    buffer_free(&sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_long, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_ended_anywhere, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_doubled, set_up, plan_world_close),
    };
    return cmocka_run_group_tests_name("sql_plan_long", tests, NULL, NULL);
}
