//! Where every datagram of a cell has gone: the clients', the links' and the relay's counts, which must agree.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Instant;

use super::cast::Cast;
use crate::conservation::Books;
use crate::support::{PATIENCE, tick};

/// What a link has lost, and repeated: on the way to the relay, and on the way from it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lost {
    pub before: u64,
    pub after: u64,
    /// What it has delivered twice.
    pub repeated_before: u64,
    pub repeated_after: u64,
}

/// The figures of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// By clients.
    pub sent: u64,
    pub lost: Lost,
    /// By the kernel, because a socket's receive buffer was full.
    pub kernel: u64,
    pub received: u64,
    /// Accepted payloads times the members that each was meant for, and replies.
    pub meant: u64,
    /// By the kernel, for sending.
    pub taken: u64,
    /// Copies that were not sent, by reason.
    pub dropped: Vec<(String, u64)>,
    /// By clients.
    pub heard: u64,
}

impl Figures {
    /// Waits until nothing is on its way any more, and the figures agree.
    #[track_caller]
    pub fn settled(cast: &mut Cast, lost: impl Fn(&Books) -> Lost) -> Self {
        let start = Instant::now();
        loop {
            let (figures, books) = Self::look(cast, &lost);
            let waiting = books.sum("relay_waiting_copies", "");
            if figures.arrives() && figures.leaves() && waiting == 0.0 {
                books.assert_law();
                return figures;
            }
            assert!(start.elapsed() < PATIENCE, "not explained: {figures:#?}, {waiting} copies wait");
            // Counters are published every 50 ms.
            (0..3).for_each(|_| tick());
        }
    }

    #[track_caller]
    fn look(cast: &mut Cast, lost: &impl Fn(&Books) -> Lost) -> (Self, Books) {
        let books = Books::of(&cast.relay);
        cast.listen();
        let sum = |name| books.sum(name, "") as u64;
        let reasons = |(name, value): (&String, &f64)| {
            let reason = name.split("reason=\"").nth(1)?.split('"').next()?;
            (name.starts_with("relay_dropped_copies_total") && *value > 0.0)
                .then(|| (reason.to_owned(), *value as u64))
        };
        let mut dropped: Vec<(String, u64)> = Vec::new();
        // One for each shard.
        for (reason, count) in books.0.iter().filter_map(reasons) {
            match dropped.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, all)) => *all += count,
                None => dropped.push((reason, count)),
            }
        }
        let figures = Self {
            sent: cast.sent,
            lost: lost(&books),
            kernel: sum("relay_kernel_receive_dropped_total"),
            received: sum("relay_received_packets_total"),
            meant: sum("relay_fanout_recipients_sum") + sum("relay_replies_total"),
            taken: sum("relay_sent_packets_total"),
            dropped,
            heard: cast.heard,
        };
        (figures, books)
    }

    /// Whatever was sent was lost, dropped or received.
    fn arrives(&self) -> bool {
        self.sent + self.lost.repeated_before == self.lost.before + self.kernel + self.received
    }

    /// Whatever was to be sent was dropped or taken; what was taken was lost or heard.
    fn leaves(&self) -> bool {
        let (taken, lost) = (self.taken, self.lost);
        self.meant == self.dropped() + taken && taken + lost.repeated_after == lost.after + self.heard
    }

    /// Copies that were not sent, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.dropped.iter().map(|(_, count)| count).sum()
    }

    /// Nothing was lost or dropped.
    pub fn nothing_missing(&self) -> bool {
        self.lost == Lost::default() && self.kernel == 0 && self.dropped.is_empty()
    }

    /// A row for `cargo xtask faults`, if that has asked for it.
    pub fn report(&self, cell: &str, backend: &str) {
        let reasons: Vec<String> =
            self.dropped.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        let dropped = if reasons.is_empty() { "0".to_owned() } else { reasons.join(", ") };
        let Self { sent, lost, kernel, received, meant, taken, heard, .. } = self;
        let row = format!(
            "| {cell} | {backend} | {sent} | {} | {kernel} | {received} | {meant} | {dropped} | {taken} | {} | {heard} |",
            shown(lost.before, lost.repeated_before),
            shown(lost.after, lost.repeated_after)
        );
        println!("{row}");
        if let Some(file) = std::env::var_os("FAULTS_FIGURES") {
            // One write is one row, whoever else writes.
            let mut file =
                OpenOptions::new().append(true).create(true).open(file).expect("a file for the figures");
            file.write_all(format!("{row}\n").as_bytes()).expect("a row is written");
        }
    }
}

fn shown(lost: u64, repeated: u64) -> String {
    if repeated == 0 { lost.to_string() } else { format!("{lost}, {repeated} twice") }
}
