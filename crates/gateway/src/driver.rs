//! Calls rooms when they are due.
//!
//! A room with a deadline has one entry here, under the time it next wants to be called. Rooms are
//! shared out among a few tasks by number. An entry that has become too early is left alone: the
//! room is called for nothing once and says anew when it wants to be called.
//!
//! Each task ends when its handle, which the gateway owns, is dropped.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use parlor_core::Time;
use tokio::sync::{Notify, oneshot};

use crate::clock::Clock;
use crate::room::AnyRoom;

/// The deadlines of all rooms.
pub(crate) struct Driver {
    shards: Box<[Shard]>,
}

#[derive(Default)]
struct Shard {
    /// By time, then by the room's number. Taken after a room's lock, never before one.
    entries: Mutex<BTreeMap<(Time, u64), Weak<dyn AnyRoom>>>,
    /// There is a new first entry, or someone waits for a turn.
    earlier: Notify,
    /// Who wants to know of the task's next turn.
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
}

impl Driver {
    pub(crate) fn new(shards: usize) -> Self {
        Self { shards: (0..shards.max(1)).map(|_| Shard::default()).collect() }
    }

    /// Moves the room's entry from `former`, if it has one, to `at`.
    pub(crate) fn schedule(
        &self,
        room: Weak<dyn AnyRoom>,
        number: u64,
        former: Option<Time>,
        at: Time,
    ) {
        let shard = self.shard(number);
        let mut entries = shard.entries.lock();
        if let Some(former) = former {
            entries.remove(&(former, number));
        }
        let is_first = entries.first_key_value().is_none_or(|(first, _)| (at, number) < *first);
        entries.insert((at, number), room);
        drop(entries);
        if is_first {
            shard.earlier.notify_one();
        }
    }

    /// Takes the room's entry away.
    pub(crate) fn cancel(&self, number: u64, at: Time) {
        self.shard(number).entries.lock().remove(&(at, number));
    }

    /// Resolves when every task has had a turn.
    pub(crate) async fn turn(&self) {
        let turns: Vec<_> = self.shards.iter().map(Shard::next_turn).collect();
        for turn in turns {
            // A task that has ended with its gateway takes no more turns.
            let _ = turn.await;
        }
    }

    pub(crate) fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// Calls the rooms of one shard when they are due, for ever.
    pub(crate) async fn run(self: Arc<Self>, shard: usize, clock: Clock) {
        let shard = &self.shards[shard];
        loop {
            for waiting in shard.waiting.lock().drain(..) {
                // Who no longer waits need not be told.
                let _ = waiting.send(());
            }
            let now = clock.now();
            let due = shard.take_due(now);
            let called = due.len();
            for room in due {
                // One room that breaks down must not stop the clocks of all the others.
                let woken = catch_unwind(AssertUnwindSafe(|| room.wake(clock.now())));
                if woken.is_err() {
                    tracing::error!("a room broke down when it was due");
                }
            }
            if called == CALLS_PER_TURN_MAX {
                // More may be due, and others want to run as well.
                tokio::task::yield_now().await;
                continue;
            }

            let next = shard.entries.lock().first_key_value().map(|((at, _), _)| *at);
            // Both arms only wait: losing the race loses nothing, as a notice is kept.
            match next {
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(clock.instant_of(at)) => {}
                    () = shard.earlier.notified() => {}
                },
                None => shard.earlier.notified().await,
            }
        }
    }

    fn shard(&self, number: u64) -> &Shard {
        &self.shards[number as usize % self.shards.len()]
    }
}

impl Shard {
    fn next_turn(&self) -> oneshot::Receiver<()> {
        let (told, turn) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        waiting.retain(|other| !other.is_closed());
        waiting.push(told);
        drop(waiting);
        self.earlier.notify_one();
        turn
    }

    fn take_due(&self, now: Time) -> Vec<Arc<dyn AnyRoom>> {
        let mut entries = self.entries.lock();
        let mut due = Vec::new();
        while due.len() < CALLS_PER_TURN_MAX
            && let Some(first) = entries.first_entry()
            && first.key().0 <= now
        {
            due.extend(first.remove().upgrade());
        }
        due
    }
}

/// Rooms called before the task lets others run: those who are to write what these rooms have sent.
const CALLS_PER_TURN_MAX: usize = 8;
