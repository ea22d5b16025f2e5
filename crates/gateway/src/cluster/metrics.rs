//! What is counted of the traffic between nodes.

use prometheus_client::metrics::counter::Counter;

/// Counted as it happens.
#[derive(Debug, Default)]
pub(crate) struct RelayMetrics {
    pub(crate) messages_sent: Counter,
    pub(crate) messages_failed: Counter,
    pub(crate) messages_received: Counter,
    pub(crate) messages_refused: Counter,
    pub(crate) bytes_sent: Counter,
    pub(crate) bytes_received: Counter,
    pub(crate) payloads_sent: Counter,
    pub(crate) deliveries_sent: Counter,
    pub(crate) streams_broken: Counter,
    pub(crate) links_lost: Counter,
    pub(crate) leases_lost: Counter,
    pub(crate) rooms_lost: Counter,
}

impl RelayMetrics {
    /// A message for another node was made.
    pub(super) fn told(&self, payloads: usize, deliveries: usize) {
        self.payloads_sent.inc_by(payloads as u64);
        self.deliveries_sent.inc_by(deliveries as u64);
    }
}
