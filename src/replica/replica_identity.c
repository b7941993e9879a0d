/* The file IDENTITY: whose directory this is, and what a node must know before its log is read. It
 * is written anew and renamed into place with each change, which are few. Lines of text:
 *
 *     toydb node <id> cluster <32 hex digits, or - while not known> uid <16 hex digits>
 *     removed <index>               the node was removed from its cluster by this log entry
 *     joined <index>                it came by a join; this membership was the first with it
 *     member <id> voter <address>   (or: learner) whom the first start was told of
 *     ...
 *
 * The last three need not be there. With "joined" the members are only nodes to talk to until the
 * log tells more; without it they are the members of a cluster at its start, index 0 of its log.
 * An IDENTITY without a uid is one of an earlier version and gets its uid when it is read. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "replica/replica_int.h"

enum { TEXT_MAX = 8192 };
_Static_assert(TEXT_MAX > 256 + REPLICA_MEMBERS_MAX * (REPLICA_ADDRESS_MAX + 40),
               "an identity with all its members fits");

static status_t path_make(const char *dir, const char *name, char *path, size_t size,
                          struct error *error)
{
    int length = snprintf(path, size, "%s/%s", dir, name);
    if (length < 0 || (size_t)length >= size)
        return error_set(error, ERR_INVALID, "path of the data directory is too long");
    return OK;
}

status_t replica__file_exists(struct env *env, const char *dir, const char *name, bool *exists,
                              struct error *error)
{
    char path[1024];
    struct env_file *file = NULL;
    status_t status = path_make(dir, name, path, sizeof path, error);
    *exists = false;
    if (status != OK)
        return status;
    status = env_file_open(env, path, ENV_OPEN_READ_ONLY, &file, error);
    env_file_close(file);
    *exists = status == OK;
    return status == ERR_NOT_FOUND ? OK : status;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void identity_print(const struct replica__identity *identity, struct buffer *out)
{
    buffer_printf(out, "toydb node %" PRIu64 " cluster ", identity->id);
    for (int i = 0; identity->has_cluster_id && i < REPLICA_CLUSTER_ID_SIZE; i++)
        buffer_printf(out, "%02x", identity->cluster_id[i]);
    if (!identity->has_cluster_id)
        buffer_append_string(out, "-");
    buffer_printf(out, " uid %016" PRIx64 "\n", identity->uid);
    if (identity->removed_index)
        buffer_printf(out, "removed %" PRIu64 "\n", identity->removed_index);
    if (identity->joins)
        buffer_printf(out, "joined %" PRIu64 "\n", identity->first.index);
    for (uint32_t i = 0; i < identity->first.count; i++) {
        const struct replica_member *member = &identity->first.items[i];
        buffer_printf(out, "member %" PRIu64 " %s %s\n", member->id,
                      member->voter ? "voter" : "learner", member->address);
    }
}

status_t replica__file_write(struct env *env, const char *path, struct slice text,
                             struct error *error)
{
    struct env_file *file = NULL;
    status_t status = env_file_open(env, path, ENV_OPEN_CREATE, &file, error);
    if (status != OK)
        return status;
    status = env_file_truncate(file, 0, error);
    if (status == OK)
        status = env_file_write(file, 0, text.data, text.size, error);
    if (status == OK)
        status = env_file_sync(file, error);
    env_file_close(file);
    return status;
}

status_t replica__identity_write(struct env *env, const char *dir,
                                 const struct replica__identity *identity, struct error *error)
{
    ASSERT(identity->id && identity->uid);
    char path[1000], temporary[1024];
    status_t status = path_make(dir, "IDENTITY", path, sizeof path, error);
    if (status != OK)
        return status;
    struct buffer text;
    buffer_init(&text, TEXT_MAX - 1);
    identity_print(identity, &text);
    ASSERT(!text.failed);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    status = replica__file_write(env, temporary, buffer_slice(&text), error);
    if (status == OK)
        status = env_file_rename(env, temporary, path, error);
    buffer_free(&text);
    return status == OK ? env_dir_sync(env, dir, error) : status;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Each take moves *at behind what it took; false: it is not there. */
static bool take_word(const char **at, const char *word)
{
    size_t size = strlen(word);
    if (strncmp(*at, word, size) != 0)
        return false;
    *at += size;
    return true;
}

static bool take_number(const char **at, uint64_t *out)
{
    if (**at < '0' || **at > '9')
        return false;
    char *end = NULL;
    *out = strtoull(*at, &end, 10);
    *at = end;
    return true;
}

static bool take_hex(const char **at, uint8_t *out, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 2 * size; i++) {
        const char *digit = (*at)[i] ? strchr(digits, (*at)[i]) : NULL;
        if (!digit)
            return false;
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | (digit - digits));
    }
    *at += 2 * size;
    return true;
}

