/* Window functions.
 *
 * A call with OVER is taken out of its expression when it is bound, like an aggregate: it gets a
 * slot of its own, and a column of that slot stands in its place. Calls with the same PARTITION BY
 * and ORDER BY make one window, whatever their frames; each window becomes one operator, behind a
 * sort where its input is not in its order already. The widest orders come first, so that a window
 * whose order is the beginning of another's needs no sort of its own. */
#include <string.h>

#include "sql/plan/plan_aggregate_int.h"
#include "sql/plan/plan_char_int.h"

static const struct {
    const char *name;
    enum window_kind kind;
    uint8_t least; /* arguments */
    uint8_t most;
} window_functions[] = {
    {"row_number", WINDOW_ROW_NUMBER, 0, 0},
    {"rank", WINDOW_RANK, 0, 0},
    {"dense_rank", WINDOW_DENSE_RANK, 0, 0},
    {"percent_rank", WINDOW_PERCENT_RANK, 0, 0},
    {"cume_dist", WINDOW_CUME_DIST, 0, 0},
    {"ntile", WINDOW_NTILE, 1, 1},
    {"lag", WINDOW_LAG, 1, 3},
    {"lead", WINDOW_LEAD, 1, 3},
    {"first_value", WINDOW_FIRST_VALUE, 1, 1},
    {"last_value", WINDOW_LAST_VALUE, 1, 1},
    {"nth_value", WINDOW_NTH_VALUE, 2, 2},
};

bool plan__window_by_name(const char *name, enum window_kind *kind)
{
    for (size_t i = 0; i < sizeof window_functions / sizeof *window_functions; i++) {
        if (strcmp(window_functions[i].name, name) == 0) {
            *kind = window_functions[i].kind;
            return true;
        }
    }
    return false;
}

uint32_t plan__window_count(void)
{
    return sizeof window_functions / sizeof *window_functions;
}

const char *plan__window_name(uint32_t i)
{
    return i < plan__window_count() ? window_functions[i].name : NULL;
}

struct expr **plan__window_expr(struct window *window, uint32_t i)
{
    if (i < window->partitions.count)
        return &window->partitions.items[i];
    i -= window->partitions.count;
    if (i < window->key_count)
        return &window->keys[i].expr;
    i -= window->key_count;
    for (uint32_t f = 0; f < window->function_count; f++) {
        struct window_function *function = &window->functions[f];
        if (i < function->argument_count)
            return &function->arguments[i];
        i -= function->argument_count;
        if (function->kind == WINDOW_AGGREGATE) {
            if (i < 3)
                return plan__aggregate_expr(&function->aggregate, i);
            i -= 3;
        }
    }
    return NULL;
}

/* ---- definitions ------------------------------------------------------------------------------
 */

/* A definition with what it takes over from those it begins with. */
struct definition {
    const struct ast_window *partitions; /* who says them, or NULL */
    const struct ast_window *orders;
    const struct ast_window *frame;
};

static const struct ast_window *find_window(const struct ast_select *ast, uint32_t before,
                                            const char *name)
{
    for (uint32_t i = 0; i < before; i++) {
        if (strcmp(ast->windows[i].name.text, name) == 0)
            return &ast->windows[i];
    }
    return NULL;
}

/* `before`: how many of the WINDOW clause a definition may begin with. */
static status_t define(struct planner *planner, const struct ast_select *ast, uint32_t before,
                       const struct ast_window *window, struct definition *out)
{
    *out = (struct definition){0};
    if (window->base.text) {
        const struct ast_window *base = find_window(ast, before, window->base.text);
        const char *name = window->base.text;
        uint32_t position = window->base.position;
        if (!base)
            return error_sql(planner->error, "42704", position, "window \"%s\" does not exist",
                             name);
        status_t status = define(planner, ast, (uint32_t)(base - ast->windows), base, out);
        if (status || window->is_reference)
            return status;
        const char *overridden = window->partition_count > 0              ? "PARTITION BY"
                                 : window->order_count > 0 && out->orders ? "ORDER BY"
                                                                          : NULL;
        if (overridden)
            return error_sql(planner->error, "42P20", position,
                             "cannot override %s clause of window \"%s\"", overridden, name);
        if (out->frame)
            return error_sql(planner->error, "42P20", position,
                             "cannot copy window \"%s\" because it has a frame clause", name);
    }
    out->partitions = window->partition_count > 0 ? window : out->partitions;
    out->orders = window->order_count > 0 ? window : out->orders;
    out->frame = window->framed ? window : out->frame;
    return OK;
}

