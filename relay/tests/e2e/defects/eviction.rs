//! No send error evicts anyone, and none harms anyone else.

use crate::support::{
    Cable, Client, FAR, NEAR, Relay, RelayOptions, alone, each_backend, eventually, ip, tc,
};

#[test]
fn a_member_whose_port_is_closed_stays_and_harms_nobody() {
    each_backend(|backend| {
        alone(|| {
            let relay = Relay::start(backend);
            let group = Client::to(relay.address()).create();
            let [sender, receiver, closed] = [(); 3].map(|()| Client::member(relay.address(), &group));
            let address = closed.address();
            drop(closed);
            for number in 0..200 {
                let payload = format!("payload {number}");
                sender.send(&payload);
                assert_eq!(receiver.hear(), payload);
                assert_eq!(sender.ask("!WHO"), format!("OK WHO {group} 3"));
            }
            // Nor is anything left for it but its membership.
            let back = Client::from(address, relay.address());
            assert_eq!(back.ask("!WHO"), format!("OK WHO {group} 3"));
            sender.send("welcome back");
            assert_eq!(
                (back.hear(), receiver.hear()),
                ("welcome back".to_owned(), "welcome back".to_owned())
            );
        });
    });
}

#[test]
fn a_member_that_cannot_be_reached_stays_and_harms_nobody() {
    each_backend(|backend| {
        for (kind, reason) in [("prohibit", "denied"), ("unreachable", "unreachable"), ("blackhole", "other")]
        {
            Cable::lay(|cable| {
                let relay = RelayOptions::new(backend).with(["--host", NEAR]).start();
                let group = Client::from(near(), relay.address()).create();
                let [sender, receiver] = [(); 2].map(|()| Client::from(near(), relay.address()));
                let far =
                    cable.over_there(|| Client::from(format!("{FAR}:0").parse().unwrap(), relay.address()));
                [&sender, &receiver, &far].iter().for_each(|client| client.join(&group));
                ip(&format!("route add {kind} {FAR}"));
                for number in 0..100 {
                    sender.send(format!("payload {number}"));
                }
                (0..100).for_each(|number| assert_eq!(receiver.hear(), format!("payload {number}")));
                assert_eq!(sender.ask("!WHO"), format!("OK WHO {group} 3"));
                eventually("every copy is counted", || {
                    let labels = format!("reason=\"{reason}\"");
                    (relay.metric("relay_dropped_copies_total", &labels) == 100.0).then_some(())
                });
                ip(&format!("route del {kind} {FAR}"));
                sender.send("again");
                assert_eq!((far.hear(), receiver.hear()), ("again".to_owned(), "again".to_owned()));
            });
        }
    });
}

/// A link that is slower than the relay, with a queue longer than the send buffer: sends fail with EAGAIN.
#[test]
fn a_full_send_buffer_evicts_nobody() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let flags = ["--host", NEAR, "--send-buffer", "16K", "--shards", "1"];
            let relay = RelayOptions::new(backend).with(flags).start();
            let group = Client::from(near(), relay.address()).create();
            let [sender, receiver] = [(); 2].map(|()| Client::from(near(), relay.address()).roomy());
            let far = cable
                .over_there(|| Client::from(format!("{FAR}:0").parse().unwrap(), relay.address()).roomy());
            [&sender, &receiver, &far].iter().for_each(|client| client.join(&group));
            tc("qdisc add dev near root tbf rate 100kbit burst 5kb limit 10mb");
            let full = || relay.metric("relay_dropped_copies_total", "reason=\"send_buffer_full\"");
            eventually("the send buffer is full", || {
                (0..10).for_each(|_| sender.send([b'x'; 1400]));
                (full() > 100.0).then_some(())
            });
            assert_eq!(answer(&sender, "!WHO"), format!("OK WHO {group} 3"));
            tc("qdisc del dev near root");
            eventually("everybody is reached again", || {
                sender.send("again");
                let heard = |client: &Client| client.drain().iter().any(|datagram| datagram == b"again");
                (heard(&receiver) & heard(&far)).then_some(())
            });
            assert_eq!(answer(&sender, "!WHO"), format!("OK WHO {group} 3"));
        });
    });
}

/// Asks until the answer gets through a send buffer that is full most of the time.
fn answer(client: &Client, request: &str) -> String {
    eventually("an answer", || {
        client.send(request);
        client.receive_within(std::time::Duration::from_millis(100))
    })
    .iter()
    .map(|&byte| char::from(byte))
    .collect()
}

fn near() -> std::net::SocketAddr {
    format!("{NEAR}:0").parse().unwrap()
}
