/* Arena: memory with one lifetime. Allocation is a pointer bump; everything is given back at once
 * by arena_reset (keeps the first block for reuse) or arena_free.
 *
 * arena_alloc never returns NULL. The budget is soft: an arena that has gone over it says so in
 * arena_over_budget, and whoever runs user-driven work on it asks at each batch or node and
 * answers ERR_NOMEM (SQLSTATE 53200). Not thread-safe. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *block; /* newest first */
    size_t used;               /* bytes given out since the last reset */
    size_t budget;             /* 0: none */
};

/* Zero-initialised is a valid empty arena without a budget. */
void arena_init(struct arena *arena, size_t budget);
/* Aligned to 16. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));
void *arena_zalloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));
/* Room for `need` items, as vec_grow; the old array is left behind in the arena. */
void *arena_grow(struct arena *arena, void *items, uint32_t *capacity, uint32_t need,
                 size_t item_size) __attribute__((returns_nonnull));
struct slice arena_copy(struct arena *arena, struct slice bytes);
/* A NUL-terminated copy. */
char *arena_strndup(struct arena *arena, const char *text, size_t size);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool arena_over_budget(const struct arena *arena);
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

#endif
