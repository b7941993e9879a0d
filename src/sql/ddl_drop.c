/* DROP, and what CASCADE takes with it.
 *
 * Who depends on whom: a foreign key on the table it refers to and on that one's unique index; a
 * view on the tables and views it is made of; a DEFAULT on the sequence it takes from. Without
 * CASCADE the catalog refuses to drop what others need (2BP01); with it those go first, one after
 * the other, each change on the schema the one before has left. A foreign key that goes leaves its
 * table, a DEFAULT its column; a view goes as a whole, and the views made of it before.
 *
 * Things named in one statement may need each other: what is between them goes without CASCADE. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

enum { ANY_INDEX = -1 };

enum kind { TABLE, VIEW, SEQUENCE, INDEX, NOTHING };

static const struct {
    const char *keyword;
    const char *article;
    const char *noun;
} kinds[] = {
    [TABLE] = {"TABLE", "a", "table"},
    [VIEW] = {"VIEW", "a", "view"},
    [SEQUENCE] = {"SEQUENCE", "a", "sequence"},
    [INDEX] = {"INDEX", "an", "index"},
};

/* ---- what depends on it ---------------------------------------------------------------------- */

status_t sql__drop_dependent_views(struct sql_session *session, uint32_t relation_id)
{
    const struct view *view;
    status_t status = OK;
    while (!status && (view = catalog_dependent_view(session->catalog, relation_id)))
        status = sql__drop_view(session, view->id);
    return status;
}

status_t sql__drop_view(struct sql_session *session, uint32_t view_id)
{
    status_t status = sql__drop_dependent_views(session, view_id);
    if (status)
        return status;
    const struct view *view = catalog_view_by_id(session->catalog, view_id);
    ASSERT(view);
    status = catalog_drop_view(session->txn, session->catalog, view, false, &session->error);
    return status ? status : sql__reload_catalog(session);
}

status_t sql__drop_foreign_key(struct sql_session *session, const struct foreign_key *key)
{
    bool found;
    const struct table *child = catalog_table_by_id(session->catalog, key->child_table_id);
    ASSERT(child);
    status_t status = catalog_drop_constraint(session->txn, session->catalog, child, key->name,
                                              &found, &session->error);
    return status ? status : sql__reload_catalog(session);
}

/* The first foreign key that refers to one of the table's indexes (to any of them: ANY_INDEX), or
 * NULL; of the table itself only with `own`. */
static const struct foreign_key *foreign_key_to(const struct table *table, int index, bool own)
{
    for (uint32_t i = 0; i < table->referenced_by_count; i++) {
        const struct foreign_key *key = table->referenced_by[i];
        if ((own || key->child_table_id != table->id) &&
            (index == ANY_INDEX || key->parent_index_id == index))
            return key;
    }
    return NULL;
}

status_t sql__drop_foreign_keys_to(struct sql_session *session, uint32_t table_id,
                                   uint16_t index_id)
{
    const struct foreign_key *key;
    status_t status = OK;
    while (!status &&
           (key = foreign_key_to(catalog_table_by_id(session->catalog, table_id), index_id, true)))
        status = sql__drop_foreign_key(session, key);
    return status;
}

/* The DEFAULT of the first column that takes from a sequence, but for those of a table. */
static bool default_of(struct sql_session *session, const struct sequence *sequence,
                       uint32_t except_id, const struct table **table, uint32_t *place)
{
    for (uint32_t t = 0; t < session->catalog->table_count; t++) {
        *table = session->catalog->tables[t];
        if ((*table)->id != except_id && catalog_takes_from(*table, sequence, place))
            return true;
    }
    return false;
}

static status_t drop_defaults(struct sql_session *session, uint32_t sequence_id, uint32_t except_id)
{
    const struct table *table;
    uint32_t place;
    status_t status = OK;
    while (!status) {
        const struct sequence *sequence = catalog_sequence_by_id(session->catalog, sequence_id);
        ASSERT(sequence);
        if (!default_of(session, sequence, except_id, &table, &place))
            break;
        status = catalog_change_column(session->txn, session->catalog, table, place,
                                       table->columns[place].not_null, NULL, &session->error);
        if (!status)
            status = sql__reload_catalog(session);
    }
    return status;
}

status_t sql__drop_owned_defaults(struct sql_session *session, uint32_t table_id,
                                  const uint32_t *ordinal)
{
    uint32_t owner = ordinal ? *ordinal : 0; /* what it points to goes with the schema before */
    status_t status = OK;
    for (uint32_t i = 0; i < session->catalog->sequence_count && !status; i++) {
        const struct sequence *sequence = session->catalog->sequences[i];
        if (sequence->owner_id == table_id && (!ordinal || sequence->owner_ordinal == owner))
            status = drop_defaults(session, sequence->id, table_id);
    }
    return status;
}

