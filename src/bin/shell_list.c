/* \d, \dt, \di and their like: what there is of a kind, each a query over information_schema and
 * toydb_internal. And what newcomers from other databases ask for that there is not. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "bin/shell_int.h"

#define COMMENT_OF(kind, name)                                                                     \
    "coalesce((SELECT comment FROM toydb_internal.comments WHERE object_type = '" kind             \
    "' AND relation_name = " name "), '')"
#define BY_NAME " ORDER BY 1"

static const struct list {
    const char *command;
    const char *things; /* for "no ... is named like" */
    const char *sql;    /* $1: a LIKE pattern */
    const char *empty;  /* what to say when there are none at all */
} lists[] = {
    {"d", "table, view or sequence",
     "SELECT name, kind, coalesce(comment, '') AS comment FROM (SELECT table_name AS name, CASE "
     "table_type WHEN 'VIEW' THEN "
     "'view' ELSE 'table' END AS kind FROM information_schema.tables UNION ALL SELECT "
     "sequence_name, 'sequence' FROM toydb_internal.sequences) AS r LEFT JOIN "
     "toydb_internal.comments ON relation_name = name AND object_type = kind "
     "WHERE name LIKE $1" BY_NAME,
     "There are no tables; \\h CREATE TABLE tells how to make one."},
    {"dt", "table",
     "SELECT t.table_name AS name, (SELECT count(*) FROM information_schema.columns AS c "
     "WHERE c.table_name = t.table_name) AS columns, (SELECT count(*) FROM toydb_internal.indexes "
     "AS i WHERE i.table_name = t.table_name) AS indexes, " COMMENT_OF(
         "table",
         "t.table_name") " AS comment FROM information_schema.tables AS t "
                         "WHERE table_type = 'BASE TABLE' AND t.table_name LIKE $1" BY_NAME,
     "There are no tables; \\h CREATE TABLE tells how to make one."},
    {"dt+", "table",
     "SELECT t.table_name AS name, s.entries AS about_rows, (SELECT sum(b.bytes) FROM "
     "toydb_internal.table_sizes AS b WHERE b.table_name = t.table_name) AS "
     "about_bytes, " COMMENT_OF(
         "table",
         "t.table_name") " AS comment FROM information_schema.tables AS t LEFT JOIN "
                         "toydb_internal.table_sizes AS s ON s.table_name = t.table_name AND "
                         "s.index_name IS NULL "
                         "WHERE table_type = 'BASE TABLE' AND t.table_name LIKE $1" BY_NAME,
     "There are no tables; \\h CREATE TABLE tells how to make one."},
    {"dv", "view",
     "SELECT v.table_name AS name, (SELECT count(*) FROM information_schema.columns AS c WHERE "
     "c.table_name = v.table_name) AS columns, " COMMENT_OF(
         "view", "v.table_name") " AS comment FROM information_schema.views AS v WHERE "
                                 "v.table_name LIKE $1" BY_NAME,
     "There are no views; \\h CREATE VIEW tells how to make one."},
    {"di", "index",
     "SELECT index_name AS name, table_name AS table, columns || coalesce(' INCLUDE (' || included "
     "|| ')', '') || coalesce(' WHERE ' || predicate, '') AS columns, CASE WHEN is_primary THEN "
     "'primary key' WHEN is_constraint THEN 'unique constraint' WHEN is_unique THEN 'unique' ELSE "
     "'' END AS kind FROM toydb_internal.indexes "
     "WHERE index_name LIKE $1 OR table_name LIKE $1 ORDER BY 2, is_primary DESC, 1",
     "There are no indexes; \\h CREATE INDEX tells how to make one."},
    {"ds", "sequence",
     "SELECT sequence_name AS name, data_type AS type, start_value AS start, increment, "
     "coalesce(owner_table || '.' || owner_column, '') AS owned_by, coalesce(comment, '') AS "
     "comment "
     "FROM toydb_internal.sequences "
     "WHERE sequence_name LIKE $1" BY_NAME,
     "There are no sequences; \\h CREATE SEQUENCE tells how to make one."},
    {"df", "function",
     "SELECT name, arguments, result, kind FROM toydb_internal.functions "
     "WHERE name LIKE $1 ORDER BY 1, 2",
     "There are no functions."},
    {"dn", "schema",
     "SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name LIKE $1",
     "There are no schemas."},
};

