//! Names, messages and mail, as a scrape and the status page see them.

use engine::Histogram;
use metrics::{counter, gauge};
use people::Outcome;
use store::Bounds;

use super::catalogue as names;
use super::{Sources, text};
use crate::mailroom::Mailroom;

/// What is known of people, and of the store that keeps what is theirs, at one moment.
pub struct PeopleFigures {
    /// Who is there, and what they have said.
    pub people: people::Figures,
    /// What is kept.
    pub store: store::Figures,
    /// What is wrong with the store, and what to do.
    pub trouble: Option<String>,
}

impl Sources {
    /// What is known of people. Their lock is held for a copy of some numbers.
    pub fn people(&self) -> PeopleFigures {
        let kept = self.mailroom.look(|store| (store.figures(), store.trouble()));
        let (store, trouble) = kept.unwrap_or_default();
        PeopleFigures { people: self.shared.everybody.figures(), store, trouble }
    }
}

/// Sets what does not change.
pub fn set_limits(mail: &Bounds) {
    gauge!(names::NAMES_LIMIT.name).set(mail.names);
    gauge!(names::MAIL_BYTES_LIMIT.name).set(mail.bytes as f64);
}

/// Sets what there is now.
pub fn set(now: &PeopleFigures) {
    set_people(&now.people);
    let store = &now.store;
    gauge!(names::NAMES.name).set(store.names as f64);
    gauge!(names::MAILS.name).set(store.mails as f64);
    gauge!(names::MAIL_BYTES.name).set(store.bytes as f64);
    counter!(names::MAIL_EXPIRED.name).absolute(store.expired);
    gauge!(names::STORE_WAITING.name).set(store.waiting as f64);
    counter!(names::STORE_FAILURES.name).absolute(store.failures);
    gauge!(names::STORE_IN_TROUBLE.name).set(f64::from(u8::from(now.trouble.is_some())));
}

fn set_people(people: &people::Figures) {
    gauge!(names::NAMES_ONLINE.name).set(people.online as f64);
    counter!(names::REGISTRATIONS.name).absolute(people.registered);
    counter!(names::NAMES_REFUSED.name).absolute(people.taken);
    for (label, count) in Outcome::LABELS.iter().zip(people.messages) {
        counter!(names::MESSAGES.name, "outcome" => *label).absolute(count);
    }
    counter!(names::MESSAGE_RETRIES.name).absolute(people.tries);
    gauge!(names::MESSAGES_UNDER_WAY.name).set(people.under_way as f64);
    gauge!(names::SILENT_RECIPIENTS.name).set(people.silent as f64);
    gauge!(names::WATCHERS.name).set(people.watching as f64);
    counter!(names::NEWS.name).absolute(people.news);
    counter!(names::BRIDGES.name).absolute(people.bridges);
    gauge!(names::BRIDGES_WAITING.name).set(people.waiting as f64);
}

/// Appends how long the store's commits took.
pub fn append_commits(out: &mut String, mailroom: &Mailroom) {
    let mut commits = Histogram::<27>::default();
    let taken = mailroom.look(store::Store::commit_us);
    for (micros, times) in taken.iter().flat_map(counts) {
        commits.record(micros, times);
    }
    // From 16 us to 67 s, beyond the longest that the store tells from longer ones.
    text::append_histogram(out, names::STORE_COMMITS, &commits, 4, 1e-6);
}

/// The values that the store's histogram has told apart, to a hundredth, and how often each was seen.
fn counts(histogram: &hdrhistogram::Histogram<u64>) -> impl Iterator<Item = (u64, u64)> {
    let seen = histogram.iter_recorded();
    seen.map(|step| {
        (histogram.lowest_equivalent(step.value_iterated_to()), step.count_since_last_iteration())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_of_the_store_are_in_the_buckets_of_their_times() {
        let mut histogram = hdrhistogram::Histogram::new_with_bounds(1, 60_000_000, 2).unwrap();
        for micros in [3, 16, 17, 32, 1024, 250_000, 60_000_000] {
            histogram.record(micros).unwrap();
        }
        let mut commits = Histogram::<27>::default();
        counts(&histogram).for_each(|(micros, times)| commits.record(micros, times));
        let of = |power: usize| commits.counts[power];
        assert_eq!([of(2), of(4), of(5), of(10), of(18), of(26)], [1, 1, 2, 1, 1, 1]);
        assert_eq!(commits.count, 7);
        let sum = 3 + 16 + 17 + 32 + 1024 + 250_000 + 60_000_000;
        assert!(commits.sum.abs_diff(sum) < sum / 100, "{}", commits.sum);
    }
}