static status_t cascade_table(struct sql_session *session, uint32_t table_id)
{
    const struct foreign_key *key;
    status_t status = sql__drop_dependent_views(session, table_id);
    while (!status && (key = foreign_key_to(catalog_table_by_id(session->catalog, table_id),
                                            ANY_INDEX, false)))
        status = sql__drop_foreign_key(session, key);
    return status ? status : sql__drop_owned_defaults(session, table_id, NULL);
}

/* ---- names ----------------------------------------------------------------------------------- */

static enum kind kind_of(const struct catalog *catalog, const char *name)
{
    return catalog_table(catalog, name)         ? TABLE
           : catalog_view(catalog, name)        ? VIEW
           : catalog_sequence(catalog, name)    ? SEQUENCE
           : catalog_index(catalog, name, NULL) ? INDEX
                                                : NOTHING;
}

static status_t missing(struct sql_session *session, const struct ast_name *name, enum kind kind)
{
    const char *sqlstate = kind == INDEX ? "42704" : "42P01";
    const char *nearest =
        kind == TABLE ? catalog_nearest_table(session->catalog, name->text) : NULL;
    error_sql(&session->error, sqlstate, name->position, "%s \"%s\" does not exist",
              kinds[kind].noun, name->text);
    if (nearest)
        error_hint(&session->error, "Perhaps you meant the table \"%s\".", nearest);
    return ERR_SQL;
}

/* A name is of something of this kind, or with IF EXISTS of nothing. */
static status_t check_name(struct sql_session *session, const struct ast_name *name,
                           const struct ast_drop *drop, enum kind wanted)
{
    enum kind kind = kind_of(session->catalog, name->text);
    if (kind == wanted || (kind == NOTHING && drop->if_exists))
        return OK;
    if (kind == NOTHING)
        return missing(session, name, wanted);
    error_sql(&session->error, "42809", name->position, "\"%s\" is not %s %s", name->text,
              kinds[wanted].article, kinds[wanted].noun);
    error_hint(&session->error, "Use DROP %s to remove %s %s.", kinds[kind].keyword,
               kinds[kind].article, kinds[kind].noun);
    return ERR_SQL;
}

static status_t check_names(struct sql_session *session, const struct ast_drop *drop,
                            enum kind wanted)
{
    status_t status = OK;
    for (uint32_t i = 0; i < drop->count && !status; i++)
        status = check_name(session, &drop->names[i], drop, wanted);
    return status;
}

/* An error that has no place yet is about this name. */
static status_t placed(struct sql_session *session, const struct ast_name *name, status_t status)
{
    if (status && session->error.position == 0)
        session->error.position = name->position;
    return status;
}

/* ---- DROP TABLE ------------------------------------------------------------------------------ */

static bool is_named(const struct ast_drop *drop, const char *name)
{
    for (uint32_t i = 0; i < drop->count; i++)
        if (strcmp(drop->names[i].text, name) == 0)
            return true;
    return false;
}

/* A foreign key from one of the tables named to another of them, or NULL. */
static const struct foreign_key *foreign_key_between(const struct sql_session *session,
                                                     const struct ast_drop *drop)
{
    for (uint32_t i = 0; i < drop->count; i++) {
        const struct table *table = catalog_table(session->catalog, drop->names[i].text);
        for (uint32_t k = 0; table && k < table->referenced_by_count; k++) {
            const struct foreign_key *key = table->referenced_by[k];
            const struct table *child = catalog_table_by_id(session->catalog, key->child_table_id);
            if (child != table && is_named(drop, child->name))
                return key;
        }
    }
    return NULL;
}

static status_t drop_one_table(struct sql_session *session, const struct ast_name *name,
                               bool cascade)
{
    const struct table *table = catalog_table(session->catalog, name->text);
    if (!table)
        return OK; /* named twice, or with IF EXISTS */
    uint32_t id = table->id;
    status_t status = cascade ? cascade_table(session, id) : OK;
    table = catalog_table_by_id(session->catalog, id);
    ASSERT(table);
    if (!status)
        status = catalog_drop_table(session->txn, session->catalog, table,
                                    sql__settings_sqlite(session->settings), &session->error);
    return placed(session, name, status ? status : sql__reload_catalog(session));
}

status_t sql__drop_tables(struct sql_session *session)
{
    const struct ast_drop *drop = session->statement->as.drop;
    const struct foreign_key *key;
    snprintf(session->tag, sizeof session->tag, "DROP TABLE");
    status_t status = check_names(session, drop, TABLE);
    while (!status && (key = foreign_key_between(session, drop)))
        status = sql__drop_foreign_key(session, key);
    for (uint32_t i = 0; i < drop->count && !status; i++)
        status = drop_one_table(session, &drop->names[i], drop->cascade);
    return status;
}

/* ---- DROP INDEX ------------------------------------------------------------------------------ */

