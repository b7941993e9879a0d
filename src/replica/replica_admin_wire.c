/* The bodies of REPLICA_ADMIN_REQUEST and _RESPONSE, MessagePack:
 *
 *     request    [1, type, token, member]
 *     response   [1, token, [message, detail, hint], cluster id, members, check]
 *     member     [id, uid, voter, promote, address]
 *     members    [index, [member, ...]]
 *     check      [index, majority, [[id, voter, answered, differs, hash], ...]]
 *
 * `token` of a response comes back in the next request for the same thing: what it means is the
 * leader's business (replica_admin_judge.c). */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/msgpack.h"
#include "replica/replica_int.h"

enum { FORMAT = 1 };

/* ---- writing --------------------------------------------------------------------------------- */

static void put_member(struct buffer *out, const struct replica_member *member)
{
    msgpack_put_array(out, 5);
    msgpack_put_uint(out, member->id);
    msgpack_put_uint(out, member->uid);
    msgpack_put_bool(out, member->voter);
    msgpack_put_bool(out, member->promote);
    msgpack_put_str(out, slice_from_string(member->address));
}

static void put_members(struct buffer *out, const struct replica_members *members)
{
    msgpack_put_array(out, 2);
    msgpack_put_uint(out, members->index);
    msgpack_put_array(out, members->count);
    for (uint32_t i = 0; i < members->count; i++)
        put_member(out, &members->items[i]);
}

static void put_check(struct buffer *out, const struct replica_check *check)
{
    msgpack_put_array(out, 3);
    msgpack_put_uint(out, check->index);
    msgpack_put_bool(out, check->majority);
    msgpack_put_array(out, check->count);
    for (uint32_t i = 0; i < check->count; i++) {
        const struct replica_check_node *node = &check->nodes[i];
        msgpack_put_array(out, 5);
        msgpack_put_uint(out, node->id);
        msgpack_put_bool(out, node->voter);
        msgpack_put_bool(out, node->answered);
        msgpack_put_bool(out, node->differs);
        msgpack_put_bin(out, slice_make(node->hash, sizeof node->hash));
    }
}

void replica__admin_request_encode(const struct replica__admin_request *request, struct buffer *out)
{
    msgpack_put_array(out, 4);
    msgpack_put_uint(out, FORMAT);
    msgpack_put_uint(out, request->type);
    msgpack_put_uint(out, request->token);
    put_member(out, &request->member);
}

void replica__admin_response_encode(const struct replica__admin_response *response,
                                    struct buffer *out)
{
    const struct error *error = &response->error;
    msgpack_put_array(out, 6);
    msgpack_put_uint(out, FORMAT);
    msgpack_put_uint(out, response->token);
    msgpack_put_array(out, 3);
    msgpack_put_str(out, slice_from_string(error->message));
    msgpack_put_str(out, slice_from_string(error->detail));
    msgpack_put_str(out, slice_from_string(error->hint));
    msgpack_put_bin(out, slice_make(response->cluster_id, sizeof response->cluster_id));
    put_members(out, &response->members);
    put_check(out, &response->check);
}

/* ---- reading: foreign bytes; the reader's `failed` tells in the end ---------------------------
 */

static bool get_bool(struct msgpack_reader *reader)
{
    struct msgpack_value value;
    if (!msgpack_next(reader, &value) || value.type != MSGPACK_BOOL) {
        reader->failed = true;
        return false;
    }
    return value.as.boolean;
}

/* An array of exactly `count`. */
static void get_shape(struct msgpack_reader *reader, uint32_t count)
{
    if (msgpack_get_array(reader) != count)
        reader->failed = true;
}

/* A text that fits, with its NUL and without others inside. */
static void get_text(struct msgpack_reader *reader, char *out, size_t size)
{
    struct slice text = msgpack_get_str(reader);
    if (text.size >= size || (text.size && memchr(text.data, '\0', text.size))) {
        reader->failed = true;
        return;
    }
    if (text.size)
        memcpy(out, text.data, text.size);
    out[text.size] = '\0';
}

static void get_bytes(struct msgpack_reader *reader, uint8_t *out, size_t size)
{
    struct slice bytes = msgpack_get_bin(reader);
    if (bytes.size != size)
        reader->failed = true;
    else
        memcpy(out, bytes.data, size);
}

static void get_member(struct msgpack_reader *reader, struct replica_member *out)
{
    get_shape(reader, 5);
    out->id = msgpack_get_uint(reader);
    out->uid = msgpack_get_uint(reader);
    out->voter = get_bool(reader);
    out->promote = get_bool(reader);
    get_text(reader, out->address, sizeof out->address);
}

static uint32_t get_count(struct msgpack_reader *reader)
{
    uint32_t count = msgpack_get_array(reader);
    if (count > REPLICA_MEMBERS_MAX)
        reader->failed = true;
    return reader->failed ? 0 : count;
}

static void get_members(struct msgpack_reader *reader, struct replica_members *out)
{
    get_shape(reader, 2);
    out->index = msgpack_get_uint(reader);
    out->count = get_count(reader);
    for (uint32_t i = 0; i < out->count; i++)
        get_member(reader, &out->items[i]);
}

static void get_check(struct msgpack_reader *reader, struct replica_check *out)
{
    get_shape(reader, 3);
    out->index = msgpack_get_uint(reader);
    out->majority = get_bool(reader);
    out->count = get_count(reader);
    for (uint32_t i = 0; i < out->count; i++) {
        struct replica_check_node *node = &out->nodes[i];
        get_shape(reader, 5);
        node->id = msgpack_get_uint(reader);
        node->voter = get_bool(reader);
        node->answered = get_bool(reader);
        node->differs = get_bool(reader);
        get_bytes(reader, node->hash, sizeof node->hash);
    }
}

status_t replica__admin_request_decode(struct slice bytes, struct replica__admin_request *out)
{
    *out = (struct replica__admin_request){0};
    struct msgpack_reader reader;
    msgpack_reader_init(&reader, bytes);
    get_shape(&reader, 4);
    bool known = msgpack_get_uint(&reader) == FORMAT;
    uint64_t type = msgpack_get_uint(&reader);
    out->token = msgpack_get_uint(&reader);
    get_member(&reader, &out->member);
    if (!known || type < REPLICA_ADMIN_ADD || type > REPLICA_ADMIN_LIST || !msgpack_done(&reader))
        return ERR_PROTOCOL;
    out->type = (enum replica_admin_type)type;
    return OK;
}

status_t replica__admin_response_decode(struct slice bytes, struct replica__admin_response *out)
{
    *out = (struct replica__admin_response){0};
    struct msgpack_reader reader;
    msgpack_reader_init(&reader, bytes);
    get_shape(&reader, 6);
    bool known = msgpack_get_uint(&reader) == FORMAT;
    out->token = msgpack_get_uint(&reader);
    get_shape(&reader, 3);
    get_text(&reader, out->error.message, sizeof out->error.message);
    get_text(&reader, out->error.detail, sizeof out->error.detail);
    get_text(&reader, out->error.hint, sizeof out->error.hint);
    get_bytes(&reader, out->cluster_id, sizeof out->cluster_id);
    get_members(&reader, &out->members);
    get_check(&reader, &out->check);
    return known && msgpack_done(&reader) ? OK : ERR_PROTOCOL;
}