/* What is not there, and what is instead; names that others give to what is there. */
static const struct {
    const char *command;
    const char *answer;
} absent[] = {
    {"l", "There is one database, toydb; \\dn lists its schemas, \\status its nodes."},
    {"du", "There are no users and roles: whoever reaches a node may do everything."},
    {"dg", "There are no users and roles: whoever reaches a node may do everything."},
    {"dp", "There are no privileges: whoever reaches a node may do everything."},
    {"z", "There are no privileges: whoever reaches a node may do everything."},
    {"dT", "The types are those of the reference, docs/sql.md; others cannot be made."},
    {"dx", "There are no extensions; \\df lists the functions."},
    {"dm", "There are no materialized views; \\dv lists the views."},
};

static bool take_row(void *context, const struct toydb_event *event)
{
    struct bin__shell *shell = context;
    struct bin__output *output = &shell->output;
    if (event->kind == TOYDB_HEADER)
        bin__output_begin(output, event->columns, event->column_count);
    else if (event->kind == TOYDB_ROW)
        bin__output_row(output, event->values);
    return !output->failed && !shell->pager.left;
}

static int list_print(struct bin__shell *shell, const struct list *list, const char *typed)
{
    struct bin__pattern pattern;
    bin__pattern_parse(*typed ? typed : "*", &pattern);
    shell->output.row_count = 0;
    int code = BIN__EXIT_OK;
    if (pattern.schema)
        code = bin__shell_complain(shell, "the tables of %s are in the reference, docs/sql.md",
                                   pattern.schema);
    else
        code = bin__shell_query(shell, list->sql, pattern.like, take_row, shell);
    bool none = code == BIN__EXIT_OK && shell->output.row_count == 0;
    if (none && shell->output.format == BIN__FORMAT_TABLE) {
        if (*typed)
            buffer_printf(&shell->output.buffer, "No %s is named like %s.\n", list->things, typed);
        else
            buffer_printf(&shell->output.buffer, "%s\n", list->empty);
    } else if (shell->pager.left) {
        bin__output_break(&shell->output);
    } else if (code == BIN__EXIT_OK) {
        bin__output_end(&shell->output, NULL);
    }
    bin__pattern_free(&pattern);
    return bin__output_flush(&shell->output) ? code : BIN__EXIT_FAILED;
}

const char *bin__list_name(size_t i)
{
    return i < sizeof lists / sizeof *lists ? lists[i].command : NULL;
}

int bin__shell_list(struct bin__shell *shell, const char *command, const char *argument)
{
    size_t size = strlen(command);
    bool full = size > 1 && command[size - 1] == '+';
    if (strcmp(command, "d") == 0 || strcmp(command, "d+") == 0)
        if (*argument)
            return bin__shell_describe(shell, argument, full);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (strcmp(command, lists[i].command) == 0)
            return list_print(shell, &lists[i], argument);
    if (full) /* where there is no more to say */
        size--;
    for (size_t i = 0; full && i < sizeof lists / sizeof *lists; i++)
        if (strncmp(command, lists[i].command, size) == 0 && lists[i].command[size] == '\0')
            return list_print(shell, &lists[i], argument);
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        if (strncmp(command, absent[i].command, size) != 0 || absent[i].command[size] != '\0')
            continue;
        bin__output_line(&shell->output, absent[i].answer, NULL);
        return bin__output_flush(&shell->output) ? BIN__EXIT_OK : BIN__EXIT_FAILED;
    }
    return -1;
}

int bin__shell_foreign(struct bin__shell *shell, struct slice line)
{
    static const struct {
        const char *word, *instead;
    } words[] = {
        {"tables", "\\dt lists tables"},
        {"schema", "\\d TABLE shows a table, SHOW CREATE TABLE its statement"},
        {"indexes", "\\di lists indexes"},
        {"indices", "\\di lists indexes"},
        {"databases", "\\dn lists schemas"},
        {"quit", "\\q quits"},
        {"exit", "\\q quits"},
        {"help", "\\? lists the commands"},
        {"mode", "\\format sets the format of results"},
        {"read", "\\i FILE runs the statements in a file"},
        {"import", "\\copy TABLE FROM FILE reads a file"},
        {"timer", "\\timing on shows how long statements take"},
        {"open", "\\c HOST:PORT connects to another node"},
    };
    size_t size = 1;
    ASSERT(line.size > 0 && line.data[0] == '.');
    while (size < line.size && line.data[size] >= 'a' && line.data[size] <= 'z')
        size++;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == size - 1 &&
            memcmp(words[i].word, line.data + 1, size - 1) == 0)
            return bin__shell_complain(
                shell, "commands begin with a backslash, not with a point: %s", words[i].instead);
    return bin__shell_complain(shell, "commands begin with a backslash, not with a point: "
                                      "\\? lists them");
}
