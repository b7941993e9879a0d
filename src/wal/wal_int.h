/* Inside of wal. In reading order: wal_format.c (bytes of a file), wal_scan.c (walking one file),
 * wal_index.c (where each entry is), wal_recover.c (opening), wal_stage.c (owner's side of
 * putting in), wal_write.c (log thread's side), wal.c (the rest). */
#ifndef WAL_WAL_INT_H
#define WAL_WAL_INT_H

#include <stdbool.h>

#include "base/bytes.h"
#include "wal/wal.h"

/* ---- wal_format.c --------------------------------------------------------------------------- */

#define WAL__VERSION            1
#define WAL__FILE_HEADER_SIZE   128
#define WAL__RECORD_HEADER_SIZE 40
#define WAL__SEGMENT_SIZE_MAX   (UINT32_C(1) << 30)
#define WAL__NAME_SIZE          32 /* of a file's name and its NUL */

enum wal__record_type {
    WAL__ENTRY = 1,
    WAL__HARD_STATE = 2,
    WAL__COMPACT = 3,
    WAL__RESET = 4,
};

/* Where a record lies; part of what its CRC covers. */
struct wal__place {
    uint64_t cluster_id;
    uint64_t node_id;
    uint64_t sequence; /* of the file */
    uint64_t offset;   /* in the file */
};

struct wal__record {
    enum wal__record_type type;
    uint8_t entry_type; /* ENTRY */
    uint32_t batch;     /* offset at which its batch begins in this file */
    uint64_t index;     /* ENTRY, COMPACT, RESET; HARD_STATE: term */
    uint64_t term;      /* ENTRY, COMPACT, RESET; HARD_STATE: vote */
    struct slice payload;
};

/* What the log was when a file was begun. */
struct wal__file_header {
    uint64_t sequence;
    uint64_t cluster_id;
    uint64_t node_id;
    uint64_t first_index;
    uint64_t first_term; /* of the entry before first_index */
    uint64_t next_index;
    uint64_t last_term; /* of the entry before next_index */
    struct raft_hard_state hard_state;
};

enum wal__header_state { WAL__HEADER_OK, WAL__HEADER_BAD, WAL__HEADER_OTHER_VERSION };

void wal__file_name(char out[WAL__NAME_SIZE], uint64_t sequence);
/* The sequence a name stands for; false: not a name of ours. */
bool wal__file_name_parse(const char *name, uint64_t *sequence);
/* dir/name; the caller frees it. */
char *wal__file_path(const char *dir, uint64_t sequence);
void wal__file_header_encode(uint8_t out[WAL__FILE_HEADER_SIZE],
                             const struct wal__file_header *header);
/* *version is set for OTHER_VERSION. Foreign bytes. */
enum wal__header_state wal__file_header_decode(struct slice bytes, struct wal__file_header *out,
                                               uint32_t *version);
/* Bytes of a record in the file, padding counted. */
uint64_t wal__record_size(uint64_t payload_size);
/* Appends it; the buffer has room (asserted). */
void wal__record_encode(struct buffer *out, const struct wal__place *place,
                        const struct wal__record *record);
/* The record at the start of `bytes`. False: none, or a damaged one. payload points into bytes. */
bool wal__record_decode(struct slice bytes, const struct wal__place *place,
                        struct wal__record *out);
void wal__record_set_hard_state(struct wal__record *record, const struct raft_hard_state *state,
                                uint8_t payload[8]);
/* False: not the payload of a hard state. */
bool wal__record_hard_state(const struct wal__record *record, struct raft_hard_state *state);

/* ---- wal_scan.c ----------------------------------------------------------------------------- */

/* A walk over the records of one file held in memory. */
struct wal__scan {
    struct slice bytes;
    struct wal__place place; /* offset: of the record that comes next */
};

enum wal__scan_end {
    WAL__END_CLEAN,   /* nothing but zeros behind */
    WAL__END_TORN,    /* what is behind was never reported durable: cut it at place.offset */
    WAL__END_CORRUPT, /* the record at place.offset was durable once */
};

