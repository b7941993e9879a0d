#include "base/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"

void problem_add(struct problems *problems, const char *format, ...)
{
    ASSERT(problems && format);
    problems->count++;
    if (!problems->report)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    problems->report(problems->context, text);
}

void problem_add_error(struct problems *problems, const char *where, const struct error *error)
{
    ASSERT(problems && where && error);
    problem_add(problems, "%s%s%s%s%s", where, error->message, *error->detail ? " (" : "",
                error->detail, *error->detail ? ")" : "");
}

const char *bytes_print(struct slice bytes, char out[BYTES_TEXT_SIZE])
{
    ASSERT(out && (bytes.data || bytes.size == 0));
    size_t shown = bytes.size < BYTES_PRINTED_MAX ? bytes.size : BYTES_PRINTED_MAX;
    size_t at = 0;
    for (size_t i = 0; i < shown; i++) {
        uint8_t byte = bytes.data[i];
        bool edge = i == 0 || i + 1 == bytes.size; /* where a blank would not be seen */
        if (byte >= (edge ? 0x21 : 0x20) && byte < 0x7f && byte != '\\')
            out[at++] = (char)byte;
        else
            at += (size_t)snprintf(out + at, BYTES_TEXT_SIZE - at, "\\x%02x", byte);
    }
    out[at] = '\0';
    if (shown < bytes.size)
        (void)snprintf(out + at, BYTES_TEXT_SIZE - at, "... (%zu bytes)", bytes.size);
    return out;
}
