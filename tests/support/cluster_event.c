/* Events in order of time, and of their making within one moment; and the trace of what happened.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cluster_int.h"

static bool is_before(const struct cluster_event *a, const struct cluster_event *b)
{
    return a->time_us != b->time_us ? a->time_us < b->time_us : a->number < b->number;
}

void cluster__event_push(struct cluster *c, struct cluster_event event)
{
    ASSERT(event.time_us >= c->now_us);
    event.number = c->event_number++;
    c->events = vec_grow(c->events, &c->event_capacity, c->event_count + 1, sizeof *c->events);
    uint32_t at = c->event_count++;
    while (at > 0 && is_before(&event, &c->events[(at - 1) / 2])) {
        c->events[at] = c->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    c->events[at] = event;
}

bool cluster__event_pop(struct cluster *c, struct cluster_event *out)
{
    if (c->event_count == 0)
        return false;
    *out = c->events[0];
    struct cluster_event last = c->events[--c->event_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= c->event_count)
            break;
        if (child + 1 < c->event_count && is_before(&c->events[child + 1], &c->events[child]))
            child++;
        if (!is_before(&c->events[child], &last))
            break;
        c->events[at] = c->events[child];
        at = child;
    }
    c->events[at] = last;
    return true;
}

static const char *line_add(struct cluster *c, const char *format, va_list args)
{
    char *line = c->lines[c->line_count++ % CLUSTER_LINES_KEPT];
    int head = snprintf(line, CLUSTER_LINE_MAX, "%10.6f ", (double)c->now_us / 1e6);
    ASSERT(head > 0 && head < CLUSTER_LINE_MAX);
    vsnprintf(line + head, CLUSTER_LINE_MAX - (size_t)head, format, args);
    /* FNV-1a (Fowler, Noll, Vo). */
    for (const char *at = line; *at; at++)
        c->trace_hash = (c->trace_hash ^ (uint8_t)*at) * 0x100000001b3u;
    if (c->trace_print)
        puts(line);
    return line;
}

void cluster_trace(struct cluster *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)line_add(c, format, args);
    va_end(args);
}

void cluster_note(struct cluster *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *line = line_add(c, format, args);
    va_end(args);
    memcpy(c->notes[c->note_count++ % CLUSTER_NOTES_KEPT], line, CLUSTER_LINE_MAX);
}

void cluster_trace_print(struct cluster *c, bool print)
{
    c->trace_print = print;
}

uint64_t cluster_trace_hash(const struct cluster *c)
{
    return c->trace_hash;
}

static void lines_tell(char lines[][CLUSTER_LINE_MAX], uint64_t count, uint64_t kept,
                       void (*each)(void *context, const char *line), void *context)
{
    for (uint64_t i = count > kept ? count - kept : 0; i < count; i++)
        each(context, lines[i % kept]);
}

void cluster_trace_kept(struct cluster *c, void (*each)(void *context, const char *line),
                        void *context)
{
    lines_tell(c->lines, c->line_count, CLUSTER_LINES_KEPT, each, context);
}

void cluster_notes_kept(struct cluster *c, void (*each)(void *context, const char *line),
                        void *context)
{
    lines_tell(c->notes, c->note_count, CLUSTER_NOTES_KEPT, each, context);
}