/* place.offset is set to the first record. */
void wal__scan_init(struct wal__scan *scan, struct slice bytes, const struct wal__place *place);
bool wal__scan_next(struct wal__scan *scan, struct wal__record *out);
/* After wal__scan_next has said false. *witness: the valid record that proves CORRUPT. */
enum wal__scan_end wal__scan_end(const struct wal__scan *scan, uint64_t *witness);
/* Offset of the first valid record at or behind `offset`, and its batch; 0: there is none. */
uint64_t wal__scan_find(const struct wal__scan *scan, uint64_t offset, uint32_t *batch);

/* ---- wal_index.c ---------------------------------------------------------------------------- */

/* Where an entry is: 12 bytes each. */
struct wal__slot {
    uint32_t sequence;
    uint32_t offset;
    uint32_t size; /* of its data */
};

struct wal__run {
    uint64_t index; /* the first entry of this term; it goes on to the next run */
    uint64_t term;
};

struct wal__index {
    uint64_t first;          /* index of slots[dropped] */
    uint64_t first_term;     /* of the entry before it */
    struct wal__slot *slots; /* slots[dropped .. count) */
    uint32_t dropped, count, capacity;
    struct wal__run *runs; /* ascending in both; the first may begin before `first` */
    uint32_t run_count, run_capacity;
};

void wal__index_init(struct wal__index *index, uint64_t first, uint64_t first_term);
void wal__index_free(struct wal__index *index);
uint64_t wal__index_last(const struct wal__index *index);
/* Of an entry in [first - 1, last] (asserted). */
uint64_t wal__index_term(const struct wal__index *index, uint64_t at);
struct wal__slot wal__index_slot(const struct wal__index *index, uint64_t at);
/* Entry `at`, in [first, last + 1] (asserted); it and all behind it are dropped first. */
void wal__index_put(struct wal__index *index, uint64_t at, uint64_t term, struct wal__slot slot);
/* Drops entries before `first`, at most last + 1 (asserted). */
void wal__index_drop_before(struct wal__index *index, uint64_t first);

/* ---- wal_write.c ---------------------------------------------------------------------------- */

/* The log thread's own. */
struct wal__writer {
    struct env *env;
    const char *dir;
    uint32_t segment_size;
    uint32_t zero_step;
    struct env_file *file; /* the newest */
    uint64_t sequence;
    uint64_t allocated; /* bytes of it whose blocks were written */
    status_t failed;
};

/* Bytes that go to one file. */
struct wal__chunk {
    uint64_t sequence;
    uint64_t offset;
    size_t begin, end; /* in the batch's bytes */
    bool creates;      /* the file is new: its bytes start with the file header */
};

struct wal_batch {
    struct wal__writer *writer;
    struct buffer bytes;
    struct wal__chunk *chunks;
    uint32_t chunk_count, chunk_capacity;
    uint32_t chunks_written; /* a full disk stops in between */
    /* Files with these sequences are removed once the batch is durable. */
    uint64_t remove_from, remove_before;
};

/* Makes a new file with these bytes at its start, durable, name and all, the one to write to. */
status_t wal__writer_create_file(struct wal__writer *writer, uint64_t sequence, struct slice start,
                                 struct error *error);

/* ---- the log -------------------------------------------------------------------------------- */

struct wal__position {
    uint64_t sequence;
    uint64_t offset;
};

struct wal {
    struct env *env;
    char *dir;
    uint64_t cluster_id, node_id;
    uint32_t segment_size;
    struct env_file *lock;
    status_t failed;
    struct wal__index index;
    struct raft_hard_state hard_state;
    uint64_t durable_index;
    uint64_t taken_index;      /* what durable_index becomes when the batch that is out is done */
    struct wal__position tail; /* where the next record goes */
    uint64_t oldest;           /* sequence of the oldest file needed */
    struct wal_batch *staging;
    struct wal_batch *out; /* with the log thread */
    struct wal_batch *spare;
    struct env_file *read_file; /* the file read last */
    uint64_t read_sequence;
    struct wal__writer writer;
};

/* wal_stage.c. NULL is allowed. */
void wal__batch_free(struct wal_batch *batch);

/* wal_recover.c. Fills index, hard_state, tail, oldest and writer from what is on disk, or begins
 * a new log. */
status_t wal__recover(struct wal *wal, struct error *error);
struct wal__file_header wal__header_now(const struct wal *wal, uint64_t sequence);

#endif
