/* Scans by several threads: that they are used, and what they do where something goes wrong. That
 * they answer as one does is tested with every plan that world_run runs. Meant to be run under the
 * thread sanitizer too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/exec/exec_int.h"
#include "world.h"

enum { ROWS = 3000, TRIES = 10000 };

#define I SQL_INTEGER

static struct world *w;

static int setup(void **state)
{
    (void)state;
    w = calloc(1, sizeof *w);
    world_open(w);
    w->context.batch_rows = BATCH_ROWS_MAX; /* world_run: once */
    const struct table *table = world_table(w, "t", "id integer primary, a integer, b text null");
    for (int at = 0; at < ROWS; at += 100) {
        struct expr *exprs[300];
        for (int i = 0; i < 100; i++) {
            char text[16];
            (void)snprintf(text, sizeof text, "text %d", (at + i) * 7919 % ROWS);
            exprs[3 * i] = e_int(w, at + i);
            exprs[3 * i + 1] = e_int(w, (at + i) % 50);
            struct slice copy =
                arena_copy(&w->arena, slice_make((uint8_t *)text, strlen(text) + 1));
            exprs[3 * i + 2] = e_text(w, (const char *)copy.data);
        }
        assert_string_equal(world_run(w, p_insert(w, table, p_values(w, 3, 100, exprs))),
                            "changed 100\n");
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(w);
    free(w);
    return 0;
}

static struct plan *big(void)
{
    return p_scan(w, world_find(w, "t"), NULL, "id,a,b");
}

static struct exec_context parallel_context(void)
{
    struct exec_context context = w->context;
    if (!w->crew)
        w->crew = env_crew_create("test", 2);
    context.crew = w->crew;
    context.parallel_rows = 100;
    context.measure = true;
    arena_reset(&w->run_arena);
    context.arena = &w->run_arena;
    return context;
}

static status_t run(struct plan *plan, const struct exec_context *context, struct value *first,
                    uint32_t *threads, const struct plan *scan, struct error *error)
{
    struct planned planned = {.root = plan};
    struct exec *exec;
    struct batch *batch;
    struct exec_figures figures;
    assert_int_equal(exec_open(&planned, context, &exec, error), OK);
    status_t status = exec_next(exec, &batch, error);
    if (status == OK)
        *first = vector_get(&batch->columns[0], batch_row(batch, 0));
    assert_true(exec_figures(exec, scan, &figures));
    *threads = figures.threads;
    if (status == OK)
        assert_int_equal(figures.rows, ROWS);
    exec_close(exec);
    return status;
}

static void test_threads_are_used(void **state)
{
    (void)state;
    struct plan *scan = big();
    struct plan *filter =
        p_filter(w, scan, e_call(w, CALL_LT, SQL_BOOLEAN, e_col(w, 1, I), e_int(w, 25), NULL));
    struct plan *plan = p_aggregate(w, filter, NULL);
    p_aggregate_add(w, plan, AGGREGATE_SUM, e_col(w, 0, I));
    struct exec_context context = parallel_context();
    struct error error;
    struct value sum;
    uint32_t threads = 0;
    int64_t expected = 0;
    for (int i = 0; i < ROWS; i++)
        expected += i % 50 < 25 ? i : 0;
    /* A helper may find everything done before it has woken up: not every time. */
    for (int i = 0; i < TRIES && threads < 2; i++) {
        context = parallel_context();
        assert_int_equal(run(plan, &context, &sum, &threads, scan, &error), OK);
        assert_int_equal(sum.as.integer, expected);
    }
    assert_in_range(threads, 2, 3);
    context = parallel_context();
    context.threads_max = 1;
    assert_int_equal(run(plan, &context, &sum, &threads, scan, &error), OK);
    assert_int_equal(sum.as.integer, expected);
    assert_int_equal(threads, 0);
}

/* Text of an extreme value is the state's own, whichever thread found it. */
static void test_texts(void **state)
{
    (void)state;
    struct plan *scan = big();
    struct plan *plan = p_aggregate(w, scan, NULL);
    p_aggregate_add(w, plan, AGGREGATE_MAX, e_col(w, 2, SQL_TEXT));
    for (int i = 0; i < 50; i++) {
        struct exec_context context = parallel_context();
        struct planned planned = {.root = plan};
        struct error error;
        struct exec *exec;
        struct batch *batch;
        assert_int_equal(exec_open(&planned, &context, &exec, &error), OK);
        assert_int_equal(exec_next(exec, &batch, &error), OK);
        struct value value = vector_get(&batch->columns[0], 0);
        assert_true(slice_equal(value.as.text, slice_from_string("text 999")));
        exec_close(exec);
    }
}

