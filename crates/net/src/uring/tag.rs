//! What a completion belongs to, in its user data.

/// A send: its place in the batch is in the lower half.
pub(super) const SEND: u64 = 0;
/// A multishot receive: its socket is in the lower half.
pub(super) const RECEIVE: u64 = 1 << 32;
/// The poll of the waker.
pub(super) const WAKER: u64 = 2 << 32;
/// A cancellation.
pub(super) const CANCEL: u64 = 3 << 32;

/// The kind, and what is in the lower half.
pub(super) fn split(user_data: u64) -> (u64, u32) {
    (user_data & !u64::from(u32::MAX), user_data as u32)
}
