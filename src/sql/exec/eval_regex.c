/* Regular expressions, by PCRE2: ~ and its kin, SIMILAR TO, regexp_like, regexp_count,
 * regexp_instr, regexp_substr, regexp_replace.
 *
 * As in PostgreSQL a dot matches a line break and $ only the very end. A pattern that is constant
 * is compiled once for the statement; another one again whenever it differs from that of the row
 * before, in memory that is given back with the batch. What a match may do is limited, in steps and
 * in memory: a pattern of a client must not hold up the node. Beyond that it is found in another
 * way (eval_regex_walk.c), if it can be. */
#include "sql/exec/eval_regex_int.h"

#include <string.h>

#include "base/utf8.h"

enum {
    PATTERN_MAX = 1 << 16,    /* bytes */
    STEPS_MAX = 1000000,      /* calls of the matcher inside itself, for one match */
    HEAP_KIB_MAX = 16 * 1024, /* for one match */
    BACKTRACK_MAX = 100000    /* depth */
};

static void *take_memory(size_t size, void *arena)
{
    return arena_alloc(arena, size);
}

static void leave_memory(void *memory, void *arena)
{
    (void)memory; /* goes with the arena */
    (void)arena;
}

/* ---- patterns ----------------------------------------------------------------------------------
 */

/* What PostgreSQL writes for the bounds of words, and PCRE2 does not know: \m where one begins, \M
 * where it ends, \y either, \Y neither. */
static struct slice words_translated(struct slice pattern, struct arena *arena)
{
    struct buffer text = {0};
    for (size_t i = 0; i < pattern.size; i++) {
        uint8_t next = pattern.data[i] == '\\' && i + 1 < pattern.size ? pattern.data[i + 1] : 0;
        if (next == 'm')
            buffer_append_string(&text, "\\b(?=\\w)");
        else if (next == 'M')
            buffer_append_string(&text, "\\b(?<=\\w)");
        else if (next == 'y' || next == 'Y')
            buffer_append_string(&text, next == 'y' ? "\\b" : "\\B");
        else
            buffer_append_slice(&text, slice_make(pattern.data + i, next ? 2 : 1));
        i += next != 0;
    }
    struct slice copy = arena_copy(arena, buffer_slice(&text));
    buffer_free(&text);
    return copy;
}

static status_t compile(const struct eval *eval, struct slice pattern, uint32_t options,
                        struct arena *arena, struct regex **out, struct error *error)
{
    struct regex *regex = arena_zalloc(arena, sizeof *regex);
    int code = 0;
    PCRE2_SIZE offset = 0;
    *out = NULL;
    if (pattern.size > PATTERN_MAX)
        return error_sql(error, "54000", eval->expr->position,
                         "regular expression is longer than %d bytes", PATTERN_MAX);
    regex->pattern = arena_copy(arena, pattern);
    regex->options = options;
    regex->general = pcre2_general_context_create(take_memory, leave_memory, arena);
    if (pattern.size >= 4 && memcmp(pattern.data, "***=", 4) == 0) {
        options |= PCRE2_LITERAL;
        pattern = slice_make(pattern.data + 4, pattern.size - 4);
    }
    pcre2_compile_context *context = pcre2_compile_context_create(regex->general);
    options |= PCRE2_UTF | PCRE2_NO_UTF_CHECK;
    if (options & PCRE2_LITERAL)
        options &= PCRE2_LITERAL | PCRE2_CASELESS | PCRE2_UTF | PCRE2_NO_UTF_CHECK;
    else
        options |= PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
    struct slice words = options & PCRE2_LITERAL ? pattern : words_translated(pattern, arena);
    regex->code = pcre2_compile(words.size ? words.data : (const uint8_t *)"", words.size, options,
                                &code, &offset, context);
    if (!regex->code) {
        char message[128] = "";
        pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof message);
        return error_sql(error, "2201B", eval->expr->position, "invalid regular expression: %s",
                         message);
    }
    regex->translated = words;
    regex->compiled_options = options;
    regex->arena = arena;
    regex->match = pcre2_match_data_create_from_pattern(regex->code, regex->general);
    regex->limits = pcre2_match_context_create(regex->general);
    pcre2_set_match_limit(regex->limits, STEPS_MAX);
    pcre2_set_heap_limit(regex->limits, HEAP_KIB_MAX);
    pcre2_set_depth_limit(regex->limits, BACKTRACK_MAX);
    *out = regex;
    return OK;
}

