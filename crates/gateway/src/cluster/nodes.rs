//! What a node knows of its own standing among the others, and how nodes compare.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use parlor_store::Beat;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard};
use tokio::time::Instant;

use super::bundle::About;
use crate::ticks::Ticks;

/// This node's standing.
#[derive(Default)]
pub(super) struct Nodes {
    standing: Mutex<Standing>,
    /// Whoever says that this node is there has this.
    turn: AsyncMutex<()>,
    is_draining: AtomicBool,
    /// Late steps when they were last told of.
    late_steps_told: AtomicU64,
}

#[derive(Default)]
struct Standing {
    /// When this node last said, with success, that it is there; as it began to.
    last_beat: Option<Instant>,
    /// When it first did.
    first_beat: Option<Instant>,
    /// What the directory called its memory then.
    memory: Option<String>,
    /// Until then the directory may not yet know again what it knew.
    unsettled_until: Option<Instant>,
}

impl Nodes {
    pub(super) fn last_beat(&self) -> Option<Instant> {
        self.standing.lock().last_beat
    }

    /// Whether what the directory does not know is not there.
    pub(super) fn is_settled(&self) -> bool {
        self.standing.lock().unsettled_until.is_none_or(|until| Instant::now() >= until)
    }

    /// Whether a node that is not there will not be: others' leases may have ended, with the directory away, before this
    /// one came.
    pub(super) fn knows_nodes(&self, lease: Duration) -> bool {
        let first = self.standing.lock().first_beat;
        self.is_settled() && first.is_some_and(|first| first.elapsed() >= lease)
    }

    pub(super) async fn turn(&self) -> AsyncMutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Takes note of a beat. Says whether this node's lease had ended, or the directory's memory has: then others may
    /// have been without it as well, and everyone gets the time of a lease to be known again.
    pub(super) fn has_beaten(&self, began: Instant, beat: &Beat, lease: Duration) -> bool {
        let mut standing = self.standing.lock();
        let is_first = standing.last_beat.is_none();
        let is_same_memory = standing.memory.as_ref() == Some(&beat.memory);
        let was_away = !(is_first || (beat.was_held && is_same_memory));
        // The directory was away for so long that other leases may have ended, if not this one.
        let gap = standing.last_beat.map(|last| began - last);
        let is_late = gap.is_some_and(|gap| gap >= lease - 2 * (lease / super::BEATS_PER_LEASE));
        standing.last_beat = Some(began);
        standing.first_beat.get_or_insert(began);
        standing.memory = Some(beat.memory.clone());
        // One that has just begun cannot know what was lost before, unless that is long ago.
        let is_young = beat.memory_age < lease;
        if was_away || is_late || (is_first && is_young) {
            let known_by_now = if is_first { beat.memory_age } else { Duration::ZERO };
            standing.unsettled_until = Some(Instant::now() + (lease - known_by_now));
        }
        was_away
    }

    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    pub(super) fn drains(&self, is_draining: bool) {
        self.is_draining.store(is_draining, Ordering::Relaxed);
    }

    /// Steps that came late, or not at all, since they were last told of.
    pub(super) fn late_steps(&self, ticks: &Ticks, tells: bool) -> u64 {
        let in_time: u64 = ticks.lateness.first().copied().unwrap_or_default();
        let late = ticks.taken.saturating_sub(in_time) + ticks.skipped;
        let told = if tells {
            self.late_steps_told.swap(late, Ordering::Relaxed)
        } else {
            self.late_steps_told.load(Ordering::Relaxed)
        };
        late.saturating_sub(told)
    }
}

/// Whether a new room has a clearly better place on `other` than on `me`, to which going there is a detour.
pub(super) fn is_better(other: &About, me: &About) -> bool {
    if me.draining || me.rooms >= me.rooms_max {
        return true;
    }
    let (mine, its) = (me.players + me.rooms, other.players + other.rooms);
    let is_struggling = |about: &About| about.late_steps > LATE_STEPS_MAX;
    match (is_struggling(me), is_struggling(other)) {
        (true, false) => true,
        (false, true) => false,
        (true, true) | (false, false) => its + its / 4 + CLOSE < mine,
    }
}

/// Late steps between two beats that are nothing to worry about.
const LATE_STEPS_MAX: u64 = 30;
/// Players and rooms by which nodes differ without mattering.
const CLOSE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn node(players: usize) -> About {
        About { players, rooms: players / 4, rooms_max: 1000, ..About::default() }
    }

    #[test]
    fn new_room_stays_where_it_is_asked_for_unless_the_other_node_is_clearly_better() {
        assert!(!is_better(&node(0), &node(10)), "a few players more are nothing");
        assert!(!is_better(&node(90), &node(100)));
        assert!(is_better(&node(50), &node(100)));
        assert!(!is_better(&node(100), &node(50)));

        let late = About { late_steps: 1000, ..node(10) };
        assert!(is_better(&node(500), &late), "it cannot keep up");
        assert!(!is_better(&late, &node(500)));
        let full = About { rooms: 1000, ..node(10) };
        assert!(is_better(&node(500), &full));
        let draining = About { draining: true, ..node(10) };
        assert!(is_better(&node(500), &draining));
    }
}
