//! What the kernel says about the sockets of each shard.

use std::sync::{Mutex, PoisonError};

use net::SocketGauge;

/// Reads the sockets of all shards, for whoever asks.
pub struct Sockets {
    shards: Vec<Vec<SocketGauge>>,
    /// What each socket said last about its drops, which wraps at 2^32, and the sum of each shard.
    drops: Mutex<Vec<Drops>>,
}

#[derive(Clone, Default)]
struct Drops {
    /// By full queues, and by filters.
    seen: Vec<[u32; 2]>,
    totals: [u64; 2],
}

/// The sockets of one shard together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardSockets {
    /// Datagrams dropped because a receive buffer was full, since the start.
    pub dropped: u64,
    /// Datagrams dropped while a filter was attached, since the start.
    pub sifted: u64,
    /// Bytes that wait to be received, with the kernel's overhead.
    pub queue: u64,
    /// The size of the receive buffers, and of the send buffers, with that overhead: twice what was granted.
    pub receive_buffer: u64,
    /// See `receive_buffer`.
    pub send_buffer: u64,
}

impl Sockets {
    /// These sockets.
    pub fn new(shards: Vec<Vec<SocketGauge>>) -> Self {
        let drops = shards
            .iter()
            .map(|sockets| Drops { seen: vec![[0; 2]; sockets.len()], totals: [0; 2] })
            .collect();
        Self { shards, drops: Mutex::new(drops) }
    }

    /// The present figures of each shard.
    pub fn read(&self) -> Vec<ShardSockets> {
        let mut drops = self.drops.lock().unwrap_or_else(PoisonError::into_inner);
        self.shards.iter().zip(drops.iter_mut()).map(|(sockets, drops)| read(sockets, drops)).collect()
    }
}

fn read(sockets: &[SocketGauge], drops: &mut Drops) -> ShardSockets {
    let mut shard = ShardSockets::default();
    for (socket, seen) in sockets.iter().zip(&mut drops.seen) {
        let Ok(Some(memory)) = socket.read() else { continue };
        let now = [memory.drops, memory.sifted];
        for ((total, seen), now) in drops.totals.iter_mut().zip(seen).zip(now) {
            *total += u64::from(now.wrapping_sub(*seen));
            *seen = now;
        }
        shard.queue += u64::from(memory.receive_queue);
        shard.receive_buffer += u64::from(memory.receive_buffer);
        shard.send_buffer += u64::from(memory.send_buffer);
    }
    [shard.dropped, shard.sifted] = drops.totals;
    shard
}
