#include "world.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

void world_open(struct world *world)
{
    *world = (struct world){0};
    struct error error;
    world->store = store_memory_create();
    world->txn = store_memory_begin(world->store);
    status_t status = catalog_load(world->txn, &world->catalog, &error);
    ASSERT(status == OK);
    world->context = (struct exec_context){
        .env = env_real(), .txn = world->txn, .catalog = world->catalog, .arena = &world->arena};
}

void world_close(struct world *world)
{
    env_crew_destroy(world->crew);
    catalog_release(world->catalog);
    for (uint32_t i = 0; i < world->older_count; i++)
        catalog_release(world->older[i]);
    store_memory_rollback(world->txn);
    store_memory_destroy(world->store);
    buffer_free(&world->text);
    arena_free(&world->run_arena);
    arena_free(&world->arena);
}

void world_reload(struct world *world)
{
    struct error error;
    struct catalog *fresh;
    status_t status = catalog_load(world->txn, &fresh, &error);
    ASSERT(status == OK);
    ASSERT(world->older_count < sizeof world->older / sizeof *world->older);
    world->older[world->older_count++] = world->catalog;
    world->catalog = fresh;
    world->context.catalog = fresh;
}

static enum sql_type type_of(const char *name)
{
    static const char *const names[] = {"", "boolean", "integer", "double", "text"};
    for (int i = 1; i < 5; i++) {
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return (enum sql_type)i;
    }
    UNREACHABLE();
}

/* The next item of a comma-separated list, trimmed, in the arena; NULL at the end. */
static char *item_take(struct world *world, const char **list)
{
    while (**list == ' ' || **list == ',')
        (*list)++;
    if (!**list)
        return NULL;
    size_t size = strcspn(*list, ",");
    char *item = arena_strndup(&world->arena, *list, size);
    *list += size;
    return item;
}

static void column_parse(struct world *world, char *item, struct table_definition *definition)
{
    struct column_definition *column = &definition->columns[definition->column_count++];
    char *type = strchr(item, ' ');
    ASSERT(type);
    *type++ = '\0';
    *column = (struct column_definition){.name = item, .not_null = !strstr(type, " null")};
    column->type.kind = type_of(type);
    unsigned length = 0;
    const char *paren = strchr(type, '(');
    if (paren && sscanf(paren, "(%u)", &length) == 1)
        column->type.length_max = length;
    if (strstr(type, " primary"))
        definition->primary_key.columns[definition->primary_key.column_count++] = item;
    if (strstr(type, " unique")) {
        struct key_definition *key = &definition->uniques[definition->unique_count++];
        *key = (struct key_definition){.column_count = 1, .columns = {item}};
    }
    (void)world;
}

const struct table *world_find(struct world *world, const char *name)
{
    const struct table *table = catalog_table(world->catalog, name);
    ASSERT(table);
    return table;
}

const struct table *world_table(struct world *world, const char *name, const char *columns)
{
    struct column_definition column_room[16];
    struct key_definition unique_room[16];
    struct table_definition definition = {
        .name = name, .columns = column_room, .uniques = unique_room};
    for (char *item; (item = item_take(world, &columns)) != NULL;)
        column_parse(world, item, &definition);
    if (world->has_next_key) {
        definition.foreign_keys = &world->next_key;
        definition.foreign_key_count = 1;
        world->has_next_key = false;
    }
    struct error error = {0};
    status_t status = catalog_create_table(world->txn, world->catalog, &definition, &error);
    if (status != OK)
        fprintf(stderr, "%s\n", error.message);
    ASSERT(status == OK);
    world_reload(world);
    return world_find(world, name);
}

void world_foreign_key(struct world *world, const char *columns, const char *parent,
                       const char *parent_columns)
{
    world->next_key = (struct foreign_key_definition){.parent_table = parent};
    for (char *item; (item = item_take(world, &columns)) != NULL;)
        world->next_key.columns[world->next_key.column_count++] = item;
    for (char *item; (item = item_take(world, &parent_columns)) != NULL;)
        world->next_key.parent_columns[world->next_key.parent_column_count++] = item;
    world->has_next_key = true;
}

