/* \d: the schema, from SHOW TABLES, SHOW COLUMNS, SHOW INDEXES and SHOW CREATE TABLE.
 *
 * The last is read for one thing only: its lines "CONSTRAINT name FOREIGN KEY (...) ...". */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/shell_int.h"
#include "bin/text_int.h"

static bool is_plain_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_' ||
              (*c >= '0' && *c <= '9' && c > name)))
            return false;
    return true;
}

/* What the user typed, made safe to stand in a statement: "Odd Name" stays as quoted. */
static void name_quote(struct buffer *out, const char *name)
{
    size_t size = strlen(name);
    bool quoted = size >= 2 && name[0] == '"' && name[size - 1] == '"';
    if (is_plain_name(name)) {
        buffer_append_string(out, name);
        return;
    }
    buffer_append_byte(out, '"');
    for (size_t i = quoted; i < size - quoted; i++) {
        bool doubled = quoted && name[i] == '"' && name[i + 1] == '"';
        if (name[i] == '"')
            buffer_append_byte(out, '"');
        buffer_append_byte(out, (uint8_t)name[i]);
        i += doubled;
    }
    buffer_append_byte(out, '"');
}

static char *statement_of(const char *begin, const char *table)
{
    struct buffer text = {0};
    buffer_append_string(&text, begin);
    if (table)
        name_quote(&text, table);
    char *copy = mem_strndup((const char *)text.data, text.size);
    buffer_free(&text);
    return copy;
}

static int query(struct bin__shell *shell, const char *begin, const char *table,
                 toydb_event_fn *each, void *context)
{
    struct toydb_error error = {0};
    char *sql = statement_of(begin, table);
    enum toydb_result result = toydb_execute(shell->session, sql, NULL, 0, each, context, &error);
    mem_free(sql);
    if (result == TOYDB_OK)
        return BIN__EXIT_OK;
    bin__shell_complain(shell, "%s (SQLSTATE %s)", error.message, error.sqlstate);
    if (*error.hint)
        fprintf(stderr, "HINT:  %s\n", error.hint);
    return result == TOYDB_UNREACHABLE ? BIN__EXIT_UNREACHABLE : BIN__EXIT_FAILED;
}

/* ---- \d table ------------------------------------------------------------------------------- */

struct description {
    struct bin__output *output;
    struct buffer below; /* what stands below the columns */
    uint32_t indexes;
};

static const char *text_of(const struct toydb_value *value)
{
    return value->type == TOYDB_TEXT ? value->text.data : "";
}

static bool is_true(const struct toydb_value *value)
{
    return value->type == TOYDB_BOOLEAN && value->boolean;
}

/* name, type, nullable, default, primary_key. */
static bool take_column(void *context, const struct toydb_event *event)
{
    struct description *description = context;
    static const struct toydb_column columns[] = {{.name = "column", .type = TOYDB_TEXT},
                                                  {.name = "type", .type = TOYDB_TEXT},
                                                  {.name = "nullable", .type = TOYDB_TEXT},
                                                  {.name = "default", .type = TOYDB_TEXT}};
    if (event->kind == TOYDB_HEADER)
        bin__output_begin(description->output, columns, 4);
    if (event->kind != TOYDB_ROW || event->column_count < 4)
        return true;
    struct toydb_value row[4];
    memcpy(row, event->values, sizeof row);
    const char *nullable = is_true(&row[2]) ? "" : "not null";
    row[2] = (struct toydb_value){.type = TOYDB_TEXT, .text = {nullable, strlen(nullable)}};
    if (row[3].type == TOYDB_NULL)
        row[3] = (struct toydb_value){.type = TOYDB_TEXT, .text = {"", 0}};
    bin__output_row(description->output, row);
    return true;
}

