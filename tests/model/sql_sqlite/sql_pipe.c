/* SQL through a pipe: each line of the input is a text, run in one session over a store in memory;
 * what a client would see of it goes to the output, ended by a line with a single period. The line
 * "reset" begins again with nothing; "work BYTES" says when operators put rows aside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "env/env.h"
#include "env_sim.h"
#include "sql_driver.h"

static void begin(struct sql_driver *driver, struct env_sim *sim, struct env_crew *crew)
{
    struct error error;
    sql_driver_init(driver, env_sim_env(sim));
    sql_engine_crew_set(driver->engine, crew);
    ASSERT(sql_engine_spill_set(driver->engine, "/spill", &error) == OK);
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    struct sql_driver driver;
    struct env_sim *sim = env_sim_create(1);
    struct env_crew *crew = env_crew_create("helper", 3);
    begin(&driver, sim, crew);
    while ((size = getline(&line, &capacity, stdin)) > 0) {
        struct buffer out = {0};
        if (line[size - 1] == '\n')
            line[--size] = '\0';
        if (strcmp(line, "reset") == 0) {
            sql_driver_free(&driver);
            begin(&driver, sim, crew);
        } else if (strncmp(line, "work ", 5) == 0) {
            size_t bytes = strtoull(line + 5, NULL, 10);
            sql_session_work_memory_set(sql_driver_session(&driver, 0), bytes);
        } else {
            sql_driver_run(&driver, sql_driver_session(&driver, 0), slice_from_string(line), NULL,
                           0, &out);
        }
        buffer_append_string(&out, ".\n");
        ASSERT(!out.failed);
        fwrite(out.data, 1, out.size, stdout);
        fflush(stdout);
        buffer_free(&out);
    }
    free(line);
    sql_driver_free(&driver);
    env_crew_destroy(crew);
    env_sim_destroy(sim);
    return 0;
}
