/* Inside sql/catalog: system tables and what the DDL files share.
 *
 * The system tables. Key columns come first and are also in the row; everything else a table is
 * made of is found by a prefix of their keys. Columns are named by ordinal, which never changes.
 *
 *   1 meta                  name                  | number
 *   2 tables                id                    | name, ordinal_next, index_next, storage
 *   3 columns               table, ordinal        | name, type, length_max, not_null, default,
 *                                                   hidden, missing (as text), identity
 *   4 indexes               table, id             | name, unique, included, predicate, building,
 *                                                   constraint
 *   5 index_columns         table, index, place   | ordinal (0 of an expression), descending,
 *                                                   text of the expression, its type
 *   6 foreign_keys          table, id             | name, parent table, parent index, child index,
 *                                                   on delete, on update
 *   7 foreign_key_columns   table, id, place      | child ordinal (the parent's columns are those
 * of its index)
 *   8 views                 id                    | name, SQL
 *   9 view_columns          view, place           | name
 *  10 view_uses             view, relation        | ordinal_end
 *  11 checks                table, id             | name, SQL
 *  12 sequences             id                    | name, start, increment, low, high, cache,
 *                                                   cycle, bits, owner, owner's ordinal, epoch
 *  13 garbage               table, index          | (65535: all indexes)
 *  14 comments              relation, kind, id    | text
 *  60 sequence_values       id                    | last value, whether it was given
 *  61 index_builds          table, index          | owner, position, when
 *
 * The last two are not read with the others: they change without the schema changing. */
#ifndef SQL_CATALOG_CATALOG_INT_H
#define SQL_CATALOG_CATALOG_INT_H

#include "sql/catalog/catalog.h"

enum {
    KEY_SPACE_SQL = 0x20, /* first byte of all keys of SQL */
    TABLE_ID_USER_MIN = 100,
    INDEX_ID_END = 65535, /* GARBAGE_ALL_INDEXES */
    SYSTEM_COLUMNS_MAX = 12,
};

enum system_table {
    SYSTEM_META = 1,
    SYSTEM_TABLES,
    SYSTEM_COLUMNS,
    SYSTEM_INDEXES,
    SYSTEM_INDEX_COLUMNS,
    SYSTEM_FOREIGN_KEYS,
    SYSTEM_FOREIGN_KEY_COLUMNS,
    SYSTEM_VIEWS,
    SYSTEM_VIEW_COLUMNS,
    SYSTEM_VIEW_USES,
    SYSTEM_CHECKS,
    SYSTEM_SEQUENCES,
    SYSTEM_GARBAGE,
    SYSTEM_COMMENTS,
    SYSTEM_LOADED_END,
    SYSTEM_SEQUENCE_VALUES = 60,
    SYSTEM_INDEX_BUILDS,
    SYSTEM_TABLE_END
};

struct system_layout {
    uint32_t column_count;
    uint32_t key_count; /* of which that many at the front are the primary key */
    enum sql_type types[SYSTEM_COLUMNS_MAX];
};

/* ---- system.c ---------------------------------------------------------------------------------
 */

const struct system_layout *catalog__layout(enum system_table table);
/* Appends the 7 bytes all keys of an index begin with. */
void catalog__key_prefix(struct buffer *key, uint32_t table_id, uint32_t index_id);
/* Values as the layout has them. */
status_t catalog__row_put(struct store_txn *txn, enum system_table table,
                          const struct value *values, struct error *error);
/* Reads the row of a key; *out must have room for the layout's columns, and what it points to is
 * valid until the transaction ends. */
status_t catalog__row_get(struct store_txn *txn, enum system_table table,
                          const struct value *key_values, bool *found, struct value *out,
                          struct error *error);
/* Removes every key that begins with `prefix`. */
status_t catalog__prefix_remove(struct store_txn *txn, struct slice prefix, struct error *error);
/* Removes the rows of a system table whose first `count` key columns are these. */
status_t catalog__rows_remove(struct store_txn *txn, enum system_table table,
                              const struct value *key_values, uint32_t count, struct error *error);
/* The next id of a user table. */
status_t catalog__table_id_next(struct store_txn *txn, uint32_t *id, struct error *error);
/* Says that the schema has changed; once a DDL statement. */
status_t catalog__version_bump(struct store_txn *txn, struct error *error);

/* Writes all system rows of a table, and those of one of its indexes. */
status_t catalog__table_write(struct store_txn *txn, const struct table *table,
                              struct error *error);
status_t catalog__column_write(struct store_txn *txn, const struct table *table,
                               const struct column *column, struct error *error);
status_t catalog__table_row_write(struct store_txn *txn, const struct table *table,
                                  struct error *error);
status_t catalog__index_write(struct store_txn *txn, const struct table *table,
                              const struct index *index, struct error *error);

status_t catalog__foreign_key_write(struct store_txn *txn, const struct table *table,
                                    const struct foreign_key *fk, struct error *error);
status_t catalog__check_write(struct store_txn *txn, const struct table *table,
                              const struct check *check, struct error *error);

/* All of a relation, which is dropped. */
status_t catalog__comments_remove(struct store_txn *txn, uint32_t relation_id, struct error *error);

/* 2BP01 when a view is made of a relation; `what` is "table t" or "view v". */
status_t catalog__no_view_depends(const struct catalog *catalog, uint32_t relation_id,
                                  const char *what, const char *name, struct error *error);

/* Removes up to `max` keys that begin with `prefix`, from `from` on. *more: there may be others,
 * behind *last, which gets the last one removed. */
