/* The catalog: tables, columns, indexes, constraints, kept as rows in system tables of the same
 * store, so that DDL is transactional and replicated like any other write.
 *
 * A `struct catalog` is an immutable picture of the schema at one version, reference-counted and
 * shared between sessions and threads. DDL writes system rows through a transaction and bumps the
 * schema version key; a transaction that changed the schema loads its own picture.
 *
 * Key space (all keys of SQL begin with this byte):  0x20 | table id u32 BE (table_storage) | index
 * id u16 BE | encoded columns. Index 0 of a table is its primary key and holds the rows. A
 * secondary index entry holds, behind its own columns, the primary key's columns, unless it is
 * unique and no column is NULL: then the value holds what is included and the primary key. Table
 * ids below 100 are system tables. */
#ifndef SQL_CATALOG_CATALOG_H
#define SQL_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "sql/store/store.h"
#include "sql/types/types.h"

enum {
    CATALOG_NAME_MAX = 63, /* bytes; longer identifiers are an error (42622) */
    CATALOG_COLUMNS_MAX = 1000,
    CATALOG_KEY_COLUMNS_MAX = 16,
    CATALOG_INDEXES_MAX = 64, /* per table */
};

enum column_identity { IDENTITY_NONE, IDENTITY_ALWAYS, IDENTITY_BY_DEFAULT };

struct column {
    const char *name;
    uint32_t ordinal; /* place in the stored row; never reused */
    struct type_spec type;
    bool not_null;
    /* The row id of a table without a primary key: the last column, and the whole primary key. No
       statement can name it or sees it. */
    bool hidden;
    enum column_identity identity; /* then default_sql takes the next value of its sequence */
    /* DEFAULT as expression text, NULL when there is none; evaluated at INSERT. */
    const char *default_sql;
    /* What rows have that were written before the column was added. */
    struct value missing;
};

struct index {
    uint16_t id; /* 0: the primary key */
    const char *name;
    bool unique;
    uint32_t column_count; /* included ones too: it is by index_key_count that rows are asked for */
    uint32_t columns[CATALOG_KEY_COLUMNS_MAX]; /* places in table->columns, computed ones too */
    bool descending[CATALOG_KEY_COLUMNS_MAX];
    uint32_t included_count; /* the last columns, which INCLUDE has put behind */
    const char *predicate;   /* a partial index: only of rows for which this is true; or NULL */
    bool building;           /* kept by every change, but not to be read: not all rows are in it */
    bool constraint;         /* made by PRIMARY KEY or UNIQUE, with which it goes */
};

enum foreign_key_action { FK_NO_ACTION, FK_RESTRICT, FK_CASCADE, FK_SET_NULL, FK_SET_DEFAULT };

/* A FOREIGN KEY of the table that holds it; the parent knows it through `referenced_by`. The pairs
 * of columns are kept in the order of the parent's index, whatever order the statement had: so
 * parent_columns[i] is the index's column i, and the child index begins with child_columns. */
struct foreign_key {
    uint32_t id; /* of the child's; ascending, with gaps */
    const char *name;
    uint32_t child_table_id;
    uint32_t parent_table_id;
    uint32_t column_count;
    uint32_t child_columns[CATALOG_KEY_COLUMNS_MAX];  /* places in the child's columns */
    uint32_t parent_columns[CATALOG_KEY_COLUMNS_MAX]; /* places in the parent's columns */
    uint16_t parent_index_id; /* the primary key or unique index over parent_columns */
    uint16_t child_index_id;  /* an index of the child beginning with child_columns, for checking
                                 deletes of parents; made at CREATE TABLE when there is none */
    enum foreign_key_action on_delete;
    enum foreign_key_action on_update;
};

/* A CHECK of a table: an expression over its columns that must not be false. */
struct check {
    uint32_t id;
    const char *name;
    const char *sql;
};