static void test_shared_join_table(void **state)
{
    (void)state;
    struct plan *scan = big();
    struct plan *right =
        p_filter(w, big(), e_call(w, CALL_LT, SQL_BOOLEAN, e_col(w, 0, I), e_int(w, 10), NULL));
    struct plan *join =
        p_join(w, PLAN_HASH_JOIN, JOIN_INNER, scan, right, e_col(w, 1, I), e_col(w, 0, I), NULL);
    struct plan *plan = p_aggregate(w, join, NULL);
    p_aggregate_add(w, plan, AGGREGATE_SUM, e_col(w, 3, I));
    struct error error;
    struct value sum;
    uint32_t threads;
    for (int i = 0; i < 50; i++) {
        struct exec_context context = parallel_context();
        assert_int_equal(run(plan, &context, &sum, &threads, scan, &error), OK);
        assert_int_equal(sum.as.integer, ROWS / 50 * 45);
    }
}

/* One row is out of range, and all behind it are divided by zero: the one that comes first decides,
 * though those before it take so long that a part behind it has failed by then. */
static void test_first_error_wins(void **state)
{
    (void)state;
    enum { SLOW = 1000, FIRST = 1010 };
    struct expr *id = e_col(w, 0, I);
    struct expr *zero = e_call(w, CALL_SUBTRACT, I, id, id, NULL);
    struct expr *huge = e_call(w, CALL_MULTIPLY, I, e_int(w, INT64_MAX), id, NULL);
    struct expr *text =
        e_call(w, CALL_REPEAT, SQL_TEXT, e_col(w, 2, SQL_TEXT), e_int(w, 5000), NULL);
    struct plan *scan = big();
    struct plan *plan = p_aggregate(w, scan, NULL);
    struct aggregate *slow =
        p_aggregate_add(w, plan, AGGREGATE_SUM, e_call(w, CALL_LENGTH, I, text, NULL));
    slow->filter =
        e_make(w, EXPR_AND, SQL_BOOLEAN, e_call(w, CALL_GE, SQL_BOOLEAN, id, e_int(w, SLOW), NULL),
               e_call(w, CALL_LT, SQL_BOOLEAN, id, e_int(w, FIRST), NULL), NULL);
    struct aggregate *late =
        p_aggregate_add(w, plan, AGGREGATE_SUM, e_call(w, CALL_DIVIDE, I, e_int(w, 1), zero, NULL));
    late->filter = e_call(w, CALL_GT, SQL_BOOLEAN, id, e_int(w, FIRST), NULL);
    p_aggregate_add(w, plan, AGGREGATE_SUM, huge)->filter =
        e_call(w, CALL_EQ, SQL_BOOLEAN, id, e_int(w, FIRST), NULL);
    for (int i = 0; i < 100; i++) {
        struct exec_context context = parallel_context();
        struct error error;
        struct value value;
        uint32_t threads;
        context.batch_rows = 1; /* of a batch the first aggregate would decide */
        assert_int_equal(run(plan, &context, &value, &threads, scan, &error), ERR_SQL);
        assert_string_equal(error.sqlstate, "22003");
    }
}

static void test_cancel(void **state)
{
    (void)state;
    struct plan *scan = big();
    struct plan *plan = p_aggregate(w, scan, NULL);
    p_aggregate_add(w, plan, AGGREGATE_SUM, e_col(w, 0, I));
    struct exec_context context = parallel_context();
    struct planned planned = {.root = plan};
    atomic_bool cancel = false;
    context.cancel = &cancel;
    struct error error;
    struct exec *exec;
    struct batch *batch;
    assert_int_equal(exec_open(&planned, &context, &exec, &error), OK);
    atomic_store(&cancel, true);
    assert_int_equal(exec_next(exec, &batch, &error), ERR_CANCELED);
    exec_close(exec);
}

