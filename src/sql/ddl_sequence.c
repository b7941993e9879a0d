/* CREATE, ALTER and DROP SEQUENCE, and the sequences of SERIAL and IDENTITY columns. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

/* The least and the most that so many bits hold. */
static void bounds_of(uint32_t bits, int64_t *low, int64_t *high)
{
    ASSERT(bits == 16 || bits == 32 || bits == 64);
    *high = bits == 64 ? INT64_MAX : (INT64_C(1) << (bits - 1)) - 1;
    *low = -*high - 1;
}

static status_t check_bounds(const struct sequence *sequence,
                             const struct ast_sequence_options *options, struct error *error)
{
    int64_t low, high;
    uint32_t position = options->position;
    bounds_of(sequence->bits, &low, &high);
    if (sequence->increment == 0)
        return error_sql(error, "22023", position, "INCREMENT must not be zero");
    if (sequence->low < low || sequence->high > high)
        return error_sql(error, "22023", position,
                         "%s (%lld) is out of range for sequence data type %s",
                         sequence->low < low ? "MINVALUE" : "MAXVALUE",
                         (long long)(sequence->low < low ? sequence->low : sequence->high),
                         sql__sequence_type(sequence));
    if (sequence->low >= sequence->high)
        return error_sql(error, "22023", position,
                         "MINVALUE (%lld) must be less than MAXVALUE (%lld)",
                         (long long)sequence->low, (long long)sequence->high);
    if (sequence->start < sequence->low)
        return error_sql(error, "22023", position,
                         "START value (%lld) cannot be less than MINVALUE (%lld)",
                         (long long)sequence->start, (long long)sequence->low);
    if (sequence->start > sequence->high)
        return error_sql(error, "22023", position,
                         "START value (%lld) cannot be greater than MAXVALUE (%lld)",
                         (long long)sequence->start, (long long)sequence->high);
    if (options->has_cache && options->cache < 1)
        return error_sql(error, "22023", position, "CACHE (%lld) must be greater than zero",
                         (long long)options->cache);
    return OK;
}

/* Puts what was said over what the sequence has; is_new: it has nothing yet. */
static status_t apply(struct sequence *sequence, const struct ast_sequence_options *options,
                      bool is_new, struct error *error)
{
    int64_t low, high;
    if (options->bits)
        sequence->bits = options->bits;
    bounds_of(sequence->bits, &low, &high);
    if (options->has_increment)
        sequence->increment = options->increment;
    bool up = sequence->increment > 0;
    if (options->has_low)
        sequence->low = options->low;
    else if (is_new || options->no_low)
        sequence->low = up ? 1 : low;
    if (options->has_high)
        sequence->high = options->high;
    else if (is_new || options->no_high)
        sequence->high = up ? high : -1;
    if (options->has_start)
        sequence->start = options->start;
    else if (is_new)
        sequence->start = up ? sequence->low : sequence->high;
    if (options->has_cache)
        sequence->cache = options->cache;
    if (options->has_cycle)
        sequence->cycle = options->cycle;
    return check_bounds(sequence, options, error);
}

status_t sql__convert_sequence(struct sql_session *session,
                               const struct ast_sequence_options *options,
                               const struct sequence **out)
{
    struct sequence *sequence = arena_zalloc(&session->run_arena, sizeof *sequence);
    *out = sequence;
    if (options->owned || options->restart)
        return error_sql(&session->error, "42601", options->position,
                         "a column's sequence cannot be owned by another or restarted here");
    sequence->increment = 1;
    sequence->bits = options->bits;
    return apply(sequence, options, true, &session->error);
}

/* OWNED BY. */
static status_t apply_owner(struct sql_session *session, const struct ast_sequence_options *options,
                            struct sequence *sequence)
{
    const struct table *table;
    if (catalog_sequence_identity(session->catalog, sequence, &table)) {
        error_sql(&session->error, "0A000", options->position,
                  "cannot change ownership of identity sequence");
        error_detail(&session->error, "Sequence \"%s\" is linked to table \"%s\".", sequence->name,
                     table->name);
        return ERR_SQL;
    }
    sequence->owner_id = sequence->owner_ordinal = 0;
    if (!options->owner_table.text)
        return OK;
    status_t status =
        sql__table_find(session->catalog, &options->owner_table, &table, &session->error);
    if (status)
        return status;
    int32_t place = table_column(table, options->owner_column.text);
    if (place < 0)
        return error_sql(&session->error, "42703", options->owner_column.position,
                         "column \"%s\" of relation \"%s\" does not exist",
                         options->owner_column.text, table->name);
    sequence->owner_id = table->id;
    sequence->owner_ordinal = table->columns[place].ordinal;
    return OK;
}