struct table {
    uint32_t id;
    uint32_t storage_id; /* what its keys begin with since it was truncated; 0: with its id */
    const char *name;
    struct column *columns; /* in declared order; the place in this array is what others refer to */
    uint32_t column_count;
    /* Behind them in the same array: the expressions that indexes are over. Of such a one only the
       name, which is its text, and the kind of its type are there; no row has it. */
    uint32_t computed_count;
    uint32_t ordinal_next;
    uint32_t index_next;   /* id of the next index; never reused */
    struct index *indexes; /* ascending by id: indexes[0] is the primary key */
    uint32_t index_count;
    struct foreign_key *foreign_keys; /* of which this is the child */
    uint32_t foreign_key_count;
    const struct foreign_key **referenced_by; /* of which this is the parent */
    uint32_t referenced_by_count;
    struct check *checks;
    uint32_t check_count;
};

/* What a view is made of: a table or another view, and how much of it there was then: the ordinal
 * its next column would have got. A star in the view means the columns below. */
struct view_use {
    uint32_t relation_id;
    uint32_t ordinal_end;
};

/* A query with a name. */
struct view {
    uint32_t id; /* of the same numbers as tables */
    const char *name;
    const char *sql; /* one SELECT, VALUES or WITH */
    const char **columns;
    uint32_t column_count;
    struct view_use *uses;
    uint32_t use_count;
};

/* A sequence: what it may give. What it has given stands in a key of its own, see
 * catalog_sequence_take. */
struct sequence {
    uint32_t id; /* of the same numbers as tables */
    const char *name;
    int64_t start;
    int64_t increment; /* not 0 */
    int64_t low;       /* MINVALUE */
    int64_t high;      /* MAXVALUE */
    int64_t cache;     /* 0: as many as seem good */
    bool cycle;
    uint32_t bits;     /* 16, 32 or 64: AS */
    uint32_t owner_id; /* the table with whose column it goes, or 0 */
    uint32_t owner_ordinal;
    uint32_t epoch; /* one more each time it is set: values taken before are void */
};

/* Keys of what was dropped, which are still to be removed: of an index, or of all of a table's. */
enum { GARBAGE_ALL_INDEXES = 65535 };
struct garbage {
    uint32_t table_id;
    uint32_t index_id;
};

/* What a comment is about: a relation itself (id 0), a column (its ordinal, of a view its place),
 * an index (its id). The numbers are part of the stored format. */
enum comment_kind { COMMENT_RELATION, COMMENT_COLUMN, COMMENT_INDEX };

struct comment {
    uint32_t relation_id; /* table, view or sequence */
    enum comment_kind kind;
    uint32_t id;
    const char *text;
};

struct catalog {
    uint64_t version;
    struct table **tables;       /* sorted by name */
    struct table **tables_by_id; /* the same, sorted by id */
    uint32_t table_count;
    struct view **views; /* sorted by id */
    uint32_t view_count;
    struct sequence **sequences; /* sorted by id */
    uint32_t sequence_count;
    struct comment *comments; /* sorted by relation, kind, id */
    uint32_t comment_count;
    struct garbage *garbage; /* as it was when this was read */
    uint32_t garbage_count;
    struct arena arena;
    _Atomic uint32_t references;
};

/* The schema version as the transaction sees it, 0 in a store never used; one key, read (and so
 * certified) by every statement that uses the catalog. A transaction that has itself changed the
 * schema sees a number that another may commit for a different schema: its picture is its own. */
status_t catalog_version(struct store_txn *txn, uint64_t *version, struct error *error);
/* Reads the whole schema in one scan; the caller holds one reference. The picture points at
 * nothing of the transaction. */
status_t catalog_load(struct store_txn *txn, struct catalog **out, struct error *error);
void catalog_retain(struct catalog *catalog);
/* NULL is allowed. */
void catalog_release(struct catalog *catalog);

/* NULL when there is none. Names are as folded by the lexer (lower case unless quoted). */
const struct table *catalog_table(const struct catalog *catalog, const char *name);
const struct table *catalog_table_by_id(const struct catalog *catalog, uint32_t id);
const struct view *catalog_view(const struct catalog *catalog, const char *name);
const struct view *catalog_view_by_id(const struct catalog *catalog, uint32_t id);
const struct sequence *catalog_sequence(const struct catalog *catalog, const char *name);
const struct sequence *catalog_sequence_by_id(const struct catalog *catalog, uint32_t id);
/* The one that goes with a column and gives it its values, of SERIAL and IDENTITY; or NULL. */
const struct sequence *catalog_sequence_of(const struct catalog *catalog, const struct table *table,
                                           const struct column *column);
