/* Expression nodes: made, compared, walked, copied. */
#include <string.h>

#include "sql/plan/plan_int.h"

struct expr *plan__node(struct planner *planner, enum expr_kind kind, enum sql_type type,
                        uint32_t position)
{
    struct expr *expr = arena_zalloc(planner->arena, sizeof *expr);
    expr->kind = kind;
    expr->type = type;
    expr->position = planner->view ? 0 : position; /* a view's text is not the statement's */
    return expr;
}

struct expr *plan__constant(struct planner *planner, struct value value, uint32_t position)
{
    struct expr *expr = plan__node(planner, EXPR_CONSTANT, value.type, position);
    expr->constant = value;
    return expr;
}

struct expr *plan__call(struct planner *planner, enum expr_call call, enum sql_type type,
                        uint32_t position, struct expr **arguments, uint32_t count)
{
    ASSERT(call < CALL_COUNT_);
    struct expr *expr = plan__node(planner, EXPR_CALL, type, position);
    expr->call = call;
    expr->arguments = arguments;
    expr->argument_count = count;
    expr->is_volatile = call == CALL_RANDOM || call == CALL_SETSEED || call == CALL_RANDOM_UUID ||
                        call == CALL_ROW_ID || call == CALL_CLOCK_TIMESTAMP ||
                        (call >= CALL_NEXTVAL && call <= CALL_LASTVAL);
    for (uint32_t i = 0; i < count; i++)
        expr->is_volatile |= arguments[i]->is_volatile;
    return expr;
}

struct expr *plan__call2(struct planner *planner, enum expr_call call, enum sql_type type,
                         uint32_t position, struct expr *a, struct expr *b)
{
    struct expr **arguments = arena_alloc(planner->arena, 2 * sizeof *arguments);
    arguments[0] = a;
    arguments[1] = b;
    return plan__call(planner, call, type, position, arguments, 2);
}

struct expr *plan__call1(struct planner *planner, enum expr_call call, enum sql_type type,
                         uint32_t position, struct expr *a)
{
    struct expr **arguments = arena_alloc(planner->arena, sizeof *arguments);
    arguments[0] = a;
    return plan__call(planner, call, type, position, arguments, 1);
}

struct expr *plan__column(struct planner *planner, struct query *query, uint32_t slot,
                          uint32_t position)
{
    ASSERT(slot < query->slot_count);
    struct expr *expr = plan__node(planner, EXPR_COLUMN, query->slots[slot].type, position);
    expr->index = slot;
    expr->cast_limit = query->slots[slot].length;
    expr->name = plan__slot_display(planner, query, slot);
    return expr;
}

struct expr *plan__and(struct planner *planner, struct expr **items, uint32_t count)
{
    ASSERT(count > 0);
    if (count == 1)
        return items[0];
    struct expr *expr = plan__node(planner, EXPR_AND, SQL_BOOLEAN, items[0]->position);
    expr->arguments = items;
    expr->argument_count = count;
    for (uint32_t i = 0; i < count; i++)
        expr->is_volatile |= items[i]->is_volatile;
    return expr;
}

bool plan__has_subquery(const struct expr *expr)
{
    if (expr->kind == EXPR_SUBQUERY)
        return true;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (plan__has_subquery(expr->arguments[i]))
            return true;
    }
    return false;
}

struct expr *plan__predicate(struct planner *planner, const struct exprs *conditions)
{
    struct exprs ordered = {0};
    for (int subqueries = 0; subqueries < 2; subqueries++) {
        for (uint32_t i = 0; i < conditions->count; i++) {
            if (plan__has_subquery(conditions->items[i]) == (subqueries == 1))
                plan__append(planner, &ordered, conditions->items[i]);
        }
    }
    ASSERT(ordered.count == conditions->count);
    return plan__and(planner, ordered.items, ordered.count);
}

void plan__append(struct planner *planner, struct exprs *list, struct expr *expr)
{
    ASSERT(expr);
    list->items = arena_grow(planner->arena, list->items, &list->capacity, list->count + 1,
                             sizeof *list->items);
    list->items[list->count++] = expr;
}

/* As `qualifier.name` when more than one relation is in sight. */
const char *plan__slot_display(struct planner *planner, struct query *query, uint32_t slot_index)
{
    ASSERT(slot_index < query->slot_count);
    struct slot *slot = &query->slots[slot_index];
    if (slot->display)
        return slot->display;
    const struct relation *relation =
        slot->relation == NOWHERE ? NULL : &query->relations[slot->relation];
    if (!relation || !relation->alias || query->relation_count < 2)
        return slot->display = slot->name;
    size_t alias = strlen(relation->alias);
    size_t name = strlen(slot->name);
    char *text = arena_alloc(planner->arena, alias + name + 2);
    memcpy(text, relation->alias, alias);
    text[alias] = '.';
    memcpy(text + alias + 1, slot->name, name + 1);
    return slot->display = text;
}

