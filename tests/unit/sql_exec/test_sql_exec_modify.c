/* INSERT, UPDATE, DELETE and the constraints they keep. */
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
#define T SQL_TEXT

static struct world world, *w = &world;

#define CHECK(expected, plan) assert_string_equal(world_run(w, plan), expected)
#define CALL(call, type, ...) e_call(w, call, type, __VA_ARGS__, NULL)

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

static const struct table *find(const char *name)
{
    return world_find(w, name);
}

static struct plan *all(const char *table)
{
    return p_scan(w, find(table), NULL, "*");
}

/* Rows of integers; INT64_MIN stands for NULL. */
static struct plan *insert(const char *table, uint32_t rows, const int64_t *values)
{
    uint32_t columns = find(table)->column_count;
    struct expr **exprs = arena_alloc(&w->arena, rows * columns * sizeof *exprs);
    for (uint32_t i = 0; i < rows * columns; i++)
        exprs[i] = values[i] == INT64_MIN ? e_null(w, I) : e_int(w, values[i]);
    return p_insert(w, find(table), p_values(w, columns, rows, exprs));
}

#define INSERT(table, rows, ...) insert(table, rows, (const int64_t[]){__VA_ARGS__})
#define NUL                      INT64_MIN

static struct plan *where(const char *table, uint32_t column, int64_t value)
{
    return p_filter(w, all(table), CALL(CALL_EQ, B, e_col(w, column, I), e_int(w, value)));
}

static void test_not_null_and_length(void **state)
{
    (void)state;
    const struct table *t =
        world_table(w, "t", "a integer primary, b integer, c text(3) null, d integer(16) null");
    struct expr *row[] = {e_int(w, 1), e_null(w, I), e_text(w, "x"), e_null(w, I)};
    struct plan *plan = p_insert(w, t, p_values(w, 4, 1, row));
    CHECK("ERROR 23502: null value in column \"b\" of relation \"t\" violates not-null "
          "constraint\nDETAIL Failing row contains (1, null, x, null).\n",
          plan);
    plan->left->as.values.rows[1] = e_int(w, 5);
    plan->left->as.values.rows[2] = e_text(w, "abcd");
    const char *answer = world_run(w, plan);
    const char *expected = "ERROR 22001: value too long for type character varying(3)\n";
    assert_int_equal(strncmp(answer, expected, strlen(expected)), 0);
    plan->left->as.values.rows[2] = e_text(w, "abc   "); /* blanks over the length go */
    plan->left->as.values.rows[3] = e_int(w, 40000);
    assert_int_equal(strncmp(world_run(w, plan), "ERROR 22003: ", 13), 0);
    plan->left->as.values.rows[3] = e_int(w, -40);
    CHECK("changed 1\n", plan);
    CHECK("1|5|abc|-40\n", all("t"));
    CHECK("ERROR 23502: null value in column \"b\" of relation \"t\" violates not-null "
          "constraint\nDETAIL Failing row contains (1, null, abc, -40).\n",
          p_update(w, t, all("t"), "b", e_null(w, I)));
}

static void test_primary_key(void **state)
{
    (void)state;
    world_table(w, "t", "a integer primary, b integer null");
    CHECK("changed 2\n", INSERT("t", 2, 1, 10, 2, 20));
    CHECK("ERROR 23505: duplicate key value violates unique constraint \"t_pkey\"\n"
          "DETAIL Key (a)=(1) already exists.\n",
          INSERT("t", 1, 1, 30));
    CHECK("ERROR 23505: duplicate key value violates unique constraint \"t_pkey\"\n"
          "DETAIL Key (a)=(7) already exists.\n",
          INSERT("t", 2, 7, 30, 7, 31));
}

static void test_insert_select_from_itself(void **state)
{
    (void)state;
    world_table(w, "t", "a integer primary, b integer null");
    CHECK("changed 3\n", INSERT("t", 3, 1, 1, 2, 2, 3, 3));
    struct plan *shifted = p_project(w, all("t"), CALL(CALL_ADD, I, e_col(w, 0, I), e_int(w, 3)),
                                     e_col(w, 1, I), NULL);
    CHECK("changed 3\n", p_insert(w, find("t"), shifted));
    CHECK("1|1\n2|2\n3|3\n4|1\n5|2\n6|3\n", all("t"));
}

static void test_unique(void **state)
{
    (void)state;
    world_table(w, "t", "a integer primary, b integer null unique");
    CHECK("changed 4\n", INSERT("t", 4, 1, 10, 2, 20, 3, NUL, 4, NUL));
    CHECK("ERROR 23505: duplicate key value violates unique constraint \"t_b_key\"\n"
          "DETAIL Key (b)=(20) already exists.\n",
          INSERT("t", 1, 5, 20));
    CHECK("ERROR 23505: duplicate key value violates unique constraint \"t_b_key\"\n"
          "DETAIL Key (b)=(20) already exists.\n",
          p_update(w, find("t"), where("t", 0, 1), "b", e_int(w, 20)));
}