status_t catalog__keys_remove(struct store_txn *txn, struct slice prefix, struct slice from,
                              uint64_t max, struct buffer *last, bool *more, struct error *error);

/* ---- view.c, drop.c ---------------------------------------------------------------------------
 */

status_t catalog__view_write(struct store_txn *txn, uint32_t id, const char *name, const char *sql,
                             struct error *error);
/* 2BP01 when a foreign key refers to the index. */
status_t catalog__index_unreferenced(const struct catalog *catalog, const struct table *table,
                                     const struct index *index, struct error *error);

/* ---- build.c ----------------------------------------------------------------------------------
 */

/* The keys of an index, or with GARBAGE_ALL_INDEXES of a table, which the schema has no more: what
 * is too much for one transaction becomes garbage, *left. */
status_t catalog__data_remove(struct store_txn *txn, uint32_t table_id, uint32_t index_id,
                              bool *left, struct error *error);

/* ---- names.c ----------------------------------------------------------------------------------
 */

/* Whether a table or index of that name exists; `table` (or NULL) is one under construction, not
 * yet in the catalog, or the one that is being given an index. */
bool catalog__relation_exists(const struct catalog *catalog, const struct table *table,
                              const char *name);
/* 42P07 when one does. */
status_t catalog__name_free(const struct catalog *catalog, const struct table *table,
                            const char *name, uint32_t position, struct error *error);
/* Chooses a free name as PostgreSQL does: table_column_column_label, names cut so that it fits,
 * with 1, 2, ... behind it while it is taken by a relation or a foreign key. `columns` are places
 * in `table`. */
const char *catalog__name_choose(const struct catalog *catalog, const struct table *table,
                                 const uint32_t *columns, uint32_t column_count, const char *label,
                                 struct arena *arena);
/* 42622 when a name is too long or empty. */
status_t catalog__name_check(const char *name, uint32_t position, struct error *error);

/* ---- table_create.c ---------------------------------------------------------------------------
 */

/* 42710 when the table has a constraint of that name. */
status_t catalog__constraint_free(const struct table *table, const char *name, uint32_t position,
                                  struct error *error);
/* Turns a key's column names into places; `what` is what an error calls it. */
status_t catalog__key_resolve(const struct table *table, const struct key_definition *definition,
                              const char *what, struct index *index, struct error *error);
/* Room for one more index at the end of a table under construction; takes its id. */
status_t catalog__index_add(struct table *table, struct arena *arena, struct index **out,
                            struct error *error);

/* ---- computed.c -------------------------------------------------------------------------------
 */

/* The place of an expression in a table under construction, where it is put if it is new; *capacity
 * is that of its columns. */
uint32_t catalog__computed_add(struct table *table, uint32_t *capacity, const char *text,
                               enum sql_type type, struct arena *arena);
/* Gives a copy of a table columns of its own; how many it has room for. */
uint32_t catalog__computed_copy(struct table *table, struct arena *arena);
/* What stands for it in a name that is chosen: that of its function, or "expr". */
const char *catalog__computed_label(const char *text, struct arena *arena);

/* ---- foreign_key.c ----------------------------------------------------------------------------
 */

/* Resolves all foreign keys of a table under construction, adding child indexes where needed. */
status_t catalog__foreign_keys_build(const struct catalog *catalog, struct table *table,
                                     const struct table_definition *definition, struct arena *arena,
                                     struct error *error);

/* One more, onto a table whose foreign_keys has room. */
status_t catalog__foreign_key_build(const struct catalog *catalog, struct table *table,
                                    const struct foreign_key_definition *definition,
                                    struct arena *arena, struct error *error);

/* An index of the child that begins with its columns: one there is, or one that is added at the end
 * of the table's, which has room. */
bool catalog__child_index_find(const struct table *table, struct foreign_key *fk);
status_t catalog__child_index_take(const struct catalog *catalog, struct table *table,
                                   struct foreign_key *fk, struct arena *arena,
                                   struct error *error);

/* ---- constraint.c -----------------------------------------------------------------------------
 */

/* One more, onto a table whose checks has room. */
status_t catalog__check_build(const struct catalog *catalog, struct table *table,
                              const struct check_definition *definition, struct arena *arena,
                              struct error *error);

/* ---- sequence.c -------------------------------------------------------------------------------
 */

status_t catalog__sequence_write(struct store_txn *txn, const struct sequence *sequence,
                                 struct error *error);
/* Gives a column a sequence of its own, and the DEFAULT that takes from it. */
status_t catalog__sequence_give(struct store_txn *txn, const struct catalog *catalog,
                                struct table *table, uint32_t place,
                                const struct sequence *definition, struct arena *arena,
                                struct error *error);
/* Gives each column that wants one its sequence, and the DEFAULT that takes from it. */
status_t catalog__sequences_build(struct store_txn *txn, const struct catalog *catalog,
                                  struct table *table, const struct table_definition *definition,
                                  struct arena *arena, struct error *error);
/* nextval('name'), with the name in quotes when it is more than small letters. */
const char *catalog__nextval_text(const char *name, struct arena *arena);
/* 2BP01 when another table takes from those that go with the table, or with one of its columns. */
status_t catalog__sequences_unused(const struct catalog *catalog, const struct table *table,
                                   const struct column *column, struct error *error);
/* Those go. */
status_t catalog__sequences_drop(struct store_txn *txn, const struct catalog *catalog,
                                 const struct table *table, const struct column *column,
                                 struct error *error);

#endif
