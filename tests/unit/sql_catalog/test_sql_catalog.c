/* The catalog: DDL through a transaction, then the picture loaded from what was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sql/catalog/catalog.h"

struct fixture {
    struct store_memory *store;
    struct store_txn *txn;
    struct catalog *catalog;
    struct error error;
};

static struct fixture f;

static void reload(void)
{
    catalog_release(f.catalog);
    assert_int_equal(catalog_load(f.txn, &f.catalog, &f.error), OK);
}

static int setup(void **state)
{
    (void)state;
    f = (struct fixture){0};
    f.store = store_memory_create();
    f.txn = store_memory_begin(f.store);
    reload();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    catalog_release(f.catalog);
    store_memory_rollback(f.txn);
    store_memory_destroy(f.store);
    return 0;
}

static struct column_definition integer_column(const char *name)
{
    return (struct column_definition){.name = name, .position = 9, .type = {.kind = SQL_INTEGER}};
}

static struct key_definition key1(const char *column)
{
    return (struct key_definition){.column_count = 1, .columns = {column}, .position = 11};
}

static struct key_definition key2(const char *a, const char *b)
{
    return (struct key_definition){.column_count = 2, .columns = {a, b}, .position = 11};
}

/* A table with integer columns a, b, c and a text d, primary key a; the caller adds to it. */
static struct table_definition plain(const char *name)
{
    static struct column_definition columns[4];
    columns[0] = integer_column("a");
    columns[1] = integer_column("b");
    columns[2] = integer_column("c");
    columns[3] = integer_column("d");
    columns[3].type.kind = SQL_TEXT;
    return (struct table_definition){.name = name,
                                     .position = 5,
                                     .columns = columns,
                                     .column_count = 4,
                                     .primary_key = key1("a")};
}

static const struct table *create(const struct table_definition *definition)
{
    assert_int_equal(catalog_create_table(f.txn, f.catalog, definition, &f.error), OK);
    reload();
    const struct table *table = catalog_table(f.catalog, definition->name);
    assert_non_null(table);
    return table;
}

static void refused(const struct table_definition *definition, const char *sqlstate,
                    const char *message)
{
    struct store_txn *kept = f.txn;
    assert_int_equal(catalog_create_table(kept, f.catalog, definition, &f.error), ERR_SQL);
    assert_string_equal(f.error.message, message);
    assert_string_equal(f.error.sqlstate, sqlstate);
    assert_true(f.error.position > 0);
}

static void test_a_table_is_loaded_as_it_was_written(void **state)
{
    (void)state;
    assert_int_equal(f.catalog->version, 0);
    assert_int_equal(f.catalog->table_count, 0);
    struct table_definition d = plain("t");
    d.columns[1].not_null = true;
    d.columns[2].default_sql = "1 + 2";
    d.columns[3].type.length_max = 10;
    d.primary_key = key2("b", "a");
    d.primary_key.descending[1] = true;
    struct key_definition unique = key2("c", "d");
    d.uniques = &unique;
    d.unique_count = 1;
    const struct table *t = create(&d);
    assert_int_equal(f.catalog->version, 1);
    assert_true(t->id >= 100);
    assert_ptr_equal(catalog_table_by_id(f.catalog, t->id), t);
    assert_int_equal(t->column_count, 4);
    assert_int_equal(t->ordinal_next, 4);
    assert_true(t->columns[0].not_null); /* by the primary key */
    assert_true(t->columns[1].not_null);
    assert_false(t->columns[2].not_null);
    assert_string_equal(t->columns[2].default_sql, "1 + 2");
    assert_null(t->columns[3].default_sql);
    assert_int_equal(t->columns[3].type.kind, SQL_TEXT);
    assert_int_equal(t->columns[3].type.length_max, 10);
    assert_int_equal(t->index_count, 2);
    assert_string_equal(t->indexes[0].name, "t_pkey");
    assert_int_equal(t->indexes[0].columns[0], 1);
    assert_int_equal(t->indexes[0].columns[1], 0);
    assert_false(t->indexes[0].descending[0]);
    assert_true(t->indexes[0].descending[1]);
    assert_string_equal(t->indexes[1].name, "t_c_d_key");
    assert_true(t->indexes[1].unique);
    assert_int_equal(table_column(t, "c"), 2);
    assert_int_equal(table_column(t, "C"), -1);
    const struct table *found = NULL;
    assert_ptr_equal(catalog_index(f.catalog, "t_c_d_key", &found), &t->indexes[1]);
    assert_ptr_equal(found, t);
    assert_ptr_equal(table_index_by_id(t, 1), &t->indexes[1]);
    assert_null(table_index_by_id(t, 2));
}

