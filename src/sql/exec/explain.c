/* What was measured, for EXPLAIN ANALYZE. */
#include "sql/exec/exec_int.h"

#include <string.h>

/* Appends the next line of `text` without its end; what is left of it stays in `text`. */
static void line_move(struct slice *text, struct buffer *out)
{
    const uint8_t *end = text->size ? memchr(text->data, '\n', text->size) : NULL;
    size_t size = end ? (size_t)(end - text->data) : text->size;
    buffer_append(out, text->data, size);
    size_t skip = end ? size + 1 : size;
    *text = slice_make(text->data + skip, text->size - skip);
}

/* plan_explain draws one line a node, a node before its inputs, the left one first. */
static void node_explain(const struct exec *exec, const struct plan *node, struct slice *text,
                         struct buffer *out)
{
    struct exec_figures figures;
    line_move(text, out);
    if (exec_figures(exec, node, &figures))
        buffer_printf(out, " (rows=%llu batches=%llu time=%.3f ms)",
                      (unsigned long long)figures.rows, (unsigned long long)figures.batches,
                      (double)figures.time_us / 1000);
    buffer_append_byte(out, '\n');
    if (node->left)
        node_explain(exec, node->left, text, out);
    if (node->right)
        node_explain(exec, node->right, text, out);
}

void exec_explain_analyze(const struct exec *exec, struct buffer *out)
{
    struct buffer tree = {0};
    plan_explain(exec->root->plan, &tree);
    struct slice text = buffer_slice(&tree);
    node_explain(exec, exec->root->plan, &text, out);
    while (text.size > 0) {
        line_move(&text, out);
        buffer_append_byte(out, '\n');
    }
    buffer_free(&tree);
}
