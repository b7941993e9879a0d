/* FROM and names: tables and derived tables, joins with ON, USING and NATURAL, the columns in
 * sight, stars. */
#include <string.h>

#include "sql/plan/plan_char_int.h"

/* ---- relations --------------------------------------------------------------------------------
 */

status_t plan__find_table(struct planner *planner, const struct ast_name *name,
                          const struct table **out)
{
    ASSERT(planner->catalog && name->text);
    *out = catalog_table(planner->catalog, name->text);
    if (*out) {
        plan__note_use(planner, (*out)->id, (*out)->ordinal_next);
        return OK;
    }
    if (catalog_view(planner->catalog, name->text)) {
        error_sql(planner->error, "42809", name->position, "\"%s\" is a view", name->text);
        error_hint(planner->error, "Only tables can be written to.");
        return ERR_SQL;
    }
    status_t status = error_sql(planner->error, "42P01", name->position,
                                "relation \"%s\" does not exist", name->text);
    const char *near = catalog_nearest_table(planner->catalog, name->text);
    if (near)
        error_hint(planner->error, "Perhaps you meant the table \"%s\".", near);
    return status;
}

uint32_t plan__add_slot(struct planner *planner, struct query *query, struct slot slot)
{
    query->slots = arena_grow(planner->arena, query->slots, &query->slot_capacity,
                              query->slot_count + 1, sizeof *query->slots);
    query->slots[query->slot_count] = slot;
    return query->slot_count++;
}

/* Gives a filled-in relation its place and its columns their slots, and makes the leaf. */
static status_t add_relation(struct planner *planner, struct query *query, struct relation relation,
                             uint32_t position, struct from_node **out)
{
    if (query->relation_count == RELATIONS_MAX)
        return error_sql(planner->error, "54001", position, "FROM has more than %d tables",
                         RELATIONS_MAX);
    for (uint32_t i = 0; i < query->relation_count && relation.alias; i++) {
        const char *other = query->relations[i].alias;
        if (other && strcmp(other, relation.alias) == 0)
            return error_sql(planner->error, "42712", position,
                             "table name \"%s\" specified more than once", relation.alias);
    }
    uint32_t count = query->relation_count;
    uint32_t capacity = count; /* grown one by one: few */
    query->relations = arena_grow(planner->arena, query->relations, &capacity, count + 1,
                                  sizeof *query->relations);
    relation.slot_first = query->slot_count;
    query->relations[count] = relation;
    query->relation_count++;
    for (uint32_t i = 0; i < relation.column_count; i++) {
        struct slot slot = {.relation = count, .place = i};
        if (relation.table) {
            const struct column *column = &relation.table->columns[i];
            slot.name = column->name;
            slot.type = column->type.kind;
            slot.not_null = column->not_null;
            slot.length = column->type.length_max;
            slot.hidden = column->hidden;
        } else {
            slot.name = relation.derived->output_names[i];
            slot.type = relation.derived->outputs.items[i]->type;
            slot.length = plan__declared_length(relation.derived->outputs.items[i]);
        }
        if (relation.names)
            slot.name = relation.names[i];
        plan__add_slot(planner, query, slot);
    }
    struct from_node *leaf = arena_zalloc(planner->arena, sizeof *leaf);
    leaf->leaf = true;
    leaf->relation = count;
    leaf->relations = UINT64_C(1) << count;
    *out = leaf;
    return OK;
}

status_t plan__bind_table(struct planner *planner, struct query *query, const struct table *table,
                          const char *alias, struct from_node **out)
{
    struct relation relation = {
        .alias = alias ? alias : table->name, .table = table, .column_count = table->column_count};
    return add_relation(planner, query, relation, 0, out);
}

void plan__add_derived(struct planner *planner, struct query *query, struct query *derived,
                       struct from_node **out)
{
    struct relation relation = {.derived = derived, .column_count = derived->outputs.count};
    ASSERT(query->relation_count < RELATIONS_MAX);
    status_t status = add_relation(planner, query, relation, 0, out);
    ASSERT(status == OK); /* which fails for want of room, or of a free name */
}

