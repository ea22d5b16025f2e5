//! Which seat a joining request has got, for those who ask once more because the answer was lost.
//!
//! A key is known for as long as a seat without a connection is held, and for a minute at least.
//! What is kept is a digest: who knows a key gets a token for the seat.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use parlor_core::{Digest, PlayerId, Time};
use parlor_protocol::RoomCode;

/// How long a joining request may be repeated, in games that hold a lost player's seat no longer.
pub(crate) const KEY_TIME_MIN: Duration = Duration::from_secs(60);

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
    /// When a socket got it last.
    pub(crate) given: Time,
}

#[derive(Default)]
struct Table {
    seats: HashMap<Digest, Known>,
    /// As they came, so that no key can outstay its turn by being known for long. One that is
    /// behind such a key may still be here when its time is over, and is not found any more.
    order: VecDeque<(u64, Digest)>,
    /// Keys remembered so far.
    serial: u64,
    /// Keys whose requests are being handled, one for each connection at most.
    claimed: HashSet<Digest>,
}

/// A key that is remembered.
struct Known {
    until: Time,
    /// Tells it from the same key before.
    serial: u64,
    seat: KeyedSeat,
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
        table.seats.get(key).filter(|known| now < known.until).map(|known| known.seat)
    }

    /// Another socket has got the seat that this key leads to.
    pub(crate) fn given_again(&self, key: &Digest, now: Time) {
        if let Some(known) = self.0.lock().seats.get_mut(key) {
            known.seat.given = now;
        }
    }

    /// Remembers where the key has led, for `time` or the least that there is.
    pub(crate) fn insert(&self, key: Digest, seat: KeyedSeat, now: Time, time: Duration) {
        let mut table = self.0.lock();
        table.drop_old(now);
        if table.order.len() >= KEYS_MAX {
            table.drop_first();
        }
        table.serial += 1;
        let serial = table.serial;
        table.order.push_back((serial, key));
        table.seats.insert(key, Known { until: now + time.max(KEY_TIME_MIN), serial, seat });
    }
}

impl Table {
    /// Drops from the front what nobody finds any more.
    fn drop_old(&mut self, now: Time) {
        while let Some((serial, key)) = self.order.front() {
            let known = self.seats.get(key).filter(|known| known.serial == *serial);
            if known.is_some_and(|known| now < known.until) {
                return;
            }
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some((serial, key)) = self.order.pop_front() else { return };
        // A key that has led to another seat since has another place.
        if self.seats.get(&key).is_some_and(|known| known.serial == serial) {
            self.seats.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(player: u32) -> KeyedSeat {
        let (room, given) = (RoomCode::from_number(1), Time::from_millis(0));
        KeyedSeat { fingerprint: 1, room, player: PlayerId(player), given }
    }

    fn key(n: u32) -> Digest {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&n.to_le_bytes());
        Digest(key)
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn key_is_known_for_its_time_and_a_minute_at_least() {
        let start = Time::from_millis(0);
        for (time, known) in [(Duration::ZERO, MINUTE), (MINUTE, MINUTE), (5 * MINUTE, 5 * MINUTE)]
        {
            let keys = JoiningKeys::default();
            keys.insert(key(1), seat(1), start, time);
            let last = start + (known - Duration::from_millis(1));
            assert_eq!(keys.find(&key(1), last), Some(seat(1)), "{time:?}");
            assert_eq!(keys.find(&key(2), last), None);
            assert_eq!(keys.find(&key(1), start + known), None, "{time:?}");
        }
    }

    #[test]
    fn key_behind_one_that_is_known_for_longer_is_forgotten_in_its_own_time() {
        let keys = JoiningKeys::default();
        let start = Time::from_millis(0);
        keys.insert(key(1), seat(1), start, 5 * MINUTE);
        keys.insert(key(2), seat(2), start, MINUTE);
        assert_eq!(keys.find(&key(2), start + MINUTE), None);
        assert_eq!(keys.find(&key(1), start + MINUTE), Some(seat(1)));
        assert_eq!(keys.find(&key(1), start + 5 * MINUTE), None);
        let table = keys.0.lock();
        assert!(table.seats.is_empty() && table.order.is_empty(), "and nothing is left of either");
    }

    /// Its seat was given up, and the key was used again.
    #[test]
    fn key_that_leads_to_another_seat_is_known_as_long_as_that() {
        let keys = JoiningKeys::default();
        let start = Time::from_millis(0);
        // Both end at the same time.
        keys.insert(key(1), seat(1), start, 2 * MINUTE);
        keys.insert(key(1), seat(2), start + MINUTE, MINUTE);
        for n in 2..KEYS_MAX as u32 {
            keys.insert(key(n), seat(n), start + MINUTE, MINUTE);
        }
        keys.insert(key(0), seat(0), start + MINUTE, MINUTE);
        let almost = start + (2 * MINUTE - Duration::from_millis(1));
        assert_eq!(keys.find(&key(1), almost), Some(seat(2)), "only its first place is gone");
        assert_eq!(keys.find(&key(1), start + 2 * MINUTE), None);
    }

    #[test]
    fn one_key_more_than_the_bound_pushes_out_the_oldest_however_long_it_is_known() {
        let keys = JoiningKeys::default();
        let now = Time::from_millis(0);
        for n in 0..=KEYS_MAX as u32 {
            keys.insert(key(n), seat(n), now, if n == 0 { 5 * MINUTE } else { MINUTE });
        }
        assert_eq!(keys.find(&key(0), now), None);
        assert_eq!(keys.find(&key(1), now), Some(seat(1)));
        let table = keys.0.lock();
        assert_eq!((table.seats.len(), table.order.len()), (KEYS_MAX, KEYS_MAX));
    }
}