/* The first match from `start` on; *found. 54001 when it takes too much. */
static status_t find(const struct eval *eval, struct regex *regex, struct slice text, size_t start,
                     enum regex_wish wish, bool *found, struct error *error)
{
    status_t status = exec__cancel_check(eval->exec, error);
    if (status != OK)
        return status;
    int rc = PCRE2_ERROR_MATCHLIMIT;
    if (!regex->walks || wish == REGEX_GROUPS)
        rc = pcre2_match(regex->code, text.size ? text.data : (const uint8_t *)"", text.size, start,
                         PCRE2_NO_UTF_CHECK, regex->match, regex->limits);
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH) {
        rc = exec__regex_walk(regex, text, start, wish);
        regex->walks = rc >= 0 || rc == PCRE2_ERROR_NOMATCH;
    }
    *found = rc >= 0;
    if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH)
        return OK;
    return error_sql(error, "54001", eval->expr->position,
                     "regular expression is too complex for the text");
}

/* How many bytes [:alpha:] or its like takes at that place, 0: it is none. */
static size_t class_size(struct slice pattern, size_t at)
{
    if (pattern.size - at < 4 || pattern.data[at] != '[' || pattern.data[at + 1] != ':')
        return 0;
    size_t end = at + 2;
    while (end < pattern.size && pattern.data[end] >= 'a' && pattern.data[end] <= 'z')
        end++;
    bool closed =
        pattern.size - end >= 2 && pattern.data[end] == ':' && pattern.data[end + 1] == ']';
    return closed ? end + 2 - at : 0;
}

/* SIMILAR TO's pattern as one of ours: the whole text, % and _ for any, the rest of the characters
 * that PCRE2 gives a meaning quoted. */
static status_t translate(const struct eval *eval, struct slice pattern, struct slice escape,
                          struct arena *arena, struct slice *out, struct error *error)
{
    struct buffer text = {0};
    bool in_set = false;
    bool ends_escaped = false;
    buffer_append_string(&text, "\\A(?:");
    for (size_t i = 0; i < pattern.size; i++) {
        uint8_t byte = pattern.data[i];
        bool escapes = escape.size > 0 && pattern.size - i >= escape.size &&
                       memcmp(pattern.data + i, escape.data, escape.size) == 0;
        if (escapes) {
            i += escape.size;
            ends_escaped = i >= pattern.size;
            if (ends_escaped)
                break;
            if (pattern.data[i] < 0x80)
                buffer_append_byte(&text, '\\');
            buffer_append_byte(&text, pattern.data[i]);
        } else if (in_set) {
            size_t class = class_size(pattern, i);
            if (byte == '\\' || (byte == '[' && class == 0))
                buffer_append_byte(&text, '\\');
            buffer_append_slice(&text, slice_make(pattern.data + i, class ? class : 1));
            i += class ? class - 1 : 0;
            in_set = byte != ']';
        } else if (byte == '%') {
            buffer_append_string(&text, ".*");
        } else if (byte == '_') {
            buffer_append_byte(&text, '.');
        } else if (byte == '(') {
            buffer_append_string(&text, "(?:");
        } else {
            if (memchr(".^$\\", byte, 4))
                buffer_append_byte(&text, '\\');
            buffer_append_byte(&text, byte);
            in_set = byte == '[';
        }
    }
    buffer_append_string(&text, ")\\z");
    *out = arena_copy(arena, buffer_slice(&text));
    buffer_free(&text);
    if (ends_escaped)
        return error_sql(error, "22025", eval->expr->position,
                         "SIMILAR TO pattern must not end with escape character");
    return OK;
}

