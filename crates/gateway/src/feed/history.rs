//! What was told lately, for those who lost their connection meanwhile.
//!
//! Events are kept in the bytes they were sent in, up to a number and a size, whichever is less. Room
//! states are not kept: of states only the newest counts, and the room can always make it.

use std::collections::VecDeque;
use std::sync::Arc;

use parlor_core::{PlayerId, Viewer};
use parlor_protocol::Codec;

use super::stage::Staged;
use crate::encode::transcode;

/// How much of the past a room keeps for players who come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Events. Defaults to 128, half of what an outbox holds; what would not fit into half an outbox
    /// is answered by a snapshot in any case.
    pub events_max: usize,
    /// Bytes of encoded events. Defaults to 256 KiB. At worst each room holds this much.
    pub bytes_max: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { events_max: 128, bytes_max: 256 * 1024 }
    }
}

/// The last events of a room, oldest first.
pub(super) struct History {
    limits: HistoryLimits,
    events: VecDeque<Staged>,
    bytes: usize,
    /// The highest number that is no longer here.
    forgotten: u64,
}

impl History {
    pub(super) fn new(limits: HistoryLimits) -> Self {
        Self { limits, events: VecDeque::new(), bytes: 0, forgotten: 0 }
    }

    /// Adds an event; beyond the bounds the oldest go.
    pub(super) fn push(&mut self, event: Staged) {
        self.bytes += event.bytes();
        self.events.push_back(event);
        while self.events.len() > self.limits.events_max || self.bytes > self.limits.bytes_max {
            let Some(oldest) = self.events.pop_front() else { break };
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
        let first = self.events.partition_point(|event| event.seq <= seq);
        self.events
            .range(first..)
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
