/* COMMENT ON: texts for people about tables, views, sequences, columns and indexes. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

static status_t find_column(struct sql_session *session, const struct ast_comment *ast,
                            struct comment *out)
{
    const struct view *view = catalog_view(session->catalog, ast->name.text);
    const struct table *table = NULL;
    out->kind = COMMENT_COLUMN;
    if (view) {
        out->relation_id = view->id;
        for (out->id = 0; out->id < view->column_count; out->id++)
            if (strcmp(view->columns[out->id], ast->column.text) == 0)
                return OK;
    } else {
        status_t status = sql__table_find(session->catalog, &ast->name, &table, &session->error);
        if (status)
            return status;
        out->relation_id = table->id;
        for (uint32_t i = 0; i < table_visible_count(table); i++) {
            out->id = table->columns[i].ordinal;
            if (strcmp(table->columns[i].name, ast->column.text) == 0)
                return OK;
        }
    }
    return error_sql(&session->error, "42703", ast->column.position,
                     "column \"%s\" of relation \"%s\" does not exist", ast->column.text,
                     ast->name.text);
}

static status_t find_index(struct sql_session *session, const struct ast_comment *ast,
                           struct comment *out)
{
    out->kind = COMMENT_INDEX;
    for (uint32_t t = 0; t < session->catalog->table_count; t++) {
        const struct table *table = session->catalog->tables[t];
        for (uint32_t i = 0; i < table->index_count; i++) {
            if (strcmp(table->indexes[i].name, ast->name.text) != 0)
                continue;
            out->relation_id = table->id;
            out->id = table->indexes[i].id;
            return OK;
        }
    }
    return error_sql(&session->error, "42704", ast->name.position, "index \"%s\" does not exist",
                     ast->name.text);
}

static status_t find_object(struct sql_session *session, const struct ast_comment *ast,
                            struct comment *out)
{
    const struct table *table = NULL;
    const struct view *view = catalog_view(session->catalog, ast->name.text);
    const struct sequence *sequence = catalog_sequence(session->catalog, ast->name.text);
    status_t status;
    switch (ast->on) {
    case AST_COMMENT_COLUMN:
        return find_column(session, ast, out);
    case AST_COMMENT_INDEX:
        return find_index(session, ast, out);
    case AST_COMMENT_TABLE:
        status = sql__table_find(session->catalog, &ast->name, &table, &session->error);
        out->relation_id = status ? 0 : table->id;
        return status;
    case AST_COMMENT_VIEW:
        out->relation_id = view ? view->id : 0;
        break;
    case AST_COMMENT_SEQUENCE:
        out->relation_id = sequence ? sequence->id : 0;
        break;
    }
    if (out->relation_id)
        return OK;
    return error_sql(&session->error, "42P01", ast->name.position, "%s \"%s\" does not exist",
                     ast->on == AST_COMMENT_VIEW ? "view" : "sequence", ast->name.text);
}

status_t sql__comment(struct sql_session *session)
{
    const struct ast_comment *ast = session->statement->as.comment;
    struct comment comment = {.text = ast->text};
    snprintf(session->tag, sizeof session->tag, "COMMENT");
    status_t status = find_object(session, ast, &comment);
    if (!status)
        status = catalog_comment_put(session->txn, &comment, &session->error);
    return status ? status : sql__reload_catalog(session);
}

/* ---- what there is ----------------------------------------------------------------------------
 */

/* What a comment is about, in words; false: something that is no more. */
struct about {
    const char *kind;
    const char *relation;
    const char *part; /* column or index, or NULL */
};

static bool about_table(const struct table *table, const struct comment *comment,
                        struct about *about)
{
    *about = (struct about){"table", table->name, NULL};
    if (comment->kind == COMMENT_RELATION)
        return true;
    if (comment->kind == COMMENT_INDEX) {
        const struct index *index =
            comment->id <= UINT16_MAX ? table_index_by_id(table, (uint16_t)comment->id) : NULL;
        about->kind = "index";
        about->part = index ? index->name : NULL;
        return index != NULL;
    }
    about->kind = "column";
    for (uint32_t i = 0; i < table_visible_count(table); i++)
        if (table->columns[i].ordinal == comment->id)
            about->part = table->columns[i].name;
    return about->part != NULL;
}

static bool about_what(const struct catalog *catalog, const struct comment *comment,
                       struct about *about)
{
    const struct table *table = catalog_table_by_id(catalog, comment->relation_id);
    const struct view *view = catalog_view_by_id(catalog, comment->relation_id);
    if (table)
        return about_table(table, comment, about);
    if (view) {
        bool column = comment->kind == COMMENT_COLUMN && comment->id < view->column_count;
        *about = (struct about){column ? "column" : "view", view->name,
                                column ? view->columns[comment->id] : NULL};
        return column || comment->kind == COMMENT_RELATION;
    }
    for (uint32_t i = 0; i < catalog->sequence_count; i++) {
        if (catalog->sequences[i]->id != comment->relation_id)
            continue;
        *about = (struct about){"sequence", catalog->sequences[i]->name, NULL};
        return true;
    }
    return false;
}

void sql__comment_rows(const struct catalog *catalog, struct sql_rows *rows)
{
    static const char *const names[] = {"object_type", "relation_name", "part_name", "comment"};
    struct about about;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        sql_rows_column(rows, names[i], SQL_TEXT);
    for (uint32_t i = 0; i < catalog->comment_count; i++) {
        if (!about_what(catalog, &catalog->comments[i], &about))
            continue;
        sql_rows_begin(rows);
        sql_rows_text(rows, about.kind);
        sql_rows_text(rows, about.relation);
        sql_rows_text(rows, about.part);
        sql_rows_text(rows, catalog->comments[i].text);
    }
}

void sql__comments_print(const struct catalog *catalog, const struct table *table,
                         struct buffer *out)
{
    struct about about;
    for (uint32_t i = 0; i < catalog->comment_count; i++) {
        const struct comment *comment = &catalog->comments[i];
        if (comment->relation_id != table->id || !about_table(table, comment, &about))
            continue;
        buffer_append_string(out, comment->kind == COMMENT_INDEX    ? ";\nCOMMENT ON INDEX "
                                  : comment->kind == COMMENT_COLUMN ? ";\nCOMMENT ON COLUMN "
                                                                    : ";\nCOMMENT ON TABLE ");
        if (comment->kind != COMMENT_INDEX)
            ast_print_name(about.relation, out);
        if (comment->kind == COMMENT_COLUMN)
            buffer_append_byte(out, '.');
        if (about.part)
            ast_print_name(about.part, out);
        buffer_append_string(out, " IS ");
        ast_print_text(comment->text, out);
    }
}