/* alias (a, b, ...): new names for the first columns. */
static status_t rename_columns(struct planner *planner, const struct ast_from *ast,
                               struct relation *relation)
{
    if (ast->column_count == 0)
        return OK;
    uint32_t visible =
        relation->table ? table_visible_count(relation->table) : relation->column_count;
    if (ast->columns_exact && ast->column_count != visible)
        return error_sql(planner->error, "42601", ast->columns[0].position,
                         "subquery has too %s columns",
                         visible > ast->column_count ? "many" : "few");
    if (ast->column_count > visible)
        return error_sql(planner->error, "42P10", ast->columns[0].position,
                         "table \"%s\" has %u columns available but %u columns specified",
                         relation->alias ? relation->alias : "", visible, ast->column_count);
    relation->names = arena_alloc(planner->arena, relation->column_count * sizeof(char *));
    for (uint32_t i = 0; i < relation->column_count; i++) {
        if (i < ast->column_count)
            relation->names[i] = ast->columns[i].text;
        else
            relation->names[i] = relation->table ? relation->table->columns[i].name
                                                 : relation->derived->output_names[i];
    }
    return OK;
}

static struct with *find_with(const struct planner *planner, const char *name)
{
    struct with *with = planner->withs;
    while (with && strcmp(with->ast->name.text, name) != 0)
        with = with->next;
    return with;
}

static status_t bind_leaf(struct planner *planner, struct query *query, const struct ast_from *ast,
                          struct from_node **out)
{
    struct relation relation = {.alias = ast->alias.text};
    status_t status;
    const struct from_node *to_left = planner->to_left;
    planner->to_left = NULL;
    if (ast->kind == AST_FROM_FUNCTION && !relation.alias)
        relation.alias = ast->call->as.call.name;
    if (ast->kind == AST_FROM_TABLE && !relation.alias)
        relation.alias = ast->name.text;
    if (ast->kind == AST_FROM_TABLE && !ast->schema.text) {
        struct with *with = find_with(planner, ast->name.text);
        const struct view *view = with ? NULL : catalog_view(planner->catalog, ast->name.text);
        status = with   ? plan__bind_with(planner, with, ast, &relation.derived, &relation.common)
                 : view ? plan__bind_view(planner, view, &relation.derived)
                        : plan__find_table(planner, &ast->name, &relation.table);
        if (status)
            return status;
        relation.view = view;
        relation.column_count =
            relation.derived ? relation.derived->outputs.count : relation.table->column_count;
    } else if (ast->lateral || ast->kind == AST_FROM_FUNCTION) {
        planner->to_left = to_left;
        if ((status = plan__bind_lateral(planner, query, ast, &relation)))
            return status;
    } else {
        status = ast->kind == AST_FROM_TABLE
                     ? plan__bind_internal(planner, ast, &relation.derived)
                     : plan__bind_select(planner, ast->select, &relation.derived);
        if (status)
            return status;
        relation.column_count = relation.derived->outputs.count;
    }
    if ((status = rename_columns(planner, ast, &relation)))
        return status;
    return add_relation(planner, query, relation,
                        ast->alias.text ? ast->alias.position : ast->position, out);
}

/* ---- names ------------------------------------------------------------------------------------
 */

static const struct merged_column *merged_by_name(const struct from_node *node, const char *name)
{
    for (uint32_t i = 0; i < node->merged_count; i++) {
        if (strcmp(node->merged[i].name, name) == 0)
            return &node->merged[i];
    }
    return NULL;
}

/* How many columns an unqualified name may mean below a node; *out gets one of them. */
static uint32_t find_unqualified(struct planner *planner, struct query *query,
                                 const struct from_node *node, const char *name, uint32_t position,
                                 struct expr **out)
{
    if (node->leaf) {
        uint32_t count;
        uint32_t slot = plan__column_by_name(planner, query, node->relation, name, &count);
        if (count > 0)
            *out = plan__column(planner, query, slot, position);
        return count;
    }
    const struct merged_column *merged = merged_by_name(node, name);
    if (merged) {
        *out = merged->expr;
        return 1;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->input_count; i++)
        count += find_unqualified(planner, query, node->inputs[i], name, position, out);
    return count;
}

static const struct relation *relation_by_alias(const struct query *query, uint64_t in_sight,
                                                const char *alias)
{
    for (uint32_t i = 0; i < query->relation_count; i++) {
        const struct relation *relation = &query->relations[i];
        if ((in_sight >> i & 1) && relation->alias && strcmp(relation->alias, alias) == 0)
            return relation;
    }
    return NULL;
}

/* A table that stands in FROM under another name, or NULL. */
static const struct relation *relation_of_table(const struct query *query, const char *table)
{
    for (uint32_t i = 0; i < query->relation_count; i++) {
        const struct relation *relation = &query->relations[i];
        if (relation->table && relation->alias && strcmp(relation->table->name, table) == 0)
            return relation;
    }
    return NULL;
}

