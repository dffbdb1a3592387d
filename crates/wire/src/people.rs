//! What people say to the relay about themselves, and to each other through it.

use crate::{Fields, MessageId, Token};

/// What a REG says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register<'a> {
    /// The name, whatever it is made of.
    pub name: &'a [u8],
    /// What proves that it is the sender's; `None` also for a text that can be no claim.
    pub claim: Option<Token>,
}

/// What a SEND says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter<'a> {
    /// Who is to have it.
    pub name: &'a [u8],
    /// What its sender calls it.
    pub id: MessageId,
    /// Its text: any bytes, or none.
    pub bytes: &'a [u8],
}

/// What an ACK is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack<'a> {
    /// A message has arrived.
    Message {
        /// Who has sent it.
        from: &'a [u8],
        /// What the sender calls it.
        id: MessageId,
    },
    /// The peer's address has arrived that goes with this nonce. A nonce is longer than any [`MessageId`], so somebody may be
    /// called `PEER_AT`.
    PeerAt(Token),
}

impl<'a> Fields<'a> {
    /// Reads those of a REG; `None` without a name, with an empty claim, or with more than a claim behind it.
    pub fn register(self) -> Option<Register<'a>> {
        let (name, rest) = self.split();
        let is_good = !name.is_empty() && rest.is_none_or(|rest| !rest.is_empty() && !rest.contains(&b' '));
        is_good.then(|| Register { name, claim: rest.and_then(Token::parse) })
    }

    /// Reads those of a SEND; `None` without a name, an id or the space behind it, or with an id that can be none.
    pub fn letter(self) -> Option<Letter<'a>> {
        let (name, rest) = self.split();
        let (id, bytes) = Fields(rest?).split();
        let (id, bytes) = (MessageId::parse(id)?, bytes?);
        (!name.is_empty()).then_some(Letter { name, id, bytes })
    }

    /// Reads those of an ACK; `None` for anything that can be none.
    pub fn ack(self) -> Option<Ack<'a>> {
        let (from, rest) = self.split();
        match Token::parse(rest?) {
            Some(nonce) if from == b"PEER_AT" => Some(Ack::PeerAt(nonce)),
            _ => Some(Ack::Message { from, id: MessageId::parse(rest?)? }),
        }
    }

    /// The only field there is; `None` without any, with the space in front of it or without.
    pub fn only(self) -> Option<&'a [u8]> {
        Some(self.0).filter(|field| !field.is_empty())
    }

    /// The first field, and what stands behind the space behind it.
    fn split(self) -> (&'a [u8], Option<&'a [u8]>) {
        let end = self.0.iter().position(|&byte| byte == b' ');
        end.map_or((self.0, None), |end| (&self.0[..end], Some(&self.0[end + 1..])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(text: &str) -> MessageId {
        MessageId::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_name_is_registered_with_or_without_a_claim() {
        let claim = Token::of(7);
        let text = std::format!("anna {claim}");
        let register = |text| Fields(text).register();
        assert_eq!(register(b"anna"), Some(Register { name: b"anna", claim: None }));
        assert_eq!(register(text.as_bytes()), Some(Register { name: b"anna", claim: Some(claim) }));
        assert_eq!(register(b"anna x"), Some(Register { name: b"anna", claim: None }));
        for text in [&b""[..], b" ", b" anna", b"anna b c", b"anna ", b"anna  ", b"anna b "] {
            assert_eq!(register(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_letter_has_a_name_an_id_and_any_bytes() {
        let letter = |text| Fields(text).letter();
        let bytes = b" two  words\n";
        assert_eq!(letter(b"bob 7  two  words\n"), Some(Letter { name: b"bob", id: id("7"), bytes }));
        assert_eq!(letter(b"bob 7 "), Some(Letter { name: b"bob", id: id("7"), bytes: b"" }));
        for text in [&b""[..], b"bob", b"bob ", b"bob 7", b" 7 x", b"bob  x", b"bob 123456789012345678901 x"]
        {
            assert_eq!(letter(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_ack_is_for_a_message_or_for_an_address() {
        let nonce = Token::of(7);
        let text = std::format!("PEER_AT {nonce}");
        assert_eq!(Fields(text.as_bytes()).ack(), Some(Ack::PeerAt(nonce)));
        assert_eq!(Fields(b"PEER_AT 7").ack(), Some(Ack::Message { from: b"PEER_AT", id: id("7") }));
        for text in [&b""[..], b"bob", b"bob ", b"bob 7 8", b"bob AAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(Fields(text).ack(), None, "{text:?}");
        }
    }

    #[test]
    fn what_may_have_one_field_may_have_none() {
        for (text, field) in [(&b""[..], None), (b"bob", Some(&b"bob"[..])), (b" ", Some(b" "))] {
            assert_eq!(Fields(text).only(), field, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let fields = Fields(&bytes);
            let _ = (fields.register(), fields.letter(), fields.ack(), fields.only());
        }
    }
}
