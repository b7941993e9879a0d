/* Which of the room's formats an input is for: its first byte, modulo the count. */
#ifndef FUZZ_REPLICA_H
#define FUZZ_REPLICA_H

enum fuzz_replica_format {
    FUZZ_ADMIN_REQUEST,
    FUZZ_ADMIN_RESPONSE,
    FUZZ_MEMBERS,  /* a membership as raft encodes it, contexts and all */
    FUZZ_IDENTITY, /* the file */
    FUZZ_ENTRY,    /* of the log: its type, then its data */
    FUZZ_REPLICA_FORMATS,
};

#endif
