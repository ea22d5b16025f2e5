//! What is counted of the traffic between nodes.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

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
    pub(crate) fn register(&self, registry: &mut Registry) {
        let counters = [
            (
                "parlor_bus_messages_sent",
                "Messages that were sent to other nodes",
                &self.messages_sent,
            ),
            (
                "parlor_bus_messages_received",
                "Messages that came from the bus, whatever they were",
                &self.messages_received,
            ),
            ("parlor_bus_bytes_sent", "Bytes of messages to other nodes", &self.bytes_sent),
            ("parlor_bus_bytes_received", "Bytes that came from the bus", &self.bytes_received),
            (
                "parlor_bus_failures",
                "Messages of which it is not known whether they were sent",
                &self.messages_failed,
            ),
            (
                "parlor_bus_refused",
                "Messages from the bus that were garbage, or not signed with this node's secret",
                &self.messages_refused,
            ),
            (
                "parlor_relay_payloads",
                "Messages for clients of other nodes, each counted once however many get it",
                &self.payloads_sent,
            ),
            (
                "parlor_relay_deliveries",
                "Messages for clients of other nodes, counted for each that gets it",
                &self.deliveries_sent,
            ),
            (
                "parlor_relay_breaks",
                "Streams between two nodes of which something was missing",
                &self.streams_broken,
            ),
            (
                "parlor_relay_links_lost",
                "Clients between two nodes that were sent to come back",
                &self.links_lost,
            ),
            (
                "parlor_leases_lost",
                "Times that this node was out of touch with the directory for a lease, or the directory had forgotten all",
                &self.leases_lost,
            ),
            (
                "parlor_rooms_lost",
                "Rooms that were let go because another node had them",
                &self.rooms_lost,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
    }

    /// A message for another node was made.
    pub(super) fn told(&self, payloads: usize, deliveries: usize) {
        self.payloads_sent.inc_by(payloads as u64);
        self.deliveries_sent.inc_by(deliveries as u64);
    }
}
