/* Changes a store that no process has open as no correct program would, for the tests of what finds
 * it:
 *
 *     alter FILE WORD OTHER    puts OTHER, of the same length, in the place of WORD in one value
 *     alter FILE --remove HEX  removes the first key that begins with these bytes
 *     alter FILE --copy HEX    stores its value under a key that differs in the byte before the
 *                              version
 *
 * Exit code 1: there is no such value or key. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "kv/kv.h"

/* Where the word is in the value; NULL: it is not. */
static const uint8_t *find(struct slice value, const char *word)
{
    return value.size ? memmem(value.data, value.size, word, strlen(word)) : NULL;
}

static void buffer_take(struct buffer *buffer, struct slice bytes)
{
    buffer_append(buffer, bytes.data, bytes.size);
}

static status_t alter(struct kv *kv, const char *word, const char *other, struct error *error)
{
    struct kv_cursor cursor;
    struct slice value = {0};
    kv_cursor_init_latest(&cursor, kv);
    status_t status = kv_cursor_first(&cursor, error);
    while (status == OK && kv_cursor_valid(&cursor)) {
        status = kv_cursor_value(&cursor, &value, error);
        const uint8_t *at = status == OK ? find(value, word) : NULL;
        if (at) {
            struct buffer altered = {0}, key = {0};
            size_t offset = (size_t)(at - value.data);
            buffer_take(&altered, value);
            buffer_take(&key, kv_cursor_key(&cursor));
            memcpy(altered.data + offset, other, strlen(other));
            status = kv_put(kv, buffer_slice(&key), buffer_slice(&altered), error);
            buffer_free(&altered);
            buffer_free(&key);
            return status;
        }
        if (status == OK)
            status = kv_cursor_next(&cursor, error);
    }
    return status == OK ? error_set(error, ERR_NOT_FOUND, "no value has \"%s\"", word) : status;
}

static status_t key_find(struct kv *kv, struct slice prefix, struct buffer *key,
                         struct buffer *value, struct error *error)
{
    struct kv_cursor cursor;
    struct slice bytes;
    kv_cursor_init_latest(&cursor, kv);
    status_t status = kv_cursor_seek(&cursor, prefix, error);
    if (status != OK)
        return status;
    if (!kv_cursor_valid(&cursor) || !slice_has_prefix(kv_cursor_key(&cursor), prefix))
        return error_set(error, ERR_NOT_FOUND, "no key begins with that");
    buffer_take(key, kv_cursor_key(&cursor));
    status = kv_cursor_value(&cursor, &bytes, error);
    if (status == OK)
        buffer_take(value, bytes);
    return status;
}

static status_t alter_key(struct kv *kv, const char *action, const char *hex, struct error *error)
{
    enum { VERSION_SIZE = 8 };
    struct buffer prefix = {0}, key = {0}, value = {0};
    for (unsigned byte; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        buffer_append_byte(&prefix, (uint8_t)byte);
    status_t status = key_find(kv, buffer_slice(&prefix), &key, &value, error);
    if (status == OK && strcmp(action, "--remove") == 0) {
        status = kv_delete(kv, buffer_slice(&key), NULL, error);
    } else if (status == OK) {
        ASSERT(key.size > VERSION_SIZE);
        key.data[key.size - VERSION_SIZE - 1] ^= 0x40;
        status = kv_put(kv, buffer_slice(&key), buffer_slice(&value), error);
    }
    buffer_free(&prefix);
    buffer_free(&key);
    buffer_free(&value);
    return status;
}

int main(int argc, char **argv)
{
    struct error error;
    struct kv *kv;
    bool by_key = argc == 4 && (!strcmp(argv[2], "--remove") || !strcmp(argv[2], "--copy"));
    if (argc != 4 || (!by_key && strlen(argv[2]) != strlen(argv[3]))) {
        fprintf(stderr, "usage: alter FILE WORD OTHER, or FILE --remove|--copy HEX\n");
        return 64;
    }
    status_t status = kv_open(env_real(), argv[1], NULL, &kv, &error);
    if (status == OK) {
        status =
            by_key ? alter_key(kv, argv[2], argv[3], &error) : alter(kv, argv[2], argv[3], &error);
        struct buffer meta = {0};
        buffer_append(&meta, kv_meta(kv).data, kv_meta(kv).size);
        if (status == OK)
            status = kv_publish(kv, &error);
        if (status == OK)
            status = kv_checkpoint(kv, buffer_slice(&meta), &error);
        buffer_free(&meta);
        kv_close(kv);
    }
    if (status != OK)
        fprintf(stderr, "alter: %s\n", error.message);
    return status == OK ? 0 : 1;
}
