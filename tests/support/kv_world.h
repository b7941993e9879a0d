/* A store on a simulated machine, as the state of a cmocka test. */
#ifndef SUPPORT_KV_WORLD_H
#define SUPPORT_KV_WORLD_H

#include "env_sim.h"
#include "kv/kv.h"

struct world {
    struct env_sim *machine;
    struct kv *kv;
};

/* For cmocka_unit_test_setup_teardown. */
int world_open(void **state);
int world_close(void **state);

#endif
