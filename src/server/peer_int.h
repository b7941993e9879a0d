/* What the files of the messages between nodes share: peer.c has the connections, peer_wire.c the
 * bytes. */
#ifndef SERVER_PEER_INT_H
#define SERVER_PEER_INT_H

#include "server/node_int.h"

/* Appends a message to what is to be one PeerMessage; all of one buffer are from and for the same
 * nodes. Failing, for want of room, it sets out->failed. */
void peer_wire_append(const struct replica_message *message, struct buffer *out);
/* A PeerAck that brings the message back on the stream of whom it is for. */
void peer_wire_notice(const struct replica_message *message, struct buffer *out);

/* Who has sent a PeerMessage. */
struct peer_sender {
    uint64_t id, uid;
};
/* These hand what is in a PeerMessage or PeerAck to the replica. False: it cannot be decoded. */
bool peer_wire_receive(struct node *node, struct slice bytes, struct peer_sender *sender);
bool peer_wire_receive_ack(struct node *node, struct slice bytes);

#endif