/* The letters of a flags argument. Without one a dot matches a line break, and ^ and $ are the ends
 * of the text. */
static status_t read_flags(const struct eval *eval, struct slice flags, uint32_t *options,
                           bool *global, struct error *error)
{
    for (size_t i = 0; i < flags.size; i++) {
        switch (flags.data[i]) {
        case 'i':
            *options |= PCRE2_CASELESS;
            continue;
        case 'c':
            *options &= ~(uint32_t)PCRE2_CASELESS;
            continue;
        case 'n':
        case 'm':
            *options = (*options & ~(uint32_t)PCRE2_DOTALL) | PCRE2_MULTILINE;
            continue;
        case 'p':
            *options &= ~(uint32_t)(PCRE2_DOTALL | PCRE2_MULTILINE);
            continue;
        case 'w':
            *options |= PCRE2_DOTALL | PCRE2_MULTILINE;
            continue;
        case 's':
            *options = (*options & ~(uint32_t)PCRE2_MULTILINE) | PCRE2_DOTALL;
            continue;
        case 'x':
            *options |= PCRE2_EXTENDED;
            continue;
        case 'q':
            *options |= PCRE2_LITERAL;
            continue;
        case 't':
            continue;
        case 'g':
            if (eval->expr->call == CALL_REGEXP_REPLACE) {
                *global = true;
                continue;
            }
            return error_sql(error, "22023", eval->expr->position,
                             "%s() does not support the \"global\" option", eval->expr->name);
        default:
            return error_sql(error, "22023", eval->expr->position,
                             "invalid regular expression option: \"%.*s\"",
                             (int)utf8_decode(slice_make(flags.data + i, flags.size - i), NULL),
                             (const char *)flags.data + i);
        }
    }
    return OK;
}

static bool has_argument(const struct eval *eval, uint32_t argument)
{
    return eval->argument_count > argument;
}

/* Which argument is which; 0: there is none. */
struct layout {
    uint32_t start;
    uint32_t number; /* of the match */
    uint32_t end;    /* 1: where the match ends is asked for */
    uint32_t flags;
    uint32_t group;
};

static struct layout layout_of(const struct eval *eval)
{
    struct layout layout = {0};
    switch (eval->expr->call) {
    case CALL_REGEXP_LIKE:
        layout = (struct layout){.flags = 2};
        break;
    case CALL_REGEXP_COUNT:
        layout = (struct layout){.start = 2, .flags = 3};
        break;
    case CALL_REGEXP_INSTR:
        layout = (struct layout){.start = 2, .number = 3, .end = 4, .flags = 5, .group = 6};
        break;
    case CALL_REGEXP_SUBSTR:
        layout = (struct layout){.start = 2, .number = 3, .flags = 4, .group = 5};
        break;
    case CALL_REGEXP_REPLACE:
        layout = (struct layout){.flags = 3};
        if (has_argument(eval, 3) && eval->expr->arguments[3]->type == SQL_INTEGER)
            layout = (struct layout){.start = 3, .number = 4, .flags = 5};
        break;
    default:
        break;
    }
    layout.start = has_argument(eval, layout.start) ? layout.start : 0;
    layout.number = has_argument(eval, layout.number) ? layout.number : 0;
    layout.end = has_argument(eval, layout.end) ? layout.end : 0;
    layout.flags = has_argument(eval, layout.flags) ? layout.flags : 0;
    layout.group = has_argument(eval, layout.group) ? layout.group : 0;
    return layout;
}

/* What numbers say, checked. */
struct wish {
    size_t start;   /* byte */
    int64_t number; /* of the match, 0: all */
    bool end;
    int64_t group;
};

