/* A dull store of versions: sorted arrays. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "sim.h"

void sim_model_free(struct sim_model *model)
{
    for (uint32_t i = 0; i < model->key_count; i++) {
        struct sim_key *key = &model->keys[i];
        for (uint32_t v = 0; v < key->count; v++)
            buffer_free(&key->versions[v].value);
        mem_free(key->versions);
        buffer_free(&key->key);
    }
    mem_free(model->keys);
    *model = (struct sim_model){0};
}

/* The place of the first key that is not before `key`. */
static uint32_t key_place(const struct sim_model *model, struct slice key)
{
    uint32_t low = 0, high = model->key_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slice_compare(buffer_slice(&model->keys[middle].key), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct sim_key *key_find(const struct sim_model *model, struct slice key)
{
    uint32_t at = key_place(model, key);
    bool there = at < model->key_count && slice_equal(buffer_slice(&model->keys[at].key), key);
    return there ? &model->keys[at] : NULL;
}

static struct sim_key *key_add(struct sim_model *model, struct slice key)
{
    struct sim_key *known = key_find(model, key);
    if (known)
        return known;
    uint32_t at = key_place(model, key);
    model->keys =
        vec_grow(model->keys, &model->key_capacity, model->key_count + 1, sizeof *model->keys);
    memmove(model->keys + at + 1, model->keys + at, (model->key_count - at) * sizeof *model->keys);
    model->key_count++;
    model->keys[at] = (struct sim_key){0};
    buffer_append_slice(&model->keys[at].key, key);
    return &model->keys[at];
}

void sim_model_write(struct sim_model *model, struct slice key, uint64_t version,
                     struct slice value, bool tombstone)
{
    struct sim_key *entry = key_add(model, key);
    ASSERT(entry->count == 0 || entry->versions[entry->count - 1].version < version);
    entry->versions =
        vec_grow(entry->versions, &entry->capacity, entry->count + 1, sizeof *entry->versions);
    struct sim_version *added = &entry->versions[entry->count++];
    *added = (struct sim_version){.version = version, .tombstone = tombstone};
    buffer_append_slice(&added->value, value);
    model->versions++;
}

/* The newest at or below `version`; NULL when there is none or it is a tombstone. */
static const struct sim_version *version_at(const struct sim_key *key, uint64_t version)
{
    for (uint32_t i = key->count; i-- > 0;)
        if (key->versions[i].version <= version)
            return key->versions[i].tombstone ? NULL : &key->versions[i];
    return NULL;
}

static const struct sim_write *own_write(struct slice key, const struct sim_write *writes,
                                         uint32_t count)
{
    while (count-- > 0)
        if (slice_equal(buffer_slice(&writes[count].key), key))
            return &writes[count];
    return NULL;
}

void sim_seen(struct buffer *out, struct slice key, bool found, struct slice value)
{
    buffer_append_slice(out, key);
    if (found) {
        buffer_append_byte(out, '=');
        buffer_append_slice(out, value);
    } else {
        buffer_append_byte(out, '?');
    }
    buffer_append_byte(out, '\n');
}

/* True when there is such a key; then it is appended. */
static bool look(const struct sim_key *key, struct slice name, uint64_t version,
                 const struct sim_write *writes, uint32_t write_count, struct buffer *out)
{
    const struct sim_write *own = own_write(name, writes, write_count);
    if (own) {
        if (!own->tombstone)
            sim_seen(out, name, true, buffer_slice(&own->value));
        return !own->tombstone;
    }
    const struct sim_version *stored = key ? version_at(key, version) : NULL;
    if (stored)
        sim_seen(out, name, true, buffer_slice(&stored->value));
    return stored != NULL;
}

void sim_model_get(const struct sim_model *model, struct slice key, uint64_t version,
                   const struct sim_write *writes, uint32_t write_count, struct buffer *out)
{
    const struct sim_key *entry = key_find(model, key);
    if (!look(entry, key, version, writes, write_count, out))
        sim_seen(out, key, false, (struct slice){0});
}

/* The next name after `last` in the direction, of stored and own keys; `inclusive`: or that one. */
static bool name_next(const struct sim_model *model, const struct sim_write *writes,
                      uint32_t write_count, const struct slice *last, bool inclusive, bool reverse,
                      struct slice *out)
{
    uint32_t at = last ? key_place(model, *last) : reverse ? model->key_count : 0;
    if (last && (reverse ? inclusive : !inclusive))
        at += at < model->key_count && slice_equal(buffer_slice(&model->keys[at].key), *last);
    bool any = reverse ? at > 0 : at < model->key_count;
    if (any)
        *out = buffer_slice(&model->keys[reverse ? at - 1 : at].key);
    for (uint32_t i = 0; i < write_count; i++) {
        struct slice name = buffer_slice(&writes[i].key);
        int behind = !last ? 1 : reverse ? slice_compare(*last, name) : slice_compare(name, *last);
        if (inclusive ? behind < 0 : behind <= 0)
            continue;
        int nearer = !any ? 1 : reverse ? slice_compare(name, *out) : slice_compare(*out, name);
        if (nearer > 0)
            *out = name;
        any = true;
    }
    return any;
}

void sim_model_scan(const struct sim_model *model, struct slice low, struct slice high,
                    bool reverse, uint32_t limit, uint64_t version, const struct sim_write *writes,
                    uint32_t write_count, struct buffer *out)
{
    struct slice name, at = reverse ? high : low;
    const struct slice *last = reverse && high.size == 0 ? NULL : &at;
    bool inclusive = !reverse;
    for (uint32_t found = 0;
         found < limit && name_next(model, writes, write_count, last, inclusive, reverse, &name);) {
        at = name;
        last = &at;
        inclusive = false;
        if (slice_compare(name, low) < 0 || (high.size && slice_compare(name, high) >= 0))
            break;
        found += look(key_find(model, name), name, version, writes, write_count, out);
    }
}
