/* What was measured, for EXPLAIN ANALYZE. */
#include "sql/exec/exec_int.h"

static void node_note(void *context, const struct plan *node, struct buffer *out)
{
    const struct exec *exec = context;
    struct exec_figures figures;
    if (!exec_figures(exec, node, &figures))
        return;
    buffer_printf(out, " (rows=%llu batches=%llu time=%.3f ms", (unsigned long long)figures.rows,
                  (unsigned long long)figures.batches, (double)figures.time_us / 1000);
    if (figures.memory > 0)
        buffer_printf(out, " memory=%llu kB", (unsigned long long)(figures.memory + 1023) / 1024);
    if (figures.parts > 0 || figures.spilled > 0)
        buffer_printf(out, " spilled=%llu kB", (unsigned long long)(figures.spilled + 1023) / 1024);
    if (figures.parts > 0)
        buffer_printf(out, " parts=%llu", (unsigned long long)figures.parts);
    if (figures.threads > 1)
        buffer_printf(out, " threads=%u", figures.threads);
    buffer_append_byte(out, ')');
}

void exec_explain_analyze(struct exec *exec, struct buffer *out)
{
    ASSERT(exec && exec->root);
    plan_explain_noted(exec->plan, node_note, exec, out);
}
