/* A world for statements that do not fit into their memory: an engine with a directory for what is
 * put aside, and two sessions, one with enough memory and one with next to none. */
#ifndef TESTS_UNIT_SQL_SPILL_WORLD_H
#define TESTS_UNIT_SQL_SPILL_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "env_sim.h"
#include "sql_driver.h"

#define DIRECTORY "/data/spill"

enum { ROOMY, TIGHT }; /* sessions */

struct world {
    struct env_sim *sim;
    struct env *env;
    struct sql_driver driver;
};

/* Without tables; the directory is there, and known to the engine when it `spills`. */
void open_engine(struct world *world, bool spills);
/* t: 9000 rows, 3000 values of k and NULLs; u: 3000 rows, 1700 values of k, a name each; one: a
 * single value. TIGHT has 64 kB. */
void open_world(struct world *world);
/* Nothing must be left in the directory. */
void close_world(struct world *world);
/* What the statement says; it stays in `out`. */
const char *run(struct world *world, uint32_t session, const char *sql, struct buffer *out);
/* Files in the directory. */
uint32_t files(struct world *world);
/* Both sessions give the same rows; `spills`: and TIGHT some of them by way of a file. */
void check(struct world *world, const char *sql, bool spills);

#endif
