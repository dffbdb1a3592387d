//! Capabilities of the calling thread, and the promise never to get any.

use caps::{CapSet, Capability, CapsHashSet};

/// `kernel.io_uring_disabled=1` leaves rings to whoever has it.
const FOR_RINGS: Capability = Capability::CAP_SYS_ADMIN;

/// Never gets privileges from a program or a parent any more, and keeps none but that for rings, if it has it.
pub fn reduce() -> Result<(), String> {
    nix::sys::prctl::set_no_new_privs().map_err(|error| format!("no_new_privs: {error}"))?;
    let text = |error: caps::errors::CapsError| error.to_string();
    // Without CAP_SETPCAP there is nothing that this set could still let in: it bounds what programs may give.
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP).map_err(text)? {
        caps::clear(None, CapSet::Bounding).map_err(text)?;
    }
    keep(&CapsHashSet::from([FOR_RINGS]))
}

/// Keeps none.
pub fn give_up() -> Result<(), String> {
    keep(&CapsHashSet::new())
}

fn keep(few: &CapsHashSet) -> Result<(), String> {
    let text = |error: caps::errors::CapsError| error.to_string();
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        let had = caps::read(None, set).map_err(text)?;
        let kept = match set {
            CapSet::Effective | CapSet::Permitted => had.intersection(few).copied().collect(),
            _ => CapsHashSet::new(),
        };
        // Who has none needs no call that a filter may deny.
        if kept != had {
            caps::set(None, set, &kept).map_err(text)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn held() -> usize {
        let sets = [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable, CapSet::Ambient];
        sets.map(|set| caps::read(None, set).unwrap().len()).iter().sum()
    }

    #[test]
    fn a_thread_gives_up_all_but_one_and_then_that() {
        let before = held();
        thread::spawn(move || {
            reduce().unwrap();
            assert!(held() <= 2 && nix::sys::prctl::get_no_new_privs().unwrap());
            if before > 2 {
                assert!(caps::read(None, CapSet::Bounding).unwrap().is_empty());
            }
            give_up().unwrap();
            assert_eq!(held(), 0);
            give_up().unwrap();
        })
        .join()
        .unwrap();
        assert_eq!(held(), before, "of other threads it takes nothing");
    }
}
