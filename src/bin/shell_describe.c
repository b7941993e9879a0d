/* \d NAME: all there is to know of a table, view, sequence or index, from information_schema and
 * toydb_internal.
 *
 *     Table orders
 *      column      | type    | nullable | default
 *     -------------+---------+----------+---------
 *      id          | integer | not null |
 *      customer_id | integer |          |
 *     Indexes:
 *         orders_pkey PRIMARY KEY (id)
 *     Foreign keys:
 *         orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES customer (id)
 *
 * The columns are a result of one query; each section below them is one of another, whose rows are
 * lines ready to be printed. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/shell_int.h"
#include "bin/text_int.h"

/* ---- names ------------------------------------------------------------------------------------
 */

static char *take_text(struct buffer *buffer)
{
    char *text =
        buffer->size ? mem_strndup((const char *)buffer->data, buffer->size) : mem_strdup("");
    buffer_reset(buffer);
    return text;
}

void bin__pattern_parse(const char *typed, struct bin__pattern *out)
{
    struct buffer name = {0}, like = {0};
    bool quoted = false;
    *out = (struct bin__pattern){0};
    for (const char *c = typed; *c; c++) {
        bool doubled = quoted && c[0] == '"' && c[1] == '"';
        if (*c == '"' && !doubled) {
            quoted = !quoted;
        } else if (*c == '.' && !quoted && !out->schema) {
            out->schema = take_text(&name);
            buffer_reset(&like);
        } else if ((*c == '*' || *c == '?') && !quoted) {
            buffer_append_byte(&like, *c == '*' ? '%' : '_');
            out->wild = true;
        } else {
            uint8_t byte = (uint8_t)(*c >= 'A' && *c <= 'Z' && !quoted ? *c - 'A' + 'a' : *c);
            if (byte == '%' || byte == '_' || byte == '\\')
                buffer_append_byte(&like, '\\');
            buffer_append_byte(&like, byte);
            buffer_append_byte(&name, byte);
        }
        c += doubled;
    }
    out->name = take_text(&name);
    out->like = take_text(&like);
    buffer_free(&name);
    buffer_free(&like);
    if (out->schema && strcmp(out->schema, "public") == 0) {
        mem_free(out->schema);
        out->schema = NULL;
    }
}

void bin__pattern_free(struct bin__pattern *pattern)
{
    mem_free(pattern->schema);
    mem_free(pattern->name);
    mem_free(pattern->like);
    *pattern = (struct bin__pattern){0};
}

static void name_append(struct buffer *out, const char *name)
{
    buffer_append_byte(out, '"');
    for (const char *c = name; *c; c++) {
        if (*c == '"')
            buffer_append_byte(out, '"');
        buffer_append_byte(out, (uint8_t)*c);
    }
    buffer_append_byte(out, '"');
}

/* Is the result's text, which lives until the next event. */
static const char *text_of(const struct toydb_value *value)
{
    return value->type == TOYDB_TEXT ? value->text.data : "";
}

static struct toydb_value text_value(const char *text)
{
    return (struct toydb_value){.type = TOYDB_TEXT, .text = {text, strlen(text)}};
}

/* ---- columns ----------------------------------------------------------------------------------
 */

struct columns {
    struct bin__output *output;
    uint32_t shown; /* columns of the table printed: the last are left out where they say nothing */
    uint32_t rows;
};

/* name, type, nullable, default, comment */
static const char columns_sql[] =
    "SELECT column_name, column_type, CASE is_nullable WHEN 'NO' THEN 'not null' ELSE '' END, "
    "CASE WHEN is_identity = 'YES' THEN 'generated ' || lower(identity_generation) || ' as "
    "identity' ELSE coalesce(column_default, '') END, coalesce(column_comment, '') "
    "FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position";
static const char comments_sql[] = "SELECT 1 FROM information_schema.columns "
                                   "WHERE table_name = $1 AND column_comment <> '' LIMIT 1";

static bool take_any(void *context, const struct toydb_event *event)
{
    bool *any = context;
    *any = *any || event->kind == TOYDB_ROW;
    return true;
}