static status_t create(struct sql_session *session)
{
    const struct ast_sequence *ast = session->statement->as.sequence;
    struct sequence sequence = {.name = ast->name.text, .increment = 1, .bits = 64, .cycle = false};
    snprintf(session->tag, sizeof session->tag, "CREATE SEQUENCE");
    if (ast->if_exists && catalog_sequence(session->catalog, ast->name.text))
        return OK;
    status_t status = apply(&sequence, &ast->options, true, &session->error);
    if (!status && ast->options.owned)
        status = apply_owner(session, &ast->options, &sequence);
    if (!status)
        status = catalog_create_sequence(session->txn, session->catalog, &sequence,
                                         ast->name.position, &session->error);
    return status ? status : sql__reload_catalog(session);
}

/* 42P01, or 42809 when it is something else. */
static status_t sequence_missing(struct sql_session *session, const struct ast_name *name)
{
    if (catalog_table(session->catalog, name->text) || catalog_view(session->catalog, name->text))
        return error_sql(&session->error, "42809", name->position, "\"%s\" is not a sequence",
                         name->text);
    return error_sql(&session->error, "42P01", name->position, "sequence \"%s\" does not exist",
                     name->text);
}

static status_t restart_outside(struct sql_session *session, const struct sequence *after,
                                int64_t value, uint32_t position)
{
    bool low = value < after->low;
    return error_sql(&session->error, "22023", position,
                     "RESTART value (%lld) cannot be %s than %s (%lld)", (long long)value,
                     low ? "less" : "greater", low ? "MINVALUE" : "MAXVALUE",
                     (long long)(low ? after->low : after->high));
}

/* Where it stands must be within the new bounds. A node takes values ahead: to have gone too far is
 * to be at the end. */
static status_t check_last(struct sql_session *session, const struct sequence *after,
                           uint32_t position)
{
    bool found;
    bool called = false;
    int64_t value = 0;
    status_t status =
        catalog_sequence_last(session->txn, after, &found, &value, &called, &session->error);
    if (status || !found)
        return status;
    bool ahead = called && (after->increment > 0 ? value > after->high : value < after->low);
    if (ahead || (value >= after->low && value <= after->high))
        return OK;
    return restart_outside(session, after, value, position);
}

status_t sql__change_sequence(struct sql_session *session, const struct sequence *sequence,
                              const struct ast_sequence_options *options)
{
    struct sequence after = *sequence;
    status_t status = apply(&after, options, false, &session->error);
    if (!status && options->owned)
        status = apply_owner(session, options, &after);
    int64_t value = options->restart_with ? options->restart_value : after.start;
    if (!status && options->restart && (value < after.low || value > after.high))
        status = restart_outside(session, &after, value, options->position);
    if (!status && !options->restart)
        status = check_last(session, &after, options->position);
    if (!status && options->restart)
        status = catalog_sequence_put(session->txn, &after, value, false, &session->error);
    return status ? status : catalog_change_sequence(session->txn, &after, &session->error);
}

static status_t alter(struct sql_session *session)
{
    const struct ast_sequence *ast = session->statement->as.sequence;
    const struct sequence *old = catalog_sequence(session->catalog, ast->name.text);
    snprintf(session->tag, sizeof session->tag, "ALTER SEQUENCE");
    if (!old && ast->if_exists)
        return OK;
    if (!old)
        return sequence_missing(session, &ast->name);
    if (ast->to.text) {
        status_t status = catalog_rename_sequence(session->txn, session->catalog, old, ast->to.text,
                                                  ast->to.position, &session->error);
        return status ? status : sql__reload_catalog(session);
    }
    status_t status = sql__change_sequence(session, old, &ast->options);
    return status ? status : sql__reload_catalog(session);
}

status_t sql__sequence_ddl(struct sql_session *session)
{
    switch (session->statement->kind) {
    case AST_CREATE_SEQUENCE:
        return create(session);
    case AST_ALTER_SEQUENCE:
        return alter(session);
    default:
        ASSERT(session->statement->kind == AST_DROP_SEQUENCE);
        return sql__drop_sequences(session);
    }
}
