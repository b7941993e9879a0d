/* What a key of the store is, for people: conflicts name the row they are about. */
#include "base/check.h"
#include "sql_int.h"

enum {
    KEY_HEAD_SIZE = 7, /* key space, table id, index id: catalog.h */
    SYSTEM_TABLES_END = 100,
};

static void describe_hex(struct slice key, struct buffer *out)
{
    buffer_append_string(out, "key ");
    for (size_t i = 0; i < key.size && i < 32; i++)
        buffer_printf(out, "%02x", key.data[i]);
}

/* Appends "(a, b)=(1, x)" of the index's columns. False: the key is not such an entry. */
static bool describe_columns(const struct table *table, const struct index *index,
                             struct slice rest, struct buffer *out)
{
    struct arena arena = {0};
    bool valid = true;
    buffer_append_byte(out, '(');
    for (uint32_t i = 0; i < index_key_count(index); i++)
        buffer_printf(out, "%s%s", i ? ", " : "", table->columns[index->columns[i]].name);
    buffer_append_string(out, ")=(");
    for (uint32_t i = 0; valid && i < index_key_count(index); i++) {
        enum sql_type type = table->columns[index->columns[i]].type.kind;
        struct value value;
        valid = key_take_value(&rest, type, index->descending[i], &arena, &value) == OK;
        if (!valid)
            break;
        if (i)
            buffer_append_string(out, ", ");
        if (value.null)
            buffer_append_string(out, "null");
        else
            value_format(&value, out);
    }
    buffer_append_byte(out, ')');
    arena_free(&arena);
    return valid;
}

static bool describe_entry(const struct catalog *catalog, struct slice key, struct buffer *out)
{
    uint32_t table_id = get_u32_be(key.data + 1);
    uint16_t index_id = (uint16_t)(key.data[5] << 8 | key.data[6]);
    if (table_id < SYSTEM_TABLES_END) {
        buffer_append_string(out, "the schema");
        return true;
    }
    const struct table *table = NULL;
    for (uint32_t i = 0; i < catalog->table_count && !table; i++) {
        if (table_storage(catalog->tables[i]) == table_id)
            table = catalog->tables[i];
    }
    const struct index *index = table ? table_index_by_id(table, index_id) : NULL;
    if (!index)
        return false;
    struct slice rest = slice_make(key.data + KEY_HEAD_SIZE, key.size - KEY_HEAD_SIZE);
    struct buffer columns = {0};
    bool valid = describe_columns(table, index, rest, &columns);
    if (valid)
        buffer_printf(out, "%s %.*s of table \"%s\"", index_id == 0 ? "row" : "index entry",
                      (int)columns.size, (const char *)columns.data, table->name);
    buffer_free(&columns);
    return valid;
}

void sql_engine_describe_key(struct sql_engine *engine, struct slice key, struct buffer *out)
{
    ASSERT(out);
    env_mutex_lock(engine->mutex);
    struct catalog *catalog = engine->catalog;
    if (catalog)
        catalog_retain(catalog);
    env_mutex_unlock(engine->mutex);
    bool known = catalog && key.size >= KEY_HEAD_SIZE && describe_entry(catalog, key, out);
    if (!known)
        describe_hex(key, out);
    if (catalog)
        catalog_release(catalog);
}
