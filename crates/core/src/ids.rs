//! The small values everything else is named by: players, times, secrets' digests.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A player's number in one room: small, never given to another, the same after a reconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlayerId(pub u32);

impl PlayerId {
    /// The number the first player of a room gets.
    pub const FIRST: Self = Self(1);

    pub(crate) fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("a room sees fewer than 2^32 players"))
    }
}

impl fmt::Display for PlayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A point in time: milliseconds since 1970 by the clock of whoever drives the room.
///
/// The core reads no clock; every time it knows was an argument.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Time(u64);

impl Time {
    /// A time from milliseconds since 1970.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Saturates at the end of time instead of wrapping. Fractions of a millisecond are cut off.
impl std::ops::Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// A digest of a secret that the room compares and never sees: a session token or a password.
///
/// Who makes it hashes with SHA-256 or better, so that equality of digests is equality of
/// secrets. `Debug` hides it: a digest in a log would let its reader recognise the secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub [u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_saturates_instead_of_wrapping() {
        assert_eq!(Time::from_millis(u64::MAX) + Duration::MAX, Time::from_millis(u64::MAX));
        assert_eq!(Time::from_millis(1).since(Time::from_millis(5)), Duration::ZERO);
    }

    #[test]
    fn digest_is_not_shown() {
        assert_eq!(format!("{:?}", Digest([7; 32])), "Digest(..)");
    }
}
