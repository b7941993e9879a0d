/* Inside of wal. In reading order: wal_format.c (bytes of a file), wal_scan.c (walking one file),
 * wal_index.c (where each entry is), wal_recover.c (opening), wal_stage.c (owner's side of
 * putting in), wal_spare.c (files for later), wal_write.c (log thread's side), wal_dump.c (for
 * tools), wal.c (the rest). */
#ifndef WAL_WAL_INT_H
#define WAL_WAL_INT_H

#include <stdbool.h>

#include "base/bytes.h"
#include "wal/wal.h"

/* ---- wal_format.c --------------------------------------------------------------------------- */

#define WAL__VERSION            2
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
    uint64_t salt;     /* of the file */
    uint32_t version;  /* of the file; not covered, but it says what is */
};

struct wal__record {
    enum wal__record_type type;
    uint8_t entry_type; /* ENTRY */
    uint32_t batch;     /* offset at which its batch begins in this file */
    uint32_t link;      /* crc of the record before it, or of the file's header */
    uint32_t crc;       /* decoding sets it */
    uint64_t index;     /* ENTRY, COMPACT, RESET; HARD_STATE: term */
    uint64_t term;      /* ENTRY, COMPACT, RESET; HARD_STATE: vote */
    struct slice payload;
};

/* What the log was when a file was begun. */
struct wal__file_header {
    uint32_t version;
    uint32_t crc; /* decoding sets it */
    uint64_t sequence;
    uint64_t cluster_id;
    uint64_t node_id;
    uint64_t first_index;
    uint64_t first_term; /* of the entry before first_index */
    uint64_t next_index;
    uint64_t last_term; /* of the entry before next_index */
    struct raft_hard_state hard_state;
    /* Of the file before: where its records end (0: there is none), and what they end with. */
    uint64_t before_end;
    uint32_t before_link;
    uint64_t salt;
};

enum wal__header_state { WAL__HEADER_OK, WAL__HEADER_BAD, WAL__HEADER_OTHER_VERSION };

void wal__file_name(char out[WAL__NAME_SIZE], uint64_t sequence);
/* The sequence a name stands for; false: not a name of ours. */
bool wal__file_name_parse(const char *name, uint64_t *sequence);
/* dir/name; the caller frees it. */
char *wal__file_path(const char *dir, uint64_t sequence);
/* The same for spare files. */
bool wal__spare_name_parse(const char *name, uint64_t *number);
char *wal__spare_path(const char *dir, uint64_t number);
/* Returns its CRC. */
uint32_t wal__file_header_encode(uint8_t out[WAL__FILE_HEADER_SIZE],
                                 const struct wal__file_header *header);
/* *version is set for OTHER_VERSION. Foreign bytes. */
enum wal__header_state wal__file_header_decode(struct slice bytes, struct wal__file_header *out,
                                               uint32_t *version);
/* Bytes of a record in the file, padding counted. */
uint64_t wal__record_size(uint64_t payload_size);
/* Appends it; the buffer has room (asserted). Returns its CRC. */
uint32_t wal__record_encode(struct buffer *out, const struct wal__place *place,
                            const struct wal__record *record);
/* The record at the start of `bytes`. False: none, or a damaged one. payload points into bytes.
 * Whether its link fits is not looked at. */
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
    uint32_t link;           /* it must have this one */
};

enum wal__scan_end {
    WAL__END_CLEAN,   /* no record behind */
    WAL__END_TORN,    /* what is behind was never reported durable, and does not count */
    WAL__END_CORRUPT, /* the record at place.offset was durable once */
};

/* Before the first record of the file with this header. */
void wal__scan_init(struct wal__scan *scan, struct slice bytes,
                    const struct wal__file_header *header);
bool wal__scan_next(struct wal__scan *scan, struct wal__record *out);
/* After wal__scan_next has said false. */
enum wal__scan_end wal__scan_end(const struct wal__scan *scan);

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

/* ---- wal_spare.c ---------------------------------------------------------------------------- */

#define WAL__SPARES_MAX 64

/* A file that holds nothing needed and waits for being the next one. */
struct wal__spare {
    uint64_t number;
    uint64_t size;
    bool settled; /* its name is durable, and no other one leads to it any more */
};

/* A file that is needed no more. */
struct wal__drop {
    uint64_t sequence;
    uint64_t size;
    uint64_t spare; /* the spare it becomes; 0: it is removed */
    bool done;
};

struct wal_work {
    struct env *env;
    const char *dir;
    uint64_t number;
    uint64_t size;
    uint32_t zero_step;
    status_t status;
};

/* At open: keeps or removes the spare with this number. */
status_t wal__spare_found(struct wal *wal, uint64_t number, struct error *error);
/* The one to use next; number 0: there is none, a file with a new number is to be made. */
struct wal__spare wal__spare_take(struct wal *wal);
uint64_t wal__spare_number(struct wal *wal);
/* Size that a file made now is to have. */
uint64_t wal__next_size(const struct wal *wal);
/* Says what becomes of a file with this size. When that is a spare, it is promised until
 * wal__drop_done, and there from then on. */