/* "Perhaps you meant ...": the nearest name of any relation in sight. */
static void hint_column(struct scope *scope, uint64_t in_sight, const char *name)
{
    const struct query *query = scope->query;
    for (uint32_t i = 0; query && i < query->relation_count; i++) {
        const struct relation *relation = &query->relations[i];
        if (!(in_sight >> i & 1) || !relation->table)
            continue;
        const char *near = table_nearest_column(relation->table, name);
        if (near) {
            error_hint(scope->planner->error,
                       "Perhaps you meant to reference the column \"%s.%s\".", relation->alias,
                       near);
            return;
        }
    }
}

static status_t no_such_column(struct scope *scope, const struct ast_expr *ast, uint64_t in_sight)
{
    const char *table = ast->as.column.table.text;
    const char *name = ast->as.column.name.text;
    struct error *error = scope->planner->error;
    status_t status =
        table ? error_sql(error, "42703", ast->position, "column %s.%s does not exist", table, name)
              : error_sql(error, "42703", ast->position, "column \"%s\" does not exist", name);
    hint_column(scope, in_sight, name);
    if (!table && ast->as.column.name.quoted && error && !error->hint[0])
        error_hint(error, "Between double quotes stands a name; text stands between single ones.");
    return status;
}

static status_t bind_qualified(struct scope *scope, const struct ast_expr *ast, uint64_t in_sight,
                               struct expr **out)
{
    const char *table = ast->as.column.table.text;
    struct query *query = scope->query;
    const struct relation *relation = query ? relation_by_alias(query, in_sight, table) : NULL;
    if (!relation) {
        bool found;
        status_t status = plan__bind_outer(scope, ast, &found, out);
        if (found)
            return status;
        bool known = query && relation_by_alias(query, UINT64_MAX, table);
        bool renamed = query && relation_of_table(query, table);
        status =
            error_sql(scope->planner->error, "42P01", ast->position,
                      known || renamed ? "invalid reference to FROM-clause entry for table \"%s\""
                                       : "missing FROM-clause entry for table \"%s\"",
                      table);
        if (known)
            error_hint(scope->planner->error,
                       "There is an entry for table \"%s\", but it cannot be referenced from this "
                       "part of the query.",
                       table);
        else if (renamed)
            error_hint(scope->planner->error,
                       "Perhaps you meant to reference the table alias \"%s\".",
                       relation_of_table(query, table)->alias);
        return status;
    }
    uint32_t count;
    uint32_t at = (uint32_t)(relation - query->relations);
    uint32_t slot =
        plan__column_by_name(scope->planner, query, at, ast->as.column.name.text, &count);
    if (count == 0)
        return no_such_column(scope, ast, UINT64_C(1) << at);
    if (count > 1)
        return error_sql(scope->planner->error, "42702", ast->position,
                         "column reference \"%s\" is ambiguous", ast->as.column.name.text);
    *out = plan__column(scope->planner, query, slot, ast->position);
    return OK;
}

status_t plan__bind_column(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    ASSERT(ast->kind == AST_COLUMN);
    uint64_t in_sight = scope->from ? scope->from->relations : 0;
    if (ast->as.column.table.text)
        return bind_qualified(scope, ast, in_sight, out);
    uint32_t count = 0;
    if (scope->from)
        count = find_unqualified(scope->planner, scope->query, scope->from,
                                 ast->as.column.name.text, ast->position, out);
    if (count == 0) {
        bool found;
        status_t status = plan__bind_outer(scope, ast, &found, out);
        return found ? status : no_such_column(scope, ast, in_sight);
    }
    if (count > 1)
        return error_sql(scope->planner->error, "42702", ast->position,
                         "column reference \"%s\" is ambiguous", ast->as.column.name.text);
    return OK;
}

/* ---- joins ------------------------------------------------------------------------------------
 */

static status_t using_side(struct planner *planner, struct query *query,
                           const struct from_node *side, const char *which,
                           const struct ast_name *name, struct expr **out)
{
    uint32_t count = find_unqualified(planner, query, side, name->text, name->position, out);
    if (count == 0)
        return error_sql(planner->error, "42703", name->position,
                         "column \"%s\" specified in USING clause does not exist in %s table",
                         name->text, which);
    if (count > 1)
        return error_sql(planner->error, "42702", name->position,
                         "common column name \"%s\" appears more than once in %s table", name->text,
                         which);
    return OK;
}

/* left.c = right.c, and what an unqualified c means from now on: the side that is never NULL for
 * want of a partner, in a full join whichever is there. */