status_t world_index(struct world *world, const char *table_name, const char *columns, bool unique,
                     struct error *error)
{
    struct key_definition definition = {0};
    for (char *item; (item = item_take(world, &columns)) != NULL;) {
        char *space = strchr(item, ' ');
        if (space) {
            *space = '\0';
            definition.descending[definition.column_count] = true;
        }
        definition.columns[definition.column_count++] = item;
    }
    uint16_t id;
    status_t status = catalog_create_index(
        world->txn, world->catalog, world_find(world, table_name), &definition, unique, &id, error);
    ASSERT(status == OK);
    world_reload(world);
    const struct table *table = world_find(world, table_name);
    return exec_build_index(&world->context, table, table_index_by_id(table, id), error);
}

/* ---- running ---- */

static void error_print(const struct error *error, struct buffer *out)
{
    buffer_reset(out);
    buffer_printf(out, "ERROR %s: %s\n", error->sqlstate, error->message);
    if (error->detail[0])
        buffer_printf(out, "DETAIL %s\n", error->detail);
}

static void batch_print(const struct batch *batch, struct buffer *out)
{
    for (uint32_t i = 0; i < batch->selected; i++) {
        for (uint32_t c = 0; c < batch->column_count; c++) {
            struct value value = vector_get(&batch->columns[c], batch_row(batch, i));
            buffer_append_string(out, c ? "|" : "");
            if (value.null)
                buffer_append_string(out, "NULL");
            else
                value_format(&value, out);
        }
        buffer_append_string(out, "\n");
    }
}

/* A way to run a plan that must not change what it answers. */
struct manner {
    uint32_t batch_rows; /* 0: as many as there can be */
    bool parallel;       /* by several threads */
    bool no_late;        /* every column is read at once */
};

static void run_once(struct world *world, const struct planned *planned,
                     const struct manner *manner, struct buffer *out)
{
    struct exec_context context = world->context;
    struct error error = {0};
    struct exec *exec;
    uint32_t batch_rows = manner->batch_rows;
    context.batch_rows = batch_rows;
    context.no_late = context.no_late || manner->no_late;
    if (manner->parallel) {
        if (!world->crew)
            world->crew = env_crew_create("world", 2);
        context.crew = world->crew;
        context.parallel_rows = 4;
    }
    arena_reset(&world->run_arena);
    context.arena = &world->run_arena;
    status_t status = exec_open(planned, &context, &exec, &error);
    while (status == OK) {
        struct batch *batch;
        status = exec_next(exec, &batch, &error);
        if (status == OK && !batch)
            break;
        if (status == OK) {
            ASSERT(batch->selected <= (batch_rows ? batch_rows : BATCH_ROWS_MAX));
            batch_print(batch, out);
        }
    }
    if (status != OK)
        error_print(&error, out);
    else if (planned->root->kind >= PLAN_INSERT)
        buffer_printf(out, "changed %llu\n", (unsigned long long)exec_rows_affected(exec));
    exec_close(exec);
    buffer_append_byte(out, '\0');
}

const char *world_run(struct world *world, struct plan *plan)
{
    return world_run_planned(world, &(struct planned){.root = plan});
}

