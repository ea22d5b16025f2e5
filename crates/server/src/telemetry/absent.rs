//! In place of `telemetry.rs` in a program that was built without the feature `otlp`.

use tracing_subscriber::layer::Identity;

/// There is no way to a collector.
#[derive(Debug)]
pub(crate) enum Telemetry {}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
#[error("this program was built without the feature otlp")]
pub(crate) struct Absent;

impl Telemetry {
    pub(crate) fn to(_: &str) -> Result<Self, Absent> {
        Err(Absent)
    }

    pub(crate) fn layer(&self) -> Identity {
        match *self {}
    }

    pub(crate) fn shut_down(self) {
        match self {}
    }
}