static status_t merge_column(struct planner *planner, struct query *query, struct from_node *join,
                             const struct ast_name *name)
{
    struct expr *sides[2];
    status_t status = plan__poll(planner);
    if (!status)
        status = using_side(planner, query, join->inputs[0], "left", name, &sides[0]);
    if (!status)
        status = using_side(planner, query, join->inputs[1], "right", name, &sides[1]);
    struct expr *equal;
    if (!status)
        status =
            plan__type_operator(planner, CALL_EQ, "=", sides[0], sides[1], name->position, &equal);
    if (status)
        return status;
    plan__append(planner, &join->on, equal);
    struct merged_column *merged = &join->merged[join->merged_count++];
    merged->name = name->text;
    merged->expr = join->kind == JOIN_RIGHT ? sides[1] : sides[0];
    if (join->kind == JOIN_FULL) {
        merged->expr = plan__call(planner, CALL_COALESCE, equal->arguments[0]->type, name->position,
                                  equal->arguments, 2);
        merged->expr->name = "coalesce";
        merged->expr->cast_limit = plan__char_unify_two(planner, &sides[0], &sides[1], true);
    }
    return OK;
}

/* Whether a star means the column: not when it has come to its table after the view that has the
 * star. */
static bool is_starred(const struct planner *planner, const struct query *query, uint32_t at)
{
    const struct slot *slot = &query->slots[at];
    if (slot->hidden || !planner->view)
        return !slot->hidden;
    const struct table *table = query->relations[slot->relation].table;
    const struct view *view = query->relations[slot->relation].view;
    uint32_t id = table ? table->id : view ? view->id : 0;
    uint32_t ordinal = table ? table->columns[slot->place].ordinal : slot->place;
    for (uint32_t i = 0; i < planner->view->use_count; i++) {
        if (planner->view->uses[i].relation_id == id)
            return ordinal < planner->view->uses[i].ordinal_end;
    }
    return true;
}

/* Visits every column name in sight below a node, as a star would show them. */
struct visible {
    const char *name;
    struct expr *expr;
};
struct visibles {
    struct visible *items;
    uint32_t count;
    uint32_t capacity;
};

static void collect_visible(struct planner *planner, struct query *query,
                            const struct from_node *node, uint32_t position, struct visibles *out)
{
    if (node->leaf) {
        const struct relation *relation = &query->relations[node->relation];
        uint32_t need = out->count + relation->column_count;
        out->items =
            arena_grow(planner->arena, out->items, &out->capacity, need, sizeof *out->items);
        for (uint32_t i = 0; i < relation->column_count; i++) {
            uint32_t slot = relation->slot_first + i;
            if (is_starred(planner, query, slot))
                out->items[out->count++] = (struct visible){
                    query->slots[slot].name, plan__column(planner, query, slot, position)};
        }
        return;
    }
    for (uint32_t i = 0; i < node->merged_count; i++) {
        out->items = arena_grow(planner->arena, out->items, &out->capacity, out->count + 1,
                                sizeof *out->items);
        out->items[out->count++] = (struct visible){node->merged[i].name, node->merged[i].expr};
    }
    for (uint32_t i = 0; i < node->input_count; i++) {
        uint32_t kept = out->count;
        collect_visible(planner, query, node->inputs[i], position, out);
        uint32_t end = out->count;
        out->count = kept;
        for (uint32_t j = kept; j < end && plan__poll(planner) == OK; j++) {
            if (!merged_by_name(node, out->items[j].name))
                out->items[out->count++] = out->items[j];
        }
    }
}

/* The names both sides have, in the order of the left one. */
static uint32_t natural_names(struct planner *planner, struct query *query,
                              const struct from_node *join, uint32_t position,
                              struct ast_name **out)
{
    struct visibles left = {0};
    struct visibles right = {0};
    collect_visible(planner, query, join->inputs[0], position, &left);
    collect_visible(planner, query, join->inputs[1], position, &right);
    struct ast_name *names = arena_alloc(planner->arena, (left.count + 1) * sizeof *names);
    uint32_t count = 0;
    for (uint32_t i = 0; i < left.count && plan__poll(planner) == OK; i++) {
        bool common = false;
        for (uint32_t j = 0; j < right.count; j++)
            common |= strcmp(left.items[i].name, right.items[j].name) == 0;
        for (uint32_t j = 0; j < count; j++)
            common &= strcmp(left.items[i].name, names[j].text) != 0;
        if (common)
            names[count++] = (struct ast_name){.text = left.items[i].name, .position = position};
    }
    *out = names;
    return count;
}

