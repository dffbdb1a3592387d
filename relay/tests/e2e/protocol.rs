//! The protocol's tables, row by row.

use crate::support::{Client, Relay, each_backend};

#[test]
fn a_payload_goes_to_every_other_member_and_never_back() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let [a, b, c] = [(); 3].map(|()| Client::to(relay.address()));
        let group = a.create();
        for client in [&a, &b, &c] {
            client.join(&group);
        }
        a.send(b"\x00\xffverbatim\n");
        assert_eq!(b.receive(), b"\x00\xffverbatim\n");
        assert_eq!(c.receive(), b"\x00\xffverbatim\n");
        a.assert_silence();
    });
}
