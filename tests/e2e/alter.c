/* alter FILE WORD OTHER: puts OTHER, of the same length, in the place of WORD in one value of a
 * store that no process has open, as no correct program would: for the test of the consistency
 * check. Exit code 1: no value has the word. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "kv/kv.h"

/* Where the word is in the value; NULL: it is not. */
static const uint8_t *find(struct slice value, const char *word)
{
    return value.size ? memmem(value.data, value.size, word, strlen(word)) : NULL;
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
            buffer_append(&altered, value.data, value.size);
            buffer_append(&key, kv_cursor_key(&cursor).data, kv_cursor_key(&cursor).size);
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

int main(int argc, char **argv)
{
    struct error error;
    struct kv *kv;
    if (argc != 4 || strlen(argv[2]) != strlen(argv[3])) {
        fprintf(stderr, "usage: alter FILE WORD OTHER\n");
        return 64;
    }
    status_t status = kv_open(env_real(), argv[1], NULL, &kv, &error);
    if (status == OK) {
        status = alter(kv, argv[2], argv[3], &error);
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