struct wal__drop wal__drop_make(struct wal *wal, uint64_t sequence, uint64_t size);
void wal__drop_done(struct wal *wal, const struct wal__drop *drop);
/* The directory was synced: names given before are durable. */
void wal__spares_settle(struct wal *wal);

/* ---- wal_write.c ---------------------------------------------------------------------------- */

/* The log thread's own. */
struct wal__writer {
    struct env *env;
    const char *dir;
    uint32_t zero_step;
    struct env_file *file; /* the newest */
    uint64_t sequence;
    uint64_t allocated; /* bytes of it whose blocks were written */
    uint64_t size;      /* which it is to have in the end */
    status_t failed;
};

/* Bytes that go to one file. */
struct wal__chunk {
    uint64_t sequence;
    uint64_t offset;
    size_t begin, end; /* in the batch's bytes */
    bool creates;      /* the file is new: its bytes start with the file header */
    /* CREATES: the spare it is made of. */
    uint64_t spare;
    bool made;          /* that is there already */
    bool settled;       /* and its name durable */
    uint64_t file_size; /* which the file is to have; once written: which it has */
};

struct wal_batch {
    struct wal__writer *writer;
    struct buffer bytes;
    struct wal__chunk *chunks;
    uint32_t chunk_count, chunk_capacity;
    uint32_t chunks_written; /* a full disk stops in between */
    struct wal__drop *drops; /* done once the batch is durable */
    uint32_t drop_count, drop_capacity;
};

/* Zeros for [from, to) of the file. */
status_t wal__zeros_write(struct env_file *file, uint64_t from, uint64_t to, struct error *error);
/* Makes the chunk's file, with these bytes at its start, durable, name and all, the one to write
 * to. */
status_t wal__writer_begin_file(struct wal__writer *writer, struct wal__chunk *chunk,
                                struct slice start, struct error *error);

/* ---- the log -------------------------------------------------------------------------------- */

struct wal__position {
    uint64_t sequence;
    uint64_t offset;
};

struct wal__file {
    uint64_t size;    /* which it is to have: records begin below */
    uint64_t on_disk; /* which it has, as far as the owner knows */
    uint64_t salt;
    uint32_t version;
};

struct wal {
    struct env *env;
    char *dir;
    uint64_t cluster_id, node_id;
    uint32_t segment_size;
    uint32_t zero_step;
    bool read_only;
    struct env_file *lock;
    status_t failed;
    struct wal__index index;
    struct raft_hard_state hard_state;
    uint64_t durable_index;
    uint64_t taken_index;      /* what durable_index becomes when the batch that is out is done */
    struct wal__position tail; /* where the next record goes */
    uint64_t tail_size;        /* of its file: a record that goes over it begins the next one */
    uint32_t tail_link;        /* of the next record */
    bool tail_closed;          /* the next record begins a file whatever its size */
    uint64_t oldest;           /* sequence of the oldest file needed */
    struct wal__file *files;   /* from the oldest to the tail's */
    uint32_t file_count, file_capacity;
    struct wal_batch *staging;
    struct wal_batch *out; /* with the log thread */
    struct wal_batch *spare;
    struct env_file *read_file; /* the file read last */
    uint64_t read_sequence;
    struct wal__spare spares[WAL__SPARES_MAX]; /* the oldest first */
    uint32_t spare_count;
    uint32_t spares_promised; /* by drops that are not done */
    uint32_t spares_max;
    uint64_t spare_last;   /* number given last */
    struct wal_work *work; /* out */
    uint64_t work_failed;  /* the tail's sequence when it did; 0: it did not */
    struct wal_stats stats;
    struct wal__writer writer;
};

/* wal.c */
struct wal__file *wal__file(const struct wal *wal, uint64_t sequence);

/* wal_stage.c */
/* Begins the file behind the tail: its header into `bytes`, what to make it of into *chunk. */
void wal__file_begin(struct wal *wal, struct wal__chunk *chunk,
                     uint8_t bytes[WAL__FILE_HEADER_SIZE]);
/* NULL is allowed. */
void wal__batch_free(struct wal_batch *batch);

/* wal_recover.c */
struct wal__numbers {
    uint64_t *items; /* ascending */
    uint32_t count, capacity;
};
struct wal__names {
    struct wal__numbers files, spares;
};
/* What is in the directory; wal__names_free after a failure, too. */
status_t wal__names_list(struct env *env, const char *dir, struct wal__names *names,
                         struct error *error);
void wal__names_free(struct wal__names *names);
/* All of a file's bytes, the caller's to mem_free. ERR_CORRUPT: larger than any of ours. */
status_t wal__file_read(struct env *env, const char *dir, uint64_t sequence, struct slice *out,
                        struct error *error);
/* Fills index, hard_state, tail, oldest, files, spares and writer from what is on
 * disk, or begins a new log. */
status_t wal__recover(struct wal *wal, struct error *error);

#endif