const char *world_run_planned(struct world *world, const struct planned *planned)
{
    buffer_reset(&world->text);
    run_once(world, planned, &(struct manner){.batch_rows = world->context.batch_rows},
             &world->text);
    if (planned->root->kind >= PLAN_INSERT || world->context.batch_rows)
        return (const char *)world->text.data;
    static const struct manner manners[] = {
        {.batch_rows = 1},  {.batch_rows = 3}, {.batch_rows = 3, .no_late = true},
        {.parallel = true}, {.no_late = true},
    };
    for (size_t i = 0; i < sizeof manners / sizeof *manners; i++) {
        const struct manner *manner = &manners[i];
        struct buffer again = {0};
        run_once(world, planned, manner, &again);
        if (strcmp((const char *)again.data, (const char *)world->text.data) != 0) {
            struct buffer drawn = {0};
            plan_explain(planned->root, &drawn);
            fprintf(stderr, "batches of %u rows%s%s answer\n%s\ninstead of\n%s\n%.*s\n",
                    manner->batch_rows, manner->parallel ? ", several threads" : "",
                    manner->no_late ? ", no late columns" : "", (const char *)again.data,
                    (const char *)world->text.data, (int)drawn.size, (const char *)drawn.data);
            buffer_free(&drawn);
            check_failed(__FILE__, __LINE__, "all ways to run a plan agree");
        }
        buffer_free(&again);
    }
    return (const char *)world->text.data;
}

/* ---- expressions ---- */

static struct expr *constant(struct world *w, struct value value)
{
    struct expr *expr = arena_zalloc(&w->arena, sizeof *expr);
    expr->kind = EXPR_CONSTANT;
    expr->type = value.type;
    expr->constant = value;
    return expr;
}

struct expr *e_int(struct world *w, int64_t v)
{
    return constant(w, value_integer(v));
}

struct expr *e_double(struct world *w, double v)
{
    return constant(w, value_double(v));
}

struct expr *e_text(struct world *w, const char *v)
{
    return constant(w, value_text(slice_from_string(v)));
}

struct expr *e_bool(struct world *w, bool v)
{
    return constant(w, value_boolean(v));
}

struct expr *e_null(struct world *w, enum sql_type type)
{
    return constant(w, value_null(type));
}

struct expr *e_col(struct world *w, uint32_t index, enum sql_type type)
{
    struct expr *expr = arena_zalloc(&w->arena, sizeof *expr);
    *expr = (struct expr){.kind = EXPR_COLUMN, .type = type, .index = index, .name = "column"};
    return expr;
}

struct expr *e_param(struct world *w, uint32_t index, enum sql_type type)
{
    struct expr *expr = e_col(w, index, type);
    expr->kind = EXPR_PARAMETER;
    return expr;
}

static struct expr *with_arguments(struct world *w, struct expr *expr, va_list list)
{
    struct expr *arguments[64];
    for (struct expr *argument; (argument = va_arg(list, struct expr *)) != NULL;)
        arguments[expr->argument_count++] = argument;
    expr->arguments = arena_alloc(&w->arena, expr->argument_count * sizeof *arguments);
    memcpy(expr->arguments, arguments, expr->argument_count * sizeof *arguments);
    return expr;
}

struct expr *e_call(struct world *w, enum expr_call call, enum sql_type type, ...)
{
    struct expr *expr = arena_zalloc(&w->arena, sizeof *expr);
    *expr = (struct expr){.kind = EXPR_CALL, .type = type, .call = call};
    expr->is_volatile = call == CALL_RANDOM;
    va_list list;
    va_start(list, type);
    with_arguments(w, expr, list);
    va_end(list);
    return expr;
}

struct expr *e_make(struct world *w, enum expr_kind kind, enum sql_type type, ...)
{
    struct expr *expr = arena_zalloc(&w->arena, sizeof *expr);
    *expr = (struct expr){.kind = kind, .type = type};
    va_list list;
    va_start(list, type);
    with_arguments(w, expr, list);
    va_end(list);
    return expr;
}

/* ---- plans ---- */

static struct plan *plan_new(struct world *w, enum plan_kind kind, struct plan *left,
                             uint32_t column_count)
{
    struct plan *plan = arena_zalloc(&w->arena, sizeof *plan);
    plan->kind = kind;
    plan->left = left;
    plan->column_count = column_count;
    plan->types = arena_zalloc(&w->arena, (column_count + 1) * sizeof *plan->types);
    for (uint32_t i = 0; left && i < column_count && i < left->column_count; i++)
        plan->types[i] = left->types[i];
    return plan;
}