static status_t number_read(const struct eval *eval, uint32_t argument, uint32_t row, int64_t least,
                            int64_t most, const char *name, int64_t *out, struct error *error)
{
    if (argument == 0)
        return OK;
    *out = exec__eval_integer(eval->arguments[argument], row);
    if (*out >= least && *out <= most)
        return OK;
    return error_sql(error, "22023", eval->expr->position,
                     "invalid value for parameter \"%s\": %lld", name, (long long)*out);
}

/* Behind the text when it is shorter. */
static size_t character_place(struct slice text, int64_t number)
{
    size_t at = 0;
    for (; number > 1 && at < text.size; number--) {
        size_t size = utf8_decode(slice_make(text.data + at, text.size - at), NULL);
        at += size ? size : 1;
    }
    return number > 1 ? text.size + 1 : at;
}

static status_t wish_read(const struct eval *eval, uint32_t row, struct wish *out,
                          struct error *error)
{
    struct layout layout = layout_of(eval);
    bool replaces = eval->expr->call == CALL_REGEXP_REPLACE;
    int64_t start = 1;
    int64_t end = 0;
    *out = (struct wish){.number = 1};
    status_t status = number_read(eval, layout.start, row, 1, INT64_MAX, "start", &start, error);
    if (status == OK)
        status = number_read(eval, layout.number, row, replaces ? 0 : 1, INT64_MAX, "n",
                             &out->number, error);
    if (status == OK)
        status = number_read(eval, layout.end, row, 0, 1, "endoption", &end, error);
    if (status == OK)
        status = number_read(eval, layout.group, row, 0, INT64_MAX, "subexpr", &out->group, error);
    out->end = end == 1;
    if (start > 1)
        out->start = character_place(exec__eval_text(eval->arguments[0], row), start);
    return status;
}

/* Is the pattern the same for all rows, and how it is read? */
static bool is_constant(const struct eval *eval)
{
    bool escaped = eval->expr->call == CALL_SIMILAR && has_argument(eval, 2);
    uint32_t other = escaped ? 2 : layout_of(eval).flags;
    return eval->arguments[1]->constant && (other == 0 || eval->arguments[other]->constant);
}

/* The compiled pattern for a row, and whether every match is meant. */
static status_t regex_of(struct eval *eval, uint32_t row, bool *global, struct regex **out,
                         struct error *error)
{
    enum expr_call call = eval->expr->call;
    struct slice pattern = exec__eval_text(eval->arguments[1], row);
    uint32_t options = PCRE2_DOTALL | (call == CALL_IMATCH ? PCRE2_CASELESS : 0);
    uint32_t flags = layout_of(eval).flags;
    bool constant = is_constant(eval);
    struct slice escape = slice_from_string("\\");
    status_t status = OK;
    *global = false;
    if (call == CALL_SIMILAR && has_argument(eval, 2)) {
        escape = exec__eval_text(eval->arguments[2], row);
    } else if (flags > 0) {
        status =
            read_flags(eval, exec__eval_text(eval->arguments[flags], row), &options, global, error);
    }
    if (status != OK)
        return status;
    struct arena *arena = constant ? eval->exec->arena : eval->scratch;
    struct regex *have = eval->state;
    bool same = have && have->options == options &&
                (call == CALL_SIMILAR ? constant : slice_equal(have->pattern, pattern));
    if (call == CALL_SIMILAR && utf8_length(escape) > 1)
        return error_sql(error, "22025", eval->expr->position, "invalid escape string");
    if (!same && call == CALL_SIMILAR)
        status = translate(eval, pattern, escape, arena, &pattern, error);
    if (!same && status == OK) {
        status = compile(eval, pattern, options, arena, &have, error);
        eval->state = have;
    }
    *out = have;
    return status;
}

/* ---- functions ---------------------------------------------------------------------------------
 */