static status_t bind_join(struct planner *planner, struct query *query, const struct ast_from *ast,
                          struct from_node **out)
{
    static const enum join_kind kinds[] = {
        [AST_JOIN_INNER] = JOIN_INNER, [AST_JOIN_LEFT] = JOIN_LEFT,   [AST_JOIN_RIGHT] = JOIN_RIGHT,
        [AST_JOIN_FULL] = JOIN_FULL,   [AST_JOIN_CROSS] = JOIN_INNER,
    };
    struct from_node *join = arena_zalloc(planner->arena, sizeof *join);
    join->kind = kinds[ast->join];
    join->inputs = arena_zalloc(planner->arena, 2 * sizeof(struct from_node *));
    join->input_count = 2;
    bool outside = planner->in_outer_join;
    planner->in_outer_join |= join->kind == JOIN_RIGHT || join->kind == JOIN_FULL;
    status_t status = plan__bind_from(planner, query, ast->left, &join->inputs[0]);
    planner->to_left = ast->right->kind == AST_FROM_JOIN ? NULL : join->inputs[0];
    planner->in_outer_join = outside || join->kind == JOIN_LEFT || join->kind == JOIN_FULL;
    if (!status)
        status = plan__bind_from(planner, query, ast->right, &join->inputs[1]);
    planner->to_left = NULL;
    planner->in_outer_join = outside;
    if (status)
        return status;
    const struct from_node *right = join->inputs[1];
    join->lateral = right->leaf && query->relations[right->relation].lateral;
    if (join->lateral && (join->kind == JOIN_RIGHT || join->kind == JOIN_FULL))
        return error_sql(planner->error, "42P10", ast->right->position,
                         "the combining JOIN type must be INNER or LEFT for a LATERAL reference");
    join->relations = join->inputs[0]->relations | join->inputs[1]->relations;
    struct ast_name *names = ast->using;
    uint32_t count = ast->using_count;
    if (ast->natural)
        count = natural_names(planner, query, join, ast->position, &names);
    struct merged_column *merged = arena_alloc(planner->arena, (count + 1) * sizeof *merged);
    join->merged = merged;
    for (uint32_t i = 0; i < count; i++) {
        if (merged_by_name(join, names[i].text))
            return error_sql(planner->error, "42701", names[i].position,
                             "column name \"%s\" appears more than once in USING clause",
                             names[i].text);
        if ((status = merge_column(planner, query, join, &names[i])))
            return status;
    }
    if (ast->on) {
        struct scope scope = {
            .planner = planner, .query = query, .from = join, .clause = "JOIN/ON"};
        if ((status = plan__bind_condition(&scope, ast->on, &join->on)))
            return status;
    }
    *out = join;
    return OK;
}

status_t plan__bind_from(struct planner *planner, struct query *query, const struct ast_from *ast,
                         struct from_node **out)
{
    ASSERT(query && ast);
    if (ast->kind == AST_FROM_JOIN)
        return bind_join(planner, query, ast, out);
    return bind_leaf(planner, query, ast, out);
}

/* ---- stars ------------------------------------------------------------------------------------
 */

static status_t expand_table(struct scope *scope, const struct ast_target *target)
{
    struct query *query = scope->query;
    const struct relation *relation = relation_by_alias(query, UINT64_MAX, target->table.text);
    if (!relation)
        return error_sql(scope->planner->error, "42P01", target->table.position,
                         "missing FROM-clause entry for table \"%s\"", target->table.text);
    for (uint32_t i = 0; i < relation->column_count; i++) {
        uint32_t slot = relation->slot_first + i;
        if (!is_starred(scope->planner, query, slot))
            continue;
        struct expr *column = plan__column(scope->planner, query, slot, target->position);
        plan__add_output(scope->planner, query, column, query->slots[slot].name);
    }
    return OK;
}

status_t plan__expand_star(struct scope *scope, const struct ast_target *target)
{
    ASSERT(!target->expr);
    if (target->table.text)
        return expand_table(scope, target);
    if (!scope->from)
        return error_sql(scope->planner->error, "42601", target->position,
                         "SELECT * with no tables specified is not valid");
    struct visibles all = {0};
    collect_visible(scope->planner, scope->query, scope->from, target->position, &all);
    for (uint32_t i = 0; i < all.count; i++)
        plan__add_output(scope->planner, scope->query, all.items[i].expr, all.items[i].name);
    return OK;
}