static void test_memory_budget(void **state)
{
    (void)state;
    struct plan *scan = big();
    struct plan *plan = p_aggregate(w, scan, NULL);
    p_aggregate_add(w, plan, AGGREGATE_MAX, e_col(w, 2, SQL_TEXT));
    struct exec_context context = parallel_context();
    struct error error;
    struct value value;
    uint32_t threads;
    context.memory_budget = 10;
    assert_int_equal(run(plan, &context, &value, &threads, scan, &error), ERR_NOMEM);
    assert_string_equal(error.sqlstate, "53200");
}

/* ---- groups ------------------------------------------------------------------------------------
 */

static void rows_print(struct plan *plan, const struct exec_context *context, struct buffer *out)
{
    struct planned planned = {.root = plan};
    struct error error;
    struct exec *exec;
    struct batch *batch;
    buffer_reset(out);
    assert_int_equal(exec_open(&planned, context, &exec, &error), OK);
    for (;;) {
        assert_int_equal(exec_next(exec, &batch, &error), OK);
        if (!batch)
            break;
        for (uint32_t i = 0; i < batch->selected; i++) {
            for (uint32_t c = 0; c < batch->column_count; c++) {
                struct value value = vector_get(&batch->columns[c], batch_row(batch, i));
                value_format(&value, out);
                buffer_append_string(out, c + 1 < batch->column_count ? "|" : "\n");
            }
        }
    }
    exec_close(exec);
    buffer_append_byte(out, '\0');
}

/* The same rows in the same order, many times over, by several threads as by one; `change` may make
 * the context of those narrower. */
static void same_rows(struct plan *plan, void (*change)(struct exec_context *context))
{
    struct buffer alone = {0};
    struct buffer together = {0};
    struct exec_context context = parallel_context();
    context.threads_max = 1;
    rows_print(plan, &context, &alone);
    assert_true(alone.size > 1);
    for (int i = 0; i < 20; i++) {
        context = parallel_context();
        if (change)
            change(&context);
        rows_print(plan, &context, &together);
        assert_string_equal((const char *)together.data, (const char *)alone.data);
    }
    buffer_free(&alone);
    buffer_free(&together);
}

/* By the text's first seven characters, so "text 1", "text 10", ...; most keys are made. */
static struct plan *grouped(struct expr *key)
{
    struct plan *plan = p_aggregate(w, big(), key);
    p_aggregate_add(w, plan, AGGREGATE_COUNT_ROWS, NULL);
    p_aggregate_add(w, plan, AGGREGATE_SUM, e_col(w, 0, I));
    p_aggregate_add(w, plan, AGGREGATE_MAX, e_col(w, 2, SQL_TEXT));
    p_aggregate_add(w, plan, AGGREGATE_COUNT, e_col(w, 1, I))->distinct = true;
    p_aggregate_add(w, plan, AGGREGATE_SUM, e_col(w, 1, I))->distinct = true;
    return plan;
}

static struct expr *made_key(void)
{
    return e_call(w, CALL_SUBSTRING, SQL_TEXT, e_col(w, 2, SQL_TEXT), e_int(w, 1), e_int(w, 7),
                  NULL);
}

static void test_groups(void **state)
{
    (void)state;
    same_rows(grouped(e_col(w, 1, I)), NULL);
    same_rows(grouped(made_key()), NULL);
}

static void budget_is_small(struct exec_context *context)
{
    context->memory_budget = 4 << 20;
    context->spill_directory = "nowhere"; /* where nothing is put: the groups fit one thread */
    context->work_memory = 32 << 10;
}

/* Their shares are too small, but one thread can do it. */
static void test_groups_are_given_up(void **state)
{
    (void)state;
    same_rows(grouped(e_col(w, 1, I)), budget_is_small);
}

static void test_groups_by_threads(void **state)
{
    (void)state;
    struct plan *scan = big();
    struct plan *plan = p_aggregate(w, scan, e_col(w, 1, I));
    p_aggregate_add(w, plan, AGGREGATE_SUM, e_col(w, 0, I));
    struct error error;
    struct value group;
    uint32_t threads = 0;
    for (int i = 0; i < TRIES && threads < 2; i++) {
        struct exec_context context = parallel_context();
        assert_int_equal(run(plan, &context, &group, &threads, scan, &error), OK);
        assert_int_equal(group.as.integer, 0);
    }
    assert_in_range(threads, 2, 3);
}

/* ---- rows in their order -----------------------------------------------------------------------
 */