static bool take_column(void *context, const struct toydb_event *event)
{
    struct columns *columns = context;
    static const struct toydb_column head[] = {{.name = "column", .type = TOYDB_TEXT},
                                               {.name = "type", .type = TOYDB_TEXT},
                                               {.name = "nullable", .type = TOYDB_TEXT},
                                               {.name = "default", .type = TOYDB_TEXT},
                                               {.name = "comment", .type = TOYDB_TEXT}};
    if (event->kind == TOYDB_HEADER)
        bin__output_begin(columns->output, head, columns->shown);
    if (event->kind != TOYDB_ROW || event->column_count < columns->shown)
        return true;
    bin__output_row(columns->output, event->values);
    columns->rows++;
    return true;
}

/* Of a query's result, which is none of its rows. */
static bool take_header(void *context, const struct toydb_event *event)
{
    struct columns *columns = context;
    static const struct toydb_column head[] = {{.name = "column", .type = TOYDB_TEXT},
                                               {.name = "type", .type = TOYDB_TEXT}};
    if (event->kind != TOYDB_HEADER)
        return true;
    bin__output_begin(columns->output, head, 2);
    for (uint32_t i = 0; i < event->column_count; i++) {
        const struct toydb_value row[] = {
            text_value(event->columns[i].name),
            text_value(event->columns[i].type_name ? event->columns[i].type_name : "")};
        bin__output_row(columns->output, row);
    }
    return true;
}

/* Of what has no row in information_schema.columns: the tables about the database, and views of
 * them. */
static int columns_of_query(struct bin__shell *shell, const char *schema, const char *name,
                            struct columns *columns)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT * FROM ");
    if (schema) {
        name_append(&sql, schema);
        buffer_append_byte(&sql, '.');
    }
    name_append(&sql, name);
    buffer_append_string(&sql, " LIMIT 0");
    buffer_append_byte(&sql, '\0');
    int code = bin__shell_query(shell, (const char *)sql.data, NULL, take_header, columns);
    buffer_free(&sql);
    return code;
}

static int columns_print(struct bin__shell *shell, const char *name, bool view,
                         struct bin__output *output)
{
    bool comments = false;
    struct columns columns = {.output = output};
    int code = bin__shell_query(shell, comments_sql, name, take_any, &comments);
    columns.shown = comments ? 5 : view ? 2 : 4;
    if (code == BIN__EXIT_OK)
        code = bin__shell_query(shell, columns_sql, name, take_column, &columns);
    if (code == BIN__EXIT_OK && columns.rows == 0)
        code = columns_of_query(shell, NULL, name, &columns);
    bin__table_chunk(output);
    return code;
}

/* ---- what stands below ------------------------------------------------------------------------
 */

enum { OF_TABLE = 1, OF_VIEW = 2, OF_SEQUENCE = 4, OF_INDEX = 8, OF_ALL = 15, IN_FULL = 16 };

#define INDEX_TEXT                                                                                 \
    "CASE WHEN is_primary THEN ' PRIMARY KEY' WHEN is_constraint THEN ' UNIQUE CONSTRAINT' "       \
    "WHEN is_unique THEN ' UNIQUE' ELSE '' END || ' (' || columns || ')' || "                      \
    "coalesce(' INCLUDE (' || included || ')', '') || coalesce(' WHERE ' || predicate, '') || "    \
    "CASE WHEN is_building THEN ', being built: not read yet' ELSE '' END"

