/* Sequences: their definitions, and what they have given.
 *
 * A sequence's last value stands in a key of its own that only those read who take from it, so that
 * a statement which merely knows the schema never conflicts with one that takes values. Who takes a
 * block of values writes the block's last one: two that take at once conflict, and one of them does
 * it again. What is taken and not used is lost. */
#include <string.h>

#include "base/check.h"
#include "sql/catalog/catalog_int.h"

/* ---- finding ----------------------------------------------------------------------------------
 */

const struct sequence *catalog_sequence(const struct catalog *catalog, const char *name)
{
    ASSERT(catalog && name);
    for (uint32_t i = 0; i < catalog->sequence_count; i++) {
        if (strcmp(catalog->sequences[i]->name, name) == 0)
            return catalog->sequences[i];
    }
    return NULL;
}

const struct sequence *catalog_sequence_by_id(const struct catalog *catalog, uint32_t id)
{
    ASSERT(catalog);
    for (uint32_t i = 0; i < catalog->sequence_count; i++) {
        if (catalog->sequences[i]->id == id)
            return catalog->sequences[i];
    }
    return NULL;
}

/* ---- values -----------------------------------------------------------------------------------
 */

status_t catalog_sequence_put(struct store_txn *txn, const struct sequence *sequence, int64_t value,
                              bool called, struct error *error)
{
    ASSERT(value >= sequence->low && value <= sequence->high);
    struct value row[] = {value_integer(sequence->id), value_integer(value), value_boolean(called)};
    return catalog__row_put(txn, SYSTEM_SEQUENCE_VALUES, row, error);
}

status_t catalog_sequence_last(struct store_txn *txn, const struct sequence *sequence, bool *found,
                               int64_t *value, bool *called, struct error *error)
{
    ASSERT(txn && sequence);
    struct value key = value_integer(sequence->id);
    struct value row[SYSTEM_COLUMNS_MAX];
    status_t status = catalog__row_get(txn, SYSTEM_SEQUENCE_VALUES, &key, found, row, error);
    if (status != OK || !*found)
        return status;
    if (row[1].null || row[2].null)
        return error_set(error, ERR_CORRUPT, "value of sequence \"%s\" is malformed",
                         sequence->name);
    *value = row[1].as.integer;
    *called = row[2].as.boolean;
    return OK;
}

/* How many values there are from `first` to the end. */
static uint64_t values_left(const struct sequence *sequence, int64_t first)
{
    uint64_t up = (uint64_t)sequence->high - (uint64_t)first;
    uint64_t down = (uint64_t)first - (uint64_t)sequence->low;
    uint64_t left = sequence->increment > 0 ? up / (uint64_t)sequence->increment
                                            : down / (0 - (uint64_t)sequence->increment);
    return left == UINT64_MAX ? left : left + 1;
}

/* The value after `last`; false at the end. */
static bool value_after(const struct sequence *sequence, int64_t last, int64_t *next)
{
    bool up = sequence->increment > 0;
    if (!__builtin_add_overflow(last, sequence->increment, next) && *next <= sequence->high &&
        *next >= sequence->low)
        return true;
    *next = up ? sequence->low : sequence->high;
    return sequence->cycle;
}

status_t catalog_sequence_take(struct store_txn *txn, const struct sequence *sequence,
                               uint64_t wanted, int64_t *first, uint64_t *count,
                               struct error *error)
{
    ASSERT(txn && sequence && wanted > 0);
    bool found;
    bool called = false;
    int64_t value = 0;
    *count = 0;
    *first = sequence->start;
    status_t status = catalog_sequence_last(txn, sequence, &found, &value, &called, error);
    if (status != OK)
        return status;
    if (found && !called)
        *first = value;
    else if (found && !value_after(sequence, value, first))
        return OK;
    if (*first < sequence->low || *first > sequence->high)
        return error_set(error, ERR_CORRUPT, "value of sequence \"%s\" is malformed",
                         sequence->name);
    uint64_t left = values_left(sequence, *first);
    *count = wanted < left ? wanted : left;
    uint64_t steps = (*count - 1) * (uint64_t)sequence->increment;
    return catalog_sequence_put(txn, sequence, (int64_t)((uint64_t)*first + steps), true, error);
}

/* ---- definitions ------------------------------------------------------------------------------
 */

