/* One node, seen from inside the server room. Everything here belongs to the loop thread unless it
 * says otherwise. */
#ifndef SERVER_NODE_INT_H
#define SERVER_NODE_INT_H

#include <uv.h>

#include "base/prng.h"
#include "grpc/grpc.h"
#include "replica/replica.h"
#include "server/job.h"
#include "server/server.h"
#include "sql/sql.h"

struct session;
struct peer;
struct conn;
struct listener;

/* Something that was asked to wait: a session backing off before it tries again. */
struct sleeper {
    uint64_t wake_us;
    void (*wake)(struct sleeper *sleeper);
    struct sleeper *next;
};

/* A log batch on the log thread. */
struct log_job {
    struct job job;
    struct node *node;
    struct wal_batch *batch; /* NULL: none out */
    status_t status;
    struct error error;
};

struct checkpoint_job {
    struct job job;
    struct node *node;
    struct kv_checkpoint *checkpoint; /* NULL: none out */
};

struct background_job {
    struct job job;
    struct node *node;
    struct replica_work *work; /* NULL: none out */
};

/* What a node is told by the cluster it joins. */
struct server_joined {
    bool placed; /* the directory knew its cluster already: nobody was asked */
    uint8_t cluster_id[REPLICA_CLUSTER_ID_SIZE];
    struct replica_members members;
};

struct node {
    struct server_config config;
    struct env *env;
    uv_loop_t loop;
    uv_timer_t tick_timer;
    bool tick_due;
    uv_timer_t sleep_timer;
    uv_check_t check; /* after the poll: the pump */
    uv_idle_t idle;   /* active while there is work that needs no event */
    uv_signal_t signals[2];
    struct mailbox mailbox;
    struct job_pool *log_pool;
    struct job_pool *checkpoint_pool;
    struct job_pool *background_pool;
    struct job_pool *workers;
    struct env_crew *crew; /* helps statements of `workers`; or NULL */
    struct log_job log_job;
    bool log_is_slow; /* a write of the log in the loop took long once: no more of them */
    struct checkpoint_job checkpoint_job;
    struct background_job background_job;
    struct replica *replica;
    struct sql_engine *engine;
    struct grpc_server *grpc;
    char *read_buffer; /* of all connections: gRPC takes what it needs during the callback */
    struct listener *listener;
    struct conn *conns; /* open connections, both ways */
    uint32_t conn_count, conn_max;
    uint32_t lingering_count;   /* those that only wait for the other side to close */
    struct conn *dirty;         /* with output to write */
    struct peer *peers;         /* the other nodes */
    bool members_changed;       /* the peers are to follow */
    struct grpc_call *exchange; /* whose message is with the replica just now; NULL: none */
    struct session *runnable;   /* sessions with something to do */
    struct session **runnable_last;
    uint32_t runnable_count;
    struct session *sessions; /* all in use */
    uint32_t session_count;
    uint64_t session_number; /* of the last one opened */
    uint32_t client_count;   /* calls of Execute and Session that are not over */
    struct sleeper *sleepers;
    struct origin *origins; /* free transaction origins */
    uint64_t incarnation;   /* random: sets this process's origins apart */
    uint64_t origin_count;
    uint64_t started_us;  /* monotonic */
    uint64_t turn_end_us; /* when the pump gives way to the network and the timers */
    struct prng prng;     /* jitter */
    bool stopping;
    bool stopped;
    uint64_t drain_end_us; /* while stopping: until then clients may finish what they do */
    bool failed;
    struct error failure;
    /* node_admin.c: what it asks of the cluster for itself */
    bool announcing, handing_over;
    uint64_t announce_us; /* not before */
    struct replica_admin announce, handover;
    /* housekeeper.c */
    struct session *housekeeping; /* NULL: nothing runs */
    uint64_t look_us, unasked_us; /* not before */
};