static const struct section {
    uint32_t of; /* whose, and IN_FULL: only of \d+ */
    const char *title;
    const char *sql;
} sections[] = {
    {OF_TABLE, "Indexes",
     "SELECT quote_ident(index_name) || " INDEX_TEXT " FROM toydb_internal.indexes "
     "WHERE table_name = $1 ORDER BY is_primary DESC, index_name"},
    {OF_TABLE, "Checks",
     "SELECT quote_ident(constraint_name) || ' ' || definition FROM toydb_internal.constraints "
     "WHERE table_name = $1 AND constraint_type = 'CHECK' ORDER BY constraint_name"},
    {OF_TABLE, "Foreign keys",
     "SELECT quote_ident(constraint_name) || ' ' || definition FROM toydb_internal.constraints "
     "WHERE table_name = $1 AND constraint_type = 'FOREIGN KEY' ORDER BY constraint_name"},
    {OF_TABLE, "Referenced by",
     "SELECT 'table ' || quote_ident(table_name) || ': ' || quote_ident(constraint_name) || ' ' || "
     "definition FROM toydb_internal.constraints WHERE referenced_table = $1 "
     "ORDER BY table_name, constraint_name"},
    {OF_TABLE, "Sequences",
     "SELECT quote_ident(sequence_name) || ' of column ' || quote_ident(owner_column) "
     "FROM toydb_internal.sequences WHERE owner_table = $1 ORDER BY sequence_name"},
    {OF_VIEW, "Definition",
     "SELECT view_definition FROM information_schema.views WHERE table_name = $1"},
    {OF_SEQUENCE, "Values",
     "SELECT data_type || ' from ' || start_value || ' by ' || increment || ', least ' || "
     "minimum_value || ', greatest ' || maximum_value || CASE WHEN is_cycling THEN ', cycles' ELSE "
     "'' END || coalesce(', cache ' || cache_size, '') FROM toydb_internal.sequences "
     "WHERE sequence_name = $1"},
    {OF_SEQUENCE, "Owned by",
     "SELECT quote_ident(owner_table) || '.' || quote_ident(owner_column) "
     "FROM toydb_internal.sequences WHERE sequence_name = $1 AND owner_table <> ''"},
    {OF_INDEX, "Definition",
     "SELECT 'table ' || quote_ident(table_name) || ':' || " INDEX_TEXT
     " FROM toydb_internal.indexes WHERE index_name = $1"},
    {OF_TABLE | IN_FULL, "Size",
     "SELECT CASE WHEN index_name IS NULL THEN 'rows' ELSE quote_ident(index_name) END || ': about "
     "' || entries || ' entries, ' || bytes || ' bytes' FROM toydb_internal.table_sizes "
     "WHERE table_name = $1"},
    {OF_TABLE | OF_VIEW | OF_SEQUENCE, "Comment",
     "SELECT comment FROM toydb_internal.comments WHERE relation_name = $1 AND part_name IS NULL"},
    {OF_TABLE, "Comments on indexes",
     "SELECT quote_ident(part_name) || ': ' || comment FROM toydb_internal.comments "
     "WHERE relation_name = $1 AND object_type = 'index' ORDER BY part_name"},
    {OF_INDEX, "Comment",
     "SELECT comment FROM toydb_internal.comments WHERE part_name = $1 AND object_type = 'index'"},
};

struct lines {
    struct buffer *out;
    const char *title;
    bool any;
};

static bool take_line(void *context, const struct toydb_event *event)
{
    struct lines *lines = context;
    if (event->kind != TOYDB_ROW || event->column_count < 1)
        return true;
    if (!lines->any)
        buffer_printf(lines->out, "%s:\n", lines->title);
    lines->any = true;
    struct buffer shown = {0};
    bin__text_show(&shown, slice_from_string(text_of(&event->values[0])), true);
    buffer_append_string(lines->out, "    ");
    for (size_t i = 0; i < shown.size; i++) {
        buffer_append_byte(lines->out, shown.data[i]);
        if (shown.data[i] == '\n')
            buffer_append_string(lines->out, "    ");
    }
    buffer_append_byte(lines->out, '\n');
    buffer_free(&shown);
    return true;
}

static int sections_print(struct bin__shell *shell, const char *name, uint32_t of,
                          struct buffer *out)
{
    int code = BIN__EXIT_OK;
    for (size_t i = 0; i < sizeof sections / sizeof *sections && code == BIN__EXIT_OK; i++) {
        const struct section *section = &sections[i];
        struct lines lines = {.out = out, .title = section->title};
        if ((section->of & of & OF_ALL) && !(section->of & ~of & IN_FULL))
            code = bin__shell_query(shell, section->sql, name, take_line, &lines);
    }
    return code;
}

/* ---- relations --------------------------------------------------------------------------------
 */

static const struct {
    const char *kind; /* as relations_sql has it */
    const char *title;
    uint32_t of;
} kinds[] = {{"table", "Table", OF_TABLE},
             {"view", "View", OF_VIEW},
             {"sequence", "Sequence", OF_SEQUENCE},
             {"index", "Index", OF_INDEX}};

static const char relations_sql[] =
    "SELECT table_name AS name, CASE table_type WHEN 'VIEW' THEN 'view' ELSE 'table' END AS kind "
    "FROM information_schema.tables WHERE table_name LIKE $1 "
    "UNION ALL SELECT sequence_name, 'sequence' FROM toydb_internal.sequences "
    "WHERE sequence_name LIKE $1 "
    "UNION ALL SELECT index_name, 'index' FROM toydb_internal.indexes WHERE index_name LIKE $1 "
    "ORDER BY 1";