static struct plan *filtered(struct expr *below)
{
    struct plan *filter =
        p_filter(w, big(), e_call(w, CALL_LT, SQL_BOOLEAN, e_col(w, 1, I), e_int(w, 40), NULL));
    struct expr *sum = e_call(w, CALL_ADD, I, e_col(w, 0, I), e_int(w, 1), NULL);
    return p_project(w, filter, e_col(w, 0, I), below ? below : sum, made_key(), NULL);
}

static void batches_are_small(struct exec_context *context)
{
    context->batch_rows = 7;
}

static void test_gather(void **state)
{
    (void)state;
    same_rows(filtered(NULL), NULL);
    same_rows(filtered(NULL), batches_are_small);
    same_rows(p_sort(w, filtered(NULL), e_col(w, 2, SQL_TEXT), true, false), NULL);
    struct expr *made = e_call(w, CALL_UPPER, SQL_TEXT, e_col(w, 2, SQL_TEXT), NULL);
    same_rows(p_project(w, big(), e_col(w, 0, I), made, NULL), NULL);
    struct plan *right =
        p_filter(w, big(), e_call(w, CALL_LT, SQL_BOOLEAN, e_col(w, 0, I), e_int(w, 30), NULL));
    same_rows(p_join(w, PLAN_HASH_JOIN, JOIN_LEFT, filtered(NULL), right, e_col(w, 1, I),
                     e_col(w, 0, I), NULL),
              NULL);
}

static void budget_is_of_some_batches(struct exec_context *context)
{
    context->memory_budget = 6 << 20;
    context->parallel_rows = ROWS / 2; /* parts are large enough */
}

/* A batch may make as much text as the statement may hold, whoever works it off. */
static void test_gather_of_long_texts(void **state)
{
    (void)state;
    struct expr *text =
        e_call(w, CALL_REPEAT, SQL_TEXT, e_col(w, 2, SQL_TEXT), e_int(w, 1000), NULL);
    struct expr *length = e_call(w, CALL_LENGTH, I, text, NULL);
    same_rows(p_filter(w, big(), e_call(w, CALL_LT, SQL_BOOLEAN, length, e_int(w, 7500), NULL)),
              budget_is_of_some_batches);
}

/* Many threads leave room for whoever takes the rows: a sort that fits where one thread reads. */
static void test_gather_by_many_threads(void **state)
{
    (void)state;
    struct expr *text =
        e_call(w, CALL_REPEAT, SQL_TEXT, e_col(w, 2, SQL_TEXT), e_int(w, 300), NULL);
    struct plan *plan =
        p_sort(w, p_project(w, big(), e_col(w, 0, I), text, NULL), e_col(w, 0, I), true, false);
    struct buffer rows = {0};
    struct exec_context context = parallel_context();
    struct env_crew *crew = env_crew_create("many", 15);
    context.crew = crew;
    context.memory_budget = 16 << 20;
    rows_print(plan, &context, &rows);
    assert_true(rows.size > ROWS * 6 * 300);
    env_crew_destroy(crew);
    buffer_free(&rows);
}

/* Rows that go out before an error are those before it, and nobody waits for what is not read. */
static void test_gather_ends_early(void **state)
{
    (void)state;
    struct expr *late =
        e_call(w, CALL_DIVIDE, I, e_int(w, 1),
               e_call(w, CALL_SUBTRACT, I, e_col(w, 0, I), e_int(w, 2000), NULL), NULL);
    struct planned planned = {.root = filtered(late)};
    atomic_bool cancel = false;
    for (int i = 0; i < 90; i++) {
        struct exec_context context = parallel_context();
        struct error error;
        struct exec *exec;
        struct batch *batch;
        status_t status = OK;
        context.cancel = i % 3 == 0 ? &cancel : NULL;
        atomic_store(&cancel, false);
        context.batch_rows = i % 2 ? 16 : 0;
        assert_int_equal(exec_open(&planned, &context, &exec, &error), OK);
        for (int batches = 0; status == OK && (i % 3 || batches < i); batches++) {
            if (batches == i / 4)
                atomic_store(&cancel, true);
            status = exec_next(exec, &batch, &error);
            for (uint32_t at = 0; status == OK && at < batch->selected; at++)
                assert_true(batch->columns[0].as.integers[batch_row(batch, at)] < 2000);
        }
        if (i % 3)
            assert_string_equal(error.sqlstate, "22012");
        exec_close(exec);
    }
}

