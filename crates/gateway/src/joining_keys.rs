//! Which seat a joining request has got, for those who ask once more because the answer was lost.
//!
//! A key is known for the time that a seat without a connection is held. What is kept is a
//! digest: who knows a key gets a token for the seat.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use parlor_core::{Digest, PlayerId, Time};
use parlor_protocol::RoomCode;

/// How long a joining request may be repeated.
pub(crate) const KEY_TIME_MAX: Duration = Duration::from_secs(60);

/// Keys that are remembered at once. One more pushes out the oldest.
pub(crate) const KEYS_MAX: usize = 100_000;

/// The keys of this node.
#[derive(Default)]
pub(crate) struct JoiningKeys(Mutex<Table>);

/// What a key has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyedSeat {
    /// The request that came with the key.
    pub(crate) fingerprint: u64,
    pub(crate) room: RoomCode,
    pub(crate) player: PlayerId,
}

#[derive(Default)]
struct Table {
    /// With the time until which each is known.
    seats: HashMap<Digest, (Time, KeyedSeat)>,
    /// Oldest first.
    order: VecDeque<(Time, Digest)>,
    /// Keys whose requests are being handled, one for each connection at most.
    claimed: HashSet<Digest>,
}

/// A key whose request is being handled. Another with the same key must wait until this is dropped.
pub(crate) struct Claim<'a> {
    keys: &'a JoiningKeys,
    key: Digest,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.keys.0.lock().claimed.remove(&self.key);
    }
}

impl JoiningKeys {
    /// Claims the key for a request; `None` while another has it.
    pub(crate) fn claim(&self, key: Digest) -> Option<Claim<'_>> {
        self.0.lock().claimed.insert(key).then(|| Claim { keys: self, key })
    }

    /// The seat that this key has led to lately.
    pub(crate) fn find(&self, key: &Digest, now: Time) -> Option<KeyedSeat> {
        let mut table = self.0.lock();
        table.drop_old(now);
        table.seats.get(key).map(|(_, seat)| *seat)
    }

    /// Remembers where the key has led.
    pub(crate) fn insert(&self, key: Digest, seat: KeyedSeat, now: Time) {
        let mut table = self.0.lock();
        table.drop_old(now);
        if table.order.len() >= KEYS_MAX {
            table.drop_first();
        }
        let until = now + KEY_TIME_MAX;
        table.order.push_back((until, key));
        table.seats.insert(key, (until, seat));
    }
}

impl Table {
    fn drop_old(&mut self, now: Time) {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some((until, key)) = self.order.pop_front() else { return };
        // A key that has led to another seat since is known for longer.
        if self.seats.get(&key).is_some_and(|(known_until, _)| *known_until == until) {
            self.seats.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(player: u32) -> KeyedSeat {
        KeyedSeat { fingerprint: 1, room: RoomCode::from_number(1), player: PlayerId(player) }
    }

    fn key(n: u32) -> Digest {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&n.to_le_bytes());
        Digest(key)
    }

    #[test]
    fn key_is_known_for_its_time_and_no_longer() {
        let keys = JoiningKeys::default();
        let start = Time::from_millis(0);
        keys.insert(key(1), seat(1), start);
        assert_eq!(keys.find(&key(1), start), Some(seat(1)));
        assert_eq!(keys.find(&key(2), start), None);
        assert_eq!(keys.find(&key(1), start + KEY_TIME_MAX), None);
    }

    #[test]
    fn one_key_more_than_the_bound_pushes_out_the_oldest() {
        let keys = JoiningKeys::default();
        let now = Time::from_millis(0);
        for n in 0..=KEYS_MAX as u32 {
            keys.insert(key(n), seat(n), now);
        }
        assert_eq!(keys.find(&key(0), now), None);
        assert_eq!(keys.find(&key(1), now), Some(seat(1)));
        assert_eq!(keys.0.lock().seats.len(), KEYS_MAX);
    }
}