static struct plan *by_index(const char *table, const char *columns)
{
    struct plan *scan = p_scan(w, find(table), &find(table)->indexes[1], columns);
    return scan;
}

static void test_update_moves_unique_keys(void **state)
{
    (void)state;
    const struct table *t = world_table(w, "t", "a integer primary, b integer null unique");
    CHECK("changed 4\n", INSERT("t", 4, 1, 1, 2, 2, 3, 3, 4, NUL));
    CHECK("changed 4\n",
          p_update(w, t, all("t"), "b", CALL(CALL_ADD, I, e_col(w, 1, I), e_int(w, 1))));
    CHECK("1|2\n2|3\n3|4\n4|NULL\n", all("t"));
    CHECK("1|2\n2|3\n3|4\n4|NULL\n", by_index("t", "*"));
    CHECK("changed 4\n",
          p_update(w, t, all("t"), "a", CALL(CALL_ADD, I, e_col(w, 0, I), e_int(w, 1))));
    CHECK("2|2\n3|3\n4|4\n5|NULL\n", all("t"));
    CHECK("2|2\n3|3\n4|4\n5|NULL\n", by_index("t", "*"));
    CHECK("ERROR 23505: duplicate key value violates unique constraint \"t_b_key\"\n"
          "DETAIL Key (b)=(7) already exists.\n",
          p_update(w, t, all("t"), "b", e_int(w, 7)));
}

static void test_update_and_delete_maintain_indexes(void **state)
{
    (void)state;
    const struct table *t = world_table(w, "t", "a integer primary, b integer null");
    CHECK("changed 3\n", INSERT("t", 3, 1, 5, 2, 5, 3, 6));
    struct error error = {0};
    assert_int_equal(world_index(w, "t", "b", false, &error), OK);
    t = find("t");
    CHECK("changed 1\n", p_update(w, t, where("t", 0, 1), "b", e_int(w, 9)));
    CHECK("2|5\n3|6\n1|9\n", by_index("t", "*"));
    CHECK("changed 1\n", p_update(w, t, where("t", 0, 2), "b", e_null(w, I)));
    CHECK("3|6\n1|9\n2|NULL\n", by_index("t", "*"));
    CHECK("changed 1\n", p_delete(w, t, where("t", 1, 6)));
    CHECK("1|9\n2|NULL\n", by_index("t", "*"));
    CHECK("changed 0\n", p_delete(w, t, where("t", 1, 6)));
    CHECK("changed 2\n", p_delete(w, t, all("t")));
    CHECK("", by_index("t", "*"));
    CHECK("", all("t"));
}

/* p(id), c(id, p_id references p) */
static void parent_and_child(void)
{
    world_table(w, "p", "id integer primary, n integer null");
    world_foreign_key(w, "p_id", "p", "id");
    world_table(w, "c", "id integer primary, p_id integer null");
    CHECK("changed 3\n", INSERT("p", 3, 1, 0, 2, 0, 3, 0));
}

static void test_foreign_key_of_the_child(void **state)
{
    (void)state;
    parent_and_child();
    CHECK("ERROR 23503: insert or update on table \"c\" violates foreign key constraint "
          "\"c_p_id_fkey\"\nDETAIL Key (p_id)=(9) is not present in table \"p\".\n",
          INSERT("c", 2, 1, 1, 2, 9));
    teardown(NULL);
    setup(NULL);
    parent_and_child();
    CHECK("changed 3\n", INSERT("c", 3, 1, 1, 2, 1, 3, NUL));
    CHECK("changed 1\n", p_update(w, find("c"), where("c", 0, 1), "p_id", e_int(w, 2)));
    CHECK("changed 1\n", p_update(w, find("c"), where("c", 0, 2), "p_id", e_null(w, I)));
    CHECK("ERROR 23503: insert or update on table \"c\" violates foreign key constraint "
          "\"c_p_id_fkey\"\nDETAIL Key (p_id)=(8) is not present in table \"p\".\n",
          p_update(w, find("c"), where("c", 0, 3), "p_id", e_int(w, 8)));
}