struct plan *p_values(struct world *w, uint32_t columns, uint32_t rows, struct expr **exprs)
{
    struct plan *plan = plan_new(w, PLAN_VALUES, NULL, columns);
    plan->as.values.row_count = rows;
    plan->as.values.rows = arena_alloc(&w->arena, (size_t)rows * columns * sizeof *exprs);
    if (rows > 0 && columns > 0)
        memcpy(plan->as.values.rows, exprs, (size_t)rows * columns * sizeof *exprs);
    for (uint32_t i = 0; i < columns && rows; i++)
        plan->types[i] = exprs[i]->type;
    return plan;
}

struct plan *p_scan(struct world *w, const struct table *table, const struct index *index,
                    const char *columns)
{
    struct plan *plan = plan_new(w, PLAN_SCAN, NULL, table->column_count);
    plan->column_count = 0;
    plan->as.scan.table = table;
    plan->as.scan.index = index ? index : &table->indexes[0];
    plan->as.scan.columns = arena_alloc(&w->arena, table->column_count * sizeof(uint32_t));
    if (strcmp(columns, "*") == 0) {
        for (uint32_t i = 0; i < table->column_count; i++) {
            plan->types[i] = table->columns[i].type.kind;
            plan->as.scan.columns[i] = i;
        }
        plan->column_count = table->column_count;
        return plan;
    }
    for (char *item; (item = item_take(w, &columns)) != NULL; plan->column_count++) {
        int32_t place = table_column(table, item);
        ASSERT(place >= 0);
        plan->as.scan.columns[plan->column_count] = (uint32_t)place;
        plan->types[plan->column_count] = table->columns[place].type.kind;
    }
    return plan;
}

struct key_range *p_ranges(struct world *w, struct plan *scan, uint32_t count)
{
    struct key_range *ranges = arena_zalloc(&w->arena, count * sizeof *ranges);
    for (uint32_t i = 0; i < count; i++)
        ranges[i].equal = arena_zalloc(&w->arena, 4 * sizeof(struct expr *));
    scan->as.scan.ranges = ranges;
    scan->as.scan.range_count = count;
    return ranges;
}

struct plan *p_filter(struct world *w, struct plan *in, struct expr *predicate)
{
    struct plan *plan = plan_new(w, PLAN_FILTER, in, in->column_count);
    plan->as.filter.predicate = predicate;
    return plan;
}

struct plan *p_project(struct world *w, struct plan *in, ...)
{
    va_list list;
    va_start(list, in);
    struct expr *all = with_arguments(w, arena_zalloc(&w->arena, sizeof(struct expr)), list);
    va_end(list);
    struct plan *plan = plan_new(w, PLAN_PROJECT, NULL, all->argument_count);
    plan->left = in;
    plan->as.project.exprs = all->arguments;
    for (uint32_t i = 0; i < all->argument_count; i++)
        plan->types[i] = all->arguments[i]->type;
    return plan;
}

struct plan *p_join(struct world *w, enum plan_kind how, enum join_kind kind, struct plan *left,
                    struct plan *right, struct expr *left_key, struct expr *right_key,
                    struct expr *condition)
{
    struct plan *plan = plan_new(w, how, left, left->column_count + right->column_count);
    plan->right = right;
    for (uint32_t i = 0; i < right->column_count; i++)
        plan->types[left->column_count + i] = right->types[i];
    plan->as.join.kind = kind;
    plan->as.join.condition = condition;
    if (left_key) {
        plan->as.join.left_keys = arena_alloc(&w->arena, sizeof left_key);
        plan->as.join.right_keys = arena_alloc(&w->arena, sizeof right_key);
        plan->as.join.left_keys[0] = left_key;
        plan->as.join.right_keys[0] = right_key;
        plan->as.join.key_count = 1;
    }
    return plan;
}

