//! The last half hour in figures, for the charts of the operators' page.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde::Serialize;

use super::Figures;
use crate::live::Live;

/// Figures taken every few seconds, oldest first.
#[derive(Debug)]
pub(crate) struct Samples {
    started_at: u64,
    taken: Mutex<VecDeque<Sample>>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sample {
    at: u64,
    connections: f64,
    rooms: f64,
    players: f64,
    messages_per_second: f64,
    requests_per_second: f64,
    action_p50_ms: Option<f64>,
    action_p99_ms: Option<f64>,
    memory_bytes: Option<f64>,
}

impl Samples {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { started_at: now_millis(), taken: Mutex::default() })
    }

    pub(super) fn started_at(&self) -> u64 {
        self.started_at
    }

    pub(super) fn all(&self) -> Vec<Sample> {
        self.taken.lock().iter().cloned().collect()
    }

    /// Takes one after another, for ever, while there is an administrator to look at them.
    pub(crate) async fn run(self: Arc<Self>, registry: Arc<Registry>, live: Arc<ArcSwap<Live>>) {
        let mut ticks = tokio::time::interval(EVERY);
        let mut before: Option<(Figures, u64)> = None;
        loop {
            ticks.tick().await;
            if !live.load().has_admin() {
                before = None;
                continue;
            }
            let (figures, at) = (Figures::read(&registry), now_millis());
            // The first has nothing before it, so nothing has happened in between.
            let (former, then) = before.as_ref().map_or((&figures, at), |(then, at)| (then, *at));
            self.push(sample(former, then, &figures, at));
            before = Some((figures, at));
        }
    }

    fn push(&self, sample: Sample) {
        let mut taken = self.taken.lock();
        if taken.len() == SAMPLES_MAX {
            taken.pop_front();
        }
        taken.push_back(sample);
    }
}

fn sample(before: &Figures, then: u64, figures: &Figures, at: u64) -> Sample {
    let seconds = (at.saturating_sub(then).max(1)) as f64 / 1000.0;
    let rate = |name| (figures.sum(name) - before.sum(name)).max(0.0) / seconds;
    let actions =
        since(&before.buckets("parlor_action_seconds"), figures.buckets("parlor_action_seconds"));
    let quantile = |share| quantile(&actions, share).map(|seconds| seconds * 1000.0);
    Sample {
        at,
        connections: figures.sum("parlor_connections"),
        rooms: figures.sum("parlor_rooms"),
        players: figures.sum_where("parlor_players", "kind", |kind| kind != "bot"),
        messages_per_second: rate("parlor_messages_written_total"),
        requests_per_second: rate("parlor_requests_total"),
        action_p50_ms: quantile(0.5),
        action_p99_ms: quantile(0.99),
        memory_bytes: figures.value("process_resident_memory_bytes"),
    }
}

/// What was observed after `before`.
fn since(before: &[(f64, f64)], mut now: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    for ((_, count), (_, former)) in now.iter_mut().zip(before) {
        *count -= former;
    }
    now
}

/// The value below which this share of the observations is, as evenly as its bucket lets one guess: as
/// `histogram_quantile` of Prometheus does.
fn quantile(buckets: &[(f64, f64)], share: f64) -> Option<f64> {
    let total = buckets.last()?.1;
    if total <= 0.0 {
        return None;
    }
    let rank = share * total;
    let place = buckets.iter().position(|(_, count)| *count >= rank)?;
    let (upper, count) = buckets[place];
    let (lower, below) = if place == 0 { (0.0, 0.0) } else { buckets[place - 1] };
    if upper.is_infinite() {
        return Some(lower);
    }
    Some(lower + (upper - lower) * (rank - below) / (count - below).max(1.0))
}

pub(super) fn now_millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

const EVERY: Duration = Duration::from_secs(5);
/// Half an hour.
const SAMPLES_MAX: usize = 360;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_in_their_buckets() {
        let buckets = [(1.0, 0.0), (2.0, 50.0), (4.0, 100.0), (f64::INFINITY, 100.0)];
        assert_eq!(quantile(&buckets, 0.5), Some(2.0));
        assert_eq!(quantile(&buckets, 0.75), Some(3.0));
        assert_eq!(quantile(&[(1.0, 0.0), (f64::INFINITY, 3.0)], 0.5), Some(1.0));
        assert_eq!(quantile(&[(1.0, 0.0), (f64::INFINITY, 0.0)], 0.5), None);
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn only_what_is_new_counts() {
        let after = since(&[(1.0, 2.0), (2.0, 5.0)], vec![(1.0, 3.0), (2.0, 9.0)]);
        assert_eq!(after, [(1.0, 1.0), (2.0, 4.0)]);
    }
}