/* node.c */
status_t node_create(const struct server_config *config, struct node **out, struct error *error);
/* Runs the loop until node_stop has taken effect. Returns the failure that stopped it, if any. */
status_t node_run(struct node *node, struct error *error);
/* Begins to stop, once its clients have had drain_us to finish; asked again: without more time. */
void node_stop(struct node *node);
void node_destroy(struct node *node);
/* Asks for a pump soon: some input was given from outside the usual events. */
void node_wake(struct node *node);
/* The pump has worked long enough: what is left waits for the next one. */
bool node_turn_over(const struct node *node);
void node_sleep(struct node *node, struct sleeper *sleeper, uint64_t delay_us);
void node_sleep_cancel(struct node *node, struct sleeper *sleeper);

/* service_status.c: "leader", "follower", "candidate", "learner" or "unreachable", as this node
 * sees it; and how much of the log a member holds, false when that is not known here. */
const char *node_role(const struct node *node, const struct replica_status *status,
                      const struct replica_member *member);
bool node_match_index(const struct replica_status *status, const struct replica_member *member,
                      uint64_t *match);

/* housekeeper.c */
void node_housekeeping_tick(struct node *node, uint64_t now_us);
/* Ends what runs, if anything does. */
void node_housekeeping_stop(struct node *node);

/* node_internal.c: a sql_internal_fn; `context` is the node. */
bool node_internal(void *context, const char *table, struct sql_rows *rows);

/* node_admin.c */
const struct replica_member *node_member(const struct replica_members *members, uint64_t id);
void node_admin_tick(struct node *node, uint64_t now_us);
/* Has another node lead, if this one does; `handing_over` until that is so or has failed. */
void node_hand_over(struct node *node);
/* No majority can be reached: the whole cluster is being stopped, or nearly. */
bool node_hand_over_hopeless(const struct node *node);
void node_hand_over_cancel(struct node *node);

/* join.c: asks the members named in the configuration to be taken in, until one of them answers.
 * ERR_INVALID, ERR_EXISTS: it is refused. Blocks; before there is a node. */
status_t join_ask(const struct server_config *config, const struct replica_identity *identity,
                  struct server_joined *out, struct error *error);

/* stranger.c: what to say to a client whose first bytes are none of HTTP/2's. */
enum stranger {
    STRANGER_NOT,
    STRANGER_ASKS, /* it goes on when it has been answered */
    STRANGER_TOLD, /* nothing follows */
};
enum stranger stranger_answer(struct slice first, struct buffer *out);

/* listener.c: sockets and the gRPC connections on them */
status_t listener_open(struct node *node, const char *address, struct error *error);
/* Could a node listen there now? Nothing stays open. */
status_t listener_try(const char *address, struct error *error);
void listener_close(struct node *node);
/* A connected socket, taken over, served as if it had been accepted. */
status_t conn_adopt(struct node *node, int fd, struct error *error);
struct conn *conn_connect(struct node *node, const char *address,
                          void (*on_state)(void *context, struct conn *conn, bool up),
                          void *context);
struct grpc_conn *conn_grpc(struct conn *conn);
/* on_state is not called any more. */
void conn_close(struct conn *conn);
void conns_flush(struct node *node);
void conns_tick(struct node *node, uint64_t now_us);
void conns_shutdown(struct node *node);
void conns_close_all(struct node *node);

/* peer.c: messages between nodes */
/* The other members: connections to them are opened, closed, led elsewhere. */
void peers_update(struct node *node, const struct replica_members *members);
void peers_close(struct node *node);
void peers_tick(struct node *node, uint64_t now_us);
void peers_flush(struct node *node);
/* False: there is no connection, or too much is waiting for it. */
bool peer_send(struct node *node, const struct replica_message *message);
bool peer_connected(const struct node *node, uint64_t id);
extern const struct grpc_handlers peer_exchange_handlers;

/* service.c: the API for clients */
extern const struct grpc_handlers service_status_handlers;
extern const struct grpc_handlers service_execute_handlers;
extern const struct grpc_handlers service_session_handlers;

/* service_admin.c: the API for changing the cluster */
extern const struct grpc_handlers service_join_handlers;
extern const struct grpc_handlers service_add_handlers;
extern const struct grpc_handlers service_remove_handlers;
extern const struct grpc_handlers service_promote_handlers;
extern const struct grpc_handlers service_transfer_handlers;
extern const struct grpc_handlers service_check_handlers;

#endif
