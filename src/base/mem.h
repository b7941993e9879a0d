/* Heap memory.
 *
 * mem_alloc and friends never return NULL: when the system has no memory the process stops with a
 * message, which loses nothing (everything acknowledged is in the log). What a user can make large
 * is bounded before it is allocated: buffers have a maximum, arenas a budget, and going over those
 * is an ordinary error. Engines that must survive a refused allocation use mem_try_alloc. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Uninitialised memory, owned by the caller, given back with mem_free. size may be 0. */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
/* Zeroed; count * size must not overflow (asserted). */
void *mem_zalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *pointer, size_t size) __attribute__((returns_nonnull));
/* As mem_alloc, but NULL when there is no memory. */
void *mem_try_alloc(size_t size) __attribute__((malloc));
void mem_free(void *pointer);
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));
/* A NUL-terminated copy of `size` bytes. */
char *mem_strndup(const char *text, size_t size) __attribute__((malloc, returns_nonnull));

/* Room for at least `need` items of `item_size` bytes in a growing array. Returns the array, moved
 * or not; *capacity is in items. Growth is by half again, so appending is amortised O(1):
 *     list->items = vec_grow(list->items, &list->capacity, list->count + 1, sizeof *list->items);
 *     list->items[list->count++] = item; */
void *vec_grow(void *items, uint32_t *capacity, uint32_t need, size_t item_size)
    __attribute__((returns_nonnull));

#endif
