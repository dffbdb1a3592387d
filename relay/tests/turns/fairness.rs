//! A group that says ten times more than its share, and the others, who must not notice.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use relay::limits::{PUBLISH_EVERY, TURN, TURN_ARRIVALS};

use crate::hall::{Hall, assert_conserved, client, text};

/// A group of `members` clients, the first of which says something every so often.
struct Crowd {
    id: String,
    first: u16,
    members: u16,
    every: Duration,
    next: Duration,
    said: u32,
}

impl Crowd {
    /// Says what is due by now.
    fn speak(&mut self, hall: &Hall) {
        let now = hall.world.borrow().now;
        while self.next <= now {
            hall.arrive(self.first, format!("{}:{:06}", self.id, self.said));
            self.said += 1;
            self.next += self.every;
        }
    }

    fn listeners(&self) -> impl Iterator<Item = SocketAddr> + use<> {
        (self.first + 1..self.first + self.members).map(client)
    }
}

/// What every client has heard: the numbers of its own group's payloads.
type Heard = BTreeMap<SocketAddr, Vec<u32>>;

/// A hall with a hot group of 128 and nine quiet ones of 10, all of which have joined.
fn open(hot: Duration, quiet: Duration) -> (Hall, Vec<Crowd>) {
    open_with(std::iter::once((128, hot)).chain([(10, quiet); 9]))
}

/// A hall with groups of these sizes, all of which have joined.
fn open_with(sizes: impl Iterator<Item = (u16, Duration)>) -> (Hall, Vec<Crowd>) {
    let mut first = 0;
    let crowds: Vec<Crowd> = sizes
        .enumerate()
        .map(|(number, (members, every))| {
            let crowd =
                Crowd { id: format!("G{number}"), first, members, every, next: Duration::ZERO, said: 0 };
            first += members;
            crowd
        })
        .collect();
    let mut hall = Hall::open();
    hall.declare(crowds.iter().map(|crowd| crowd.id.as_str()));
    for crowd in &crowds {
        (crowd.first..crowd.first + crowd.members)
            .for_each(|number| hall.arrive(number, format!("!JOIN {}", crowd.id)));
    }
    hall.settle();
    (hall, crowds)
}

/// Lets everyone speak for so long; returns what was heard, and the longest turn.
fn run(hall: &mut Hall, crowds: &mut [Crowd], time: Duration) -> (Heard, Duration) {
    let start = hall.world.borrow().now;
    crowds.iter_mut().for_each(|crowd| crowd.next = start);
    let mut longest = Duration::ZERO;
    while hall.world.borrow().now < start + time {
        crowds.iter_mut().for_each(|crowd| crowd.speak(hall));
        let before = hall.world.borrow().now;
        {
            let world = hall.world.borrow();
            assert!(world.incoming.len() < world.room, "the kernel would drop what anybody says");
        }
        hall.turn();
        let mut world = hall.world.borrow_mut();
        longest = longest.max(world.now - before);
        world.now += Duration::from_micros(1);
    }
    let mut heard = Heard::new();
    for (to, bytes) in hall.settle() {
        let Some((_, number)) = text(&bytes).split_once(':') else { continue };
        heard.entry(to).or_default().push(number.parse().unwrap());
    }
    (heard, longest)
}

#[test]
fn a_hot_group_costs_the_others_nothing() {
    // A unit costs half a microsecond, so that the shard delivers two million copies a second at best. The hot group
    // is meant for five million, the quiet ones for a tenth of a million together.
    let (mut hall, mut crowds) = open(Duration::from_micros(25), Duration::from_micros(800));
    {
        let mut world = hall.world.borrow_mut();
        (world.price, world.room) = (Duration::from_nanos(500), 4000);
    }
    let (heard, longest) = run(&mut hall, &mut crowds, Duration::from_secs(1));
    assert!(longest < 2 * TURN, "a turn took {longest:?}");
    for crowd in &crowds[1..] {
        let all: Vec<u32> = (0..crowd.said).collect();
        for listener in crowd.listeners() {
            assert!(heard[&listener] == all, "{listener} of {} lacks something", crowd.id);
        }
    }
    let hot = &crowds[0];
    for listener in hot.listeners() {
        let own = &heard[&listener];
        assert!(own.is_sorted_by(|one, next| one < next), "in order, whatever is missing");
        assert!(own.len() > hot.said as usize / 20, "{} of {}", own.len(), hot.said);
    }
    hall.world.borrow_mut().now += PUBLISH_EVERY;
    hall.settle();
    let counters = hall.meter.read();
    assert!(counters.overflowed > 0);
    assert_conserved(&counters);
}

#[test]
fn busy_groups_share_alike() {
    // All want far more than there is.
    let every = Duration::from_micros(60);
    let (mut hall, mut crowds) = open(every, every);
    {
        let mut world = hall.world.borrow_mut();
        (world.price, world.room) = (Duration::from_micros(1), 8000);
    }
    let (heard, _) = run(&mut hall, &mut crowds, Duration::from_secs(1));
    let copies =
        |crowd: &Crowd| -> usize { crowd.listeners().map(|at| heard.get(&at).map_or(0, Vec::len)).sum() };
    let quiet: Vec<usize> = crowds[1..].iter().map(copies).collect();
    let (least, most) = (quiet.iter().min().unwrap(), quiet.iter().max().unwrap());
    assert!(*least > 0 && *most < 2 * *least, "{quiet:?}");
    assert_conserved(&hall.meter.read());
}

#[test]
fn whoever_has_most_loses_it() {
    let never = Duration::MAX;
    let thin = TURN_ARRIVALS;
    let (mut hall, crowds) = open_with(std::iter::once((128, never)).chain((0..thin).map(|_| (60, never))));
    // One payload each, more than a turn sends; and then, while they wait, more than may wait of one group.
    crowds[1..].iter().for_each(|crowd| hall.arrive(crowd.first, "thin"));
    hall.turn();
    for _ in 0..4 {
        (0..TURN_ARRIVALS).for_each(|_| hall.arrive(crowds[0].first, "hot"));
        hall.turn();
    }
    let sent = hall.settle();
    assert_eq!(sent.iter().filter(|(_, bytes)| bytes == b"thin").count(), thin * 59);
    let counters = hall.meter.read();
    assert!(counters.overflowed > 0);
    assert_conserved(&counters);
}

#[test]
fn a_burst_that_nobody_is_to_blame_for_waits_in_the_kernel() {
    let never = Duration::MAX;
    let (mut hall, crowds) = open_with([(40, never); 8].into_iter());
    {
        let mut world = hall.world.borrow_mut();
        (world.price, world.room) = (Duration::from_micros(3), 10_000);
    }
    for number in 0..500 {
        crowds.iter().for_each(|crowd| hall.arrive(crowd.first, vec![b'x'; 1 + number % 2]));
    }
    assert_eq!(hall.settle().len(), 500 * 8 * 39);
    assert_eq!(hall.meter.read().overflowed, 0);
}

#[test]
fn no_turn_is_long_when_sends_become_dear() {
    let (mut hall, crowds) = open_with([(1000, Duration::MAX)].into_iter());
    for (price, size) in [(20, 0), (1500, 1)] {
        hall.world.borrow_mut().price = Duration::from_nanos(price);
        for _ in 0..40 {
            // Growing sizes never share a message.
            (0..16).for_each(|at| hall.arrive(crowds[0].first, vec![b'x'; 10 + at * size]));
            let before = hall.world.borrow().now;
            hall.turn();
            let time = hall.world.borrow().now - before;
            assert!(time < 2 * TURN, "a turn took {time:?}");
        }
        hall.settle();
    }
}