static status_t bind_settled(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    status_t status = plan__bind_expr(scope, ast, out);
    return status ? status : plan__settle(scope->planner, out);
}

static status_t bind_definition(struct scope *scope, const struct definition *definition,
                                struct window *out)
{
    struct planner *planner = scope->planner;
    const struct ast_window *partitions = definition->partitions;
    const struct ast_window *orders = definition->orders;
    struct expr *expr;
    status_t status;
    for (uint32_t i = 0; partitions && i < partitions->partition_count; i++) {
        if ((status = bind_settled(scope, partitions->partitions[i], &expr)))
            return status;
        plan__char_to_key(planner, &expr);
        plan__append(planner, &out->partitions, expr);
    }
    if (!orders)
        return OK;
    out->key_count = orders->order_count;
    out->keys = arena_zalloc(planner->arena, out->key_count * sizeof *out->keys);
    for (uint32_t i = 0; i < out->key_count; i++) {
        out->keys[i].descending = orders->orders[i].descending;
        out->keys[i].nulls_first = plan__nulls_first(planner, &orders->orders[i]);
        if ((status = bind_settled(scope, orders->orders[i].expr, &out->keys[i].expr)))
            return status;
    }
    return OK;
}

/* ---- frames ------------------------------------------------------------------------------------
 */

static status_t bind_offset(struct scope *scope, const struct ast_window *ast,
                            const struct ast_frame_bound *bound, enum sql_type type,
                            struct expr **out)
{
    static const char *const modes[] = {
        [AST_FRAME_RANGE] = "RANGE", [AST_FRAME_ROWS] = "ROWS", [AST_FRAME_GROUPS] = "GROUPS"};
    struct scope inner = {
        .planner = scope->planner, .query = NULL, .clause = modes[ast->mode], .local = true};
    struct error *error = scope->planner->error;
    if (!bound->offset)
        return OK;
    status_t status = plan__bind_expr(&inner, bound->offset, out);
    /* A column is there, it only must not be named here. */
    if (status && error && strcmp(error->sqlstate, "42703") == 0)
        return error_sql(error, "42P10", bound->position,
                         "argument of %s must not contain variables", modes[ast->mode]);
    return status ? status : plan__require(scope->planner, out, type, modes[ast->mode]);
}

/* Of RANGE with a key of this type; SQL_UNKNOWN: there is none. */
static enum sql_type offset_type(enum sql_type key)
{
    switch (key) {
    case SQL_INTEGER:
    case SQL_NUMERIC:
        return key;
    case SQL_REAL:
    case SQL_DOUBLE:
        return SQL_DOUBLE;
    case SQL_DATE:
    case SQL_TIME:
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
    case SQL_INTERVAL:
        return SQL_INTERVAL;
    default:
        return SQL_UNKNOWN;
    }
}

static status_t check_frame(struct planner *planner, const struct ast_window *ast,
                            const struct window *window, bool offsets)
{
    if (ast->mode == AST_FRAME_GROUPS && window->key_count == 0)
        return error_sql(planner->error, "42P20", ast->frame_position,
                         "GROUPS mode requires an ORDER BY clause");
    if (ast->mode != AST_FRAME_RANGE || !offsets)
        return OK;
    if (window->key_count != 1)
        return error_sql(planner->error, "42P20", ast->frame_position,
                         "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY "
                         "column");
    enum sql_type type = window->keys[0].expr->type;
    if (offset_type(type) == SQL_UNKNOWN)
        return error_sql(planner->error, "0A000", ast->frame_position,
                         "RANGE with offset PRECEDING/FOLLOWING is not supported for column type "
                         "%s",
                         type_name(type));
    return OK;
}