struct plan *p_sort(struct world *w, struct plan *in, struct expr *key, bool descending,
                    bool nulls_first)
{
    struct plan *plan = in;
    if (in->kind != PLAN_SORT) {
        plan = plan_new(w, PLAN_SORT, in, in->column_count);
        plan->as.sort.keys = arena_alloc(&w->arena, 8 * sizeof(struct sort_key));
    }
    plan->as.sort.keys[plan->as.sort.key_count++] =
        (struct sort_key){.expr = key, .descending = descending, .nulls_first = nulls_first};
    return plan;
}

struct plan *p_limit(struct world *w, struct plan *in, struct expr *limit, struct expr *offset)
{
    struct plan *plan = plan_new(w, PLAN_LIMIT, in, in->column_count);
    plan->as.limit.limit = limit;
    plan->as.limit.offset = offset;
    return plan;
}

struct plan *p_distinct(struct world *w, struct plan *in)
{
    return plan_new(w, PLAN_DISTINCT, in, in->column_count);
}

struct plan *p_aggregate(struct world *w, struct plan *in, struct expr *group)
{
    struct plan *plan = plan_new(w, PLAN_AGGREGATE, NULL, 16);
    plan->left = in;
    plan->column_count = 0;
    if (group) {
        plan->as.aggregate.groups = arena_alloc(&w->arena, sizeof group);
        plan->as.aggregate.groups[0] = group;
        plan->as.aggregate.group_count = 1;
        plan->types[plan->column_count++] = group->type;
    }
    plan->as.aggregate.aggregates = arena_zalloc(&w->arena, 16 * sizeof(struct aggregate));
    return plan;
}

struct aggregate *p_aggregate_add(struct world *w, struct plan *plan, enum aggregate_kind kind,
                                  struct expr *argument)
{
    (void)w;
    struct aggregate *aggregate =
        &plan->as.aggregate.aggregates[plan->as.aggregate.aggregate_count++];
    *aggregate = (struct aggregate){.kind = kind, .argument = argument, .type = SQL_INTEGER};
    if (kind == AGGREGATE_AVG)
        aggregate->type = SQL_DOUBLE;
    else if (kind >= AGGREGATE_SUM)
        aggregate->type = argument->type;
    plan->types[plan->column_count++] = aggregate->type;
    return aggregate;
}

static struct plan *modify(struct world *w, enum plan_kind kind, const struct table *table,
                           struct plan *in)
{
    struct plan *plan = plan_new(w, kind, NULL, 0);
    plan->left = in;
    plan->as.modify.table = table;
    return plan;
}

struct plan *p_insert(struct world *w, const struct table *table, struct plan *in)
{
    return modify(w, PLAN_INSERT, table, in);
}

struct plan *p_delete(struct world *w, const struct table *table, struct plan *in)
{
    return modify(w, PLAN_DELETE, table, in);
}

struct plan *p_update(struct world *w, const struct table *table, struct plan *in,
                      const char *column, struct expr *value)
{
    uint32_t count = table->column_count;
    struct plan *project = plan_new(w, PLAN_PROJECT, in, count + 1);
    project->as.project.exprs = arena_alloc(&w->arena, (count + 1) * sizeof value);
    for (uint32_t i = 0; i < count; i++)
        project->as.project.exprs[i] = e_col(w, i, in->types[i]);
    project->as.project.exprs[count] = value;
    project->types[count] = value->type;
    struct plan *plan = modify(w, PLAN_UPDATE, table, project);
    plan->as.modify.assigned = arena_alloc(&w->arena, sizeof(uint32_t));
    int32_t place = table_column(table, column);
    ASSERT(place >= 0);
    plan->as.modify.assigned[0] = (uint32_t)place;
    plan->as.modify.assigned_count = 1;
    return plan;
}
