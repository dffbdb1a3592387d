//! Words that the line editor completes; it runs in a thread of its own.

use std::sync::{Arc, Mutex, PoisonError};

use chat::Helper;

/// Names and groups that have been heard of.
#[derive(Clone, Debug, Default)]
pub struct Words(Arc<Mutex<(Vec<String>, Vec<String>)>>);

impl Words {
    /// These are known now.
    pub fn set(&self, names: Vec<String>, groups: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (names, groups);
    }

    /// What could stand in the place of the last word, and where that begins.
    pub fn complete(&self, typed: &str) -> (usize, Vec<String>) {
        let words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Helper::complete(typed, &words.0, &words.1)
    }
}
