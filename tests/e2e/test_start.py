"""What a node says at its start, and what commands say of nodes that are not there."""
import os
import socket

from harness import (TOYDB, Cluster, Node, free_ports, main, run, scratch, test, wait_for)


def alone(name, *extra):
    port, = free_ports(1)
    return Node(None, 1, port, os.path.join(scratch, name), list(extra))


def until_it_leads(node):
    wait_for(lambda: node.state().leader == node.id, "a leader")


@test
def an_empty_directory_becomes_a_cluster_of_its_own_and_says_so():
    node = alone("own")
    node.start()
    until_it_leads(node)
    assert "node 1 begins a new cluster of its own" in node.log_text(), node.log_text()
    assert node.stop() == 0
    os.truncate(node.log, 0)
    node.start()
    until_it_leads(node)
    assert "new cluster" not in node.log_text(), node.log_text()
    assert node.stop() == 0


@test
def peers_that_the_directory_knows_otherwise():
    node = alone("peers")
    node.start()
    until_it_leads(node)
    assert node.stop() == 0
    node.extra = ["--peers", f"1={node.address},2=127.0.0.1:1"]
    node.start()
    until_it_leads(node)
    assert f"knows the cluster as 1={node.address}" in node.log_text(), node.log_text()
    assert "--peers names other nodes than the members" in node.log_text(), node.log_text()
    assert "other addresses" not in node.log_text(), node.log_text()
    assert node.stop() == 0
    os.truncate(node.log, 0)
    node.extra = ["--peers", f"1={node.address}"]
    node.start()
    until_it_leads(node)
    assert "--peers" not in node.log_text(), node.log_text()
    assert node.stop() == 0


def on_a_taken_port(node):
    """Starts it while another listens at its address: it fails, and its directory stays empty."""
    with socket.create_server(("127.0.0.1", node.port)):
        node.start()
        assert node.exit_code() == 1
    assert "address already in use" in node.log_text(), node.log_text()
    assert os.listdir(node.dir) == [], os.listdir(node.dir)
    os.truncate(node.log, 0)


@test
def a_start_that_cannot_listen_founds_nothing():
    node = alone("taken")
    on_a_taken_port(node)
    # What it belongs to is for the start that succeeds to say: here its number, and two peers.
    node.id = 2
    node.extra = ["--peers", f"1=127.0.0.1:1,2={node.address}"]
    node.start()
    assert [member.id for member in node.state().nodes] == [1, 2], node.state()
    assert "--peers" not in node.log_text(), node.log_text()
    assert node.stop() == 0
    # A directory that is a node's keeps what it has.
    with socket.create_server(("127.0.0.1", node.port)):
        node.start()
        assert node.exit_code() == 1
    assert os.path.exists(os.path.join(node.dir, "IDENTITY"))


@test
def a_start_that_cannot_listen_joins_nothing():
    with Cluster(nodes=1) as cluster:
        port, = free_ports(1)
        node = Node(None, 2, port, os.path.join(scratch, "taken_too"),
                    ["--join", cluster.nodes[0].address])
        on_a_taken_port(node)
        assert [member.id for member in cluster.nodes[0].state().nodes] == [1]
        node.id = 3
        node.start()
        wait_for(lambda: node.state().leader == 1, "the leader")
        assert [member.id for member in cluster.nodes[0].state().nodes] == [1, 3]
        assert node.stop() == 0


@test
def a_node_that_is_refused_leaves_nothing_behind():
    with Cluster(nodes=1) as cluster:
        stranger = cluster.join(1)
        assert stranger.exit_code() == 1
        assert "has another data directory" in stranger.log_text(), stranger.log_text()
        assert not os.path.exists(os.path.join(stranger.dir, "IDENTITY"))
        # So the directory is as good as new, for another number.
        stranger.extra = stranger.extra + ["--learner"]
        stranger.id = 2
        stranger.start()
        wait_for(lambda: stranger.state().leader == 1, "the leader")


@test
def nodes_in_order_and_nodes_that_never_were():
    with Cluster(nodes=3) as cluster:
        cluster.join(5)
        cluster.join(4)
        for node in cluster.nodes:
            wait_for(lambda node=node: [m.id for m in node.state().nodes if m.voter] ==
                     [1, 2, 3, 4, 5], f"five to have a vote, as node {node.id} knows it")
        code, out, err = cluster.toydb("node", "remove", "77")
        assert code == 1 and not out and "no node 77, and never had" in err, (code, out, err)
        for _ in range(2):  # what is so already is no mistake
            code, out, err = cluster.toydb("node", "remove", "4")
            assert code == 0 and "node 4 is no member" in out, (code, out, err)


@test
def arguments_that_cannot_be():
    path = os.path.join(scratch, "file")
    with open(path, "w", encoding="utf-8") as file:
        file.write("not a directory")
    code, _, err = run([TOYDB, "start", "--data", path])
    assert code == 1 and f"\"{path}\" is not a directory" in err, (code, err)
    code, _, err = run([TOYDB, "start", "--data", path, "--id", "99999999999"])
    assert code == 64 and "--id must be a number from 1 to 4294967295" in err, (code, err)
    code, _, err = run([TOYDB, "start", "--data", os.path.join(scratch, "twice"), "--peers",
                        "1=127.0.0.1:9821,2=127.0.0.1:9821"])
    assert code == 64 and "nodes 1 and 2 have the same address, 127.0.0.1:9821" in err, (code, err)
    assert not os.path.exists(os.path.join(scratch, "twice"))


main()
