#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct script {
    char *text;
    char **lines;
    uint32_t count;
    uint32_t capacity;
    uint32_t at;
};

static bool script_load(struct script *script, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    struct buffer all = {0};
    char chunk[4096];
    size_t got;
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_append(&all, chunk, got);
    fclose(file);
    buffer_append_byte(&all, '\0');
    script->text = (char *)all.data;
    char *at = script->text;
    while (*at) {
        script->lines =
            vec_grow(script->lines, &script->capacity, script->count + 1, sizeof *script->lines);
        script->lines[script->count++] = at;
        char *newline = strchr(at, '\n');
        if (!newline)
            break;
        *newline = '\0';
        at = newline + 1;
    }
    return true;
}

static void script_free(struct script *script)
{
    mem_free(script->lines);
    mem_free(script->text);
}

static bool line_is_separator(const struct script *script, uint32_t at)
{
    return at < script->count && strcmp(script->lines[at], "----") == 0;
}

/* Leaves `at` behind the output. */
static void expected_read(struct script *script, struct buffer *expected)
{
    bool doubled = line_is_separator(script, script->at);
    if (doubled)
        script->at++;
    for (; script->at < script->count; script->at++) {
        const char *line = script->lines[script->at];
        if (doubled && line_is_separator(script, script->at) &&
            line_is_separator(script, script->at + 1)) {
            script->at += 2;
            return;
        }
        if (!doubled && line[0] == '\0')
            return;
        buffer_append_string(expected, line);
        buffer_append_byte(expected, '\n');
    }
}

static void record_output(FILE *record, struct slice output)
{
    const char *text = (const char *)output.data;
    bool blank_line = output.size && (text[0] == '\n' || strstr(text, "\n\n"));
    const char *fence = blank_line ? "----\n----\n" : "----\n";
    fputs(fence, record);
    fwrite(text, 1, output.size, record);
    if (blank_line)
        fputs(fence, record);
}

static char *input_read(struct script *script)
{
    struct buffer input = {0};
    for (; script->at < script->count && !line_is_separator(script, script->at); script->at++) {
        if (input.size)
            buffer_append_byte(&input, '\n');
        buffer_append_string(&input, script->lines[script->at]);
    }
    script->at++;
    buffer_append_byte(&input, '\0');
    return (char *)input.data;
}

/* Runs the case at script->at; returns 1 on a mismatch. */
static int case_run(struct script *script, const char *path, golden_fn *run, void *context,
                    FILE *record)
{
    struct golden_case c = {.file = path, .line = (int)script->at + 1};
    char *first = mem_strdup(script->lines[script->at]);
    if (record)
        fprintf(record, "%s\n", first);
    char *space = strchr(first, ' ');
    if (space)
        *space = '\0';
    c.command = first;
    c.args = space ? space + 1 : "";
    script->at++;
    char *input = input_read(script);
    c.input = input;
    if (record && input[0])
        fprintf(record, "%s\n", input);

    struct buffer expected = {0};
    expected_read(script, &expected);
    struct buffer out = {0};
    run(context, &c, &out);
    if (out.size && out.data[out.size - 1] != '\n')
        buffer_append_byte(&out, '\n');
    int mismatch = !slice_equal(buffer_slice(&out), buffer_slice(&expected));
    buffer_append_byte(&out, '\0');
    buffer_append_byte(&expected, '\0');
    if (record) {
        record_output(record, slice_make(out.data, out.size - 1));
        mismatch = 0;
    } else if (mismatch) {
        fprintf(stderr, "%s:%d: %s\n--- expected\n%s--- got\n%s---\n", path, c.line, c.command,
                (char *)expected.data, (char *)out.data);
    }
    buffer_free(&out);
    buffer_free(&expected);
    mem_free(input);
    mem_free(first);
    return mismatch;
}

int golden_run(const char *path, golden_fn *run, void *context)
{
    struct script script = {0};
    if (!script_load(&script, path)) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return -1;
    }
    const char *mode = getenv("TOYDB_GOLDEN");
    char temporary[1024];
    snprintf(temporary, sizeof temporary, "%s.recorded", path);
    FILE *record = mode && strcmp(mode, "record") == 0 ? fopen(temporary, "wb") : NULL;
    int mismatches = 0;
    int cases = 0;
    while (script.at < script.count) {
        const char *line = script.lines[script.at];
        if (line[0] == '\0' || line[0] == '#') {
            if (record)
                fprintf(record, "%s\n", line);
            script.at++;
            continue;
        }
        mismatches += case_run(&script, path, run, context, record);
        cases++;
    }
    if (record && (fclose(record) != 0 || rename(temporary, path) != 0)) {
        fprintf(stderr, "%s: could not be recorded\n", path);
        mismatches++;
    }
    script_free(&script);
    return cases ? mismatches : -1;
}

static const char *arg_find(const struct golden_case *c, const char *key)
{
    size_t length = strlen(key);
    for (const char *at = c->args; *at;) {
        if (strncmp(at, key, length) == 0 && at[length] == '=')
            return at + length + 1;
        const char *space = strchr(at, ' ');
        if (!space)
            break;
        at = space + 1;
    }
    return NULL;
}

long golden_arg_long(const struct golden_case *c, const char *key, long fallback)
{
    const char *value = arg_find(c, key);
    return value ? strtol(value, NULL, 0) : fallback;
}

bool golden_arg_text(const struct golden_case *c, const char *key, char *out, size_t size)
{
    const char *value = arg_find(c, key);
    if (!value)
        return false;
    size_t length = strcspn(value, " ");
    if (length >= size)
        length = size - 1;
    memcpy(out, value, length);
    out[length] = '\0';
    return true;
}