static status_t bind_frame(struct scope *scope, const struct ast_window *ast,
                           const struct window *window, struct window_frame *out)
{
    static const enum frame_place places[] = {
        [AST_FRAME_FIRST] = FRAME_FIRST,     [AST_FRAME_PRECEDING] = FRAME_PRECEDING,
        [AST_FRAME_CURRENT] = FRAME_CURRENT, [AST_FRAME_FOLLOWING] = FRAME_FOLLOWING,
        [AST_FRAME_LAST] = FRAME_LAST,
    };
    static const enum frame_mode modes[] = {[AST_FRAME_RANGE] = FRAME_RANGE,
                                            [AST_FRAME_ROWS] = FRAME_ROWS,
                                            [AST_FRAME_GROUPS] = FRAME_GROUPS};
    static const enum frame_exclude excludes[] = {[AST_EXCLUDE_NOTHING] = EXCLUDE_NOTHING,
                                                  [AST_EXCLUDE_CURRENT] = EXCLUDE_CURRENT,
                                                  [AST_EXCLUDE_GROUP] = EXCLUDE_GROUP,
                                                  [AST_EXCLUDE_TIES] = EXCLUDE_TIES};
    *out = (struct window_frame){.start = FRAME_FIRST, .end = FRAME_CURRENT};
    if (!ast)
        return OK;
    status_t status =
        check_frame(scope->planner, ast, window, ast->start.offset || ast->end.offset);
    if (status)
        return status;
    out->mode = modes[ast->mode];
    out->start = places[ast->start.place];
    out->end = places[ast->end.place];
    out->exclude = excludes[ast->exclude];
    bool range = ast->mode == AST_FRAME_RANGE && window->key_count > 0;
    enum sql_type type = range ? offset_type(window->keys[0].expr->type) : SQL_INTEGER;
    status = bind_offset(scope, ast, &ast->start, type, &out->start_offset);
    return status ? status : bind_offset(scope, ast, &ast->end, type, &out->end_offset);
}

status_t plan__check_windows(struct scope *scope, const struct ast_select *ast)
{
    struct planner *planner = scope->planner;
    struct scope inner = *scope;
    inner.in_window = true;
    for (uint32_t i = 0; i < ast->window_count; i++) {
        const struct ast_window *window = &ast->windows[i];
        if (find_window(ast, i, window->name.text))
            return error_sql(planner->error, "42P20", window->name.position,
                             "window \"%s\" is already defined", window->name.text);
        struct definition definition;
        struct window bound = {0};
        struct window_frame frame;
        status_t status = define(planner, ast, i, window, &definition);
        if (!status)
            status = bind_definition(&inner, &definition, &bound);
        if (!status)
            status = bind_frame(&inner, definition.frame, &bound, &frame);
        if (status)
            return status;
    }
    return OK;
}

/* ---- calls ------------------------------------------------------------------------------------
 */

static status_t no_such_function(struct planner *planner, const struct ast_expr *ast)
{
    error_sql(planner->error, "42883", ast->position,
              "function %s with %u argument%s does not exist", ast->as.call.name,
              ast->as.call.count, ast->as.call.count == 1 ? "" : "s");
    error_hint(planner->error, "No function matches the given name and argument types. You might "
                               "need to add explicit type casts.");
    return ERR_SQL;
}

/* Types: a value of any, counts and offsets integers, the default of the value's type. */
static status_t type_arguments(struct planner *planner, struct window_function *function)
{
    enum sql_type wanted[WINDOW_ARGUMENTS_MAX] = {SQL_UNKNOWN, SQL_INTEGER, SQL_UNKNOWN};
    struct expr **arguments = function->arguments;
    bool has_value = function->kind >= WINDOW_LAG;
    status_t status = OK;
    if (function->argument_count == 0)
        return OK;
    if (!has_value)
        wanted[0] = SQL_INTEGER;
    for (uint32_t i = 0; i < function->argument_count && !status; i++) {
        if (wanted[i] == SQL_UNKNOWN)
            continue;
        if (!plan__can_coerce(arguments[i]->type, wanted[i]))
            return error_sql(planner->error, "42883", arguments[i]->position,
                             "argument %u of %s must be type %s, not type %s", i + 1,
                             function->name, type_name(wanted[i]), type_name(arguments[i]->type));
        status = plan__coerce(planner, &arguments[i], wanted[i]);
    }
    if (status || !has_value)
        return status;
    if (function->argument_count < 3) {
        status = plan__settle(planner, &arguments[0]);
        function->type = arguments[0]->type;
        function->length = plan__text_length(arguments[0]);
        return status;
    }
    return plan__unify(planner, function->name, arguments, 2, 2, NULL, &function->type,
                       &function->length);
}

