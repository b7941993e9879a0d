/* Runs one script of tests/golden/sql_plan. Commands:
 *   schema [rows=N]  the input's CREATE TABLE and CREATE INDEX statements make the catalog; N is
 *                    how many rows each table is taken to have (1000)
 *   rows T=N ...     other row counts
 *   explain [without=fold,index,...] [types]  each statement of the input as a tree; with `types`
 *                    the types of its columns and parameters, and whether it is short
 *   expr             each line is an expression over the first table's columns, printed as the
 *                    select list of a plan without folding, with its type */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "golden.h"
#include "sql/plan/plan.h"
#include "sql/store/store.h"

struct world {
    struct store_memory *store;
    struct catalog *catalog;
    struct store_txn *txn;
    char row_tables[16][64];
    double row_counts[16];
    uint32_t row_table_count;
    double rows;
};

static void print_error(const struct error *error, struct buffer *out)
{
    buffer_printf(out, "error %s", error->sqlstate);
    if (error->position)
        buffer_printf(out, " at %u", error->position);
    buffer_printf(out, ": %s\n", error->message);
    if (error->detail[0])
        buffer_printf(out, "detail: %s\n", error->detail);
    if (error->hint[0])
        buffer_printf(out, "hint: %s\n", error->hint);
}

static double table_rows(void *context, const struct table *table)
{
    const struct world *world = context;
    for (uint32_t i = 0; i < world->row_table_count; i++) {
        if (strcmp(world->row_tables[i], table->name) == 0)
            return world->row_counts[i];
    }
    return world->rows;
}

/* ---- schema -----------------------------------------------------------------------------------
 */

static void reload(struct world *world)
{
    struct error error = {0};
    if (world->catalog)
        catalog_release(world->catalog);
    world->catalog = NULL;
    status_t status = catalog_load(world->txn, &world->catalog, &error);
    if (status)
        fprintf(stderr, "catalog: %s\n", error.message);
    ASSERT(!status);
}

static struct key_definition key_of(const struct ast_key *ast)
{
    struct key_definition key = {.name = ast->constraint.text, .column_count = ast->column_count};
    for (uint32_t i = 0; i < ast->column_count; i++)
        key.columns[i] = ast->columns[i].text;
    return key;
}

static status_t create_table(struct world *world, const struct ast_create_table *ast,
                             struct error *error)
{
    struct column_definition columns[32];
    struct key_definition uniques[8];
    ASSERT(ast->column_count <= 32 && ast->unique_count <= 8);
    for (uint32_t i = 0; i < ast->column_count; i++)
        columns[i] = (struct column_definition){.name = ast->columns[i].name.text,
                                                .type = ast->columns[i].type,
                                                .not_null = ast->columns[i].not_null,
                                                .default_sql = ast->columns[i].default_sql};
    for (uint32_t i = 0; i < ast->unique_count; i++)
        uniques[i] = key_of(&ast->uniques[i]);
    struct table_definition definition = {.name = ast->table.text,
                                          .columns = columns,
                                          .column_count = ast->column_count,
                                          .primary_key = key_of(&ast->primary_key),
                                          .uniques = uniques,
                                          .unique_count = ast->unique_count};
    return catalog_create_table(world->txn, world->catalog, &definition, error);
}

static status_t create_index(struct world *world, const struct ast_create_index *ast,
                             struct error *error)
{
    struct key_definition key = {.name = ast->index.text, .column_count = ast->key_count};
    for (uint32_t i = 0; i < ast->key_count; i++) {
        key.columns[i] = ast->keys[i].name.text;
        key.descending[i] = ast->keys[i].descending;
    }
    uint16_t id;
    const struct table *table = catalog_table(world->catalog, ast->table.text);
    ASSERT(table);
    return catalog_create_index(world->txn, world->catalog, table, &key, ast->unique, &id, error);
}

static void run_schema(struct world *world, const struct golden_case *c, struct buffer *out)
{
    struct arena arena = {0};
    struct parser parser;
    struct error error = {0};
    world->rows = (double)golden_arg_long(c, "rows", 1000);
    status_t status = parse_begin(&parser, slice_from_string(c->input), 0, &error);
    while (!status) {
        struct ast_statement *statement;
        status = parse_next(&parser, &arena, &statement, &error);
        if (status || !statement)
            break;
        if (statement->kind == AST_CREATE_TABLE)
            status = create_table(world, statement->as.create_table, &error);
        else
            status = create_index(world, statement->as.create_index, &error);
        reload(world);
    }
    if (status)
        print_error(&error, out);
    else
        buffer_printf(out, "%u tables\n", world->catalog->table_count);
    arena_free(&arena);
}

static void run_rows(struct world *world, const struct golden_case *c)
{
    const char *at = c->args;
    while (*at) {
        ASSERT(world->row_table_count < 16);
        uint32_t n = world->row_table_count++;
        int used = 0;
        int read = sscanf(at, "%63[^=]=%lf%n", world->row_tables[n], &world->row_counts[n], &used);
        ASSERT(read == 2);
        at += used;
        at += strspn(at, " ");
    }
}

/* ---- explain ----------------------------------------------------------------------------------
 */