static void test_tables_are_found_by_name_and_id(void **state)
{
    (void)state;
    char name[16];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "t%d", i * 7 % 40);
        struct table_definition d = plain(name);
        create(&d);
    }
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "t%d", i);
        const struct table *table = catalog_table(f.catalog, name);
        assert_non_null(table);
        assert_string_equal(table->name, name);
        assert_ptr_equal(catalog_table_by_id(f.catalog, table->id), table);
    }
    assert_null(catalog_table(f.catalog, "t40"));
    assert_null(catalog_table_by_id(f.catalog, 99));
    assert_int_equal(f.catalog->version, 40);
}

static void test_wrong_definitions_are_refused(void **state)
{
    (void)state;
    struct table_definition d = plain("t");
    create(&d);
    refused(&d, "42P07", "relation \"t\" already exists");
    d.name = "t_pkey";
    refused(&d, "42P07", "relation \"t_pkey\" already exists");
    d = plain("u");
    d.columns[1].name = "a";
    refused(&d, "42701", "column \"a\" specified more than once");
    d = plain("u");
    d.primary_key.column_count = 0;
    refused(&d, "42P16", "table \"u\" has no primary key");
    assert_true(f.error.hint[0] != '\0');
    d = plain("u");
    d.primary_key = key1("x");
    refused(&d, "42703", "column \"x\" named in primary key constraint does not exist");
    d.primary_key = key2("a", "a");
    refused(&d, "42701", "column \"a\" appears twice in primary key constraint");
    d = plain("u");
    char name[65];
    memset(name, 'n', 64);
    name[64] = '\0';
    d.columns[1].name = name;
    assert_int_equal(catalog_create_table(f.txn, f.catalog, &d, &f.error), ERR_SQL);
    assert_string_equal(f.error.sqlstate, "42622");
    struct key_definition unique = key1("b");
    unique.name = "t";
    d = plain("u");
    d.uniques = &unique;
    d.unique_count = 1;
    refused(&d, "42P07", "relation \"t\" already exists");
    reload();
    assert_int_equal(f.catalog->version, 1);
    assert_int_equal(f.catalog->table_count, 1);
}

static void test_names_are_chosen_as_postgresql_does(void **state)
{
    (void)state;
    struct table_definition d = plain("t_pkey");
    create(&d);
    d = plain("t");
    struct key_definition uniques[] = {key1("b"), key1("b"), key1("a"), key1("b")};
    uniques[3].name = "again";
    d.uniques = uniques;
    d.unique_count = 4;
    const struct table *t = create(&d);
    assert_string_equal(t->indexes[0].name, "t_pkey1");
    assert_string_equal(t->indexes[1].name, "t_b_key");
    assert_string_equal(t->indexes[2].name, "again");
    assert_int_equal(t->index_count, 3);
    for (int i = 0; i < 2; i++) {
        struct key_definition key = key2("b", "c");
        uint16_t id;
        assert_int_equal(catalog_create_index(f.txn, f.catalog, catalog_table(f.catalog, "t"), &key,
                                              false, &id, &f.error),
                         OK);
        assert_int_equal(id, 3 + i);
        reload();
    }
    assert_non_null(catalog_index(f.catalog, "t_b_c_idx", NULL));
    assert_non_null(catalog_index(f.catalog, "t_b_c_idx1", NULL));
    /* The longer part is cut; never in the middle of a character. */
    char name[CATALOG_NAME_MAX + 1] = "a";
    char chosen[CATALOG_NAME_MAX + 1] = "a";
    for (size_t at = 1; at + 2 <= CATALOG_NAME_MAX; at += 2) {
        memcpy(name + at, "\xc3\xa4", 3);
        if (at + 2 <= CATALOG_NAME_MAX - strlen("_pkey"))
            memcpy(chosen + at, "\xc3\xa4_pkey", 8);
    }
    d = plain(name);
    t = create(&d);
    assert_int_equal(strlen(name), CATALOG_NAME_MAX);
    assert_string_equal(t->indexes[0].name, chosen);
}