static bool is_function(const char *name)
{
    struct plan_function function;
    for (uint32_t i = 0; plan_function_at(i, &function); i++)
        if (strcmp(function.name, name) == 0)
            return true;
    return false;
}

static status_t bind_function(struct scope *scope, const struct ast_expr *ast,
                              struct window_function *out)
{
    const struct ast_expr *filter = ast->as.call.filter;
    struct planner *planner = scope->planner;
    if (ast->as.call.distinct)
        return error_sql(planner->error, "0A000", ast->position,
                         "DISTINCT is not implemented for window functions");
    if (ast->as.call.orders && !ast->as.call.within_group)
        return error_sql(planner->error, "0A000", ast->position,
                         "aggregate ORDER BY is not implemented for window functions");
    enum aggregate_kind aggregate;
    if (plan__aggregate_by_name(out->name, &aggregate)) {
        if (aggregate_is_ordered_set(aggregate))
            return error_sql(planner->error, "0A000", ast->position,
                             "OVER is not supported for ordered-set aggregate %s", out->name);
        out->kind = WINDOW_AGGREGATE;
        status_t status = plan__bind_aggregate_call(scope, ast, aggregate, &out->aggregate);
        out->type = out->aggregate.type;
        return status;
    }
    if (filter)
        return error_sql(planner->error, "0A000", filter->position,
                         "FILTER is not implemented for non-aggregate window functions");
    if (!plan__window_by_name(out->name, &out->kind) && !is_function(out->name))
        return no_such_function(planner, ast);
    if (!plan__window_by_name(out->name, &out->kind))
        return error_sql(planner->error, "42809", ast->position,
                         "OVER specified, but %s is not a window function nor an aggregate "
                         "function",
                         out->name);
    size_t at = 0;
    while (window_functions[at].kind != out->kind)
        at++;
    if (ast->as.call.star || ast->as.call.count < window_functions[at].least ||
        ast->as.call.count > window_functions[at].most)
        return no_such_function(planner, ast);
    bool is_double = out->kind == WINDOW_PERCENT_RANK || out->kind == WINDOW_CUME_DIST;
    out->type = is_double ? SQL_DOUBLE : SQL_INTEGER;
    out->argument_count = ast->as.call.count;
    for (uint32_t i = 0; i < out->argument_count; i++) {
        status_t status = plan__bind_expr(scope, ast->as.call.arguments[i], &out->arguments[i]);
        if (status)
            return status;
    }
    return type_arguments(planner, out);
}

static bool same_keys(const struct sort_key *a, const struct sort_key *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!plan__equal(a[i].expr, b[i].expr) || a[i].descending != b[i].descending ||
            a[i].nulls_first != b[i].nulls_first)
            return false;
    }
    return true;
}

static bool same_window(const struct window *a, const struct window *b)
{
    if (a->partitions.count != b->partitions.count || a->key_count != b->key_count)
        return false;
    for (uint32_t i = 0; i < a->partitions.count; i++) {
        if (!plan__equal(a->partitions.items[i], b->partitions.items[i]))
            return false;
    }
    return same_keys(a->keys, b->keys, a->key_count);
}

/* The window like it that the block has already, or itself from now on. */
static struct window *keep_window(struct planner *planner, struct query *query,
                                  const struct window *wanted)
{
    for (uint32_t i = 0; i < query->window_count; i++) {
        if (same_window(&query->windows[i], wanted))
            return &query->windows[i];
    }
    query->windows = arena_grow(planner->arena, query->windows, &query->window_capacity,
                                query->window_count + 1, sizeof *query->windows);
    query->windows[query->window_count] = *wanted;
    return &query->windows[query->window_count++];
}

static uint32_t keep_function(struct planner *planner, struct query *query, struct window *window,
                              const struct window_function *function)
{
    uint32_t need = window->function_count + 1;
    window->functions = arena_grow(planner->arena, window->functions, &window->function_capacity,
                                   need, sizeof *window->functions);
    window->slots =
        arena_grow(planner->arena, window->slots, &window->slot_capacity, need, sizeof(uint32_t));
    struct slot slot = {.name = function->name,
                        .type = function->type,
                        .length = function->length,
                        .relation = NOWHERE};
    window->functions[window->function_count] = *function;
    uint32_t at = plan__add_slot(planner, query, slot);
    window->slots[window->function_count++] = at;
    return at;
}