static bool take_member(const char **at, struct replica_members *members)
{
    if (members->count == REPLICA_MEMBERS_MAX)
        return false;
    struct replica_member *member = &members->items[members->count++];
    *member = (struct replica_member){0};
    if (!take_number(at, &member->id) || member->id == 0 || !take_word(at, " "))
        return false;
    member->voter = take_word(at, "voter ");
    if (!member->voter && !take_word(at, "learner "))
        return false;
    size_t size = strcspn(*at, "\n");
    if (size >= sizeof member->address)
        return false;
    memcpy(member->address, *at, size);
    *at += size;
    return take_word(at, "\n");
}

static bool identity_parse(const char *at, struct replica__identity *out)
{
    *out = (struct replica__identity){0};
    bool valid = take_word(&at, "toydb node ") && take_number(&at, &out->id) && out->id &&
                 take_word(&at, " cluster ");
    out->has_cluster_id = valid && !take_word(&at, "-");
    if (out->has_cluster_id)
        valid = take_hex(&at, out->cluster_id, sizeof out->cluster_id);
    if (valid && take_word(&at, " uid ")) {
        uint8_t uid[8] = {0};
        valid = take_hex(&at, uid, sizeof uid);
        out->uid = get_u64_be(uid);
    }
    valid = valid && take_word(&at, "\n");
    if (valid && take_word(&at, "removed "))
        valid = take_number(&at, &out->removed_index) && take_word(&at, "\n");
    out->joins = valid && take_word(&at, "joined ");
    if (out->joins)
        valid = take_number(&at, &out->first.index) && take_word(&at, "\n");
    while (valid && take_word(&at, "member "))
        valid = take_member(&at, &out->first);
    return valid && *at == '\0';
}

status_t replica__identity_read(struct env *env, const char *dir, struct replica__identity *out,
                                struct error *error)
{
    char path[1000];
    struct env_file *file = NULL;
    status_t status = path_make(dir, "IDENTITY", path, sizeof path, error);
    if (status == OK)
        status = env_file_open(env, path, ENV_OPEN_READ_ONLY, &file, error);
    if (status != OK)
        return status;
    char *text = mem_zalloc(1, TEXT_MAX);
    size_t got = 0;
    status = env_file_read(file, 0, text, TEXT_MAX - 1, &got, error);
    env_file_close(file);
    if (status == OK && (strlen(text) != got || !identity_parse(text, out)))
        status = error_set(error, ERR_CORRUPT, "\"%s\" is not an identity file", path);
    mem_free(text);
    return status;
}

static status_t identity_check(const char *dir, uint64_t id,
                               const struct replica__identity *identity, struct error *error)
{
    if (identity->id != id) {
        error_set(error, ERR_INVALID,
                  "data directory \"%s\" belongs to node %" PRIu64 ", not to node %" PRIu64, dir,
                  identity->id, id);
        error_hint(error, "Start node %" PRIu64 " with it, or give another directory.",
                   identity->id);
        return ERR_INVALID;
    }
    if (identity->removed_index) {
        error_set(error, ERR_INVALID, "node %" PRIu64 " was removed from its cluster", id);
        error_detail(error, "Log entry %" PRIu64 " did it. The data in \"%s\" was kept.",
                     identity->removed_index, dir);
        error_hint(error, "To make it a member again, start it with an empty directory and "
                          "--join.");
        return ERR_INVALID;
    }
    return OK;
}

/* A node that was found to hold other data than the others must not be started by mistake. */
static status_t quarantine_check(struct env *env, const char *dir, struct error *error)
{
    bool exists;
    status_t status = replica__file_exists(env, dir, REPLICA_QUARANTINE_FILE, &exists, error);
    if (status != OK || !exists)
        return status;
    error_set(error, ERR_INVALID, "data directory \"%s\" is in quarantine", dir);
    error_detail(error, "A consistency check found other data in it than in most of the cluster.");
    error_hint(error,
               "Replace the node: remove it, and join with an empty directory. To start it "
               "all the same, remove \"%s/%s\".",
               dir, REPLICA_QUARANTINE_FILE);
    return ERR_INVALID;
}

status_t replica__identity_load(struct env *env, const char *dir, uint64_t id,
                                struct replica__identity *out, struct error *error)
{
    ASSERT(id != 0);
    status_t status = env_dir_create(env, dir, error);
    if (status == OK)
        status = quarantine_check(env, dir, error);
    if (status != OK)
        return status;
    status = replica__identity_read(env, dir, out, error);
    if (status == ERR_NOT_FOUND)
        *out = (struct replica__identity){.id = id};
    else if (status == OK)
        status = identity_check(dir, id, out, error);
    if ((status != OK && status != ERR_NOT_FOUND) || out->uid != 0)
        return status;
    while (out->uid == 0)
        env_random_bytes(env, &out->uid, sizeof out->uid);
    return replica__identity_write(env, dir, out, error);
}