static struct foreign_key_definition reference(const char *parent, uint32_t count, const char *a,
                                               const char *b)
{
    return (struct foreign_key_definition){
        .parent_table = parent, .position = 13, .column_count = count, .columns = {a, b}};
}

static struct table_definition child(struct foreign_key_definition *fk)
{
    struct table_definition d = plain("child");
    d.foreign_keys = fk;
    d.foreign_key_count = 1;
    return d;
}

static void test_foreign_keys_find_their_parents(void **state)
{
    (void)state;
    struct table_definition d = plain("parent");
    struct key_definition unique = key2("b", "c");
    d.uniques = &unique;
    d.unique_count = 1;
    create(&d);

    struct foreign_key_definition keys[3] = {reference("parent", 1, "b", NULL),
                                             reference("parent", 2, "b", "a"),
                                             reference("child", 1, "c", NULL)};
    keys[1].name = "pair";
    keys[1].parent_column_count = 2;
    keys[1].parent_columns[0] = "c"; /* child b is parent c, child a is parent b */
    keys[1].parent_columns[1] = "b";
    keys[1].on_delete = FK_RESTRICT;
    d = child(keys);
    d.foreign_key_count = 3;
    const struct table *c = create(&d);
    const struct table *p = catalog_table(f.catalog, "parent");
    assert_int_equal(c->foreign_key_count, 3);

    const struct foreign_key *fk = &c->foreign_keys[0];
    assert_string_equal(fk->name, "child_b_fkey");
    assert_int_equal(fk->parent_table_id, p->id);
    assert_int_equal(fk->child_table_id, c->id);
    assert_int_equal(fk->parent_index_id, 0);
    assert_int_equal(fk->parent_columns[0], 0);
    const struct index *index = table_index_by_id(c, fk->child_index_id);
    assert_string_equal(index->name, "child_b_fkey_idx");
    assert_false(index->unique);
    assert_int_equal(index->columns[0], 1);
    assert_int_equal(fk->on_delete, FK_NO_ACTION);

    fk = &c->foreign_keys[1]; /* in the order of the parent's index (b, c) */
    assert_string_equal(fk->name, "pair");
    assert_int_equal(fk->parent_index_id, 1);
    assert_int_equal(fk->parent_columns[0], 1);
    assert_int_equal(fk->parent_columns[1], 2);
    assert_int_equal(fk->child_columns[0], 0);
    assert_int_equal(fk->child_columns[1], 1);
    index = table_index_by_id(c, fk->child_index_id);
    assert_string_equal(index->name, "pair_idx");
    assert_int_equal(fk->on_delete, FK_RESTRICT);

    fk = &c->foreign_keys[2];
    assert_string_equal(fk->name, "child_c_fkey");
    assert_int_equal(fk->parent_table_id, c->id);
    assert_int_equal(p->referenced_by_count, 2);
    assert_ptr_equal(p->referenced_by[1], &c->foreign_keys[1]);
    assert_int_equal(c->referenced_by_count, 1);
}

