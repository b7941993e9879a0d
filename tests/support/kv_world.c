#include "kv_world.h"

#include "base/check.h"
#include "base/mem.h"

int world_open(void **state)
{
    struct world *world = mem_zalloc(1, sizeof *world);
    world->machine = env_sim_create(5);
    struct env *env = env_sim_env(world->machine);
    struct error error;
    status_t status = env_dir_create(env, "/data", &error);
    if (status == OK)
        status = kv_open(env, "/data/store", NULL, &world->kv, &error);
    ASSERT(status == OK);
    *state = world;
    return 0;
}

int world_close(void **state)
{
    struct world *world = *state;
    kv_close(world->kv);
    env_sim_destroy(world->machine);
    mem_free(world);
    return 0;
}
