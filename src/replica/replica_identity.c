/* IDENTITY is one line: "toydb node <id> cluster <32 hex digits, or - while not known>". It tells a
 * directory put under the wrong node before anything is read or written, and keeps the cluster's
 * identity where it is known before the log is replayed. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "replica/replica_int.h"

enum { TEXT_MAX = 128 };

static status_t path_make(const struct replica *r, char *path, size_t size, struct error *error)
{
    int length = snprintf(path, size, "%s/IDENTITY", r->dir);
    if (length < 0 || (size_t)length >= size)
        return error_set(error, ERR_INVALID, "path of the data directory is too long");
    return OK;
}

static void cluster_print(const struct replica *r, char out[2 * REPLICA_CLUSTER_ID_SIZE + 1])
{
    if (!r->has_cluster_id) {
        memcpy(out, "-", 2);
        return;
    }
    for (int i = 0; i < REPLICA_CLUSTER_ID_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02x", r->cluster_id[i]);
}

status_t replica__identity_write(struct replica *r, struct error *error)
{
    char path[1000];
    status_t status = path_make(r, path, sizeof path, error);
    if (status != OK)
        return status;
    char cluster[2 * REPLICA_CLUSTER_ID_SIZE + 1];
    cluster_print(r, cluster);
    char text[TEXT_MAX];
    int size =
        snprintf(text, sizeof text, "toydb node %" PRIu64 " cluster %s\n", r->config.id, cluster);
    ASSERT(size > 0 && (size_t)size < sizeof text);
    char temporary[1024];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    struct env_file *file = NULL;
    status = env_file_open(r->env, temporary, ENV_OPEN_CREATE, &file, error);
    if (status != OK)
        return status;
    status = env_file_truncate(file, 0, error);
    if (status == OK)
        status = env_file_write(file, 0, text, (size_t)size, error);
    if (status == OK)
        status = env_file_sync(file, error);
    env_file_close(file);
    if (status == OK)
        status = env_file_rename(r->env, temporary, path, error);
    return status == OK ? env_dir_sync(r->env, r->dir, error) : status;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool cluster_parse(struct replica *r, const char *text)
{
    if (strncmp(text, "-\n", 2) == 0)
        return true;
    for (int i = 0; i < REPLICA_CLUSTER_ID_SIZE; i++) {
        int high = hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        r->cluster_id[i] = (uint8_t)(high << 4 | low);
    }
    r->has_cluster_id = text[2 * REPLICA_CLUSTER_ID_SIZE] == '\n';
    return r->has_cluster_id;
}

static status_t identity_check(struct replica *r, const char *path, const char *text,
                               struct error *error)
{
    static const char prefix[] = "toydb node ";
    static const char middle[] = " cluster ";
    char *rest = NULL;
    uint64_t id = 0;
    bool valid = strncmp(text, prefix, sizeof prefix - 1) == 0;
    if (valid)
        id = strtoull(text + sizeof prefix - 1, &rest, 10);
    valid = valid && strncmp(rest, middle, sizeof middle - 1) == 0 &&
            cluster_parse(r, rest + sizeof middle - 1);
    if (!valid)
        return error_set(error, ERR_CORRUPT, "\"%s\" is not an identity file", path);
    if (id != r->config.id) {
        error_set(error, ERR_INVALID,
                  "data directory \"%s\" belongs to node %" PRIu64 ", not to node %" PRIu64, r->dir,
                  id, r->config.id);
        error_hint(error, "Start node %" PRIu64 " with it, or give another directory.", id);
        return ERR_INVALID;
    }
    return OK;
}

status_t replica__identity_load(struct replica *r, struct error *error)
{
    char path[1000];
    status_t status = path_make(r, path, sizeof path, error);
    if (status != OK)
        return status;
    struct env_file *file = NULL;
    status = env_file_open(r->env, path, ENV_OPEN_READ_ONLY, &file, error);
    if (status == ERR_NOT_FOUND)
        return replica__identity_write(r, error);
    if (status != OK)
        return status;
    char text[TEXT_MAX] = {0};
    size_t got = 0;
    status = env_file_read(file, 0, text, sizeof text - 1, &got, error);
    env_file_close(file);
    return status == OK ? identity_check(r, path, text, error) : status;
}
