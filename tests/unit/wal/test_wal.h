/* Shared by the unit tests of wal: a log on a simulated machine. */
#ifndef TEST_WAL_H
#define TEST_WAL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "env_sim.h"
#include "wal/wal.h"

#define DIR "log"

extern const struct wal_config test_config; /* files of 4 KiB, from the first one on */

struct wal *open_ok(struct env_sim *sim);
/* Opening must fail with `status`, and `text` be in the message. */
void open_fails(struct env_sim *sim, status_t status, const char *text);
/* Stages entries first .. last of `term`, each with a payload of `size` bytes made of its index and
 * term. */
void stage(struct wal *wal, uint64_t first, uint64_t last, uint64_t term, size_t size);
/* And flushes. */
void append(struct wal *wal, uint64_t first, uint64_t last, uint64_t term, size_t size);
/* Entries first .. last read back as appended. */
void expect(struct wal *wal, uint64_t first, uint64_t last, uint64_t term, size_t size);
/* Inverts one byte of a file; the change is durable. */
void flip(struct env_sim *sim, const char *path, uint64_t offset);
void overwrite(struct env_sim *sim, const char *path, uint64_t offset, const void *data,
               size_t size);
uint64_t file_size(struct env_sim *sim, const char *path);
int file_count(struct env_sim *sim);
int spare_count(struct env_sim *sim);
/* Rewrites the files of a closed log as the first version of the format had them. */
void make_version_1(struct env_sim *sim);

#endif