/* name, columns, unique, primary_key. */
static bool take_index(void *context, const struct toydb_event *event)
{
    struct description *description = context;
    if (event->kind != TOYDB_ROW || event->column_count < 4)
        return true;
    const struct toydb_value *row = event->values;
    buffer_append_string(&description->below, description->indexes++ ? "" : "Indexes:\n");
    buffer_append_string(&description->below, "    ");
    bin__text_show(&description->below, slice_from_string(text_of(&row[0])), false);
    buffer_append_string(&description->below, is_true(&row[3])   ? " PRIMARY KEY ("
                                              : is_true(&row[2]) ? " UNIQUE ("
                                                                 : " (");
    bin__text_show(&description->below, slice_from_string(text_of(&row[1])), false);
    buffer_append_string(&description->below, ")\n");
    return true;
}

/* Lines of the text that hold `mark` go below `title`, without what begins them ("CONSTRAINT",
 * "COMMENT ON") and the comma. */
static void take_constraints(struct buffer *out, const char *text, const char *mark,
                             const char *title)
{
    static const char lead[] = "CONSTRAINT ";
    static const char comment[] = "COMMENT ON ";
    bool any = false;
    for (const char *line = text; *line; line += *line == '\n') {
        size_t size = strcspn(line, "\n");
        const char *found = memmem(line, size, mark, strlen(mark));
        const char *from = line + strspn(line, " ");
        const char *end = line + size - (size && line[size - 1] == ',');
        line += size;
        if (!found)
            continue;
        if (strncmp(from, lead, strlen(lead)) == 0)
            from += strlen(lead);
        else if (strncmp(from, comment, strlen(comment)) == 0)
            from += strlen(comment);
        buffer_printf(out, "%s    ", any ? "" : title);
        bin__text_show(out, slice_make(from, (size_t)(end - from)), false);
        buffer_append_byte(out, '\n');
        any = true;
    }
}

/* table, create_table. */
static bool take_create(void *context, const struct toydb_event *event)
{
    struct description *description = context;
    if (event->kind != TOYDB_ROW || event->column_count < 2)
        return true;
    const char *text = text_of(&event->values[1]);
    take_constraints(&description->below, text, " FOREIGN KEY (", "Foreign keys:\n");
    take_constraints(&description->below, text, " CHECK (", "Checks:\n");
    take_constraints(&description->below, text, "COMMENT ON ", "Comments:\n");
    return true;
}

static int describe_table(struct bin__shell *shell, const char *table)
{
    /* Nothing is printed before the table is known to exist. */
    struct bin__output columns;
    bin__output_init(&columns, shell->output.write, shell->output.context);
    columns.pretty = shell->output.pretty;
    columns.colour = shell->output.colour;
    struct description description = {.output = &columns};
    int code = query(shell, "SHOW COLUMNS FROM ", table, take_column, &description);
    if (code == BIN__EXIT_OK)
        code = query(shell, "SHOW INDEXES FROM ", table, take_index, &description);
    if (code == BIN__EXIT_OK)
        code = query(shell, "SHOW CREATE TABLE ", table, take_create, &description);
    if (code == BIN__EXIT_OK) {
        struct buffer *out = &shell->output.buffer;
        buffer_printf(out, "Table %s\n", table);
        bin__output_flush(&shell->output);
        bin__table_chunk(&columns);
        buffer_append_slice(&columns.buffer, buffer_slice(&description.below));
        buffer_append_byte(&columns.buffer, '\n');
        bin__output_flush(&columns);
    }
    buffer_free(&description.below);
    bin__output_free(&columns);
    return code;
}

/* ---- \d ------------------------------------------------------------------------------------- */

static bool take_table(void *context, const struct toydb_event *event)
{
    struct bin__output *output = context;
    if (event->kind == TOYDB_HEADER)
        bin__output_begin(output, event->columns, event->column_count);
    else if (event->kind == TOYDB_ROW)
        bin__output_row(output, event->values);
    else if (event->kind == TOYDB_COMPLETION)
        bin__output_end(output, NULL);
    return true;
}

int bin__shell_describe(struct bin__shell *shell, const char *table)
{
    int code = table ? describe_table(shell, table)
                     : query(shell, "SHOW TABLES", NULL, take_table, &shell->output);
    return bin__output_flush(&shell->output) ? code : BIN__EXIT_FAILED;
}
