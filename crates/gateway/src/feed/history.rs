//! What was told lately, for those who lost their connection meanwhile.
//!
//! Events are kept in the bytes they were sent in, up to a number, a size and an age, whichever is least.
//! Room states are not kept: of states only the newest counts, and the room can always make it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parlor_core::{PlayerId, Time, Viewer};
use parlor_protocol::Codec;
use serde_json::Value;

use super::stage::Staged;
use crate::encode::transcode;

/// How much of the past a room keeps for players who come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Events. Defaults to 512, which in a room with ten events a second is most of a minute.
    pub events_max: usize,
    /// Bytes of encoded events. Defaults to 256 KiB. At worst each room holds this much; one in which little
    /// happens holds little, for events are not kept longer than `slack` after the seats of those who
    /// missed them are given up.
    pub bytes_max: usize,
    /// How much longer events are kept than the game's rules hold a seat. Defaults to 30 s.
    pub slack: Duration,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { events_max: 512, bytes_max: 256 * 1024, slack: Duration::from_secs(30) }
    }
}

/// The last events of a room, oldest first.
pub(super) struct History {
    limits: HistoryLimits,
    /// How old an event may be, looked at when another one comes.
    age_max: Duration,
    /// With the times at which they were told.
    events: VecDeque<(Time, Staged)>,
    bytes: usize,
    /// The highest number that is no longer here.
    forgotten: u64,
}

impl History {
    /// `grace` is the longest time for which a seat is held.
    pub(super) fn new(limits: HistoryLimits, grace: Duration) -> Self {
        let age_max = grace + limits.slack;
        Self { limits, age_max, events: VecDeque::new(), bytes: 0, forgotten: 0 }
    }

    /// Adds an event; beyond the bounds the oldest go.
    pub(super) fn push(&mut self, now: Time, event: Staged) {
        self.bytes += event.bytes();
        // First, or the queue would grow to twice its bound.
        if self.events.len() >= self.limits.events_max {
            self.drop_oldest();
        }
        self.events.push_back((now, event));
        while self.events.len() > self.limits.events_max
            || self.bytes > self.limits.bytes_max
            || self.events.front().is_some_and(|(at, _)| now.since(*at) > self.age_max)
        {
            self.drop_oldest();
        }
    }

    /// The last events, whomever they went to, oldest first.
    pub(super) fn recent(&self, events_max: usize) -> Vec<Value> {
        let first = self.events.len().saturating_sub(events_max);
        self.events
            .range(first..)
            .filter_map(|(_, event)| serde_json::from_slice(&in_codec(event, Codec::Json)?).ok())
            .collect()
    }

    fn drop_oldest(&mut self) {
        if let Some((_, oldest)) = self.events.pop_front() {
            self.bytes -= oldest.bytes();
            self.forgotten = oldest.seq;
        }
    }

    /// The events after number `seq` that `player` was to hear, in `codec`, each with its number.
    /// `None` when some are gone.
    pub(super) fn after(
        &self,
        seq: u64,
        player: PlayerId,
        viewer: Viewer,
        codec: Codec,
    ) -> Option<Vec<(u64, Arc<[u8]>)>> {
        if seq < self.forgotten {
            return None;
        }
        let first = self.events.partition_point(|(_, event)| event.seq <= seq);
        self.events
            .range(first..)
            .map(|(_, event)| event)
            .filter(|event| event.to.is_heard_by(player, viewer))
            .map(|event| Some((event.seq, in_codec(event, codec)?)))
            .collect()
    }
}

/// The event's bytes in `codec`: those that were sent, or the same tree written anew.
pub(super) fn in_codec(event: &Staged, codec: Codec) -> Option<Arc<[u8]>> {
    if let Some(payload) = event.payload(codec) {
        return Some(Arc::clone(payload));
    }
    let (other, payload) =
        Codec::ALL.into_iter().find_map(|other| Some((other, event.payload(other)?)))?;
    transcode(payload, other, codec)
}