/* The column of *table that it goes with, or NULL. */
const struct column *catalog_sequence_owner(const struct catalog *catalog,
                                            const struct sequence *sequence,
                                            const struct table **table);
/* The same when it is a part of it: the column is IDENTITY by this sequence. */
const struct column *catalog_sequence_identity(const struct catalog *catalog,
                                               const struct sequence *sequence,
                                               const struct table **table);
/* The first view made of this table or view, or NULL. */
const struct view *catalog_dependent_view(const struct catalog *catalog, uint32_t relation_id);
/* Index names are unique in the whole schema, as in PostgreSQL. That of a row id is not found. */
const struct index *catalog_index(const struct catalog *catalog, const char *name,
                                  const struct table **table);
/* How many columns statements see: all but a hidden one, which is the last. */
uint32_t table_visible_count(const struct table *table);
/* Is that a row id, for want of a primary key? */
bool table_has_row_id(const struct table *table);
/* The place of the first of its indexes that somebody asked for: that of a row id is nobody's. */
uint32_t table_first_index(const struct table *table);
/* Place of a visible column by name, or -1. */
int32_t table_column(const struct table *table, const char *name);
const struct index *table_index_by_id(const struct table *table, uint16_t id);
/* The table id its keys have. */
uint32_t table_storage(const struct table *table);
/* How many of its columns, the first ones, are in the key of every entry and may be asked for by a
 * range. A unique index is unique by them: what it includes stands in the value. */
uint32_t index_key_count(const struct index *index);
/* Is the column at this place one of its columns, of the included ones too? */
bool index_has_column(const struct index *index, uint32_t place);
/* Is a place in a list of some, of an index or a foreign key? */
bool places_have(const uint32_t *places, uint32_t count, uint32_t place);
/* Whether all its keys are columns. */
bool index_is_plain(const struct table *table, const struct index *index);
/* The nearest name to a misspelt one for a hint, or NULL when none is near. */
const char *catalog_nearest_table(const struct catalog *catalog, const char *name);
/* How near `candidate` is to `name`: the number of edits, or UINT32_MAX when it is not near. */
uint32_t catalog_name_distance(const char *name, const char *candidate);
const char *table_nearest_column(const struct table *table, const char *name);

/* ---- keys of rows and index entries -----------------------------------------------------------
 *
 * All of these append to the buffers given. Rows are one value a column of the table, each NULL or
 * of the column's own type; primary key columns are not NULL. For the entry of an index that is
 * over expressions their values stand behind, at their places. */

/* The prefix of all keys of one index: 7 bytes. */
void index_key_prefix(const struct table *table, const struct index *index, struct buffer *key);
/* The primary key of a row. 54000 when too long. */
status_t index_row_key(const struct table *table, const struct value *row, struct buffer *key,
                       struct error *error);
/* Key and value of a row's entry in a secondary index. *checked tells whether uniqueness is by this
 * key alone (unique and without NULLs): then an existing key is a violation. */
status_t index_entry(const struct table *table, const struct index *index, const struct value *row,
                     struct buffer *key, struct buffer *value, bool *checked, struct error *error);
/* The primary row key that an entry of a secondary index points to. ERR_CORRUPT when the entry is
 * not one. */
status_t index_entry_row_key(const struct table *table, const struct index *index, struct slice key,
                             struct slice value, struct buffer *row_key, struct error *error);

/* ---- DDL: what a CREATE statement asks for -----------------------------------------------------
 */

struct column_definition {
    const char *name;
    uint32_t position; /* in the statement, for errors */
    struct type_spec type;
    bool not_null;
    const char *default_sql;
    /* SERIAL, IDENTITY: a sequence of its own, whose name and id are chosen; or NULL. */
    const struct sequence *sequence;
    enum column_identity identity;
};

