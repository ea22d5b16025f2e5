//! What an address is kept from doing too often, and what it is answered then.

use std::sync::Arc;
use std::time::Duration;

use parlor_core::Time;
use parlor_protocol::{ErrorCode, ErrorDetail};

use crate::config::GatewayConfig;
use crate::metrics::Metrics;
use crate::quotas::{AddressKey, Quotas};

/// The quotas of all addresses.
#[derive(Debug)]
pub(crate) struct Limits {
    wrong_guesses: Quotas,
    rooms_opened: Quotas,
    metrics: Arc<Metrics>,
}

impl Limits {
    pub(crate) fn new(config: &GatewayConfig, metrics: Arc<Metrics>) -> Self {
        Self {
            wrong_guesses: Quotas::new(config.wrong_guesses),
            rooms_opened: Quotas::new(config.rooms_opened),
            metrics,
        }
    }

    /// Whether an address may guess once more.
    pub(crate) fn check_guesses(
        &self,
        address: Option<AddressKey>,
        now: Time,
    ) -> Result<(), ErrorDetail> {
        self.limited("wrong_guesses", self.wrong_guesses.check(address, now))
    }

    /// Counts a guess that was wrong. Whether it was one too many is for the next to hear.
    pub(crate) fn guessed_wrong(&self, address: Option<AddressKey>, now: Time) {
        let _ = self.wrong_guesses.take(address, now);
    }

    /// The same for a request that was refused, if it was a guess.
    pub(crate) fn refused(&self, error: &ErrorDetail, address: Option<AddressKey>, now: Time) {
        // No session token: nobody guesses 256 bits, and after a restart everyone comes back with one that is void.
        let guesses = [ErrorCode::WRONG_PASSWORD, ErrorCode::ROOM_NOT_FOUND];
        if guesses.contains(&error.code) {
            self.guessed_wrong(address, now);
        }
    }

    /// Counts a room that an address opens, or says why it may not.
    pub(crate) fn open_room(
        &self,
        address: Option<AddressKey>,
        now: Time,
    ) -> Result<(), ErrorDetail> {
        self.limited("rooms_opened", self.rooms_opened.take(address, now))
    }

    fn limited(
        &self,
        limit: &'static str,
        outcome: Result<(), Duration>,
    ) -> Result<(), ErrorDetail> {
        outcome.map_err(|wait| {
            self.metrics.limited(limit);
            ErrorDetail::rate_limited(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
        })
    }
}
