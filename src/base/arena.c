#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { ARENA_BLOCK_MIN = 4096, ARENA_BLOCK_MAX = 1 << 20 };

_Static_assert(sizeof(struct arena_block) % ARENA_ALIGN == 0, "block contents must stay aligned");

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

static void block_add(struct arena *arena, size_t need)
{
    size_t size = arena->block ? arena->block->size * 2 : ARENA_BLOCK_MIN;
    if (size > ARENA_BLOCK_MAX)
        size = ARENA_BLOCK_MAX;
    if (size < need)
        size = need;
    struct arena_block *block = mem_alloc(sizeof *block + size);
    *block = (struct arena_block){.older = arena->block, .size = size};
    arena->block = block;
}

void *arena__alloc_more(struct arena *arena, size_t size)
{
    ASSERT(size <= SIZE_MAX / 2);
    block_add(arena, (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1));
    return arena_alloc(arena, size);
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    void *pointer = arena_alloc(arena, size);
    memset(pointer, 0, size);
    return pointer;
}

void *arena_grow(struct arena *arena, void *items, uint32_t *capacity, uint32_t need,
                 size_t item_size)
{
    if (items && need <= *capacity)
        return items;
    uint32_t grown = *capacity < 4 ? 4 : *capacity * 2;
    ASSERT(grown > *capacity);
    if (grown < need)
        grown = need;
    void *moved = arena_alloc(arena, grown * item_size);
    if (items)
        memcpy(moved, items, *capacity * item_size);
    *capacity = grown;
    return moved;
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    uint8_t *copy = arena_alloc(arena, bytes.size);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return slice_make(copy, bytes.size);
}

char *arena_strndup(struct arena *arena, const char *text, size_t size)
{
    char *copy = arena_alloc(arena, size + 1);
    if (size)
        memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

char *arena_keep_text(struct arena *arena, struct buffer *text)
{
    char *copy = arena_strndup(arena, (const char *)text->data, text->size);
    buffer_free(text);
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void arena__reset_blocks(struct arena *arena)
{
    /* Keep the oldest block: most statements fit into it. */
    while (arena->block->older) {
        struct arena_block *older = arena->block->older;
        mem_free(arena->block);
        arena->block = older;
    }
}

void arena_free(struct arena *arena)
{
    arena_reset(arena);
    mem_free(arena->block);
    arena->block = NULL;
}