status_t plan__bind_window(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct planner *planner = scope->planner;
    struct query *query = scope->query;
    if (scope->in_window)
        return error_sql(planner->error, "42P20", ast->position,
                         "window function calls cannot be nested");
    if (scope->in_aggregate)
        return error_sql(planner->error, "42803", ast->position,
                         "aggregate function calls cannot contain window function calls");
    if (!scope->windows || !query)
        return error_sql(planner->error, "42P20", ast->position,
                         "window functions are not allowed in %s", scope->clause);
    struct scope inner = *scope;
    struct definition definition;
    struct window window = {0};
    struct window_function function = {.name = ast->as.call.name};
    inner.in_window = true;
    status_t status = bind_function(&inner, ast, &function);
    if (!status)
        status =
            define(planner, query->ast, query->ast->window_count, ast->as.call.over, &definition);
    if (!status)
        status = bind_definition(&inner, &definition, &window);
    if (!status)
        status = bind_frame(&inner, definition.frame, &window, &function.frame);
    if (status)
        return status;
    struct window *kept = keep_window(planner, query, &window);
    uint32_t slot = keep_function(planner, query, kept, &function);
    *out = plan__column(planner, query, slot, ast->position);
    return OK;
}

/* ---- conditions from above ---------------------------------------------------------------------
 */

/* Is it made of these alone? */
static bool is_on(const struct exprs *list, const struct expr *expr)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (plan__equal(list->items[i], expr))
            return true;
    }
    if (expr->kind == EXPR_COLUMN)
        return false;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (!is_on(list, expr->arguments[i]))
            return false;
    }
    return true;
}

bool plan__window_lets_pass(const struct query *query, const struct expr *condition)
{
    for (uint32_t i = 0; i < query->window_count; i++) {
        if (!is_on(&query->windows[i].partitions, condition))
            return false;
    }
    if (query->row_window && !is_on(&query->row_window->partitions, condition))
        return false;
    return query->distinct_on.count == 0 || is_on(&query->distinct_on, condition);
}

/* ---- laying out --------------------------------------------------------------------------------
 */

/* Partitions, then keys: what the rows are to be sorted by. */
static uint32_t sort_keys(struct planner *planner, const struct window *window,
                          struct sort_key **out)
{
    uint32_t count = 0;
    struct sort_key *keys = arena_zalloc(
        planner->arena, (window->partitions.count + window->key_count + 1) * sizeof *keys);
    for (uint32_t i = 0; i < window->partitions.count; i++) {
        if (!plan__is_constant(window->partitions.items[i]))
            keys[count++].expr = window->partitions.items[i];
    }
    for (uint32_t i = 0; i < window->key_count; i++) {
        if (!plan__is_constant(window->keys[i].expr))
            keys[count++] = window->keys[i];
    }
    *out = keys;
    return count;
}

/* Those with the most keys first; few. */
static void order_windows(struct query *query)
{
    for (uint32_t i = 1; i < query->window_count; i++) {
        struct window window = query->windows[i];
        uint32_t width = window.partitions.count + window.key_count;
        uint32_t at = i;
        for (; at > 0 &&
               query->windows[at - 1].partitions.count + query->windows[at - 1].key_count < width;
             at--)
            query->windows[at] = query->windows[at - 1];
        query->windows[at] = window;
    }
}

void plan__window_wish(struct planner *planner, struct query *query, struct wish *wish)
{
    ASSERT(query->window_count > 0);
    order_windows(query);
    struct sort_key *keys;
    wish->key_count = sort_keys(planner, &query->windows[0], &keys);
    wish->keys = keys;
    wish->limit = 0;
}

static void add_window_sort(struct planner *planner, const struct query *query, struct stage *stage,
                            const struct sort_key *keys, uint32_t count)
{
    uint32_t *positions = plan__positions(planner, query, stage, NULL);
    struct sort_key *resolved = arena_alloc(planner->arena, count * sizeof *resolved);
    for (uint32_t i = 0; i < count; i++) {
        resolved[i] = keys[i];
        resolved[i].expr = plan__resolve(planner, keys[i].expr, positions);
    }
    stage->cost += plan__sort_cost(stage->rows, 0);
    plan__put_over(planner, PLAN_SORT, stage);
    stage->plan->as.sort.keys = resolved;
    stage->plan->as.sort.key_count = count;
}