static status_t check_index(struct sql_session *session, const struct table *table,
                            const struct index *index)
{
    struct error *error = &session->error;
    if (index->constraint) {
        error_sql(error, "2BP01", 0,
                  "cannot drop index %s because constraint %s on table %s requires it", index->name,
                  index->name, table->name);
        error_hint(error, "You can drop constraint %s on table %s instead.", index->name,
                   table->name);
        return ERR_SQL;
    }
    return OK;
}

static status_t drop_one_index(struct sql_session *session, const struct ast_name *name,
                               const struct ast_drop *drop)
{
    const struct table *table;
    status_t status = check_name(session, name, drop, INDEX);
    const struct index *index = catalog_index(session->catalog, name->text, &table);
    if (status || !index)
        return status;
    uint32_t table_id = table->id;
    uint16_t index_id = index->id;
    status = check_index(session, table, index);
    if (!status && drop->cascade)
        status = sql__drop_foreign_keys_to(session, table_id, index_id);
    table = catalog_table_by_id(session->catalog, table_id);
    index = table_index_by_id(table, index_id);
    ASSERT(index);
    if (!status)
        status = catalog_drop_index(session->txn, session->catalog, table, index, &session->error);
    return placed(session, name, status ? status : sql__reload_catalog(session));
}

status_t sql__drop_indexes(struct sql_session *session)
{
    const struct ast_drop *drop = session->statement->as.drop;
    status_t status = OK;
    snprintf(session->tag, sizeof session->tag, "DROP INDEX");
    for (uint32_t i = 0; i < drop->count && !status; i++)
        status = drop_one_index(session, &drop->names[i], drop);
    return status;
}

/* ---- DROP VIEW ------------------------------------------------------------------------------- */

/* The next of those named that no view is made of; else the first one left, which then fails. */
static const struct view *next_view(const struct sql_session *session, const struct ast_drop *drop,
                                    uint32_t *place)
{
    const struct view *first = NULL;
    for (uint32_t i = 0; i < drop->count; i++) {
        const struct view *view = catalog_view(session->catalog, drop->names[i].text);
        bool free = view && !catalog_dependent_view(session->catalog, view->id);
        if (view && (free || !first)) {
            first = view;
            *place = i;
        }
        if (free)
            break;
    }
    return first;
}

status_t sql__drop_views(struct sql_session *session)
{
    const struct ast_drop *drop = session->statement->as.drop;
    const struct view *view;
    uint32_t place = 0;
    snprintf(session->tag, sizeof session->tag, "DROP VIEW");
    status_t status = check_names(session, drop, VIEW);
    while (!status && (view = next_view(session, drop, &place))) {
        uint32_t id = view->id;
        status = drop->cascade ? sql__drop_dependent_views(session, id) : OK;
        view = catalog_view_by_id(session->catalog, id);
        ASSERT(view);
        if (!status)
            status = catalog_drop_view(session->txn, session->catalog, view,
                                       sql__settings_sqlite(session->settings), &session->error);
        status =
            placed(session, &drop->names[place], status ? status : sql__reload_catalog(session));
    }
    return status;
}

/* ---- DROP SEQUENCE --------------------------------------------------------------------------- */

/* The sequence of an IDENTITY column is part of it. */
static status_t check_identity(struct sql_session *session, const struct sequence *sequence)
{
    const struct table *table;
    const struct column *column = catalog_sequence_identity(session->catalog, sequence, &table);
    if (!column)
        return OK;
    error_sql(&session->error, "2BP01", 0,
              "cannot drop sequence %s because column %s of table %s requires it", sequence->name,
              column->name, table->name);
    error_hint(&session->error, "You can drop column %s of table %s instead.", column->name,
               table->name);
    return ERR_SQL;
}

static status_t drop_one_sequence(struct sql_session *session, const struct ast_name *name,
                                  const struct ast_drop *drop)
{
    status_t status = check_name(session, name, drop, SEQUENCE);
    const struct sequence *sequence = catalog_sequence(session->catalog, name->text);
    if (status || !sequence)
        return status;
    uint32_t id = sequence->id;
    status = check_identity(session, sequence);
    if (!status && drop->cascade)
        status = drop_defaults(session, id, 0);
    sequence = catalog_sequence_by_id(session->catalog, id);
    ASSERT(sequence);
    if (!status)
        status = catalog_drop_sequence(session->txn, session->catalog, sequence, &session->error);
    return placed(session, name, status ? status : sql__reload_catalog(session));
}

status_t sql__drop_sequences(struct sql_session *session)
{
    const struct ast_drop *drop = session->statement->as.drop;
    status_t status = OK;
    snprintf(session->tag, sizeof session->tag, "DROP SEQUENCE");
    for (uint32_t i = 0; i < drop->count && !status; i++)
        status = drop_one_sequence(session, &drop->names[i], drop);
    return status;
}