struct key_definition {
    const char *name; /* NULL: chosen as PostgreSQL does (t_pkey, t_a_b_key, t_a_idx) */
    uint32_t position;
    uint32_t column_count;
    const char *columns[CATALOG_KEY_COLUMNS_MAX]; /* names; texts of expressions */
    /* Of an expression its type; SQL_UNKNOWN: it is a column. Only of CREATE INDEX. */
    enum sql_type computed[CATALOG_KEY_COLUMNS_MAX];
    bool descending[CATALOG_KEY_COLUMNS_MAX];
    uint32_t included_count; /* as in struct index */
    bool constraint;         /* likewise */
    bool building;           /* likewise: it is to be filled by other transactions */
    const char *predicate;
};

struct foreign_key_definition {
    const char *name;
    uint32_t position;
    const char *parent_table;
    uint32_t column_count;
    const char *columns[CATALOG_KEY_COLUMNS_MAX];
    uint32_t parent_column_count; /* 0: the parent's primary key */
    const char *parent_columns[CATALOG_KEY_COLUMNS_MAX];
    enum foreign_key_action on_delete;
    enum foreign_key_action on_update;
};

struct check_definition {
    const char *name; /* NULL: t_a_check when it has one column, else t_check */
    uint32_t position;
    const char *sql;
    const char *column; /* the only one it has, or NULL */
};

struct table_definition {
    const char *name;
    uint32_t position;
    struct column_definition *columns;
    uint32_t column_count;
    struct key_definition primary_key; /* column_count 0: none given, see row_id */
    bool row_id; /* without a primary key: true gives it a hidden row id, false is 42P16 */
    struct key_definition *uniques;
    uint32_t unique_count;
    struct foreign_key_definition *foreign_keys;
    uint32_t foreign_key_count;
    struct check_definition *checks;
    uint32_t check_count;
};

/* Each writes the system rows and bumps the schema version; the picture given is the schema before.
 * Errors: 42P07 duplicate table, 42701 duplicate column, 42P01, 42703, 42830 invalid foreign key,
 * 42804 datatype mismatch, 42P16 invalid table definition, 2BP01 dependent objects. */
status_t catalog_create_table(struct store_txn *txn, const struct catalog *catalog,
                              const struct table_definition *definition, struct error *error);
/* `definition` has everything but the id. 42P07. */
status_t catalog_create_sequence(struct store_txn *txn, const struct catalog *catalog,
                                 const struct sequence *definition, uint32_t position,
                                 struct error *error);
/* Of the same id and name; what was taken of it before is void. */
status_t catalog_change_sequence(struct store_txn *txn, const struct sequence *after,
                                 struct error *error);
/* Appends a sequence's name as an argument of nextval says it: in quotes when it is more than small
 * letters. Only a DEFAULT that says it so is known to take from the sequence. */
void catalog_sequence_print(const char *name, struct buffer *out);
/* The first column of the table whose DEFAULT takes from it. */
bool catalog_takes_from(const struct table *table, const struct sequence *sequence,
                        uint32_t *place);
/* 2BP01 when a DEFAULT takes its values. */
status_t catalog_drop_sequence(struct store_txn *txn, const struct catalog *catalog,
                               const struct sequence *sequence, struct error *error);
/* The value taken last, by any node, or, not `called`, the one to be taken next; not *found: none
 * was taken yet. */
status_t catalog_sequence_last(struct store_txn *txn, const struct sequence *sequence, bool *found,
                               int64_t *value, bool *called, struct error *error);
/* Takes up to `wanted` values: *first, and from there in steps of the increment. *count is 0 when
 * it has come to its end. */
status_t catalog_sequence_take(struct store_txn *txn, const struct sequence *sequence,
                               uint64_t wanted, int64_t *first, uint64_t *count,
                               struct error *error);
/* The next value is the one after `value`, or, when it is not `called`, that one. The caller
 * changes the sequence too. */
status_t catalog_sequence_put(struct store_txn *txn, const struct sequence *sequence, int64_t value,
                              bool called, struct error *error);

struct view_definition {
    const char *name;
    uint32_t position;
    const char *sql;
    const char *const *columns;
    uint32_t column_count;
    const struct view_use *uses;
    uint32_t use_count;
};

