/* Bytes as choices of a grammar, so statements that mostly can be planned, over tables with keys
 * and indexes of all kinds: no crash, no leak, errors have their code, a plan can be drawn. What is
 * planned with all rewrites and with none, and run in batches of many rows and of one, gives the
 * same rows, if it gives rows at all (a plan may come across an error that another need not look
 * at). After a change every index must hold what its table holds. A run may be cancelled on the
 * way.
 *
 * TOYDB_FUZZ_SHOW=1 prints each statement. */
#include "fuzz_sql_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/problem.h"
#include "env_sim.h"
#include "grammar.h"
#include "sql/catalog/catalog.h"
#include "sql/exec/exec.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql_driver.h"

enum { MEMORY = 8 << 20, ROWS_MAX = 20000 };

static struct env_sim *sim;
static struct sql_driver driver;

static void world_open(void)
{
    sim = env_sim_create(1);
    sql_driver_init(&driver, env_sim_env(sim));
    for (size_t i = 0; i < grammar_schema_count; i++) {
        struct buffer out = {0};
        sql_driver_run(&driver, sql_driver_session(&driver, 0),
                       slice_from_string(grammar_schema[i]), NULL, 0, &out);
        buffer_append_byte(&out, 0);
        if (strstr((const char *)out.data, "ERROR")) {
            fprintf(stderr, "%s\n%s", grammar_schema[i], (const char *)out.data);
            check_failed(__FILE__, __LINE__, "the schema can be made");
        }
        buffer_free(&out);
    }
}

static void world_close(void)
{
    sql_driver_free(&driver);
    env_sim_destroy(sim);
    sim = NULL;
}

/* ---- one plan run ------------------------------------------------------------------------------
 */

struct run {
    status_t status;
    struct error error;
    struct buffer text; /* rows, a line each */
    uint32_t rows;
    bool stopped; /* cancelled, or too long */
};

static void check_error(const struct error *error)
{
    ASSERT(error->status != OK && strlen(error->sqlstate) == 5 && error->message[0]);
    ASSERT(memcmp(error->sqlstate, "XX", 2) != 0);
}

static void rows_take(struct run *run, const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->selected; i++, run->rows++) {
        for (uint32_t c = 0; c < batch->column_count; c++) {
            struct value value = vector_get(&batch->columns[c], batch_row(batch, i));
            buffer_append_byte(&run->text, '|');
            if (value.null)
                buffer_append_string(&run->text, "NULL");
            else
                value_format(&value, &run->text);
        }
        /* A line feed inside a value would only make two lines of it in both runs. */
        buffer_append_byte(&run->text, '\n');
    }
}

/* Runs it in a transaction; with cancel_after > 0 it is cancelled before that batch. */
static void plan_run(const struct planned *planned, const struct catalog *catalog,
                     struct store_txn *txn, uint32_t batch_rows, uint32_t cancel_after,
                     struct run *run)
{
    struct arena arena = {0};
    struct exec *exec = NULL;
    struct batch *batch;
    atomic_bool cancel = false;
    struct exec_context context = {.env = env_sim_env(sim),
                                   .txn = txn,
                                   .catalog = catalog,
                                   .transaction_us = 1700000000000000,
                                   .statement_us = 1700000000000000,
                                   .memory_budget = MEMORY,
                                   .batch_rows = batch_rows,
                                   .cancel = &cancel,
                                   .arena = &arena};
    *run = (struct run){0};
    run->status = exec_open(planned, &context, &exec, &run->error);
    for (uint32_t n = 1; run->status == OK; n++) {
        if (n == cancel_after || run->rows > ROWS_MAX)
            atomic_store(&cancel, true);
        run->stopped |= atomic_load(&cancel);
        run->status = exec_next(exec, &batch, &run->error);
        if (run->status != OK || !batch)
            break;
        rows_take(run, batch);
        if (run->stopped)
            break; /* what was on its way may still come */
    }
    exec_close(exec);
    arena_free(&arena);
    if (run->status != OK)
        check_error(&run->error);
}

/* ---- comparing ---------------------------------------------------------------------------------
 */