status_t replica_identity(struct env *env, const char *dir, uint64_t id,
                          struct replica_identity *out, struct error *error)
{
    struct replica__identity identity;
    bool fresh = replica__identity_read(env, dir, &identity, NULL) == ERR_NOT_FOUND;
    status_t status = replica__identity_load(env, dir, id, &identity, error);
    if (status != OK)
        return status;
    ASSERT(!fresh || identity.first.count == 0);
    *out = (struct replica_identity){.uid = identity.uid,
                                     .has_cluster_id = identity.has_cluster_id,
                                     .placed = identity.first.count > 0,
                                     .fresh = fresh};
    memcpy(out->cluster_id, identity.cluster_id, sizeof out->cluster_id);
    return OK;
}

bool replica_identity_removed(struct env *env, const char *dir)
{
    struct replica__identity identity;
    return replica__identity_read(env, dir, &identity, NULL) == OK && identity.removed_index != 0;
}

status_t replica_identity_forget(struct env *env, const char *dir, struct error *error)
{
    struct replica__identity identity;
    char path[1000];
    bool tree = false;
    status_t status = replica__identity_read(env, dir, &identity, error);
    if (status == OK)
        status = replica__file_exists(env, dir, "data.toydb", &tree, error);
    if (status != OK || tree || identity.has_cluster_id || identity.first.count > 0)
        return status;
    status = path_make(dir, "IDENTITY", path, sizeof path, error);
    if (status == OK)
        status = env_file_remove(env, path, error);
    return status == OK ? env_dir_sync(env, dir, error) : status;
}

/* ---- the cluster's identity -------------------------------------------------------------------
 */

/* The tree holds it under 01 "cluster", by the log alone: the first CLUSTER entry of all counts
 * (two first leaders may propose one each), and each RECOVER entry after it. The file has it from
 * there or from a join, and then keeps it. */

static status_t cluster_note(struct replica *r, const uint8_t *id, struct error *error)
{
    memcpy(r->identity.cluster_id, id, REPLICA_CLUSTER_ID_SIZE);
    r->identity.has_cluster_id = true;
    status_t status = replica__identity_write(r->env, r->dir, &r->identity, error);
    /* Known only once it is durable: on a full disk the entry is applied again. */
    r->identity.has_cluster_id = status == OK;
    return status;
}

status_t replica__cluster_load(struct replica *r, struct error *error)
{
    uint8_t key[REPLICA_SYSTEM_KEY_MAX];
    struct slice stored;
    status_t status = kv_get_latest(r->kv, replica__system_key("cluster", key), &stored, error);
    if (status == ERR_NOT_FOUND || (status == OK && r->identity.has_cluster_id))
        return OK;
    if (status == OK && stored.size != REPLICA_CLUSTER_ID_SIZE)
        return error_set(error, ERR_CORRUPT, "record of the cluster's identity is malformed");
    return status == OK ? cluster_note(r, stored.data, error) : status;
}

status_t replica__cluster_apply(struct replica *r, struct slice body, bool recover,
                                struct error *error)
{
    if (body.size != REPLICA_CLUSTER_ID_SIZE)
        return error_set(error, ERR_CORRUPT, "log entry with a cluster id of %zu bytes", body.size);
    uint8_t key[REPLICA_SYSTEM_KEY_MAX];
    struct slice name = replica__system_key("cluster", key), stored;
    status_t status = kv_get_latest(r->kv, name, &stored, error);
    if (status == ERR_NOT_FOUND || (status == OK && recover))
        status = kv_put(r->kv, name, body, error);
    if (status != OK || r->identity.has_cluster_id)
        return status;
    status = kv_get_latest(r->kv, name, &stored, error);
    return status == OK ? cluster_note(r, stored.data, error) : status;
}

/* ---- the first start --------------------------------------------------------------------------
 */

status_t replica__identity_place(struct replica *r, struct error *error)
{
    struct replica__identity *identity = &r->identity;
    const struct replica_config *config = &r->config;
    ASSERT(config->members.count <= REPLICA_MEMBERS_MAX);
    if (identity->first.count || config->members.count == 0)
        return OK;
    for (uint32_t i = 0; i < config->members.count; i++)
        if (!replica__address_valid(config->members.items[i].address))
            return error_set(error, ERR_INVALID, "address of node %" PRIu64 " is not valid",
                             config->members.items[i].id);
    identity->first = config->members;
    identity->joins = config->joins;
    if (config->joins && !identity->has_cluster_id) {
        memcpy(identity->cluster_id, config->cluster_id, REPLICA_CLUSTER_ID_SIZE);
        identity->has_cluster_id = true;
    }
    return replica__identity_write(r->env, r->dir, identity, error);
}
