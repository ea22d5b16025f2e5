//! What one address may do with all its connections together.
//!
//! Of what lasts, such as connections, an address has so many at a time. For what is done, each kind of thing has a token bucket for each address that has lately done it. An address without one has
//! done nothing lately, which is what a full bucket says, so full ones are let go of.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use parlor_core::Time;

use crate::rate::{Bucket, Rate};

/// What a client's address is counted under: an IPv4 address, or the first half of an IPv6 one, which is what a
/// site is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressKey(NonZeroU64);

/// How often an address may do something: so many times at once, and then again as time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Times at once.
    pub burst: u32,
    /// After how long one more is allowed.
    pub every: Duration,
}

/// How much of something each address has now.
#[derive(Debug)]
pub struct AddressCounts {
    max: u32,
    counts: Mutex<HashMap<AddressKey, u32>>,
}

/// One of what an address may have. Given back when dropped.
#[derive(Debug)]
pub struct AddressPlace {
    counts: Arc<AddressCounts>,
    address: Option<AddressKey>,
}

/// The buckets of every address for one kind of thing.
#[derive(Debug)]
pub(crate) struct Quotas {
    rate: Rate,
    /// How long those who are not known have to wait when too many are.
    wait: Duration,
    buckets: Mutex<HashMap<AddressKey, Bucket>>,
}

impl AddressKey {
    /// The key of an address.
    pub fn of(address: IpAddr) -> Self {
        let number = match address.to_canonical() {
            // The first half of an IPv6 address that is in use never begins with four zero bytes, so the two
            // kinds do not meet. Nor is either zero but for addresses of nobody.
            IpAddr::V4(address) => u64::from(address.to_bits()),
            IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
        };
        Self(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN))
    }

    /// The address, or the site's first one.
    pub fn address(self) -> IpAddr {
        match u32::try_from(self.0.get()) {
            Ok(bits) => Ipv4Addr::from_bits(bits).into(),
            Err(_) => Ipv6Addr::from_bits(u128::from(self.0.get()) << 64).into(),
        }
    }
}

impl AddressCounts {
    /// Up to `max` for each address.
    pub fn new(max: u32) -> Arc<Self> {
        Arc::new(Self { max, counts: Mutex::default() })
    }

    /// One more for this address; `None` when it has as many as it may. Who has no address may have any number.
    pub fn enter(self: &Arc<Self>, address: Option<AddressKey>) -> Option<AddressPlace> {
        if let Some(address) = address {
            let mut counts = self.counts.lock();
            let count = counts.entry(address).or_default();
            if *count >= self.max {
                return None;
            }
            *count += 1;
        }
        Some(AddressPlace { counts: Arc::clone(self), address })
    }
}

impl AddressPlace {
    /// Whose it is, if anyone's in particular.
    pub fn address(&self) -> Option<AddressKey> {
        self.address
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        if let Entry::Occupied(mut entry) = self.counts.counts.lock().entry(address) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

impl Quotas {
    pub(crate) fn new(quota: Quota) -> Self {
        let rate = Rate::every(quota.every, quota.burst);
        Self { rate, wait: quota.every, buckets: Mutex::default() }
    }

    /// Counts one time, or says how long to wait before the next. Who has no address may do as it likes.
    pub(crate) fn take(&self, address: Option<AddressKey>, now: Time) -> Result<(), Duration> {
        let Some(address) = address else { return Ok(()) };
        let mut buckets = self.buckets.lock();
        if buckets.len() >= ADDRESSES_MAX && !buckets.contains_key(&address) {
            buckets.retain(|_, bucket| !bucket.is_full(self.rate, now));
            if buckets.len() >= ADDRESSES_MAX {
                // So many at once are an attack from everywhere: those who are not known yet have to wait.
                return Err(self.wait);
            }
        }
        let new = || Bucket::full(self.rate, now);
        buckets.entry(address).or_insert_with(new).take(self.rate, now)
    }

    /// Says whether there is one time left, without counting it.
    pub(crate) fn check(&self, address: Option<AddressKey>, now: Time) -> Result<(), Duration> {
        let Some(address) = address else { return Ok(()) };
        let mut buckets = self.buckets.lock();
        buckets.get_mut(&address).map_or(Ok(()), |bucket| bucket.check(self.rate, now))
    }
}

/// Addresses that are minded at once for each kind of thing: some 5 MiB. One more has to wait.
const ADDRESSES_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    fn address(number: u64) -> Option<AddressKey> {
        NonZeroU64::new(number).map(AddressKey)
    }

    fn quotas() -> Quotas {
        Quotas::new(Quota { burst: 2, every: Duration::from_secs(10) })
    }

    #[test]
    fn an_address_has_its_burst_and_then_waits() {
        let quotas = quotas();
        for _ in 0..2 {
            assert_eq!(quotas.check(address(1), at(0)), Ok(()));
            assert_eq!(quotas.take(address(1), at(0)), Ok(()));
        }
        assert_eq!(quotas.check(address(1), at(0)), Err(Duration::from_secs(10)));
        assert_eq!(quotas.take(address(1), at(4)), Err(Duration::from_secs(6)));
        assert_eq!(quotas.take(address(2), at(4)), Ok(()), "others are others");
        assert_eq!(quotas.take(address(1), at(10)), Ok(()));
        assert!(quotas.take(address(1), at(10)).is_err());
    }

    #[test]
    fn an_address_has_so_many_at_a_time_and_is_forgotten_with_the_last() {
        let counts = AddressCounts::new(2);
        let enter = |number| counts.enter(address(number));
        let (first, second) = (enter(1).unwrap(), enter(1).unwrap());
        assert!(enter(1).is_none());
        let _others: Vec<_> = (0..3).map(|_| counts.enter(None).unwrap()).collect();
        assert!(enter(2).is_some());
        drop(first);
        let third = enter(1).unwrap();
        assert!(enter(1).is_none());
        drop((second, third));
        assert!(counts.counts.lock().is_empty());
    }

    #[test]
    fn nobody_in_particular_may_do_as_it_likes() {
        let quotas = quotas();
        assert!((0..1000).all(|_| quotas.take(None, at(0)).is_ok()));
    }

    #[test]
    fn addresses_that_are_minded_are_bounded_and_forgotten() {
        let quotas = quotas();
        for number in 1..=ADDRESSES_MAX as u64 {
            assert_eq!(quotas.take(address(number), at(0)), Ok(()));
        }
        let one_more = address(ADDRESSES_MAX as u64 + 1);
        assert!(quotas.take(one_more, at(0)).is_err());
        assert!(quotas.take(address(1), at(0)).is_ok(), "who is minded is minded as before");
        assert_eq!(quotas.take(one_more, at(10)), Ok(()));
        assert_eq!(quotas.buckets.lock().len(), 2, "only those who have not yet waited");
    }

    #[test]
    fn a_key_tells_its_address() {
        for (text, told) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            let key = AddressKey::of(text.parse().unwrap());
            assert_eq!(key.address(), told.parse::<IpAddr>().unwrap());
        }
    }
}
