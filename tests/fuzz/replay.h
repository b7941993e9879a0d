/* A fuzz target without a fuzzing engine: what the replaying mains share. Each of them runs the
 * files named on its command line through the target; without any it makes good inputs, spoils them
 * at random and runs those, from a fixed seed. */
#ifndef FUZZ_REPLAY_H
#define FUZZ_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/prng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs every file named. Returns the exit code: 0, or 1 when one could not be read. */
int fuzz_replay_files(int argc, char **argv);

/* Up to changes_max - 1 bytes set, bits flipped or ends cut off. `bytes` must not be empty, and
 * will not be. */
void fuzz_spoil(struct prng *prng, struct buffer *bytes, uint32_t changes_max);

/* The main of a target that reads statements: `rounds` times one of `good`, at most
 * FUZZ_STATEMENT_MAX bytes long, with pieces of others put over, between or taken out. */
enum { FUZZ_STATEMENT_MAX = 400 };
int fuzz_replay_statements(int argc, char **argv, const char *const *good, size_t count,
                           uint32_t rounds);

#endif