static void test_foreign_key_of_the_parent(void **state)
{
    (void)state;
    parent_and_child();
    CHECK("changed 1\n", INSERT("c", 1, 1, 1));
    CHECK("changed 1\n", p_delete(w, find("p"), where("p", 0, 2)));
    CHECK("changed 1\n", p_update(w, find("p"), where("p", 0, 1), "n", e_int(w, 4)));
    struct expr *other = CALL(CALL_SUBTRACT, I, e_int(w, 4), e_col(w, 0, I));
    CHECK("changed 2\n", p_update(w, find("p"), all("p"), "id", other)); /* 1 and 3 change places */
    CHECK("1|0\n3|4\n", all("p"));
    CHECK("ERROR 23503: update or delete on table \"p\" violates foreign key constraint "
          "\"c_p_id_fkey\" on table \"c\"\n"
          "DETAIL Key (id)=(1) is still referenced from table \"c\".\n",
          p_delete(w, find("p"), where("p", 0, 1)));
}

static void test_foreign_key_update_of_the_parent(void **state)
{
    (void)state;
    parent_and_child();
    CHECK("changed 1\n", INSERT("c", 1, 1, 1));
    CHECK("ERROR 23503: update or delete on table \"p\" violates foreign key constraint "
          "\"c_p_id_fkey\" on table \"c\"\n"
          "DETAIL Key (id)=(1) is still referenced from table \"c\".\n",
          p_update(w, find("p"), where("p", 0, 1), "id", e_int(w, 7)));
}

static void test_rows_that_refer_to_each_other(void **state)
{
    (void)state;
    world_foreign_key(w, "boss", "e", "id");
    world_table(w, "e", "id integer primary, boss integer null");
    CHECK("changed 3\n", INSERT("e", 3, 1, 3, 2, 1, 3, 3));
    CHECK("changed 1\n", p_delete(w, find("e"), where("e", 0, 2)));
    CHECK("changed 2\n", p_delete(w, find("e"), all("e")));
    CHECK("changed 1\n", INSERT("e", 1, 5, 5));
    CHECK("ERROR 23503: insert or update on table \"e\" violates foreign key constraint "
          "\"e_boss_fkey\"\nDETAIL Key (boss)=(6) is not present in table \"e\".\n",
          INSERT("e", 1, 7, 6));
}

static void test_foreign_key_of_several_columns(void **state)
{
    (void)state;
    world_table(w, "p", "x integer primary, y integer primary");
    world_foreign_key(w, "b, a", "p", "y, x"); /* not in the key's order */
    world_table(w, "c", "id integer primary, a integer null, b integer null");
    CHECK("changed 1\n", INSERT("p", 1, 1, 2));
    CHECK("changed 2\n", INSERT("c", 2, 1, 1, 2, 2, 7, NUL));
    CHECK("ERROR 23503: update or delete on table \"p\" violates foreign key constraint "
          "\"c_b_a_fkey\" on table \"c\"\n"
          "DETAIL Key (x, y)=(1, 2) is still referenced from table \"c\".\n",
          p_delete(w, find("p"), all("p")));
    teardown(NULL);
    setup(NULL);
    world_table(w, "p", "x integer primary, y integer primary");
    world_foreign_key(w, "b, a", "p", "y, x");
    world_table(w, "c", "id integer primary, a integer null, b integer null");
    CHECK("ERROR 23503: insert or update on table \"c\" violates foreign key constraint "
          "\"c_b_a_fkey\"\nDETAIL Key (a, b)=(2, 1) is not present in table \"p\".\n",
          INSERT("c", 1, 1, 2, 1));
}

static void test_many_rows(void **state)
{
    (void)state;
    enum { ROWS = 3000 };
    world_table(w, "t", "a integer primary, b integer null unique");
    int64_t *values = arena_alloc(&w->arena, 2 * ROWS * sizeof *values);
    for (int i = 0; i < ROWS; i++) {
        values[2 * i] = i;
        values[2 * i + 1] = ROWS - i;
    }
    CHECK("changed 3000\n", insert("t", ROWS, values));
    struct expr *next = CALL(CALL_ADD, I, e_col(w, 1, I), e_int(w, 1));
    CHECK("changed 3000\n", p_update(w, find("t"), all("t"), "b", next));
    struct plan *sum = p_aggregate(w, by_index("t", "b"), NULL);
    p_aggregate_add(w, sum, AGGREGATE_SUM, e_col(w, 0, I));
    p_aggregate_add(w, sum, AGGREGATE_COUNT_ROWS, NULL);
    CHECK("4504500|3000\n", sum);
    CHECK("changed 3000\n", p_delete(w, find("t"), all("t")));
    CHECK("NULL|0\n", sum);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_not_null_and_length),
        TEST(test_primary_key),
        TEST(test_insert_select_from_itself),
        TEST(test_unique),
        TEST(test_update_moves_unique_keys),
        TEST(test_update_and_delete_maintain_indexes),
        TEST(test_foreign_key_of_the_child),
        TEST(test_foreign_key_of_the_parent),
        TEST(test_foreign_key_update_of_the_parent),
        TEST(test_rows_that_refer_to_each_other),
        TEST(test_foreign_key_of_several_columns),
        TEST(test_many_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