/* With `replaced` in its place: it keeps its id, and its columns must come first and bear the same
 * names (42P16). Errors: 42P07 the name is taken, 42701 a column twice, 42622. */
status_t catalog_create_view(struct store_txn *txn, const struct catalog *catalog,
                             const struct view_definition *definition, const struct view *replaced,
                             struct error *error);
/* Refused (2BP01) while other views are made of it, unless `leave_views`. */
status_t catalog_drop_view(struct store_txn *txn, const struct catalog *catalog,
                           const struct view *view, bool leave_views, struct error *error);
/* Removes the schema rows and all of the table's data. Refused (2BP01) while other tables
 * reference it, or a view is made of it and `leave_views` is not set: with it such a view stays and
 * cannot be used until there is something of that name again. */
status_t catalog_drop_table(struct store_txn *txn, const struct catalog *catalog,
                            const struct table *table, bool leave_views, struct error *error);
/* COMMENT ON: `text` is NULL to take it away. Whether the object exists is the caller's business.
 */
status_t catalog_comment_put(struct store_txn *txn, const struct comment *comment,
                             struct error *error);
/* NULL when there is none. */
const char *catalog_comment(const struct catalog *catalog, uint32_t relation_id,
                            enum comment_kind kind, uint32_t id);
/* Removes all rows and index entries; or, when they are many, gives the table other keys and leaves
 * these to be removed as garbage. The schema stays as it is otherwise. */
status_t catalog_truncate_table(struct store_txn *txn, const struct table *table,
                                struct error *error);
/* ALTER TABLE. Nothing of the data is touched: rows without the added column read as `missing`,
 * what was dropped is no longer looked at. Errors: 42701, 54011, 42622. */
status_t catalog_add_column(struct store_txn *txn, const struct catalog *catalog,
                            const struct table *table, const struct column_definition *definition,
                            const struct value *missing, struct error *error);
/* 2BP01 when a foreign key refers to the column. */
status_t catalog_column_unreferenced(const struct catalog *catalog, const struct table *table,
                                     uint32_t place, struct error *error);
/* Of no index and of no foreign key of the table's own. Refused (2BP01) when a foreign key refers
 * to it, or another table takes from its sequence. */
status_t catalog_drop_column(struct store_txn *txn, const struct catalog *catalog,
                             const struct table *table, uint32_t place, struct error *error);
status_t catalog_rename_column(struct store_txn *txn, const struct catalog *catalog,
                               const struct table *table, uint32_t place, const char *name,
                               uint32_t position, struct error *error);
status_t catalog_rename_table(struct store_txn *txn, const struct catalog *catalog,
                              const struct table *table, const char *name, uint32_t position,
                              struct error *error);
/* Other names. 42P07, of a constraint also 42710, of a column 42701. */
status_t catalog_rename_index(struct store_txn *txn, const struct catalog *catalog,
                              const struct table *table, const struct index *index,
                              const char *name, uint32_t position, struct error *error);
/* *found is false when the table has no constraint `old`. */
status_t catalog_rename_constraint(struct store_txn *txn, const struct catalog *catalog,
                                   const struct table *table, const char *old, const char *name,
                                   uint32_t position, bool *found, struct error *error);
status_t catalog_rename_view(struct store_txn *txn, const struct catalog *catalog,
                             const struct view *view, const char *name, uint32_t position,
                             struct error *error);
status_t catalog_rename_view_column(struct store_txn *txn, const struct view *view, uint32_t place,
                                    const char *name, uint32_t position, struct error *error);
status_t catalog_rename_sequence(struct store_txn *txn, const struct catalog *catalog,
                                 const struct sequence *sequence, const char *name,
                                 uint32_t position, struct error *error);
/* Another DEFAULT (NULL: none) and NOT NULL. */
status_t catalog_change_column(struct store_txn *txn, const struct catalog *catalog,
                               const struct table *table, uint32_t place, bool not_null,
                               const char *default_sql, struct error *error);
