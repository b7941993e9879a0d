/* Renames. Checks, indexes and DEFAULTs follow: their texts are written anew. Views do not: they
 * are texts of whole queries, in which a name may mean this or that, so what they name keeps its
 * name (2BP01). Whether a view names a column is asked of its words: one that only looks like it
 * counts too. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

const struct view *sql__view_of_column(struct sql_session *session, uint32_t relation_id,
                                       const char *column, bool star)
{
    for (uint32_t i = 0; i < session->catalog->view_count; i++) {
        const struct view *view = session->catalog->views[i];
        bool uses = false, shared = false;
        for (uint32_t k = 0; k < view->use_count && !uses; k++)
            uses = view->uses[k].relation_id == relation_id;
        if (!uses)
            continue;
        bool named = parse_names(slice_from_string(view->sql), column, &shared);
        if (named || (star && shared))
            return view;
    }
    return NULL;
}

/* `what` is "table t" or "view v". */
static status_t named_by(struct sql_session *session, const struct view *view, const char *what,
                         const char *name, uint32_t position)
{
    error_sql(&session->error, "2BP01", position,
              "cannot change a name of %s %s because other objects depend on it", what, name);
    error_detail(&session->error, "view %s depends on %s %s", view->name, what, name);
    error_hint(&session->error, "Drop the view %s first, and make it again afterwards.",
               view->name);
    return ERR_SQL;
}

/* A view may mean another column by the new name, too, once there are two. */
static status_t check_column(struct sql_session *session, uint32_t relation_id, const char *what,
                             const char *name, const struct ast_name *from,
                             const struct ast_name *to)
{
    const struct view *view = sql__view_of_column(session, relation_id, from->text, true);
    if (!view)
        view = sql__view_of_column(session, relation_id, to->text, true);
    return view ? named_by(session, view, what, name, from->position) : OK;
}

static status_t check_relation(struct sql_session *session, uint32_t relation_id, const char *what,
                               const char *name, uint32_t position)
{
    const struct view *view = catalog_dependent_view(session->catalog, relation_id);
    return view ? named_by(session, view, what, name, position) : OK;
}

/* ---- actions of ALTER TABLE ------------------------------------------------------------------ */

status_t sql__rename_column(struct sql_session *session, const struct table *table,
                            const struct ast_alter_action *action)
{
    uint32_t place;
    status_t status = sql__column_find(session, table, &action->name, &place);
    if (!status)
        status = check_column(session, table->id, "table", table->name, &action->name, &action->to);
    if (!status)
        status = sql__checks_follow(session, table, action->name.text, action->to.text);
    return status ? status
                  : catalog_rename_column(session->txn, session->catalog, table, place,
                                          action->to.text, action->to.position, &session->error);
}

status_t sql__rename_table(struct sql_session *session, const struct table *table,
                           const struct ast_alter_action *action)
{
    status_t status = check_relation(session, table->id, "table", table->name, action->to.position);
    if (!status)
        status = sql__checks_follow(session, table, NULL, action->to.text);
    return status ? status
                  : catalog_rename_table(session->txn, session->catalog, table, action->to.text,
                                         action->to.position, &session->error);
}

status_t sql__rename_constraint(struct sql_session *session, const struct table *table,
                                const struct ast_alter_action *action)
{
    bool found;
    status_t status =
        catalog_rename_constraint(session->txn, session->catalog, table, action->name.text,
                                  action->to.text, action->to.position, &found, &session->error);
    if (!status && !found)
        return error_sql(&session->error, "42704", action->name.position,
                         "constraint \"%s\" for table \"%s\" does not exist", action->name.text,
                         table->name);
    return status;
}

/* ---- ALTER INDEX, VIEW ... RENAME ------------------------------------------------------------ */

static status_t rename_index(struct sql_session *session, const struct ast_rename *rename)
{
    const struct table *table;
    const struct index *index = catalog_index(session->catalog, rename->name.text, &table);
    if (index)
        return catalog_rename_index(session->txn, session->catalog, table, index, rename->to.text,
                                    rename->to.position, &session->error);
    return rename->if_exists ? OK
                             : error_sql(&session->error, "42P01", rename->name.position,
                                         "relation \"%s\" does not exist", rename->name.text);
}

static status_t rename_view_column(struct sql_session *session, const struct view *view,
                                   const struct ast_rename *rename)
{
    uint32_t place = 0;
    while (place < view->column_count && strcmp(view->columns[place], rename->column.text) != 0)
        place++;
    if (place == view->column_count)
        return error_sql(&session->error, "42703", rename->column.position,
                         "column \"%s\" does not exist", rename->column.text);
    status_t status =
        check_column(session, view->id, "view", view->name, &rename->column, &rename->to);
    return status ? status
                  : catalog_rename_view_column(session->txn, view, place, rename->to.text,
                                               rename->to.position, &session->error);
}

static status_t rename_view(struct sql_session *session, const struct ast_rename *rename)
{
    const struct view *view = catalog_view(session->catalog, rename->name.text);
    if (!view && catalog_table(session->catalog, rename->name.text))
        return error_sql(&session->error, "42809", rename->name.position, "\"%s\" is not a view",
                         rename->name.text);
    if (!view)
        return rename->if_exists ? OK
                                 : error_sql(&session->error, "42P01", rename->name.position,
                                             "relation \"%s\" does not exist", rename->name.text);
    if (rename->column.text)
        return rename_view_column(session, view, rename);
    status_t status = check_relation(session, view->id, "view", view->name, rename->to.position);
    return status ? status
                  : catalog_rename_view(session->txn, session->catalog, view, rename->to.text,
                                        rename->to.position, &session->error);
}

status_t sql__rename(struct sql_session *session)
{
    const struct ast_rename *rename = session->statement->as.rename;
    bool view = session->statement->kind == AST_ALTER_VIEW;
    ASSERT(view || session->statement->kind == AST_ALTER_INDEX);
    snprintf(session->tag, sizeof session->tag, view ? "ALTER VIEW" : "ALTER INDEX");
    status_t status = view ? rename_view(session, rename) : rename_index(session, rename);
    return status ? status : sql__reload_catalog(session);
}