static int describe_relation(struct bin__shell *shell, const char *name, const char *kind,
                             bool full)
{
    size_t at = 0;
    while (at + 1 < sizeof kinds / sizeof *kinds && strcmp(kinds[at].kind, kind) != 0)
        at++;
    uint32_t of = kinds[at].of;
    struct bin__output columns;
    struct buffer below = {0};
    int code = BIN__EXIT_OK;
    bin__output_init(&columns, shell->output.write, shell->output.context);
    columns.pretty = shell->output.pretty;
    columns.colour = shell->output.colour;
    if (of & (OF_TABLE | OF_VIEW))
        code = columns_print(shell, name, of == OF_VIEW, &columns);
    if (code == BIN__EXIT_OK)
        code = sections_print(shell, name, of | (full ? IN_FULL : 0), &below);
    if (code == BIN__EXIT_OK) { /* nothing is printed before all is known */
        struct buffer *out = &shell->output.buffer;
        buffer_printf(out, "%s ", kinds[at].title);
        bin__text_show(out, slice_from_string(name), false);
        buffer_append_byte(out, '\n');
        buffer_append_slice(out, buffer_slice(&columns.buffer));
        buffer_append_slice(out, buffer_slice(&below));
        buffer_append_byte(out, '\n');
        if (!bin__output_flush(&shell->output))
            code = BIN__EXIT_FAILED;
    }
    buffer_free(&below);
    bin__output_free(&columns);
    return code;
}

struct relations {
    struct buffer names; /* name and kind in turn, each with a NUL */
};

static bool take_relation(void *context, const struct toydb_event *event)
{
    struct relations *relations = context;
    for (uint32_t i = 0; event->kind == TOYDB_ROW && i < 2 && event->column_count == 2; i++) {
        buffer_append_string(&relations->names, text_of(&event->values[i]));
        buffer_append_byte(&relations->names, '\0');
    }
    return true;
}

/* The server's own error names the nearest table. */
static int nothing_found(struct bin__shell *shell, const char *typed,
                         const struct bin__pattern *pattern)
{
    if (pattern->wild)
        return bin__shell_complain(shell, "nothing is named like %s", typed);
    struct buffer sql = {0};
    bool any = false;
    buffer_append_string(&sql, "SHOW COLUMNS FROM ");
    name_append(&sql, pattern->name);
    buffer_append_byte(&sql, '\0');
    int code = bin__shell_query(shell, (const char *)sql.data, NULL, take_any, &any);
    buffer_free(&sql);
    /* It has been made since. */
    return code == BIN__EXIT_OK ? bin__shell_complain(shell, "%s changed just now", typed) : code;
}

/* A table about the database. */
static int describe_internal(struct bin__shell *shell, const struct bin__pattern *pattern)
{
    struct bin__output output;
    struct columns columns = {.output = &output};
    bin__output_init(&output, shell->output.write, shell->output.context);
    output.pretty = shell->output.pretty;
    output.colour = shell->output.colour;
    int code = columns_of_query(shell, pattern->schema, pattern->name, &columns);
    if (code == BIN__EXIT_OK) {
        buffer_printf(&shell->output.buffer, "Table %s.%s\n", pattern->schema, pattern->name);
        bin__output_flush(&shell->output);
        bin__table_chunk(&output);
        buffer_append_byte(&output.buffer, '\n');
        bin__output_flush(&output);
    }
    bin__output_free(&output);
    return code;
}

int bin__shell_describe(struct bin__shell *shell, const char *typed, bool full)
{
    struct bin__pattern pattern;
    struct relations relations = {0};
    ASSERT(*typed);
    bin__pattern_parse(typed, &pattern);
    int code = BIN__EXIT_OK;
    if (pattern.schema) {
        code = describe_internal(shell, &pattern);
    } else {
        code = bin__shell_query(shell, relations_sql, pattern.like, take_relation, &relations);
        if (code == BIN__EXIT_OK && relations.names.size == 0)
            code = nothing_found(shell, typed, &pattern);
    }
    for (size_t at = 0; at < relations.names.size && code == BIN__EXIT_OK;) {
        const char *name = (const char *)relations.names.data + at;
        const char *kind = name + strlen(name) + 1;
        at += strlen(name) + strlen(kind) + 2;
        code = describe_relation(shell, name, kind, full);
    }
    buffer_free(&relations.names);
    bin__pattern_free(&pattern);
    return code;
}