static void resolve_function(struct planner *planner, struct window_function *function,
                             const uint32_t *positions)
{
    for (uint32_t i = 0; i < function->argument_count; i++)
        function->arguments[i] = plan__resolve(planner, function->arguments[i], positions);
    if (function->kind == WINDOW_AGGREGATE)
        plan__resolve_aggregate(planner, &function->aggregate, positions);
}

static void add_window(struct planner *planner, struct query *query, struct stage *stage,
                       const struct window *window)
{
    struct plan *below = stage->plan;
    uint32_t *positions = plan__positions(planner, query, stage, NULL);
    uint32_t count = window->function_count;
    uint32_t columns = below->column_count + count;
    struct plan *plan = plan__operator(planner, PLAN_WINDOW, columns, below, NULL);
    struct window_function *functions = arena_alloc(planner->arena, count * sizeof *functions);
    struct expr **partitions =
        arena_alloc(planner->arena, (window->partitions.count + 1) * sizeof *partitions);
    struct sort_key *keys = arena_alloc(planner->arena, (window->key_count + 1) * sizeof *keys);
    uint32_t *slots = arena_alloc(planner->arena, columns * sizeof *slots);
    for (uint32_t i = 0; i < window->partitions.count; i++)
        partitions[i] = plan__resolve(planner, window->partitions.items[i], positions);
    for (uint32_t i = 0; i < window->key_count; i++) {
        keys[i] = window->keys[i];
        keys[i].expr = plan__resolve(planner, window->keys[i].expr, positions);
    }
    if (below->column_count > 0)
        memcpy(slots, stage->slots, below->column_count * sizeof *slots);
    for (uint32_t i = 0; i < count; i++) {
        functions[i] = window->functions[i];
        resolve_function(planner, &functions[i], positions);
        slots[below->column_count + i] = window->slots[i];
    }
    plan->as.window.partitions = partitions;
    plan->as.window.partition_count = window->partitions.count;
    plan->as.window.keys = keys;
    plan->as.window.key_count = window->key_count;
    plan->as.window.functions = functions;
    plan->as.window.function_count = count;
    stage->plan = plan;
    stage->slots = slots;
    stage->cost += stage->rows * count;
    plan__describe(planner, query, stage);
}

void plan__add_windows(struct planner *planner, struct query *query, struct stage *stage)
{
    struct sort_key *have = NULL;
    uint32_t have_count = 0;
    order_windows(query);
    for (uint32_t i = 0; i < query->window_count; i++) {
        struct sort_key *keys;
        uint32_t count = sort_keys(planner, &query->windows[i], &keys);
        bool sorted = i == 0 ? stage->ordered : count <= have_count && same_keys(keys, have, count);
        if (!sorted && count > 0)
            add_window_sort(planner, query, stage, keys, count);
        else if (i == 0 && count > 0)
            plan__rely_on_order(stage->plan);
        if (!sorted || i == 0) {
            have = keys;
            have_count = count;
        }
        add_window(planner, query, stage, &query->windows[i]);
    }
    stage->ordered =
        query->order_count <= have_count && same_keys(query->orders, have, query->order_count);
}

void plan__row_window_wish(struct planner *planner, struct query *query, struct wish *wish)
{
    ASSERT(query->row_window && query->row_window->key_count == 0);
    struct sort_key *keys;
    wish->key_count = sort_keys(planner, query->row_window, &keys);
    wish->keys = keys;
    wish->limit = 0;
}

void plan__add_row_window(struct planner *planner, struct query *query, struct stage *stage)
{
    struct sort_key *keys;
    uint32_t count = sort_keys(planner, query->row_window, &keys);
    ASSERT(count > 0);
    if (!stage->ordered)
        add_window_sort(planner, query, stage, keys, count);
    else
        plan__rely_on_order(stage->plan);
    add_window(planner, query, stage, query->row_window);
    plan__add_filter(planner, query, stage, &query->row_where);
    /* Not the order that the block is to have, nor one that is known to what comes next. */
    stage->ordered = query->order_count == 0 && query->window_count == 0;
    stage->order_count = 0;
}
