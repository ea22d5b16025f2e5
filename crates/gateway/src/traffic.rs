//! What became of every message, over all connections.
//!
//! For each connection that has ended, and so for the sums of them: queued = written + coalesced +
//! unsent.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::outbox::OutboxTotals;

/// The messages of all connections that have ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Accepted by an outbox.
    pub queued: u64,
    /// Taken to be written.
    pub written: u64,
    /// Room states that a newer one replaced before they were taken.
    pub coalesced: u64,
    /// Never taken, by the close code that ended the connection.
    pub unsent: BTreeMap<u16, u64>,
    /// Sent again to players who came back, on all connections.
    pub replayed: u64,
}

#[derive(Default)]
pub(crate) struct TrafficCounter {
    ended: Mutex<Traffic>,
    replayed: AtomicU64,
}

impl TrafficCounter {
    /// A connection has ended with this close code.
    pub(crate) fn ended(&self, totals: OutboxTotals, close_code: u16) {
        let mut ended = self.ended.lock();
        ended.queued += totals.queued;
        ended.written += totals.written;
        ended.coalesced += totals.coalesced;
        if totals.unsent > 0 {
            *ended.unsent.entry(close_code).or_default() += totals.unsent;
        }
    }

    /// So many messages were sent again.
    pub(crate) fn replayed(&self, messages: usize) {
        self.replayed.fetch_add(messages as u64, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Traffic {
        let mut traffic = self.ended.lock().clone();
        traffic.replayed = self.replayed.load(Ordering::Relaxed);
        traffic
    }
}
