#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static _Noreturn void mem_exhausted(size_t size)
{
    fprintf(stderr, "out of memory: could not allocate %zu bytes\n", size);
    fflush(stderr);
    abort();
}

void *mem_alloc(size_t size)
{
    void *pointer = malloc(size ? size : 1);
    if (!pointer)
        mem_exhausted(size);
    return pointer;
}

void *mem_zalloc(size_t count, size_t size)
{
    ASSERT(size == 0 || count <= SIZE_MAX / size);
    void *pointer = calloc(count ? count : 1, size ? size : 1);
    if (!pointer)
        mem_exhausted(count * size);
    return pointer;
}

void *mem_realloc(void *pointer, size_t size)
{
    void *moved = realloc(pointer, size ? size : 1);
    if (!moved)
        mem_exhausted(size);
    return moved;
}

void *mem_try_alloc(size_t size)
{
    return malloc(size ? size : 1);
}

void mem_free(void *pointer)
{
    free(pointer);
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t size)
{
    char *copy = mem_alloc(size + 1);
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

void *vec_grow(void *items, uint32_t *capacity, uint32_t need, size_t item_size)
{
    ASSERT(item_size > 0);
    if (items && need <= *capacity)
        return items;
    uint32_t grown = *capacity < 8 ? 8 : *capacity;
    while (grown < need) {
        ASSERT(grown <= UINT32_MAX - grown / 2);
        grown += grown / 2;
    }
    ASSERT(grown <= SIZE_MAX / item_size);
    items = mem_realloc(items, grown * item_size);
    *capacity = grown;
    return items;
}
