/* Arena: memory with one lifetime. Allocation is a pointer bump; everything is given back at once
 * by arena_reset (keeps the first block for reuse) or arena_free.
 *
 * arena_alloc never returns NULL. Whoever runs user-driven work on an arena looks at `used` now and
 * then, and answers ERR_NOMEM (SQLSTATE 53200) when it is too much. Not thread-safe. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

enum { ARENA_ALIGN = 16 };

struct arena_block {
    struct arena_block *older;
    size_t size; /* of the bytes behind this header */
    size_t used;
    size_t padding;
};

struct arena {
    struct arena_block *block; /* newest first */
    size_t used;               /* bytes given out since the last reset */
};

/* Zero-initialised is a valid empty arena. */
void arena_init(struct arena *arena);
/* The same as arena_alloc, with a block of its own. */
void *arena__alloc_more(struct arena *arena, size_t size) __attribute__((returns_nonnull));
/* Aligned to 16. */
static inline void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->block;
    size_t rounded = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (rounded < size || !block || block->size - block->used < rounded)
        return arena__alloc_more(arena, size);
    void *pointer = (uint8_t *)(block + 1) + block->used;
    block->used += rounded;
    arena->used += rounded;
    return pointer;
}
void *arena_zalloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));
/* Room for `need` items, as vec_grow; the old array is left behind in the arena. */
void *arena_grow(struct arena *arena, void *items, uint32_t *capacity, uint32_t need,
                 size_t item_size) __attribute__((returns_nonnull));
struct slice arena_copy(struct arena *arena, struct slice bytes);
/* A NUL-terminated copy. */
char *arena_strndup(struct arena *arena, const char *text, size_t size);
/* The same of a buffer's bytes; the buffer is freed. */
char *arena_keep_text(struct arena *arena, struct buffer *text);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same as arena_reset, when there are several blocks. */
void arena__reset_blocks(struct arena *arena);
static inline void arena_reset(struct arena *arena)
{
    if (arena->block && arena->block->older)
        arena__reset_blocks(arena);
    if (arena->block)
        arena->block->used = 0;
    arena->used = 0;
}
void arena_free(struct arena *arena);

#endif