static struct plan_options options_of(struct world *world, const struct golden_case *c)
{
    char without[128] = "";
    golden_arg_text(c, "without", without, sizeof without);
    return (struct plan_options){.no_fold = strstr(without, "fold"),
                                 .no_pushdown = strstr(without, "pushdown"),
                                 .no_index = strstr(without, "index"),
                                 .no_hash_join = strstr(without, "hash"),
                                 .no_lookup_join = strstr(without, "lookup"),
                                 .no_merge_join = strstr(without, "merge"),
                                 .no_grouped = strstr(without, "grouped"),
                                 .no_decorrelate = strstr(without, "decorrelate"),
                                 .no_extremes = strstr(without, "extremes"),
                                 .no_prune = strstr(without, "prune"),
                                 .no_same_rows = strstr(without, "same-rows"),
                                 .no_key_filter = strstr(without, "key-filter"),
                                 .no_one_row = strstr(without, "one-row"),
                                 .no_limit_pushdown = strstr(without, "limit"),
                                 .no_join_order = strstr(without, "order"),
                                 .no_top_n = strstr(without, "top"),
                                 .no_unnest = strstr(without, "unnest"),
                                 .table_rows = table_rows,
                                 .table_rows_context = world};
}

static void print_types(const struct planned *planned, struct buffer *out)
{
    buffer_append_string(out, "columns:");
    for (uint32_t i = 0; i < planned->root->column_count; i++)
        buffer_printf(out, "%s %s %s", i ? "," : "", planned->root->names[i],
                      type_name(planned->root->types[i]));
    buffer_append_string(out, "\n");
    for (uint32_t i = 0; i < planned->parameter_count; i++)
        buffer_printf(out, "$%u %s\n", i + 1, type_name(planned->parameter_types[i]));
    buffer_append_string(out, planned->is_short ? "short\n" : "long\n");
}

static void run_explain(struct world *world, const struct golden_case *c, struct buffer *out)
{
    struct arena arena = {0};
    struct parser parser;
    struct error error = {0};
    struct plan_options options = options_of(world, c);
    status_t status = parse_begin(&parser, slice_from_string(c->input), 0, &error);
    if (status)
        print_error(&error, out);
    while (!status) {
        struct ast_statement *statement;
        struct planned planned;
        status = parse_next(&parser, &arena, &statement, &error);
        if (status)
            print_error(&error, out);
        if (status || !statement)
            break;
        error_clear(&error);
        if (plan_statement(statement, world->catalog, &options, &arena, &planned, &error)) {
            print_error(&error, out);
            continue;
        }
        plan_explain(planned.root, out);
        if (strstr(c->args, "types"))
            print_types(&planned, out);
    }
    arena_free(&arena);
}

/* ---- expressions ------------------------------------------------------------------------------
 */

static void run_expression(struct world *world, const char *text, size_t size, struct buffer *out)
{
    struct arena arena = {0};
    struct parser parser;
    struct error error = {0};
    struct ast_statement *statement;
    struct planned planned;
    struct plan_options options = {.no_fold = true};
    const char *sql = arena_printf(&arena, "SELECT %.*s FROM t", (int)size, text);
    status_t status = parse_begin(&parser, slice_from_string(sql), 0, &error);
    if (!status)
        status = parse_next(&parser, &arena, &statement, &error);
    if (!status)
        status = plan_statement(statement, world->catalog, &options, &arena, &planned, &error);
    if (status) {
        error.position -= error.position > 7 ? 7 : 0; /* counted from the expression */
        print_error(&error, out);
    } else if (planned.root->kind == PLAN_PROJECT) {
        expr_print(planned.root->as.project.exprs[0], out);
        buffer_printf(out, " : %s\n", type_name(planned.root->types[0]));
    } else {
        plan_explain(planned.root, out);
    }
    arena_free(&arena);
}

static void run_expressions(struct world *world, const char *text, struct buffer *out)
{
    while (*text) {
        size_t size = strcspn(text, "\n");
        run_expression(world, text, size, out);
        text += size;
        text += *text == '\n';
    }
}

static void run(void *context, const struct golden_case *c, struct buffer *out)
{
    struct world *world = context;
    if (strcmp(c->command, "schema") == 0)
        run_schema(world, c, out);
    else if (strcmp(c->command, "rows") == 0)
        run_rows(world, c);
    else if (strcmp(c->command, "explain") == 0)
        run_explain(world, c, out);
    else if (strcmp(c->command, "expr") == 0)
        run_expressions(world, c->input, out);
    else
        buffer_printf(out, "no such command: %s\n", c->command);
}

int main(int argc, char **argv)
{
    ASSERT(argc == 2 && getenv("TOYDB_SOURCE_ROOT"));
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/tests/golden/sql_plan/%s.golden",
                          getenv("TOYDB_SOURCE_ROOT"), argv[1]);
    ASSERT(length > 0 && (size_t)length < sizeof path);
    struct world world = {.store = store_memory_create(), .rows = 1000};
    world.txn = store_memory_begin(world.store);
    reload(&world);
    int mismatches = golden_run(path, run, &world);
    catalog_release(world.catalog);
    store_memory_rollback(world.txn);
    store_memory_destroy(world.store);
    return mismatches == 0 ? 0 : 1;
}