static void test_wrong_foreign_keys_are_refused(void **state)
{
    (void)state;
    struct table_definition d = plain("parent");
    create(&d);
    struct foreign_key_definition fk = reference("parents", 1, "b", NULL);
    d = child(&fk);
    refused(&d, "42P01", "relation \"parents\" does not exist");
    assert_string_equal(f.error.hint, "Perhaps you meant the table \"parent\".");
    fk = reference("parent", 2, "b", "c");
    refused(&d, "42830", "number of referencing and referenced columns for foreign key disagree");
    fk = reference("parent", 1, "x", NULL);
    refused(&d, "42703", "column \"x\" referenced in foreign key constraint does not exist");
    fk = reference("parent", 1, "b", NULL);
    fk.parent_column_count = 1;
    fk.parent_columns[0] = "b";
    refused(&d, "42830",
            "there is no unique constraint matching given keys for referenced table \"parent\"");
    fk = reference("parent", 1, "d", NULL);
    refused(&d, "42804", "foreign key constraint \"child_d_fkey\" cannot be implemented");
    assert_string_equal(f.error.detail,
                        "Key columns \"d\" and \"a\" are of incompatible types: text and integer.");
    fk = reference("parent", 1, "b", NULL);
    fk.name = "child_pkey";
    refused(&d, "42710", "constraint \"child_pkey\" for relation \"child\" already exists");
}

/* Any key at all of a table's data. */
static uint32_t keys_under(const struct table *table)
{
    struct buffer low = {0};
    struct buffer high = {0};
    index_key_prefix(table, &table->indexes[0], &low);
    low.size = 5;
    buffer_append_slice(&high, buffer_slice(&low));
    assert_true(key_prefix_end(&high));
    struct store_cursor *cursor;
    assert_int_equal(
        store_scan_open(f.txn, buffer_slice(&low), buffer_slice(&high), false, &cursor, NULL), OK);
    static struct store_entry entries[2000];
    uint32_t count;
    assert_int_equal(store_scan_next(cursor, entries, 2000, &count, NULL), OK);
    store_scan_close(cursor);
    buffer_free(&low);
    buffer_free(&high);
    return count;
}

static void fill(const struct table *table, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++) {
        struct value row[] = {value_integer(i), value_integer(i % 10), value_null(SQL_INTEGER),
                              value_text(slice_from_string("x"))};
        struct buffer key = {0};
        struct buffer value = {0};
        assert_int_equal(index_row_key(table, row, &key, NULL), OK);
        assert_int_equal(store_put(f.txn, buffer_slice(&key), (struct slice){0}, NULL), OK);
        for (uint32_t k = 1; k < table->index_count; k++) {
            bool checked;
            buffer_reset(&key);
            buffer_reset(&value);
            assert_int_equal(
                index_entry(table, &table->indexes[k], row, &key, &value, &checked, NULL), OK);
            assert_int_equal(store_put(f.txn, buffer_slice(&key), buffer_slice(&value), NULL), OK);
        }
        buffer_free(&key);
        buffer_free(&value);
    }
}

static void test_drop_table_leaves_nothing_but_numbers(void **state)
{
    (void)state;
    struct table_definition d = plain("parent");
    create(&d);
    struct foreign_key_definition fk = reference("parent", 1, "b", NULL);
    d = child(&fk);
    const struct table *c = create(&d);
    const struct table *p = catalog_table(f.catalog, "parent");
    assert_int_equal(catalog_drop_table(f.txn, f.catalog, p, false, &f.error), ERR_SQL);
    assert_string_equal(f.error.sqlstate, "2BP01");
    assert_string_equal(f.error.detail, "constraint child_b_fkey on table child depends on table "
                                        "parent");
    fill(c, 600);
    fill(p, 5);
    uint32_t old_id = c->id;
    assert_int_equal(keys_under(c), 1200);
    assert_int_equal(catalog_drop_table(f.txn, f.catalog, c, false, &f.error), OK);
    assert_int_equal(keys_under(c), 0);
    assert_int_equal(keys_under(p), 5);
    reload();
    assert_null(catalog_table(f.catalog, "child"));
    p = catalog_table(f.catalog, "parent");
    assert_int_equal(p->referenced_by_count, 0);
    d = child(&fk);
    assert_true(create(&d)->id > old_id);
}

