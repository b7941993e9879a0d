/* Plays the stories of versions and transactions. Commands:
 *
 *   write KEY VALUE at=V      a version of a key; `delete KEY at=V` writes a tombstone
 *   begin NAME at=V           a transaction that reads at V (default: the newest version)
 *   get NAME KEY              put NAME KEY VALUE           del NAME KEY
 *   scan NAME [low=] [high=] [limit=] [reverse=1]
 *   reads NAME                what it has noted as read
 *   commit NAME [at=V]        certified against the window; what may commit is written at V
 *   propose NAME at=V         certified and noted, but not written (a leader's proposal)
 *   rewind to=V               proposals above V are lost
 *   window keys=N from=V      a new certifier
 *   tree                      all that is stored */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "env_sim.h"
#include "golden.h"
#include "mvcc/mvcc_int.h"
#include "txn/txn_int.h"

enum { TXNS_MAX = 8, WORD_MAX = 64, WINDOW_KEYS = 64 };

struct stage {
    struct env_sim *machine;
    struct kv *kv;
    struct txn_certifier *certifier;
    uint64_t version;  /* the newest */
    uint64_t sequence; /* of the last commit */
    struct {
        char name[WORD_MAX];
        struct txn txn;
        bool open;
    } txns[TXNS_MAX];
};

static void status_print(struct buffer *out, status_t status, const struct error *error)
{
    buffer_printf(out, "%s%s%s\n", status_name(status), error->message[0] ? ": " : "",
                  error->message);
}

/* The words of the arguments that have no '='. */
static const char *word(const struct golden_case *c, uint32_t number, char out[WORD_MAX])
{
    const char *at = c->args;
    for (out[0] = '\0'; *at;) {
        size_t size = strcspn(at, " ");
        bool plain = size && !memchr(at, '=', size);
        if (plain && number-- == 0) {
            size = size < WORD_MAX ? size : WORD_MAX - 1;
            memcpy(out, at, size);
            out[size] = '\0';
            return out;
        }
        at += size;
        at += strspn(at, " ");
    }
    return out;
}

static struct txn *txn_named(struct stage *stage, const struct golden_case *c, struct buffer *out)
{
    char name[WORD_MAX];
    word(c, 0, name);
    for (int i = 0; i < TXNS_MAX; i++)
        if (stage->txns[i].open && strcmp(stage->txns[i].name, name) == 0)
            return &stage->txns[i].txn;
    buffer_printf(out, "no transaction %s\n", name);
    return NULL;
}

static void txn_close(struct stage *stage, struct txn *txn)
{
    for (int i = 0; i < TXNS_MAX; i++)
        if (&stage->txns[i].txn == txn)
            stage->txns[i].open = false;
    txn_free(txn);
}

static void run_write(struct stage *stage, const struct golden_case *c, struct buffer *out)
{
    char key[WORD_MAX], value[WORD_MAX];
    struct error error = {0};
    uint64_t version = (uint64_t)golden_arg_long(c, "at", 0);
    struct slice bytes = slice_from_string(word(c, 1, value));
    bool tombstone = strcmp(c->command, "delete") == 0;
    status_t status = mvcc_write(stage->kv, slice_from_string(word(c, 0, key)), version,
                                 tombstone ? NULL : &bytes, NULL, &error);
    if (status == OK)
        status = kv_publish(stage->kv, &error);
    if (status != OK)
        status_print(out, status, &error);
    if (status == OK && version > stage->version)
        stage->version = version;
}

static void run_begin(struct stage *stage, const struct golden_case *c, struct buffer *out)
{
    int place = 0;
    while (place < TXNS_MAX - 1 && stage->txns[place].open)
        place++;
    struct kv_snapshot *snapshot;
    struct error error = {0};
    status_t status = kv_snapshot_open(stage->kv, &snapshot, &error);
    if (status != OK) {
        status_print(out, status, &error);
        return;
    }
    word(c, 0, stage->txns[place].name);
    stage->txns[place].open = true;
    uint64_t version = (uint64_t)golden_arg_long(c, "at", (long)stage->version);
    txn_init(&stage->txns[place].txn, snapshot, version, golden_arg_long(c, "read_only", 0) != 0);
    buffer_printf(out, "reads at %" PRIu64 "\n", version);
}

static void run_get(struct stage *stage, const struct golden_case *c, struct buffer *out)
{
    struct txn *txn = txn_named(stage, c, out);
    char key[WORD_MAX];
    struct slice value;
    struct error error = {0};
    if (!txn)
        return;
    status_t status = txn_get(txn, slice_from_string(word(c, 1, key)), &value, &error);
    if (status == OK)
        buffer_printf(out, "%.*s\n", (int)value.size, (const char *)value.data);
    else
        status_print(out, status, &error);
}

