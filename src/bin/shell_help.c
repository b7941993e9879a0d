/* \? and \h. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "bin/shell_int.h"

static const char help[] =
    "Statements end with a semicolon and may span lines. Ctrl-C cancels, Ctrl-D quits.\n"
    "\n"
    "Schema\n"
    "  \\d              list tables\n"
    "  \\d TABLE        columns, indexes and foreign keys of a table\n"
    "  \\h              list SQL commands\n"
    "  \\h COMMAND      syntax of an SQL command\n"
    "\n"
    "Cluster\n"
    "  \\status         nodes, leader, and how far each has come\n"
    "  \\c HOST:PORT    connect to another node\n"
    "\n"
    "Output\n"
    "  \\x [on|off|auto]  one column a line; auto: when rows are wider than the screen\n"
    "  \\format FORMAT    table, csv, tsv, json or line\n"
    "  \\timing [on|off]  show how long each statement took\n"
    "\n"
    "Other\n"
    "  \\i FILE         run the statements in a file\n"
    "  \\r              drop the statement typed so far\n"
    "  \\q              quit\n";

void bin__shell_help(struct bin__shell *shell)
{
    buffer_append_string(&shell->output.buffer, help);
    buffer_append_byte(&shell->output.buffer, '\n');
    bin__output_flush(&shell->output);
}

static const struct {
    const char *command;
    const char *syntax;
} topics[] = {
    {"BEGIN",
     "BEGIN [READ ONLY]\n"
     "    The transaction is serializable: it runs as if alone. One that meets a conflict\n"
     "    ends with SQLSTATE 40001 and is to be run again."},
    {"COMMIT", "COMMIT"},
    {"COPY",
     "COPY table [(column, ...)] FROM STDIN [WITH (FORMAT csv, HEADER, DELIMITER ',', NULL '')]\n"
     "COPY table [(column, ...)] | (query) TO STDOUT [WITH (...)]"},
    {"COMMENT", "COMMENT ON { TABLE | VIEW | SEQUENCE | INDEX } name IS { 'text' | NULL }\n"
                "COMMENT ON COLUMN table.column IS { 'text' | NULL }"},
    {"CREATE INDEX", "CREATE [UNIQUE] INDEX [IF NOT EXISTS] [name] ON table (column [DESC], ...)"},
    {"CREATE TABLE",
     "CREATE TABLE [IF NOT EXISTS] name (\n"
     "    column type [PRIMARY KEY] [UNIQUE] [NOT NULL] [DEFAULT value]\n"
     "           [REFERENCES table [(column)]], ...\n"
     "    [, PRIMARY KEY (column, ...)] [, UNIQUE (column, ...)]\n"
     "    [, FOREIGN KEY (column, ...) REFERENCES table [(column, ...)]]\n"
     ")\n"
     "    Types: BOOLEAN, SMALLINT, INTEGER, BIGINT, DOUBLE PRECISION, TEXT, VARCHAR(n)"},
    {"DELETE", "DELETE FROM table [WHERE condition]"},
    {"DROP INDEX", "DROP INDEX [IF EXISTS] name"},
    {"DROP TABLE", "DROP TABLE [IF EXISTS] name"},
    {"EXPLAIN", "EXPLAIN [ANALYZE] statement"},
    {"INSERT", "INSERT INTO table [(column, ...)] VALUES (expression, ...), ...\n"
               "INSERT INTO table [(column, ...)] SELECT ..."},
    {"ROLLBACK", "ROLLBACK"},
    {"SELECT", "SELECT [DISTINCT] expression [AS name], ...\n"
               "    FROM table [AS name] [[LEFT | RIGHT | CROSS] JOIN table ON condition ...]\n"
               "    [WHERE condition] [GROUP BY expression, ...] [HAVING condition]\n"
               "    [ORDER BY expression [DESC], ...] [LIMIT count] [OFFSET count]"},
    {"SET", "SET setting = value"},
    {"SHOW", "SHOW setting | ALL | TABLES\n"
             "SHOW COLUMNS FROM table\n"
             "SHOW INDEXES FROM table\n"
             "SHOW CREATE TABLE table"},
    {"UPDATE", "UPDATE table SET column = expression, ... [WHERE condition]"},
};

int bin__shell_help_sql(struct bin__shell *shell, const char *topic)
{
    struct buffer *out = &shell->output.buffer;
    size_t size = strlen(topic);
    bool any = false;
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        if (strncasecmp(topics[i].command, topic, size) != 0)
            continue;
        if (size)
            buffer_printf(out, "%s%s\n", any ? "\n" : "", topics[i].syntax);
        else
            buffer_printf(out, "%s\n", topics[i].command);
        any = true;
    }
    if (!any)
        return bin__shell_complain(shell, "no help on \"%s\"; \\h lists what there is", topic);
    if (!size)
        buffer_append_string(out, "\\h COMMAND shows the syntax of one.\n");
    bin__output_flush(&shell->output);
    return BIN__EXIT_OK;
}