static void test_drop_index(void **state)
{
    (void)state;
    struct table_definition d = plain("parent");
    struct key_definition unique = key1("b");
    d.uniques = &unique;
    d.unique_count = 1;
    create(&d);
    struct foreign_key_definition fk = reference("parent", 1, "b", NULL);
    fk.parent_column_count = 1;
    fk.parent_columns[0] = "b";
    d = child(&fk);
    const struct table *c = create(&d);
    const struct table *p = catalog_table(f.catalog, "parent");
    const char *needed[] = {"child_pkey", "child_b_fkey_idx", "parent_b_key"};
    for (int i = 0; i < 3; i++) {
        const struct table *table;
        const struct index *index = catalog_index(f.catalog, needed[i], &table);
        assert_non_null(index);
        assert_int_equal(catalog_drop_index(f.txn, f.catalog, table, index, &f.error), ERR_SQL);
        assert_string_equal(f.error.sqlstate, "2BP01");
    }
    uint16_t id;
    struct key_definition key = key1("c");
    key.name = "mine";
    assert_int_equal(catalog_create_index(f.txn, f.catalog, p, &key, true, &id, &f.error), OK);
    reload();
    assert_int_equal(catalog_create_index(f.txn, f.catalog, catalog_table(f.catalog, "child"), &key,
                                          true, &id, &f.error),
                     ERR_SQL);
    assert_string_equal(f.error.sqlstate, "42P07");
    const struct index *index = catalog_index(f.catalog, "mine", &p);
    assert_true(index->unique);
    fill(p, 10);
    assert_int_equal(keys_under(p), 30);
    assert_int_equal(catalog_drop_index(f.txn, f.catalog, p, index, &f.error), OK);
    assert_int_equal(keys_under(p), 20);
    reload();
    assert_null(catalog_index(f.catalog, "mine", NULL));
    p = catalog_table(f.catalog, "parent");
    assert_int_equal(catalog_create_index(f.txn, f.catalog, p, &key, false, &id, &f.error), OK);
    assert_int_equal(id, 3); /* 2 is not used again */
    (void)c;
}

static void test_entries_lead_back_to_rows(void **state)
{
    (void)state;
    struct table_definition d = plain("t");
    d.primary_key = key2("d", "a");
    d.primary_key.descending[0] = true;
    struct key_definition uniques[] = {key2("c", "b")};
    d.uniques = uniques;
    d.unique_count = 1;
    create(&d);
    struct key_definition key = key1("d");
    key.descending[0] = true;
    uint16_t id;
    assert_int_equal(catalog_create_index(f.txn, f.catalog, catalog_table(f.catalog, "t"), &key,
                                          false, &id, &f.error),
                     OK);
    reload();
    const struct table *t = catalog_table(f.catalog, "t");
    struct value row[] = {value_integer(-4), value_integer(7), value_null(SQL_INTEGER),
                          value_text(slice_make("x\0y", 3))};
    struct buffer row_key = {0};
    assert_int_equal(index_row_key(t, row, &row_key, &f.error), OK);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 1; i < 3; i++) {
            struct buffer entry_key = {0};
            struct buffer value = {0};
            struct buffer back = {0};
            bool checked;
            assert_int_equal(
                index_entry(t, &t->indexes[i], row, &entry_key, &value, &checked, &f.error), OK);
            assert_int_equal(checked, i == 1 && round == 1);
            assert_int_equal(value.size > 0, checked);
            assert_int_equal(index_entry_row_key(t, &t->indexes[i], buffer_slice(&entry_key),
                                                 buffer_slice(&value), &back, &f.error),
                             OK);
            assert_true(slice_equal(buffer_slice(&back), buffer_slice(&row_key)));
            for (size_t cut = 0; cut < 16 && !checked; cut++) {
                buffer_reset(&back);
                status_t status =
                    index_entry_row_key(t, &t->indexes[i], slice_make(entry_key.data, cut),
                                        (struct slice){0}, &back, &f.error);
                assert_true(status == ERR_CORRUPT || cut > 8);
            }
            buffer_free(&entry_key);
            buffer_free(&value);
            buffer_free(&back);
        }
        row[2] = value_integer(5);
    }
    static uint8_t big[1001];
    memset(big, 'x', sizeof big);
    row[3] = value_text(slice_make(big, sizeof big));
    buffer_reset(&row_key);
    assert_int_equal(index_row_key(t, row, &row_key, &f.error), ERR_TOO_LONG);
    assert_string_equal(f.error.sqlstate, "54000");
    buffer_free(&row_key);
}

