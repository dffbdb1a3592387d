//! Cookies without memory: what an address is told can be computed again when it is repeated.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};
use wire::Cookie;

use crate::limits::COOKIE_EPOCH;
use crate::{ClientAddr, Tick};

/// Makes cookies and knows them again.
pub(super) struct Cookies {
    key: [u8; 16],
}

impl Cookies {
    /// `key` is a secret: who has it can prove any address.
    pub fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// The cookie of an address now.
    pub fn of(&self, client: &ClientAddr, now: Tick) -> Cookie {
        self.in_epoch(client, epoch(now))
    }

    /// True for the cookie of this epoch or the last one.
    pub fn is_valid(&self, cookie: Cookie, client: &ClientAddr, now: Tick) -> bool {
        let last = epoch(now).checked_sub(1);
        cookie == self.of(client, now) || last.is_some_and(|last| cookie == self.in_epoch(client, last))
    }

    fn in_epoch(&self, client: &ClientAddr, epoch: u64) -> Cookie {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(&client.octets());
        hasher.write(&epoch.to_le_bytes());
        Cookie::of(hasher.finish128().as_u128())
    }
}

fn epoch(now: Tick) -> u64 {
    now.0 / COOKIE_EPOCH.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> ClientAddr {
        ClientAddr::new(text.parse().unwrap()).unwrap()
    }

    #[test]
    fn is_good_for_this_epoch_and_the_next() {
        let (cookies, epoch) = (Cookies::new([7; 16]), COOKIE_EPOCH.as_millis() as u64);
        let (home, made) = (client("10.0.0.1:9"), Tick(5 * epoch + 3));
        let cookie = cookies.of(&home, made);
        for (at, valid) in
            [(5 * epoch, true), (7 * epoch - 1, true), (7 * epoch, false), (5 * epoch - 1, false)]
        {
            assert_eq!(cookies.is_valid(cookie, &home, Tick(at)), valid, "{at}");
        }
    }

    #[test]
    fn is_good_for_one_address_and_one_key() {
        let cookies = Cookies::new([7; 16]);
        let cookie = cookies.of(&client("10.0.0.1:9"), Tick(0));
        assert!(cookies.is_valid(cookie, &client("10.0.0.1:9"), Tick(0)));
        for other in ["10.0.0.2:9", "10.0.0.1:10", "[2001:db8::1]:9", "[::10.0.0.1]:9"] {
            assert!(!cookies.is_valid(cookie, &client(other), Tick(0)), "{other}");
        }
        assert!(!Cookies::new([8; 16]).is_valid(cookie, &client("10.0.0.1:9"), Tick(0)));
    }
}