/* ---- questions --------------------------------------------------------------------------------
 */

static bool constants_equal(const struct expr *a, const struct expr *b)
{
    if (a->constant.null || b->constant.null)
        return a->constant.null == b->constant.null;
    if (a->constant.type != b->constant.type)
        return false;
    /* By bits where equal values may print differently: -0 and 0, 1.0 and 1.00. */
    if (type_storage(a->constant.type) == SQL_DOUBLE)
        return memcmp(&a->constant.as.real, &b->constant.as.real, sizeof(double)) == 0;
    if (a->constant.type == SQL_NUMERIC)
        return memcmp(&a->constant.as.numeric, &b->constant.as.numeric, sizeof(struct numeric)) ==
               0;
    if (a->constant.type == SQL_INTERVAL)
        return memcmp(&a->constant.as.interval, &b->constant.as.interval,
                      sizeof(struct interval)) == 0;
    return value_compare(&a->constant, &b->constant) == 0;
}

bool plan__equal(const struct expr *a, const struct expr *b)
{
    if (a == b)
        return !a->is_volatile;
    if (a->kind != b->kind || a->type != b->type || a->argument_count != b->argument_count ||
        a->is_volatile || b->is_volatile)
        return false;
    if (a->kind == EXPR_CONSTANT)
        return constants_equal(a, b);
    bool indexed = a->kind == EXPR_COLUMN || a->kind == EXPR_PARAMETER || a->kind == EXPR_OUTER;
    ASSERT(a->kind != EXPR_BIND && a->kind != EXPR_OPERAND); /* volatile */
    if (indexed && a->index != b->index)
        return false;
    if (a->kind == EXPR_SUBQUERY && (a->subplan != b->subplan || a->index != b->index))
        return false;
    if (a->kind == EXPR_CALL && a->call != b->call)
        return false;
    if (a->kind == EXPR_CAST && a->cast_limit != b->cast_limit)
        return false;
    for (uint32_t i = 0; i < a->argument_count; i++) {
        if (!plan__equal(a->arguments[i], b->arguments[i]))
            return false;
    }
    return true;
}

bool plan__is_fixed(const struct expr *expr)
{
    return expr->kind == EXPR_CONSTANT || expr->kind == EXPR_PARAMETER || expr->kind == EXPR_OUTER;
}

bool plan__is_constant(const struct expr *expr)
{
    return expr->kind == EXPR_CONSTANT;
}

bool plan__is_true(const struct expr *expr)
{
    return expr->kind == EXPR_CONSTANT && expr->type == SQL_BOOLEAN && !expr->constant.null &&
           expr->constant.as.boolean;
}

bool plan__is_false_or_null(const struct expr *expr)
{
    return expr->kind == EXPR_CONSTANT && expr->type == SQL_BOOLEAN &&
           (expr->constant.null || !expr->constant.as.boolean);
}

uint64_t plan__relations(const struct query *query, const struct expr *expr)
{
    if (expr->kind == EXPR_COLUMN) {
        ASSERT(expr->index < query->slot_count);
        uint32_t relation = query->slots[expr->index].relation;
        return relation == NOWHERE ? 0 : UINT64_C(1) << relation;
    }
    uint64_t set = 0;
    for (uint32_t i = 0; i < expr->argument_count; i++)
        set |= plan__relations(query, expr->arguments[i]);
    return set;
}

bool plan__has_outer(const struct expr *expr)
{
    if (expr->kind == EXPR_OUTER)
        return true;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (plan__has_outer(expr->arguments[i]))
            return true;
    }
    return false;
}

bool plan__mentions(const struct expr *expr, uint32_t slot)
{
    if (expr->kind == EXPR_COLUMN)
        return expr->index == slot;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (plan__mentions(expr->arguments[i], slot))
            return true;
    }
    return false;
}

bool plan__has_columns(const struct expr *expr)
{
    if (expr->kind == EXPR_COLUMN)
        return true;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (plan__has_columns(expr->arguments[i]))
            return true;
    }
    return false;
}

void plan__mark_used(struct query *query, const struct expr *expr)
{
    if (expr->kind == EXPR_COLUMN) {
        ASSERT(expr->index < query->slot_count);
        query->slots[expr->index].used = true;
    }
    for (uint32_t i = 0; i < expr->argument_count; i++)
        plan__mark_used(query, expr->arguments[i]);
}

