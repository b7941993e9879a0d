/* Between protobuf messages and SQL values. */
#ifndef SERVER_WIRE_INT_H
#define SERVER_WIRE_INT_H

#include "base/arena.h"
#include "grpc/grpc.h"
#include "protobuf/toydb.pb-c.h"
#include "sql/sql.h"
#include "sql/types/types.h"

/* Are the strings of a packed message, and of those in it, without NUL characters? Unpacked they
 * are C strings, which end at the first. `bytes` can be unpacked as `type`, whose messages do not
 * nest in themselves. */
bool wire_strings_whole(const ProtobufCMessageDescriptor *type, struct slice bytes);
/* Parameters of a request, in the arena; text points into the request. ERR_SQL with 22021 for text
 * that is not UTF-8. */
status_t wire_parameters(const ExecuteRequest *request, struct arena *arena, struct value **out,
                         struct error *error);
/* These fill a response in the arena. */
ExecuteResponse *wire_header(struct arena *arena, const struct sql_column *columns, uint32_t count);
/* Of the selected rows from *from on as many as make about WIRE_ROWS_BYTES, at least one; *from is
 * then the next. Clients take only messages of a few MiB (4 unless told otherwise). */
enum { WIRE_ROWS_BYTES = 1 << 20 };
ExecuteResponse *wire_rows(struct arena *arena, const struct batch *batch, int32_t zone_s,
                           uint32_t *from);
ExecuteResponse *wire_complete(struct arena *arena, const char *tag, uint64_t rows, bool more,
                               uint64_t elapsed_us, enum sql_transaction_state state);
ExecuteResponse *wire_error(struct arena *arena, const struct error *error,
                            enum sql_transaction_state state);
/* The gRPC code that a call ends with for an SQLSTATE (protobuf/toydb.proto). */
enum grpc_status wire_status(const char *sqlstate);

#endif
