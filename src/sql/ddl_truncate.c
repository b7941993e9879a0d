/* TRUNCATE: all tables named lose their rows at once, and so no foreign key between them is asked.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

/* The tables to be emptied, in the order they were met. */
struct emptied {
    const struct table **items;
    uint32_t count;
    uint32_t capacity;
};

static bool has(const struct emptied *tables, uint32_t id)
{
    for (uint32_t i = 0; i < tables->count; i++)
        if (tables->items[i]->id == id)
            return true;
    return false;
}

static void add(struct sql_session *session, struct emptied *tables, const struct table *table)
{
    if (has(tables, table->id))
        return;
    tables->items = arena_grow(&session->run_arena, tables->items, &tables->capacity,
                               tables->count + 1, sizeof *tables->items);
    tables->items[tables->count++] = table;
}

/* Those that refer to one of them come too, or are an error. */
static status_t add_children(struct sql_session *session, struct emptied *tables, bool cascade)
{
    for (uint32_t i = 0; i < tables->count; i++) {
        const struct table *table = tables->items[i];
        for (uint32_t k = 0; k < table->referenced_by_count; k++) {
            uint32_t id = table->referenced_by[k]->child_table_id;
            const struct table *child = catalog_table_by_id(session->catalog, id);
            ASSERT(child);
            if (has(tables, id))
                continue;
            if (cascade) {
                add(session, tables, child);
                continue;
            }
            error_sql(&session->error, "0A000", 0,
                      "cannot truncate a table referenced in a foreign key constraint");
            error_detail(&session->error, "Table \"%s\" references \"%s\".", child->name,
                         table->name);
            error_hint(&session->error,
                       "Truncate table \"%s\" at the same time, or use TRUNCATE ... CASCADE.",
                       child->name);
            return ERR_SQL;
        }
    }
    return OK;
}

static status_t restart_sequences(struct sql_session *session, const struct table *table)
{
    status_t status = OK;
    for (uint32_t i = 0; i < session->catalog->sequence_count && !status; i++) {
        const struct sequence *sequence = session->catalog->sequences[i];
        if (sequence->owner_id != table->id)
            continue;
        status =
            catalog_sequence_put(session->txn, sequence, sequence->start, false, &session->error);
        if (!status)
            status = catalog_change_sequence(session->txn, sequence, &session->error);
    }
    return status;
}

status_t sql__truncate(struct sql_session *session)
{
    const struct ast_truncate *truncate = session->statement->as.truncate;
    struct emptied tables = {0};
    status_t status = OK;
    snprintf(session->tag, sizeof session->tag, "TRUNCATE TABLE");
    for (uint32_t i = 0; i < truncate->count && !status; i++) {
        const struct table *table = NULL;
        if (catalog_view(session->catalog, truncate->names[i].text))
            return error_sql(&session->error, "42809", truncate->names[i].position,
                             "\"%s\" is not a table", truncate->names[i].text);
        status = sql__table_find(session->catalog, &truncate->names[i], &table, &session->error);
        if (!status)
            add(session, &tables, table);
    }
    if (!status)
        status = add_children(session, &tables, truncate->cascade);
    for (uint32_t i = 0; i < tables.count && !status; i++) {
        status = catalog_truncate_table(session->txn, tables.items[i], &session->error);
        if (!status && truncate->restart)
            status = restart_sequences(session, tables.items[i]);
    }
    return status ? status : sql__reload_catalog(session);
}
