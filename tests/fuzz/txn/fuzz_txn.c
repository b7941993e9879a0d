/* Commit requests come from the network and effects from the log: what decode lets through must be
 * good for everything behind it. A request is judged and made an effect of, which must decode to
 * the same; an effect is applied. */
#include "fuzz_txn.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "env_sim.h"

static void writes_same(struct slice a, struct slice b)
{
    struct txn_write_cursor of_a, of_b;
    struct slice key[2], value[2];
    bool tombstone[2];
    txn_writes_begin(a, &of_a);
    txn_writes_begin(b, &of_b);
    while (txn_writes_next(&of_a, &key[0], &value[0], &tombstone[0])) {
        bool more = txn_writes_next(&of_b, &key[1], &value[1], &tombstone[1]);
        ASSERT(more && tombstone[0] == tombstone[1]);
        ASSERT(slice_equal(key[0], key[1]) && slice_equal(value[0], value[1]));
        ASSERT(key[0].size >= 1 && key[0].size <= MVCC_KEY_MAX);
    }
    ASSERT(!txn_writes_next(&of_b, &key[1], &value[1], &tombstone[1]));
}

static void request_try(struct slice bytes)
{
    struct txn_request request;
    if (txn_request_decode(bytes, &request) != OK)
        return;
    struct txn_certifier *certifier = txn_certifier_create(4);
    txn_certifier_start(certifier, 5);
    txn_certifier_note(certifier, request.writes, 10);
    struct slice key;
    status_t status = txn_certify(certifier, &request, &key);
    ASSERT(status == OK || status == ERR_CONFLICT || status == ERR_TOO_OLD);
    txn_certifier_rewind(certifier, 5);
    for (int refusal = 0; refusal < 2; refusal++) {
        struct buffer encoded = {0};
        struct txn_effect effect;
        if (refusal)
            txn_refusal_encode(&request, 11, &encoded);
        else
            txn_effect_encode(&request, 11, &encoded);
        status = txn_effect_decode(buffer_slice(&encoded), &effect);
        ASSERT(status == OK && effect.version == 11);
        ASSERT(slice_equal(effect.id.origin, request.id.origin));
        ASSERT(effect.id.sequence == request.id.sequence);
        if (!refusal)
            writes_same(effect.writes, request.writes);
        buffer_free(&encoded);
    }
    txn_certifier_destroy(certifier);
}

static void effect_try(struct slice bytes)
{
    struct txn_effect effect;
    if (txn_effect_decode(bytes, &effect) != OK)
        return;
    struct env_sim *machine = env_sim_create(1);
    struct error error;
    struct kv *kv;
    status_t status = env_dir_create(env_sim_env(machine), "/data", &error);
    if (status == OK)
        status = kv_open(env_sim_env(machine), "/data/store", NULL, &kv, &error);
    ASSERT(status == OK);
    struct txn_outcome outcome;
    for (int time = 0; time < 2; time++) {
        bool fresh;
        status = txn_effect_apply(kv, &effect, false, NULL, &fresh, &error);
        ASSERT(status == OK && fresh == (time == 0));
        status = txn_outcome_get(kv, effect.id.origin, &outcome, &error);
        ASSERT(status == OK && outcome.sequence == effect.id.sequence && !outcome.refused);
        ASSERT(outcome.version == effect.version && slice_equal(outcome.reply, effect.reply));
    }
    kv_close(kv);
    env_sim_destroy(machine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    /* A copy of exactly the bytes, so that reading past them is seen. */
    uint8_t *copy = mem_alloc(size);
    memcpy(copy, data, size);
    struct slice message = slice_make(copy + 1, size - 1);
    if (copy[0] == 0)
        request_try(message);
    else
        effect_try(message);
    mem_free(copy);
    return 0;
}
