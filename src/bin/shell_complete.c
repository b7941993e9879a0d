/* Tab, of the prompt: what it can be is bin__complete's, names come from the database.
 *
 * They are asked for once for each statement that is begun, and not inside of a transaction, which
 * a question that fails would fail too. Ctrl-C ends the asking. A tab that comes in the midst of
 * other bytes was pasted, and is one. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "bin/shell_complete_int.h"

static const char names_sql[] =
    "SELECT 'r', quote_ident(table_name), '' FROM information_schema.tables "
    "UNION ALL SELECT 'r', quote_ident(sequence_name), '' FROM toydb_internal.sequences "
    "UNION ALL SELECT 'i', quote_ident(index_name), '' FROM toydb_internal.indexes "
    "UNION ALL SELECT 'c', quote_ident(column_name), quote_ident(table_name) "
    "FROM information_schema.columns "
    "UNION ALL SELECT DISTINCT 'f', name, '' FROM toydb_internal.functions "
    "UNION ALL SELECT 's', name, '' FROM toydb_internal.settings";

static bool take_name(void *context, const struct toydb_event *event)
{
    static const enum bin__name_kind kinds[] = {['r' - 'a'] = BIN__NAME_RELATION,
                                                ['i' - 'a'] = BIN__NAME_INDEX,
                                                ['c' - 'a'] = BIN__NAME_COLUMN,
                                                ['f' - 'a'] = BIN__NAME_FUNCTION,
                                                ['s' - 'a'] = BIN__NAME_SETTING};
    if (event->kind != TOYDB_ROW || event->column_count != 3)
        return true;
    for (uint32_t i = 0; i < 3; i++)
        if (event->values[i].type != TOYDB_TEXT)
            return true;
    char letter = *event->values[0].text.data;
    if (letter >= 'a' && letter <= 's')
        bin__names_add(context, kinds[letter - 'a'], event->values[1].text.data,
                       event->values[2].text.data);
    return true;
}

static void names_load(struct bin__completion *completion)
{
    struct bin__shell *shell = completion->shell;
    if (completion->fresh || toydb_transaction_state(shell->session) != TOYDB_TRANSACTION_IDLE)
        return;
    completion->fresh = true;
    struct bin__names names = {0};
    if (bin__shell_ask(shell, names_sql, take_name, &names)) {
        bin__names_free(&completion->names);
        completion->names = names;
    } else {
        bin__names_free(&names);
    }
}

void bin__completion_free(struct bin__completion *completion)
{
    bin__names_free(&completion->names);
}

/* ---- at the cursor ----------------------------------------------------------------------------
 */

static bool is_pasted(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

/* Below the line, in columns. */
static void matches_print(const struct bin__matches *matches, uint32_t screen_width)
{
    enum { SHOWN_MAX = 120 };
    size_t width = 0;
    uint32_t count = matches->count < SHOWN_MAX ? matches->count : SHOWN_MAX;
    for (uint32_t i = 0; i < count; i++) {
        size_t size = strlen(matches->items[i]) + 2;
        width = size > width ? size : width;
    }
    uint32_t columns = screen_width > width ? (uint32_t)(screen_width / width) : 1;
    uint32_t rows = (count + columns - 1) / columns;
    putchar('\n');
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t i = row; i < count; i += rows)
            printf(i + rows < count ? "%-*s" : "%.*s", (int)width, matches->items[i]);
        putchar('\n');
    }
    if (count < matches->count)
        printf("and %u more\n", matches->count - count);
    fflush(stdout);
}

static void matches_find(struct bin__completion *completion, struct slice line,
                         struct bin__matches *matches)
{
    struct bin__split *split = completion->shell->split;
    if (split->state == BIN__SPLIT_TEXT && line.size && line.data[0] == '\\') {
        bin__complete_command(&completion->names, bin__command_names(), line, matches);
        return;
    }
    struct buffer text = {0};
    buffer_append_slice(&text, bin__split_open(split));
    buffer_append_slice(&text, line);
    bin__complete_statement(&completion->names, buffer_slice(&text), matches);
    buffer_free(&text);
}

bool bin__completion_run(struct bin__completion *completion, EditLine *edit)
{
    const LineInfo *info = el_line(edit);
    struct slice line = slice_make(info->buffer, (size_t)(info->cursor - info->buffer));
    struct bin__matches matches;
    bool listed = false;
    if (is_pasted()) {
        el_insertstr(edit, "\t");
        return false;
    }
    names_load(completion);
    matches_find(completion, line, &matches);
    if (matches.count > 0) {
        size_t common = bin__matches_common(&matches);
        char *text = arena_strndup(&matches.arena, matches.items[0], common);
        listed = matches.count > 1 && common == matches.typed;
        el_deletestr(edit, (int)matches.typed);
        el_insertstr(edit, text);
        if (matches.count == 1)
            el_insertstr(edit, (char[]){matches.after, '\0'});
        if (listed)
            matches_print(&matches, completion->shell->output.screen_width);
    } else if (line.size == 0 || matches.typed == 0) {
        el_insertstr(edit, "\t");
    }
    bin__matches_free(&matches);
    return listed;
}
