//! What is sent to many machines is nobody's question: every shard has one like it.

use std::net::{SocketAddr, SocketAddrV6};
use std::os::fd::AsFd;

use nix::net::if_::if_nametoindex;
use socket2::{Domain, SockRef, Socket, Type};

use crate::support::{Cable, FAR, NEAR, Relay, RelayOptions, each_backend, eventually, ip};

use super::{Rover, at};

const MANY: [&str; 3] = ["10.9.0.255", "255.255.255.255", "224.0.0.1"];

/// Somebody at the other end of the cable who may send to many.
fn caller(cable: &Cable) -> Rover {
    let caller = cable.over_there(|| Rover::on(FAR));
    caller.0.set_broadcast(true).unwrap();
    SockRef::from(&caller.0).set_multicast_if_v4(&FAR.parse().unwrap()).unwrap();
    caller
}

/// Each of two shards has each of them.
fn wait_for_drops(relay: &Relay, sent: usize) {
    let dropped = || relay.metric("relay_dropped_packets_total", "reason=\"broadcast\"");
    eventually("both shards count it", || (dropped() == 2.0 * sent as f64).then_some(()));
}

#[test]
fn what_is_sent_to_many_is_dropped_whoever_sends_it() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let flags = ["--host", "0.0.0.0", "--host", "::", "--shards", "2"];
            let relay = RelayOptions::new(backend).with(flags).start();
            let port = relay.address().port();
            let to = at(NEAR, port);
            let [member, friend] = [(); 2].map(|()| caller(cable));
            let created = friend.ask(to, "!CREATE");
            let group = created.strip_prefix("OK CREATED ").unwrap();
            for client in [&member, &friend] {
                assert_eq!(client.ask(to, &format!("!JOIN {group}")), format!("OK JOINED {group}"));
            }
            for many in MANY {
                ["!", "!WHO", "!CREATE", "hello"].iter().for_each(|word| member.send(at(many, port), word));
            }
            cable.over_there(|| {
                let scope = if_nametoindex("far").unwrap();
                let all = SocketAddrV6::new("ff02::1".parse().unwrap(), port, 0, scope);
                Rover::on("fd09::2").send(all.into(), "!CREATE");
            });
            wait_for_drops(&relay, MANY.len() * 4 + 1);
            assert_eq!(member.ask(to, "!WHO"), format!("OK WHO {group} 2"));
            member.send(to, "to you alone");
            assert_eq!(friend.hear(), ("to you alone".to_owned(), to));
            assert_eq!(relay.metric("relay_groups", ""), 1.0);
        });
    });
}

/// Each socket would make it a member, of which none knows of the other; what waited for the relay's start, too.
#[test]
fn nobody_becomes_two_clients_by_sockets_that_were_bound_before() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            ip("addr add 10.9.0.7/24 brd + dev near");
            let mut address: SocketAddr = at("0.0.0.0", 0);
            let sockets = [(); 2].map(|()| {
                let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
                socket.set_reuse_port(true).unwrap();
                socket.bind(&address.into()).unwrap();
                address = socket.local_addr().unwrap().as_socket().unwrap();
                socket
            });
            let (to, caller) = (at(NEAR, address.port()), caller(cable));
            MANY.iter().for_each(|many| caller.send(at(many, address.port()), "!CREATE"));
            caller.send(to, "!CREATE");
            let passed = [sockets[0].as_fd(), sockets[1].as_fd()];
            let relay = RelayOptions::new(backend).passing(&passed, "relay:relay").start();
            wait_for_drops(&relay, MANY.len());
            let (created, from) = caller.hear();
            let group = created.strip_prefix("OK CREATED ").unwrap();
            assert_eq!(from, to, "what came early is answered from where it was reached");
            MANY.iter().for_each(|many| caller.send(at(many, address.port()), &format!("!JOIN {group}")));
            wait_for_drops(&relay, 2 * MANY.len());
            assert_eq!(caller.ask(to, "!WHO"), "ERR NOT_IN_GROUP JoinFirstUseJOIN");
            assert_eq!(caller.ask(to, &format!("!JOIN {group}")), format!("OK JOINED {group}"));
            assert_eq!(caller.ask(to, "!WHO"), format!("OK WHO {group} 1"));
        });
    });
}
