/* Indexes and rows agree.
 *
 * Each row's entry is looked up in each index: found with the value it must have, it is the row's
 * and no other's, for it names the row. So when every row has its entry and an index holds as many
 * entries as there are rows (for which its predicate is true, when it is partial), it holds nothing
 * else, and counting them is enough. Only when that does not come out is each entry followed to its
 * row, to name those that are wrong. */
#include "sql/exec/verify_int.h"

static status_t entry_look_up(struct verify *verify, const struct index *index,
                              const struct value *row, bool *suspect, struct error *error)
{
    const struct table *table = verify->table;
    bool checked = false, found = false;
    struct slice stored = {0};
    buffer_reset(&verify->key);
    buffer_reset(&verify->value);
    status_t status = index_entry(table, index, row, &verify->key, &verify->value, &checked, error);
    if (status == OK)
        status =
            store_get(verify->exec.context.txn, buffer_slice(&verify->key), &found, &stored, error);
    if (status != OK || (found && slice_equal(stored, buffer_slice(&verify->value))))
        return status;
    *suspect = true;
    if (!found)
        problem_add(verify->problems, "table \"%s\": row %s has no entry in index \"%s\"",
                    table->name, verify__text(verify, &table->indexes[0], row), index->name);
    else if (checked)
        problem_add(verify->problems,
                    "table \"%s\": unique index \"%s\" has the key of row %s for another row",
                    table->name, index->name, verify__text(verify, &table->indexes[0], row));
    else
        problem_add(verify->problems, "table \"%s\": entry of row %s in index \"%s\" is malformed",
                    table->name, verify__text(verify, &table->indexes[0], row), index->name);
    return OK;
}

status_t verify__row_entries(struct verify *verify, struct value *row, bool *suspect,
                             struct error *error)
{
    ASSERT(verify->table->index_count > 0);
    status_t status = OK;
    for (uint32_t i = 1; i < verify->table->index_count && status == OK; i++) {
        bool covers;
        if (verify->table->indexes[i].building)
            continue;
        status = exec__rules_covers(verify->rules, i, row, &covers, error);
        if (status != OK || !covers)
            continue;
        verify->covered[i]++;
        status = entry_look_up(verify, &verify->table->indexes[i], row, suspect, error);
    }
    return status;
}

static status_t entries_count(struct verify *verify, void *context,
                              const struct store_entry *entries, uint32_t count,
                              struct error *error)
{
    MAYBE(verify && entries && error);
    *(uint64_t *)context += count;
    return OK;
}

/* "(a)=(1)" of an entry's own key, without its row; its bytes when they mean nothing. */
static void entry_problem(struct verify *verify, const struct index *index,
                          const struct store_entry *entry, const char *what)
{
    enum { PREFIX_SIZE = 7 };
    const struct table *table = verify->table;
    struct arena arena = {0};
    struct value *row =
        arena_zalloc(&arena, (table->column_count + table->computed_count) * sizeof *row);
    struct slice left = entry->key;
    bool readable = left.size >= PREFIX_SIZE;
    if (readable)
        left = slice_make(left.data + PREFIX_SIZE, left.size - PREFIX_SIZE);
    for (uint32_t i = 0; i < index_key_count(index) && readable; i++) {
        uint32_t place = index->columns[i];
        readable = key_take_value(&left, table->columns[place].type.kind, index->descending[i],
                                  &arena, &row[place]) == OK;
    }
    char bytes[BYTES_TEXT_SIZE];
    problem_add(verify->problems, "table \"%s\": entry %s of index \"%s\" %s", table->name,
                readable ? verify__text(verify, index, row) : bytes_print(entry->key, bytes),
                index->name, what);
    arena_free(&arena);
}

static status_t entry_follow(struct verify *verify, const struct index *index,
                             const struct store_entry *entry, struct error *error)
{
    struct error bad;
    bool found = false, checked = false;
    struct slice stored = {0};
    buffer_reset(&verify->key);
    if (index_entry_row_key(verify->table, index, entry->key, entry->value, &verify->key, &bad) !=
        OK) {
        entry_problem(verify, index, entry, "is malformed");
        return OK;
    }
    status_t status =
        store_get(verify->exec.context.txn, buffer_slice(&verify->key), &found, &stored, error);
    if (status != OK)
        return status;
    if (!found) {
        entry_problem(verify, index, entry, "leads to no row");
        return OK;
    }
    batch_reset(verify->rows.batch);
    if (exec__rows_decode(&verify->rows, stored, 0) != OK)
        return OK; /* told already */
    struct value *row = exec__rows_get(&verify->rows, 0);
    bool covers = true;
    uint32_t place = (uint32_t)(index - verify->table->indexes);
    status = exec__rules_covers(verify->rules, place, row, &covers, error);
    if (status == OK && !covers)
        entry_problem(verify, index, entry, "leads to a row that has no place in it");
    if (status != OK || !covers)
        return status;
    buffer_reset(&verify->key);
    buffer_reset(&verify->value);
    status = index_entry(verify->table, index, row, &verify->key, &verify->value, &checked, error);
    if (status == OK && !slice_equal(buffer_slice(&verify->key), entry->key))
        entry_problem(verify, index, entry, "leads to a row of other values");
    return status;
}

static status_t entries_follow(struct verify *verify, void *context,
                               const struct store_entry *entries, uint32_t count,
                               struct error *error)
{
    status_t status = OK;
    for (uint32_t i = 0; i < count && status == OK; i++)
        status = entry_follow(verify, context, &entries[i], error);
    return status;
}

status_t verify__index(struct verify *verify, const struct index *index, bool suspect,
                       struct error *error)
{
    ASSERT(index->id != 0);
    uint64_t entries = 0;
    status_t status = verify__index_scan(verify, index, entries_count, &entries, error);
    verify->out->entries += entries;
    suspect |= index->building; /* not all are there, but those that are must be right */
    if (status == OK && (suspect || entries != verify->covered[index - verify->table->indexes]))
        status = verify__index_scan(verify, index, entries_follow, (void *)(uintptr_t)index, error);
    return status;
}