static void test_distinct(void **state)
{
    (void)state;
    struct plan *made = p_project(w, big(), e_col(w, 1, I), made_key(), NULL);
    same_rows(p_distinct(w, made), NULL);
    same_rows(p_distinct(w, made), batches_are_small);
    same_rows(p_distinct(w, p_project(w, big(), e_col(w, 1, I), NULL)), budget_is_small);
}

/* Who wants few rows reads them alone; who sorts them first wants all. */
static void test_limit_reads_alone(void **state)
{
    (void)state;
    struct plan *few = p_limit(w, filtered(NULL), e_int(w, 1), NULL);
    struct plan *all =
        p_limit(w, p_sort(w, filtered(NULL), e_col(w, 1, I), true, false), e_int(w, 1), NULL);
    for (int i = 0; i < 2; i++) {
        struct planned planned = {.root = i ? all : few};
        struct exec_context context = parallel_context();
        struct error error;
        struct exec *exec;
        struct batch *batch;
        assert_int_equal(exec_open(&planned, &context, &exec, &error), OK);
        const struct operator* below = i ? exec->root->left->left : exec->root->left;
        assert_int_equal(below->plan->kind, i ? PLAN_GATHER : PLAN_PROJECT);
        assert_int_equal(exec_next(exec, &batch, &error), OK);
        assert_int_equal(batch->selected, 1);
        exec_close(exec);
    }
}

/* ---- the crew -----------------------------------------------------------------------------------
 */

struct gate {
    struct env_mutex *mutex;
    struct env_cond *cond;
    bool entered;
    bool open;
};

static void wait_at(void *argument)
{
    struct gate *gate = argument;
    env_mutex_lock(gate->mutex);
    gate->entered = true;
    env_cond_broadcast(gate->cond);
    while (!gate->open)
        env_cond_wait(gate->cond, gate->mutex);
    env_mutex_unlock(gate->mutex);
}

static void never(void *argument)
{
    (void)argument;
    fail_msg("a task that was taken back has run");
}

static void test_tasks_are_taken_back(void **state)
{
    (void)state;
    struct env_crew *crew = env_crew_create("crew", 1);
    struct gate gate = {.mutex = env_mutex_create(), .cond = env_cond_create()};
    struct env_crew_task first = {.run = wait_at, .argument = &gate};
    struct env_crew_task more[3] = {{.run = never}, {.run = never}, {.run = never}};
    assert_int_equal(env_crew_threads(crew), 1);
    assert_int_equal(env_crew_threads(NULL), 0);
    env_crew_submit(crew, &first);
    env_mutex_lock(gate.mutex);
    while (!gate.entered)
        env_cond_wait(gate.cond, gate.mutex);
    env_mutex_unlock(gate.mutex);
    for (int i = 0; i < 3; i++)
        env_crew_submit(crew, &more[i]);
    static const int order[] = {1, 2, 0};
    for (int i = 0; i < 3; i++)
        assert_false(env_crew_finish(crew, &more[order[i]]));
    env_mutex_lock(gate.mutex);
    gate.open = true;
    env_cond_broadcast(gate.cond);
    env_mutex_unlock(gate.mutex);
    assert_true(env_crew_finish(crew, &first));
    struct env_crew_task again = {.run = wait_at, .argument = &gate};
    env_crew_submit(crew, &again);
    (void)env_crew_finish(crew, &again);
    env_crew_destroy(crew);
    env_cond_destroy(gate.cond);
    env_mutex_destroy(gate.mutex);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_threads_are_used),
        TEST(test_texts),
        TEST(test_shared_join_table),
        TEST(test_first_error_wins),
        TEST(test_cancel),
        TEST(test_memory_budget),
        TEST(test_groups),
        TEST(test_groups_are_given_up),
        TEST(test_groups_by_threads),
        TEST(test_gather),
        TEST(test_gather_of_long_texts),
        TEST(test_gather_by_many_threads),
        TEST(test_gather_ends_early),
        TEST(test_distinct),
        TEST(test_limit_reads_alone),
        cmocka_unit_test(test_tasks_are_taken_back),
    };
    return cmocka_run_group_tests_name("sql_exec_parallel", tests, NULL, NULL);
}
