/* INSERT ... ON CONFLICT. */
#include <string.h>

#include "sql/plan/plan_char_int.h"
#include "sql/plan/plan_path_int.h"

/* ---- ON CONFLICT ------------------------------------------------------------------------------
 */

/* Is the index unique over just these places? */
static bool same_keys(const struct index *index, const uint32_t *places, uint32_t count)
{
    if (!index->unique || index->building || index_key_count(index) != count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!places_have(index->columns, count, places[i]))
            return false;
    }
    return true;
}

/* An expression no index is over has the place NOWHERE. */
static status_t find_keys(struct planner *planner, const struct ast_insert *ast,
                          const struct table *table, uint32_t *places)
{
    status_t status = OK;
    for (uint32_t i = 0; i < ast->conflict_key_count && !status; i++) {
        const struct ast_index_key *key = &ast->conflict_keys[i];
        struct expr *expr;
        if (key->name.text) {
            status = plan__find_column(planner, table, &key->name, &places[i]);
            continue;
        }
        status = plan_row_expression(key->expr, table, "index expression", SQL_UNKNOWN,
                                     planner->arena, &expr, planner->error);
        if (!status && !plan__computed_find(planner, table, expr, &places[i]))
            places[i] = NOWHERE;
    }
    return status;
}

/* The parts of ON CONFLICT (...) WHERE condition. */
static status_t bind_predicate(struct planner *planner, const struct ast_expr *ast,
                               const struct table *table, struct exprs *out)
{
    struct expr *expr;
    if (!ast)
        return OK;
    status_t status = plan_row_expression(ast, table, "WHERE", SQL_BOOLEAN, planner->arena, &expr,
                                          planner->error);
    if (status)
        return status;
    plan__append(planner, out, expr);
    plan__simplify_conjuncts(planner, out);
    return OK;
}

static status_t find_arbiter(struct planner *planner, const struct ast_insert *ast,
                             const struct table *table, const struct index **out)
{
    const struct ast_name *constraint = &ast->conflict_constraint;
    uint32_t count = ast->conflict_key_count;
    uint32_t *places = arena_alloc(planner->arena, (count + 1) * sizeof *places);
    struct exprs said = {0};
    status_t status = find_keys(planner, ast, table, places);
    if (!status)
        status = bind_predicate(planner, ast->conflict_predicate, table, &said);
    if (status)
        return status;
    const struct index *partial = NULL;
    for (uint32_t i = table_first_index(table); i < table->index_count; i++) {
        const struct index *index = &table->indexes[i];
        bool named = constraint->text && index->constraint && !index->building &&
                     strcmp(index->name, constraint->text) == 0;
        bool same = count > 0 && same_keys(index, places, count);
        if (named || (same && !index->predicate)) {
            *out = index;
            return OK;
        }
        if (same && !partial && plan__predicate_among(planner, table, index, &said))
            partial = index;
    }
    if ((*out = partial) != NULL)
        return OK;
    if (constraint->text)
        return error_sql(planner->error, "42704", constraint->position,
                         "constraint \"%s\" for table \"%s\" does not exist", constraint->text,
                         table->name);
    if (count > 0)
        return error_sql(planner->error, "42P10", ast->conflict_position,
                         "there is no unique or exclusion constraint matching the ON CONFLICT "
                         "specification");
    return OK;
}

/* The row that is there, by its table's name, and the one that is not put in, `excluded`. A name
 * alone means the former. */
static status_t open_scope(struct planner *planner, const struct ast_insert *ast,
                           const struct table *table, struct scope *scope)
{
    struct query *query = arena_zalloc(planner->arena, sizeof *query);
    struct from_node *both = arena_zalloc(planner->arena, sizeof *both);
    both->kind = JOIN_INNER;
    both->inputs = arena_zalloc(planner->arena, 2 * sizeof(struct from_node *));
    both->input_count = 2;
    status_t status = plan__bind_table(planner, query, table, ast->alias.text, &both->inputs[0]);
    if (!status)
        status = plan__bind_table(planner, query, table, "excluded", &both->inputs[1]);
    if (status)
        return status;
    both->relations = both->inputs[0]->relations | both->inputs[1]->relations;
    both->merged = arena_alloc(planner->arena, (table->column_count + 1) * sizeof *both->merged);
    for (uint32_t i = 0; i < table_visible_count(table); i++)
        both->merged[both->merged_count++] = (struct merged_column){
            .name = table->columns[i].name, .expr = plan__column(planner, query, i, 0)};
    query->from = both;
    *scope =
        (struct scope){.planner = planner, .query = query, .from = both, .clause = "ON CONFLICT"};
    return OK;
}

static status_t bind_update(struct scope *scope, const struct ast_insert *ast,
                            const struct table *table, struct plan *insert)
{
    struct planner *planner = scope->planner;
    uint32_t count = ast->assignment_count;
    uint32_t *places = arena_alloc(planner->arena, (count + 1) * sizeof *places);
    struct expr **values = arena_alloc(planner->arena, (count + 1) * sizeof *values);
    status_t status = OK;
    for (uint32_t i = 0; i < count && !status; i++) {
        const struct ast_assignment *assignment = &ast->assignments[i];
        if ((status = plan__find_column(planner, table, &assignment->column, &places[i])))
            return status;
        for (uint32_t j = 0; j < i; j++) {
            if (places[j] == places[i])
                return error_sql(planner->error, "42601", assignment->column.position,
                                 "multiple assignments to same column \"%s\"",
                                 assignment->column.text);
        }
        const struct column *column = &table->columns[places[i]];
        status = plan__bind_assigned(scope, assignment, column, &values[i]);
        if (!status)
            values[i] = plan__simplify(planner, values[i]);
    }
    insert->as.modify.assigned = places;
    insert->as.modify.assigned_count = count;
    insert->as.modify.conflict_values = values;
    if (status || !ast->conflict_where)
        return status;
    struct exprs where = {0};
    scope->clause = "WHERE";
    if ((status = plan__bind_condition(scope, ast->conflict_where, &where)))
        return status;
    insert->as.modify.conflict_where =
        plan__simplify(planner, plan__and(planner, where.items, where.count));
    return OK;
}

status_t plan__conflict(struct planner *planner, const struct ast_insert *ast,
                        const struct table *table, struct plan *insert)
{
    static const enum conflict_action actions[] = {
        [AST_CONFLICT_ERROR] = CONFLICT_ERROR,
        [AST_CONFLICT_NOTHING] = CONFLICT_NOTHING,
        [AST_CONFLICT_UPDATE] = CONFLICT_UPDATE,
        [AST_CONFLICT_REPLACE] = CONFLICT_REPLACE,
    };
    ASSERT(insert->kind == PLAN_INSERT);
    insert->as.modify.conflict = actions[ast->conflict];
    status_t status = find_arbiter(planner, ast, table, &insert->as.modify.conflict_index);
    if (status || ast->conflict != AST_CONFLICT_UPDATE)
        return status;
    if (!insert->as.modify.conflict_index) {
        error_sql(planner->error, "42601", ast->conflict_position,
                  "ON CONFLICT DO UPDATE requires inference specification or constraint name");
        error_hint(planner->error, "For example, ON CONFLICT (column_name).");
        return ERR_SQL;
    }
    /* Slots are places: the table's columns, then those of `excluded`. */
    struct scope scope;
    uint32_t nextvals = planner->nextval_count;
    status = open_scope(planner, ast, table, &scope);
    if (!status)
        status = bind_update(&scope, ast, table, insert);
    plan__nextvals_are_late(planner, nextvals);
    return status;
}
