/* What the files about reading by several threads share: parts of a scan, and helpers with
 * operators of their own. */
#ifndef SQL_EXEC_PARALLEL_INT_H
#define SQL_EXEC_PARALLEL_INT_H

#include "sql/exec/spill_int.h"

struct worker {
    struct parallel *parallel;
    struct exec *exec;
    struct operator* op; /* what takes the rows */
    struct operator* scan;
    uint32_t parts; /* taken */
    uint32_t failed_part;
    status_t status;
    struct error error;
};

enum { THREAD_MEMORY_MIN = 1 << 20 };

struct helper {
    struct worker worker;
    struct exec exec;
    struct arena arena;
    struct env_crew_task task;
};

struct parallel {
    struct worker leader;
    struct bounds range;
    struct bounds *parts;
    uint32_t part_count;
    double rows; /* in all of them, about */
    _Atomic uint32_t part_next;
    atomic_bool stop;
    const struct parallel_ops *ops;
    void *results;
    struct helper *helpers;
    uint32_t helper_count;
    uint32_t threads; /* that may work, the leader's among them */
    size_t share;     /* bytes of what is left of the budget for each of them */
    size_t reserved;  /* of the leader's budget, for the helpers */
};

/* Of a part, read it next. */
void exec__parallel_take_part(struct worker *worker, uint32_t part);
/* Opens the helpers, each with its operators, and notes the range as read. */
status_t exec__parallel_open(struct parallel *parallel, struct error *error);
/* All helpers have ended: what they have done counts as done by the leader's operators, and of
 * their shares of memory the leader has back what they did not use. */
void exec__parallel_ended(struct parallel *parallel);

#endif