bool expr_is_strict(const struct expr *expr)
{
    if (expr->kind == EXPR_CAST)
        return true;
    if (expr->kind != EXPR_CALL)
        return false;
    switch (expr->call) {
    case CALL_IS_DISTINCT:
    case CALL_IS_NOT_DISTINCT:
    case CALL_IS_NULL:
    case CALL_IS_NOT_NULL:
    case CALL_IS_TRUE:
    case CALL_IS_NOT_TRUE:
    case CALL_IS_FALSE:
    case CALL_IS_NOT_FALSE:
    case CALL_CONCAT_FN:
    case CALL_CONCAT_WS:
    case CALL_FORMAT:
    case CALL_QUOTE_NULLABLE:
    case CALL_NUM_NULLS:
    case CALL_NUM_NONNULLS:
    case CALL_COALESCE:
    case CALL_NULLIF:
    case CALL_GREATEST:
    case CALL_LEAST:
        return false;
    default:
        return true;
    }
}

bool plan__is_comparison(enum expr_call call)
{
    return call <= CALL_GE;
}
_Static_assert(CALL_EQ == 0 && CALL_GE == 5, "comparisons come first");

enum expr_call expr_call_mirrored(enum expr_call call)
{
    switch (call) {
    case CALL_LT:
        return CALL_GT;
    case CALL_LE:
        return CALL_GE;
    case CALL_GT:
        return CALL_LT;
    case CALL_GE:
        return CALL_LE;
    default:
        return call;
    }
}

/* ---- copies -----------------------------------------------------------------------------------
 */

/* The node with other arguments, or itself when none has changed. */
static struct expr *with_arguments(struct planner *planner, struct expr *expr,
                                   struct expr **arguments)
{
    if (!arguments)
        return expr;
    struct expr *copy = arena_alloc(planner->arena, sizeof *copy);
    *copy = *expr;
    copy->arguments = arguments;
    return copy;
}

/* `changed` is NULL as long as every argument stayed the same. */
static void put_argument(struct planner *planner, const struct expr *expr, struct expr ***changed,
                         uint32_t i, struct expr *argument)
{
    ASSERT(i < expr->argument_count);
    if (!*changed && argument == expr->arguments[i])
        return;
    if (!*changed) {
        size_t size = expr->argument_count * sizeof **changed;
        *changed = arena_alloc(planner->arena, size);
        memcpy(*changed, expr->arguments, size);
    }
    (*changed)[i] = argument;
}

struct expr *plan__resolve(struct planner *planner, struct expr *expr, const uint32_t *positions)
{
    if (expr->kind == EXPR_COLUMN) {
        ASSERT(positions && positions[expr->index] != NOWHERE);
        struct expr *copy = arena_alloc(planner->arena, sizeof *copy);
        *copy = *expr;
        copy->index = positions[expr->index];
        return copy;
    }
    struct expr **changed = NULL;
    for (uint32_t i = 0; i < expr->argument_count; i++)
        put_argument(planner, expr, &changed, i,
                     plan__resolve(planner, expr->arguments[i], positions));
    return with_arguments(planner, expr, changed);
}

struct expr *plan__substitute(struct planner *planner, struct expr *expr, uint32_t slot_first,
                              struct expr **replacements, uint32_t count)
{
    if (expr->kind == EXPR_COLUMN) {
        bool hit = expr->index >= slot_first && expr->index - slot_first < count;
        return hit ? replacements[expr->index - slot_first] : expr;
    }
    struct expr **changed = NULL;
    for (uint32_t i = 0; i < expr->argument_count; i++)
        put_argument(
            planner, expr, &changed, i,
            plan__substitute(planner, expr->arguments[i], slot_first, replacements, count));
    return with_arguments(planner, expr, changed);
}

/* ---- repeated ---------------------------------------------------------------------------------
 */

enum { REPEATED_MAX = 1 << 17 };

/* As many nodes as it has, or more than `most` of them. */
static uint32_t nodes_count(const struct expr *expr, uint32_t most)
{
    uint32_t count = 1;
    for (uint32_t i = 0; i < expr->argument_count && count <= most; i++)
        count += nodes_count(expr->arguments[i], most - count);
    return count;
}

status_t plan__repeat(struct planner *planner, const struct expr *expr, uint32_t places,
                      uint32_t position)
{
    ASSERT(planner && expr && planner->repeated <= REPEATED_MAX);
    if (places < 2)
        return OK;
    uint32_t most = (REPEATED_MAX - planner->repeated) / (places - 1);
    uint32_t nodes = nodes_count(expr, most);
    if (nodes > most)
        return error_sql(planner->error, "54001", position, "statement is too complex");
    planner->repeated += nodes * (places - 1);
    return OK;
}