/* The column becomes an identity column, with a sequence of its own; or another kind of one
 * (`sequence` is NULL); or none (IDENTITY_NONE), and its sequence goes: 2BP01 when another table
 * takes from it. */
status_t catalog_change_identity(struct store_txn *txn, const struct catalog *catalog,
                                 const struct table *table, uint32_t place,
                                 enum column_identity identity, const struct sequence *sequence,
                                 struct error *error);
/* A check gets another text: a column it names has another name. */
status_t catalog_change_check(struct store_txn *txn, const struct table *table,
                              const struct check *check, const char *sql, struct error *error);
status_t catalog_add_check(struct store_txn *txn, const struct catalog *catalog,
                           const struct table *table, const struct check_definition *definition,
                           struct error *error);
/* *index_id is an index that was added with it and is to be filled, or 0. */
status_t catalog_add_foreign_key(struct store_txn *txn, const struct catalog *catalog,
                                 const struct table *table,
                                 const struct foreign_key_definition *definition,
                                 uint16_t *index_id, struct error *error);
/* Of a table with a hidden row id, which is no column any more; the rows keep their old keys, which
 * is for the executor to change. */
status_t catalog_add_primary_key(struct store_txn *txn, const struct catalog *catalog,
                                 const struct table *table, const struct key_definition *definition,
                                 struct error *error);
/* The table gets a hidden row id, and where a foreign key rested on the primary key an index of its
 * own; the rows keep their old keys, which is for the executor to change. 2BP01 when a foreign key
 * refers to it. */
status_t catalog_drop_primary_key(struct store_txn *txn, const struct catalog *catalog,
                                  const struct table *table, struct error *error);
/* A check, a foreign key or a UNIQUE; *found is false when there is none of that name. 2BP01 when a
 * foreign key needs it. */
status_t catalog_drop_constraint(struct store_txn *txn, const struct catalog *catalog,
                                 const struct table *table, const char *name, bool *found,
                                 struct error *error);
/* Writes the schema rows and gives back the index's id, which the next picture has; filling it is
 * the executor's work. */
status_t catalog_create_index(struct store_txn *txn, const struct catalog *catalog,
                              const struct table *table, const struct key_definition *definition,
                              bool unique, uint16_t *index_id, struct error *error);
/* An index gets other texts for its predicate and its expressions, because a column they name has
 * another name: NULL leaves one as it is. `computed` has one for each of table->computed_count. */
status_t catalog_change_index(struct store_txn *txn, const struct table *table,
                              const struct index *index, const char *predicate,
                              const char *const *computed, struct error *error);
/* An index that is being built: by whom, from where on (a key of a row; empty: from the first), and
 * when that was last true, by the wall clock of the node that did it. */
struct index_build {
    int64_t owner;
    struct slice position; /* got: valid until the transaction ends */
    uint64_t touched_us;
};
status_t catalog_build_get(struct store_txn *txn, uint32_t table_id, uint16_t index_id, bool *found,
                           struct index_build *out, struct error *error);
status_t catalog_build_put(struct store_txn *txn, uint32_t table_id, uint16_t index_id,
                           const struct index_build *build, struct error *error);
/* It has all its entries: from now on queries use it. */
status_t catalog_finish_index(struct store_txn *txn, const struct table *table,
                              const struct index *index, struct error *error);
/* Does the key belong to what was dropped? */
bool catalog_is_garbage(const struct catalog *catalog, struct slice key);
/* Removes some of it, from *position on (empty: from the first), which moves. *more: there is more
 * to be done, in another transaction. The schema does not change by it. */
status_t catalog_garbage_remove(struct store_txn *txn, const struct garbage *garbage,
                                struct buffer *position, bool *more, struct error *error);
/* Removes the entries of a secondary index, to be filled anew. */
status_t catalog_clear_index(struct store_txn *txn, const struct table *table,
                             const struct index *index, struct error *error);
/* Removes the schema rows and the entries. Refused (2BP01) when it is a primary key or a foreign
 * key needs it. */
status_t catalog_drop_index(struct store_txn *txn, const struct catalog *catalog,
                            const struct table *table, const struct index *index,
                            struct error *error);

#endif