static void run_put(struct stage *stage, const struct golden_case *c, struct buffer *out)
{
    struct txn *txn = txn_named(stage, c, out);
    char key[WORD_MAX], value[WORD_MAX];
    if (!txn)
        return;
    struct slice bytes = slice_from_string(word(c, 2, value));
    bool tombstone = strcmp(c->command, "del") == 0;
    status_t status = txn_write(txn, slice_from_string(word(c, 1, key)), tombstone ? NULL : &bytes);
    if (status != OK)
        buffer_printf(out, "%s\n", status_name(status));
}

static void run_scan(struct stage *stage, const struct golden_case *c, struct buffer *out)
{
    struct txn *txn = txn_named(stage, c, out);
    char low[WORD_MAX] = "", high[WORD_MAX] = "";
    struct txn_scan scan;
    struct error error = {0};
    if (!txn)
        return;
    golden_arg_text(c, "low", low, sizeof low);
    golden_arg_text(c, "high", high, sizeof high);
    long limit = golden_arg_long(c, "limit", 1000);
    status_t status = txn_scan_open(txn, &scan, slice_from_string(low), slice_from_string(high),
                                    golden_arg_long(c, "reverse", 0) != 0, &error);
    for (long i = 0; status == OK && i < limit; i++) {
        struct slice key, value;
        status = txn_scan_next(&scan, &key, &value, &error);
        if (status == OK)
            buffer_printf(out, "%.*s = %.*s\n", (int)key.size, (const char *)key.data,
                          (int)value.size, (const char *)value.data);
    }
    if (status != OK && status != ERR_NOT_FOUND)
        status_print(out, status, &error);
    txn_scan_close(&scan);
}

static void print_bytes(struct buffer *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] > ' ' && bytes.data[i] < 0x7f)
            buffer_append_byte(out, bytes.data[i]);
        else
            buffer_printf(out, "\\%02x", bytes.data[i]);
    }
}

static void run_reads(struct stage *stage, const struct golden_case *c, struct buffer *out)
{
    struct txn *txn = txn_named(stage, c, out);
    for (uint32_t i = 0; txn && i < txn->range_count; i++) {
        const struct txn_range *range = &txn->ranges[i];
        buffer_append_string(out, range->point ? "" : "[");
        print_bytes(out, range->low);
        if (!range->point) {
            buffer_append_string(out, ", ");
            print_bytes(out, range->high);
            buffer_append_string(out, range->high.size ? ")" : "end)");
        }
        buffer_append_byte(out, '\n');
    }
    if (txn && txn->range_count == 0)
        buffer_append_string(out, "nothing\n");
}

static void effect_write(struct stage *stage, const struct txn_request *request, uint64_t version,
                         struct buffer *out)
{
    struct txn_effect effect = {
        .version = version, .id = request->id, .reply = request->reply, .writes = request->writes};
    struct error error = {0};
    bool fresh;
    status_t status = txn_effect_apply(stage->kv, &effect, false, NULL, &fresh, &error);
    if (status == OK)
        status = kv_publish(stage->kv, &error);
    if (status != OK)
        status_print(out, status, &error);
    if (!fresh)
        buffer_append_string(out, "not for the first time\n");
    stage->version = version;
}

static void run_commit(struct stage *stage, const struct golden_case *c, struct buffer *out)
{
    struct txn *txn = txn_named(stage, c, out);
    if (!txn)
        return;
    char name[WORD_MAX];
    struct txn_id id = {.origin = slice_from_string(word(c, 0, name)),
                        .sequence =
                            (uint64_t)golden_arg_long(c, "sequence", (long)++stage->sequence)};
    uint64_t version = (uint64_t)golden_arg_long(c, "at", (long)stage->version + 1);
    struct buffer bytes = {0};
    struct txn_request request;
    struct slice key = {0};
    status_t status = txn_request_encode(txn, id, (struct slice){0}, &bytes);
    if (status == OK)
        status = txn_request_decode(buffer_slice(&bytes), &request);
    if (status == OK)
        status = txn_certify(stage->certifier, &request, &key);
    if (status == OK) {
        txn_certifier_note(stage->certifier, request.writes, version);
        bool proposes = strcmp(c->command, "propose") == 0;
        if (!proposes)
            effect_write(stage, &request, version, out);
        buffer_printf(out, "%s at %" PRIu64 "\n", proposes ? "proposed" : "committed", version);
    } else {
        buffer_printf(out, "%s", status_name(status));
        if (key.size) {
            buffer_append_string(out, ": ");
            print_bytes(out, key);
        }
        buffer_append_byte(out, '\n');
    }
    buffer_free(&bytes);
    txn_close(stage, txn);
}

