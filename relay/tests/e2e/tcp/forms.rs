//! Base and extended clients in one group, connected or not.

use super::Caller;
use crate::support::{Client, Relay, each_backend};

/// Somebody by either transport, in either form.
enum Member {
    Udp(Client),
    Tcp(Caller),
}

/// What a member has asked for, and what it hears of a payload.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Base,
    Extended,
    WithSender,
}

const FORMS: [Form; 3] = [Form::Base, Form::Extended, Form::WithSender];

impl Member {
    fn join(relay: &Relay, by_tcp: bool, form: Form, group: &str) -> Self {
        let wish = if form == Form::WithSender { " FROM" } else { "" };
        let mark = if form == Form::Base { "" } else { "!" };
        let member = if by_tcp {
            Self::Tcp(Caller::to(relay.address()))
        } else {
            Self::Udp(Client::to(relay.address()))
        };
        match (&member, form) {
            (_, Form::Base) => {}
            (Self::Tcp(caller), _) => drop(caller.hello(wish)),
            (Self::Udp(client), _) => {
                let cookie = client.ask("!HELLO 2").replace("!RETRY ", "");
                assert!(client.ask(format!("!HELLO 2 {cookie}{wish}")).starts_with("!OK HELLO 2 "));
            }
        }
        assert_eq!(member.ask(&format!("!JOIN {group}")), format!("{mark}OK JOINED {group}"));
        member
    }

    fn ask(&self, request: &str) -> String {
        self.send(request.as_bytes());
        self.hear()
    }

    fn send(&self, message: &[u8]) {
        match self {
            Self::Udp(client) => client.send(message),
            Self::Tcp(caller) => caller.send(message),
        }
    }

    fn hear(&self) -> String {
        match self {
            Self::Udp(client) => client.hear(),
            Self::Tcp(caller) => caller.hear(),
        }
    }
}

/// What a payload is to a member of this form, from the sender of this number that has said so much before.
fn as_heard(form: Form, payload: &str, number: usize, seq: usize) -> String {
    match form {
        Form::WithSender => format!("!FROM #{number} {seq:010} {payload}"),
        Form::Extended if payload.starts_with('!') => format!("!RAW {payload}"),
        _ => payload.to_owned(),
    }
}

#[test]
fn everybody_hears_everybody_in_its_own_form() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let group = Client::to(relay.address()).create();
        let kinds: Vec<(bool, Form)> =
            [false, true].into_iter().flat_map(|by_tcp| FORMS.map(|form| (by_tcp, form))).collect();
        let members: Vec<Member> =
            kinds.iter().map(|(by_tcp, form)| Member::join(&relay, *by_tcp, *form, &group)).collect();
        for (speaker, (_, form)) in kinds.iter().enumerate() {
            for (seq, payload) in ["plain", "!OK LEFT", "x"].into_iter().enumerate() {
                if payload.starts_with('!') && *form == Form::Base {
                    continue;
                }
                let said = if *form == Form::Base { payload.to_owned() } else { format!("!RAW {payload}") };
                members[speaker].send(said.as_bytes());
                let seq = if *form == Form::Base { seq.min(1) } else { seq };
                for (at, member) in members.iter().enumerate().filter(|(at, _)| *at != speaker) {
                    let expected = as_heard(kinds[at].1, payload, speaker + 1, seq);
                    assert_eq!(member.hear(), expected, "{:?} hears {:?}", kinds[at], kinds[speaker]);
                }
            }
        }
    });
}

#[test]
fn a_connection_is_the_proof_of_its_address() {
    each_backend(|backend| {
        let options = crate::support::RelayOptions::new(backend);
        let relay = options.with(["--admission", "strict", "--trust", "none"]).start();
        let caller = Caller::to(relay.address());
        let group = caller.ask("!CREATE").replace("OK CREATED ", "");
        let other = Caller::to(relay.address());
        assert_eq!(other.ask(format!("!JOIN {group}")), format!("OK JOINED {group}"));
        assert!(other.ask("!HELLO 2").starts_with("!OK HELLO 2 "));
        let by_udp = Client::to(relay.address());
        assert!(by_udp.ask(format!("!JOIN {group}")).starts_with("ERR RETRY "));
        assert_eq!(relay.metric("relay_unproved_members", ""), 0.0);
    });
}