static int compare_slices(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static uint32_t lines_of(struct slice text, struct arena *arena, struct slice **out)
{
    uint32_t count = 0;
    uint32_t capacity = 0;
    struct slice *lines = NULL;
    while (text.size > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end ? (size_t)(end - text.data) : text.size;
        lines = arena_grow(arena, lines, &capacity, count + 1, sizeof *lines);
        lines[count++] = slice_make(text.data, size);
        size += end != NULL;
        text = slice_make(text.data + size, text.size - size);
    }
    if (count > 0)
        qsort(lines, count, sizeof *lines, compare_slices);
    *out = lines;
    return count;
}

static bool same_rows(const struct run *a, const struct run *b)
{
    struct arena arena = {0};
    struct slice *left, *right;
    uint32_t count = lines_of(buffer_slice(&a->text), &arena, &left);
    bool same = count == lines_of(buffer_slice(&b->text), &arena, &right);
    for (uint32_t i = 0; i < count && same; i++)
        same = slice_equal(left[i], right[i]);
    arena_free(&arena);
    return same;
}

static void tell(struct slice sql, const struct planned *planned, const struct run *run)
{
    struct buffer drawn = {0};
    plan_explain(planned->root, &drawn);
    buffer_printf(&drawn, "gives %u rows\n%.*s", run->rows, (int)run->text.size,
                  (const char *)run->text.data);
    buffer_append_byte(&drawn, 0);
    fprintf(stderr, "%.*s\n%s\n", (int)sql.size, (const char *)sql.data, (const char *)drawn.data);
    buffer_free(&drawn);
}

/* ---- one statement -----------------------------------------------------------------------------
 */

struct input {
    struct slice sql;
    struct grammar_traits traits;
    struct catalog *catalog;
    struct arena arena;
    uint32_t cancel_after;
};

static status_t input_plan(struct input *input, const struct plan_options *options,
                           struct planned *planned)
{
    struct parser parser;
    struct ast_statement *statement = NULL;
    struct error error = {0};
    status_t status = parse_begin(&parser, input->sql, 0, &error);
    if (status == OK)
        status = parse_next(&parser, &input->arena, &statement, &error);
    /* The grammar knows the grammar; it does not count how deep it is. */
    if (status != OK && strcmp(error.sqlstate, "54001") != 0) {
        fprintf(stderr, "%.*s\n%s: %s\n", (int)input->sql.size, (const char *)input->sql.data,
                error.sqlstate, error.message);
        check_failed(__FILE__, __LINE__, "what the grammar makes can be parsed");
    }
    if (status == OK)
        status = plan_statement(statement, input->catalog, options, &input->arena, planned, &error);
    if (status != OK)
        check_error(&error);
    return status;
}

static void problem_tell(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
}

static void indexes_must_hold(struct input *input, struct store_txn *txn)
{
    struct problems problems = {.report = problem_tell};
    struct exec_verified verified;
    struct error error = {0};
    struct exec_context context = {
        .env = env_sim_env(sim), .txn = txn, .catalog = input->catalog, .arena = &input->arena};
    status_t status = exec_verify(&context, &problems, &verified, &error);
    ASSERT(status == OK);
    if (problems.count > 0) {
        fprintf(stderr, "%.*s\n", (int)input->sql.size, (const char *)input->sql.data);
        check_failed(__FILE__, __LINE__, "indexes hold what their tables hold");
    }
}

static void run_once(struct input *input, const struct planned *planned, uint32_t batch_rows,
                     uint32_t cancel_after, struct run *run)
{
    struct store_txn *txn = store_memory_begin(driver.store);
    plan_run(planned, input->catalog, txn, batch_rows, cancel_after, run);
    if (planned->writes && run->status == OK)
        indexes_must_hold(input, txn);
    store_memory_rollback(txn);
}

static void input_run(struct input *input)
{
    const struct plan_options dull = {.no_fold = true,
                                      .no_pushdown = true,
                                      .no_index = true,
                                      .no_hash_join = true,
                                      .no_merge_join = true,
                                      .no_lookup_join = true,
                                      .no_join_order = true,
                                      .no_top_n = true,
                                      .no_unnest = true};
    struct planned planned[2];
    struct run runs[3] = {{0}};
    if (input_plan(input, &(struct plan_options){.why = true}, &planned[0]) != OK ||
        input_plan(input, &dull, &planned[1]) != OK)
        return;
    run_once(input, &planned[0], 0, input->cancel_after, &runs[0]);
    run_once(input, &planned[0], 1, 0, &runs[1]);
    run_once(input, &planned[1], 0, 0, &runs[2]);
    for (int i = 1; i < 3; i++) {
        bool comparable = runs[0].status == OK && runs[i].status == OK && !runs[0].stopped &&
                          !runs[i].stopped && !input->traits.loose && !input->traits.writes;
        if (!comparable || same_rows(&runs[0], &runs[i]))
            continue;
        tell(input->sql, &planned[0], &runs[0]);
        tell(input->sql, &planned[i - 1], &runs[i]);
        check_failed(__FILE__, __LINE__, "every plan gives the same rows");
    }
    for (int i = 0; i < 3; i++)
        buffer_free(&runs[i].text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!sim) {
        world_open();
        atexit(world_close);
    }
    if (size < 1)
        return 0;
    struct buffer sql = {0};
    struct input input = {.cancel_after = data[0] % 16 == 0 ? data[0] / 16 + 1 : 0};
    struct error error = {0};
    grammar_statement(slice_make(data + 1, size - 1), &sql, &input.traits);
    input.sql = buffer_slice(&sql);
    if (getenv("TOYDB_FUZZ_SHOW"))
        fprintf(stderr, "%.*s;\n", (int)sql.size, (const char *)sql.data);
    struct store_txn *txn = store_memory_begin(driver.store);
    status_t status = catalog_load(txn, &input.catalog, &error);
    ASSERT(status == OK);
    store_memory_rollback(txn);
    input_run(&input);
    catalog_release(input.catalog);
    arena_free(&input.arena);
    buffer_free(&sql);
    return 0;
}