/* Where the match began and ended. */
static void match_place(const struct regex *regex, uint32_t group, size_t *start, size_t *end)
{
    const PCRE2_SIZE *places = pcre2_get_ovector_pointer(regex->match);
    bool there = group < pcre2_get_ovector_count(regex->match) &&
                 places[2 * group] != PCRE2_UNSET && places[2 * group] <= places[2 * group + 1];
    *start = there ? places[2 * group] : 0;
    *end = there ? places[2 * group + 1] : 0;
}

/* Where to look on: behind the match, or one character further when it was empty. */
static size_t next_start(struct slice text, size_t start, size_t end)
{
    if (end > start || end >= text.size)
        return end + (end == start);
    size_t size = utf8_decode(slice_make(text.data + end, text.size - end), NULL);
    return end + (size ? size : 1);
}

/* \1 to \9 and \& stand for what was matched. */
static void append_replacement(const struct regex *regex, struct slice text, struct slice with,
                               struct buffer *out)
{
    for (size_t i = 0; i < with.size; i++) {
        uint8_t next = i + 1 < with.size ? with.data[i + 1] : 0;
        bool group = with.data[i] == '\\' && (next == '&' || (next >= '1' && next <= '9'));
        if (group) {
            size_t start;
            size_t end;
            match_place(regex, next == '&' ? 0 : next - '0', &start, &end);
            buffer_append_slice(out, slice_make(text.data + start, end - start));
            i++;
        } else {
            buffer_append_byte(out, with.data[i]);
            i += with.data[i] == '\\' && next == '\\';
        }
    }
}

static bool names_group(struct slice with)
{
    for (size_t i = 0; i + 1 < with.size; i++) {
        if (with.data[i] != '\\')
            continue;
        i++;
        if (with.data[i] >= '1' && with.data[i] <= '9')
            return true;
    }
    return false;
}

/* The match of that number, or all. */
static status_t replace(struct eval *eval, struct regex *regex, uint32_t row, struct wish wish,
                        struct error *error)
{
    struct slice text = exec__eval_text(eval->arguments[0], row);
    struct slice with = exec__eval_text(eval->arguments[2], row);
    enum regex_wish asked = names_group(with) ? REGEX_GROUPS : REGEX_PLACE;
    struct buffer out = {0};
    size_t kept = 0; /* up to here the text is in `out` */
    size_t at = wish.start;
    int64_t number = 0;
    bool found = true;
    status_t status = OK;
    while (at <= text.size && status == OK) {
        size_t start;
        size_t end;
        status = find(eval, regex, text, at, asked, &found, error);
        if (status != OK || !found)
            break;
        match_place(regex, 0, &start, &end);
        at = next_start(text, start, end);
        if (++number < wish.number)
            continue;
        buffer_append_slice(&out, slice_make(text.data + kept, start - kept));
        append_replacement(regex, text, with, &out);
        kept = end;
        if (out.size > EXEC_TEXT_SIZE_MAX)
            status = error_sql(error, "54000", eval->expr->position, "requested length too large");
        if (wish.number > 0)
            break;
    }
    if (status == OK) {
        buffer_append_slice(&out, slice_make(text.data + kept, text.size - kept));
        eval->out.as.texts[row] = arena_copy(eval->scratch, buffer_slice(&out));
    }
    buffer_free(&out);
    return status;
}

static status_t count(struct eval *eval, struct regex *regex, uint32_t row, size_t from,
                      struct error *error)
{
    struct slice text = exec__eval_text(eval->arguments[0], row);
    int64_t matches = 0;
    for (size_t at = from; at <= text.size;) {
        size_t start;
        size_t end;
        bool found;
        status_t status = find(eval, regex, text, at, REGEX_PLACE, &found, error);
        if (status != OK)
            return status;
        if (!found)
            break;
        match_place(regex, 0, &start, &end);
        at = next_start(text, start, end);
        matches++;
    }
    eval->out.as.integers[row] = matches;
    return OK;
}

static bool has_group(const struct regex *regex)
{
    uint32_t groups = 0;
    return pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &groups) == 0 && groups > 0;
}