static void run_tree(struct stage *stage, struct buffer *out)
{
    struct kv_cursor cursor;
    struct error error = {0};
    kv_cursor_init_latest(&cursor, stage->kv);
    status_t status = kv_cursor_first(&cursor, &error);
    for (; status == OK && kv_cursor_valid(&cursor); status = kv_cursor_next(&cursor, &error)) {
        struct slice stored = kv_cursor_key(&cursor), key, raw, value;
        uint64_t version;
        bool tombstone;
        if (stored.data[0] < MVCC_KEY_FIRST_MIN) {
            buffer_append_string(out, "system ");
            print_bytes(out, stored);
            buffer_append_byte(out, '\n');
            continue;
        }
        status = kv_cursor_value(&cursor, &raw, &error);
        if (status == OK)
            status = mvcc__split(stored, &key, &version, &error);
        if (status == OK)
            status = mvcc__unwrap(raw, &tombstone, &value, &error);
        if (status != OK)
            break;
        print_bytes(out, key);
        buffer_printf(out, " @%" PRIu64 " ", version);
        if (tombstone)
            buffer_append_string(out, "deleted");
        else
            print_bytes(out, value);
        buffer_append_byte(out, '\n');
    }
    if (status != OK)
        status_print(out, status, &error);
}

static void run_window(struct stage *stage, const struct golden_case *c)
{
    txn_certifier_destroy(stage->certifier);
    stage->certifier = txn_certifier_create((uint32_t)golden_arg_long(c, "keys", WINDOW_KEYS));
    txn_certifier_start(stage->certifier, (uint64_t)golden_arg_long(c, "from", 0));
}

static void run_case(void *context, const struct golden_case *c, struct buffer *out)
{
    struct stage *stage = context;
    if (strcmp(c->command, "write") == 0 || strcmp(c->command, "delete") == 0)
        run_write(stage, c, out);
    else if (strcmp(c->command, "begin") == 0)
        run_begin(stage, c, out);
    else if (strcmp(c->command, "get") == 0)
        run_get(stage, c, out);
    else if (strcmp(c->command, "put") == 0 || strcmp(c->command, "del") == 0)
        run_put(stage, c, out);
    else if (strcmp(c->command, "scan") == 0)
        run_scan(stage, c, out);
    else if (strcmp(c->command, "reads") == 0)
        run_reads(stage, c, out);
    else if (strcmp(c->command, "commit") == 0 || strcmp(c->command, "propose") == 0)
        run_commit(stage, c, out);
    else if (strcmp(c->command, "rewind") == 0)
        txn_certifier_rewind(stage->certifier, (uint64_t)golden_arg_long(c, "to", 0));
    else if (strcmp(c->command, "window") == 0)
        run_window(stage, c);
    else if (strcmp(c->command, "tree") == 0)
        run_tree(stage, out);
    else
        buffer_printf(out, "no command \"%s\"\n", c->command);
}

static void play(const char *name)
{
    struct stage stage = {.machine = env_sim_create(3)};
    struct error error;
    struct env *env = env_sim_env(stage.machine);
    assert_int_equal(env_dir_create(env, "/data", &error), OK);
    assert_int_equal(kv_open(env, "/data/store", NULL, &stage.kv, &error), OK);
    stage.certifier = txn_certifier_create(WINDOW_KEYS);
    txn_certifier_start(stage.certifier, 0);
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/golden/mvcc/%s", getenv("TOYDB_SOURCE_ROOT"), name);
    int mismatches = golden_run(path, run_case, &stage);
    for (int i = 0; i < TXNS_MAX; i++)
        if (stage.txns[i].open)
            txn_free(&stage.txns[i].txn);
    txn_certifier_destroy(stage.certifier);
    kv_close(stage.kv);
    env_sim_destroy(stage.machine);
    assert_int_equal(mismatches, 0);
}

#define STORY(name)                                                                                \
    static void story_##name(void **state)                                                         \
    {                                                                                              \
        (void)state;                                                                               \
        play(#name ".golden");                                                                     \
    }

STORY(versions)
STORY(scans)
STORY(overlay)
STORY(anomalies)
STORY(window)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(story_versions), cmocka_unit_test(story_scans),
        cmocka_unit_test(story_overlay),  cmocka_unit_test(story_anomalies),
        cmocka_unit_test(story_window),
    };
    return cmocka_run_group_tests_name("mvcc_stories", tests, NULL, NULL);
}