static void test_misspelt_names(void **state)
{
    (void)state;
    struct table_definition d = plain("customers");
    d.columns[1].name = "address";
    d.columns[2].name = "phone_number";
    const struct table *t = create(&d);
    assert_string_equal(catalog_nearest_table(f.catalog, "custmers"), "customers");
    assert_string_equal(catalog_nearest_table(f.catalog, "cusotmer"), "customers");
    assert_null(catalog_nearest_table(f.catalog, "orders"));
    assert_string_equal(table_nearest_column(t, "adress"), "address");
    assert_string_equal(table_nearest_column(t, "phonenumber"), "phone_number");
    assert_null(table_nearest_column(t, "x"));
    assert_null(table_nearest_column(t, ""));
}

/* Every system row in turn is cut short, turned round or left out: an error or a picture that is
 * whole, never a crash. */
static void test_damaged_rows_are_reported(void **state)
{
    (void)state;
    struct table_definition d = plain("parent");
    create(&d);
    struct foreign_key_definition fk = reference("parent", 1, "b", NULL);
    d = child(&fk);
    create(&d);
    static struct store_entry entries[200];
    struct store_cursor *cursor;
    uint32_t count;
    struct slice low = slice_make("\x20\0\0\0\2", 5);
    struct slice high = slice_make("\x20\0\0\0\x63", 5);
    assert_int_equal(store_scan_open(f.txn, low, high, false, &cursor, NULL), OK);
    assert_int_equal(store_scan_next(cursor, entries, 200, &count, NULL), OK);
    assert_true(count > 10 && count < 200);
    uint32_t reported = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (size_t variant = 0; variant < 2 * entries[i].value.size + 1; variant++) {
            uint8_t bytes[256];
            struct slice value = entries[i].value;
            memcpy(bytes, value.data, value.size);
            size_t at = variant / 2;
            if (variant == 2 * value.size)
                store_remove(f.txn, entries[i].key, NULL);
            else if (variant % 2 == 0)
                store_put(f.txn, entries[i].key, slice_make(bytes, at), NULL);
            else {
                bytes[at] ^= 0x81;
                store_put(f.txn, entries[i].key, slice_make(bytes, value.size), NULL);
            }
            struct catalog *catalog;
            status_t status = catalog_load(f.txn, &catalog, &f.error);
            assert_true(status == OK || status == ERR_CORRUPT);
            reported += status != OK;
            catalog_release(catalog);
            store_put(f.txn, entries[i].key, value, NULL);
        }
    }
    store_scan_close(cursor);
    assert_true(reported > count * 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_table_is_loaded_as_it_was_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tables_are_found_by_name_and_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_definitions_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_are_chosen_as_postgresql_does, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_keys_find_their_parents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_foreign_keys_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drop_table_leaves_nothing_but_numbers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_drop_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_entries_lead_back_to_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_misspelt_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_rows_are_reported, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