status_t catalog__sequence_write(struct store_txn *txn, const struct sequence *sequence,
                                 struct error *error)
{
    ASSERT(sequence->id >= TABLE_ID_USER_MIN && sequence->increment != 0);
    struct value values[] = {
        value_integer(sequence->id),
        value_text(slice_from_string(sequence->name)),
        value_integer(sequence->start),
        value_integer(sequence->increment),
        value_integer(sequence->low),
        value_integer(sequence->high),
        value_integer(sequence->cache),
        value_boolean(sequence->cycle),
        value_integer(sequence->bits),
        value_integer(sequence->owner_id),
        value_integer(sequence->owner_ordinal),
        value_integer(sequence->epoch),
    };
    return catalog__row_put(txn, SYSTEM_SEQUENCES, values, error);
}

status_t catalog_create_sequence(struct store_txn *txn, const struct catalog *catalog,
                                 const struct sequence *definition, uint32_t position,
                                 struct error *error)
{
    ASSERT(txn && catalog && definition->name);
    struct sequence sequence = *definition;
    status_t status = catalog__name_check(sequence.name, position, error);
    if (status == OK)
        status = catalog__name_free(catalog, NULL, sequence.name, position, error);
    if (status == OK)
        status = catalog__table_id_next(txn, &sequence.id, error);
    if (status == OK)
        status = catalog__sequence_write(txn, &sequence, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

status_t catalog_change_sequence(struct store_txn *txn, const struct sequence *sequence,
                                 struct error *error)
{
    ASSERT(txn && sequence);
    struct sequence after = *sequence;
    after.epoch++;
    status_t status = catalog__sequence_write(txn, &after, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

static status_t sequence_remove(struct store_txn *txn, const struct sequence *sequence,
                                struct error *error)
{
    struct value key = value_integer(sequence->id);
    status_t status = catalog__rows_remove(txn, SYSTEM_SEQUENCES, &key, 1, error);
    if (status == OK)
        status = catalog__rows_remove(txn, SYSTEM_SEQUENCE_VALUES, &key, 1, error);
    return status;
}

void catalog_sequence_print(const char *name, struct buffer *out)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789_$";
    bool quoted = name[strspn(name, plain)] != '\0' || (name[0] >= '0' && name[0] <= '9');
    buffer_append_string(out, quoted ? "\"" : "");
    for (const char *c = name; *c; c++) {
        buffer_append_byte(out, (uint8_t)*c);
        if (*c == '"')
            buffer_append_byte(out, (uint8_t)*c);
    }
    buffer_append_string(out, quoted ? "\"" : "");
}

const char *catalog__nextval_text(const char *name, struct arena *arena)
{
    struct buffer said = {0}, text = {0};
    catalog_sequence_print(name, &said);
    buffer_append_string(&text, "nextval('");
    for (size_t i = 0; i < said.size; i++) {
        buffer_append_byte(&text, said.data[i]);
        if (said.data[i] == '\'')
            buffer_append_byte(&text, said.data[i]);
    }
    buffer_append_string(&text, "')");
    buffer_free(&said);
    return arena_keep_text(arena, &text);
}

/* Does it go with the table, or with this column of it? */
static bool belongs(const struct sequence *sequence, const struct table *table,
                    const struct column *column)
{
    return sequence->owner_id == table->id &&
           (!column || sequence->owner_ordinal == column->ordinal);
}

const struct sequence *catalog_sequence_of(const struct catalog *catalog, const struct table *table,
                                           const struct column *column)
{
    ASSERT(catalog && table && column);
    const struct sequence *found = NULL;
    struct arena arena = {0};
    for (uint32_t i = 0; column->default_sql && i < catalog->sequence_count && !found; i++) {
        const struct sequence *sequence = catalog->sequences[i];
        const char *text = catalog__nextval_text(sequence->name, &arena);
        if (belongs(sequence, table, column) && strcmp(column->default_sql, text) == 0)
            found = sequence;
    }
    arena_free(&arena);
    return found;
}

const struct column *catalog_sequence_owner(const struct catalog *catalog,
                                            const struct sequence *sequence,
                                            const struct table **table)
{
    ASSERT(catalog && sequence);
    *table = catalog_table_by_id(catalog, sequence->owner_id);
    for (uint32_t i = 0; *table && i < (*table)->column_count; i++) {
        if (belongs(sequence, *table, &(*table)->columns[i]))
            return &(*table)->columns[i];
    }
    return NULL;
}

const struct column *catalog_sequence_identity(const struct catalog *catalog,
                                               const struct sequence *sequence,
                                               const struct table **table)
{
    const struct column *column = catalog_sequence_owner(catalog, sequence, table);
    if (!column || column->identity == IDENTITY_NONE)
        return NULL;
    const struct sequence *part = catalog_sequence_of(catalog, *table, column);
    return part && part->id == sequence->id ? column : NULL;
}

bool catalog_takes_from(const struct table *table, const struct sequence *sequence, uint32_t *place)
{
    struct arena arena = {0};
    const char *text = catalog__nextval_text(sequence->name, &arena);
    bool found = false;
    for (uint32_t i = 0; i < table->column_count && !found; i++) {
        *place = i;
        found = table->columns[i].default_sql && strstr(table->columns[i].default_sql, text);
    }
    arena_free(&arena);
    return found;
}

static status_t taken_from(const struct sequence *sequence, const struct table *table,
                           uint32_t place, struct error *error)
{
    error_sql(error, "2BP01", 0, "cannot drop sequence %s because other objects depend on it",
              sequence->name);
    error_detail(error, "default value for column %s of table %s depends on sequence %s",
                 table->columns[place].name, table->name, sequence->name);
    error_hint(error, "Use DROP ... CASCADE to drop the dependent objects too.");
    return ERR_SQL;
}

status_t catalog_drop_sequence(struct store_txn *txn, const struct catalog *catalog,
                               const struct sequence *sequence, struct error *error)
{
    ASSERT(txn && catalog && sequence);
    status_t status = OK;
    for (uint32_t i = 0; i < catalog->table_count && status == OK; i++) {
        uint32_t place;
        if (catalog_takes_from(catalog->tables[i], sequence, &place))
            status = taken_from(sequence, catalog->tables[i], place, error);
    }
    if (status == OK)
        status = sequence_remove(txn, sequence, error);
    if (status == OK)
        status = catalog__comments_remove(txn, sequence->id, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

/* ---- sequences of columns ---------------------------------------------------------------------
 */

status_t catalog__sequence_give(struct store_txn *txn, const struct catalog *catalog,
                                struct table *table, uint32_t place,
                                const struct sequence *definition, struct arena *arena,
                                struct error *error)
{
    struct sequence sequence = *definition;
    struct column *column = &table->columns[place];
    ASSERT(place < table->column_count);
    sequence.owner_id = table->id;
    sequence.owner_ordinal = column->ordinal;
    sequence.name = catalog__name_choose(catalog, table, &place, 1, "seq", arena);
    column->default_sql = catalog__nextval_text(sequence.name, arena);
    status_t status = catalog__table_id_next(txn, &sequence.id, error);
    return status == OK ? catalog__sequence_write(txn, &sequence, error) : status;
}

status_t catalog__sequences_build(struct store_txn *txn, const struct catalog *catalog,
                                  struct table *table, const struct table_definition *definition,
                                  struct arena *arena, struct error *error)
{
    status_t status = OK;
    for (uint32_t i = 0; i < definition->column_count && status == OK; i++) {
        if (!definition->columns[i].sequence)
            continue;
        table->columns[i].not_null = true;
        status = catalog__sequence_give(txn, catalog, table, i, definition->columns[i].sequence,
                                        arena, error);
    }
    return status;
}

status_t catalog__sequences_unused(const struct catalog *catalog, const struct table *table,
                                   const struct column *column, struct error *error)
{
    status_t status = OK;
    for (uint32_t i = 0; i < catalog->sequence_count; i++) {
        const struct sequence *sequence = catalog->sequences[i];
        for (uint32_t t = 0; t < catalog->table_count && status == OK; t++) {
            const struct table *other = catalog->tables[t];
            uint32_t place;
            if (belongs(sequence, table, column) && catalog_takes_from(other, sequence, &place) &&
                other != table)
                status = taken_from(sequence, other, place, error);
        }
    }
    return status;
}

status_t catalog__sequences_drop(struct store_txn *txn, const struct catalog *catalog,
                                 const struct table *table, const struct column *column,
                                 struct error *error)
{
    status_t status = OK;
    for (uint32_t i = 0; i < catalog->sequence_count && status == OK; i++) {
        const struct sequence *sequence = catalog->sequences[i];
        if (!belongs(sequence, table, column))
            continue;
        status = sequence_remove(txn, sequence, error);
        if (status == OK)
            status = catalog__comments_remove(txn, sequence->id, error);
    }
    return status;
}
