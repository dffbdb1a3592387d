//! Who has sent a datagram.

use wire::Form;

use crate::{ClientAddr, Datagram, Engine, Member};

/// Who has sent a datagram, looked up once for all that it causes.
pub(super) struct Sender<'a> {
    pub datagram: &'a Datagram<'a>,
    pub client: &'a ClientAddr,
    /// Its session, if it has one.
    pub session: Option<usize>,
    /// The same, if it is in a group.
    pub member: Option<usize>,
    /// How it wants to be spoken to.
    pub form: Form,
    /// It is in a prefix that is trusted, and comes from there.
    pub is_trusted: bool,
    /// For that, or by its session, it is proved.
    pub is_proved: bool,
}

impl Engine {
    pub(super) fn sender<'a>(
        &self,
        datagram: &'a Datagram<'a>,
        client: &'a ClientAddr,
        session: Option<usize>,
    ) -> Sender<'a> {
        // A machine can let loopback addresses in from outside (route_localnet): such a one must not be believed.
        let is_foreign =
            || client.ip().is_loopback() && !client.is_stream() && !self.own.is_loopback(&datagram.local);
        let is_trusted = self.settings.trust.contains(client.ip()) && !is_foreign();
        let known = session.map(|key| self.sessions.get(key));
        // Who is connected receives what is sent to it.
        let is_proved = is_trusted || known.is_some_and(|session| session.proved) || client.is_stream();
        let member = session.filter(|_| known.is_some_and(|session| session.group().is_some()));
        let form = known.map_or(Form::Base, |session| session.form);
        Sender { datagram, client, session, member, form, is_trusted, is_proved }
    }
}

impl Sender<'_> {
    pub fn as_member(&self, proved: bool) -> Member {
        Member { client: *self.client, local: self.datagram.local, proved, form: self.form }
    }
}