/* A match as the function gives it: whether it is there, where, or its text. */
static void part_result(struct eval *eval, const struct regex *regex, struct slice text, bool found,
                        struct wish wish, uint32_t row)
{
    enum expr_call call = eval->expr->call;
    size_t start = 0;
    size_t end = 0;
    if (found) {
        /* Without groups the whole match counts as the first. */
        if (call == CALL_REGEXP_PART || wish.group == 1)
            wish.group = has_group(regex);
        uint32_t groups = pcre2_get_ovector_count(regex->match);
        found = wish.group < groups &&
                pcre2_get_ovector_pointer(regex->match)[2 * wish.group] != PCRE2_UNSET;
        if (found)
            match_place(regex, (uint32_t)wish.group, &start, &end);
    }
    if (call == CALL_REGEXP_INSTR) {
        struct slice before = slice_make(text.data, wish.end ? end : start);
        eval->out.as.integers[row] = found ? (int64_t)utf8_length(before) + 1 : 0;
    } else if (call != CALL_REGEXP_SUBSTR && call != CALL_REGEXP_PART) {
        eval->out.as.booleans[row] = found;
    } else if (found) {
        eval->out.as.texts[row] = slice_make(text.data + start, end - start);
    } else {
        vector_set_null(&eval->out, row);
    }
}

/* The match of that number. */
static status_t find_number(const struct eval *eval, struct regex *regex, struct slice text,
                            struct wish wish, bool *found, struct error *error)
{
    enum expr_call call = eval->expr->call;
    bool part = call == CALL_REGEXP_PART || wish.group > 0;
    bool place = call == CALL_REGEXP_SUBSTR || call == CALL_REGEXP_INSTR || wish.number > 1;
    enum regex_wish asked = part && has_group(regex) ? REGEX_GROUPS
                            : part || place          ? REGEX_PLACE
                                                     : REGEX_WHETHER;
    size_t at = wish.start;
    *found = at <= text.size;
    for (int64_t number = 1; *found; number++) {
        size_t start;
        size_t end;
        status_t status = find(eval, regex, text, at, asked, found, error);
        if (status != OK || !*found || number == wish.number)
            return status;
        match_place(regex, 0, &start, &end);
        at = next_start(text, start, end);
        *found = at <= text.size;
    }
    return OK;
}

static status_t regex_row(struct eval *eval, uint32_t row, struct error *error)
{
    struct slice text = exec__eval_text(eval->arguments[0], row);
    struct regex *regex;
    struct wish wish;
    bool global;
    bool found;
    status_t status = regex_of(eval, row, &global, &regex, error);
    if (status == OK)
        status = wish_read(eval, row, &wish, error);
    if (status != OK)
        return status;
    if (global && layout_of(eval).number == 0)
        wish.number = 0;
    if (eval->expr->call == CALL_REGEXP_REPLACE)
        return replace(eval, regex, row, wish, error);
    if (eval->expr->call == CALL_REGEXP_COUNT)
        return count(eval, regex, row, wish.start, error);
    status = find_number(eval, regex, text, wish, &found, error);
    if (status == OK)
        part_result(eval, regex, text, found, wish, row);
    return status;
}

static status_t regex_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (!is_constant(eval))
        eval->state = NULL; /* its memory went with the batch before */
    return status != OK || all_null ? status : exec__eval_rows(eval, in, regex_row, error);
}

eval_fn *exec__regex_kernel(const struct expr *expr)
{
    switch (expr->call) {
    case CALL_MATCH:
    case CALL_IMATCH:
    case CALL_SIMILAR:
    case CALL_REGEXP_LIKE:
    case CALL_REGEXP_COUNT:
    case CALL_REGEXP_SUBSTR:
    case CALL_REGEXP_INSTR:
    case CALL_REGEXP_PART:
    case CALL_REGEXP_REPLACE:
        return regex_run;
    default:
        return NULL;
    }
}
