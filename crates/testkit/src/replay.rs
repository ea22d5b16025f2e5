//! Doing again what was done in a room, to see whether it leads to the same.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use parlor_core::{Command, Game, PlayerId, Room, SavedRoom};
use serde_json::Value;

use crate::Playroom;
use crate::encoding::difference;

/// What a room was asked to do and did.
pub(crate) enum Deed<G: Game> {
    Command(Command),
    Action(PlayerId, G::Action),
    /// The test laid out the state.
    Arranged(G::State),
    /// Nobody called the room for so long.
    Stalled(Duration),
}

/// What a replay notes down of each change.
#[derive(Default)]
pub(crate) struct Trace {
    /// A digest of the room after each change.
    digests: Vec<u64>,
    /// At which changes the room goes through bytes: at each that this divides. 0 is never.
    reload_every: usize,
    /// The change after which the whole room is wanted, and that room.
    wanted: Option<usize>,
    found: Option<String>,
    /// Why the replay broke off.
    broken: Option<String>,
}

/// How often a replay goes through bytes.
const RELOADS: usize = 8;

/// Replays `room` as it was and through bytes, and says what differs.
pub(crate) fn check<G: Game>(room: &Playroom<G>) -> Result<(), String> {
    // A clock that the game should not read must have moved on by then to be noticed.
    if let Some(rest) = Duration::from_millis(2).checked_sub(room.made_at.elapsed()) {
        std::thread::sleep(rest);
    }
    let once = replay(room, 0, None);
    let end = room.saved()?;
    if once.broken.is_some() || once.digests.last() != Some(&digest(&end)) {
        return Err(otherwise(room, &once));
    }
    let reload_every = (once.digests.len() / RELOADS).max(1);
    let through_bytes = replay(room, reload_every, None);
    let Some(change) = first_difference(&once.digests, &through_bytes.digests) else {
        return Ok(());
    };
    if let Some(broken) = &through_bytes.broken
        && change == through_bytes.digests.len()
    {
        return Err(format!("bytes do not hold the whole room: {broken}"));
    }
    if replay(room, 0, None).digests != once.digests {
        return Err(otherwise(room, &once));
    }
    let [one, other] = [0, reload_every].map(|every| replay(room, every, Some(change)).found);
    let (change, told) = (change + 1, tell_apart(one, other));
    Err(format!(
        "bytes do not hold the whole state: after going through them, at change {change}, {told}"
    ))
}

/// Says how a replay of `room` went another way than `once`, or than the room itself.
fn otherwise<G: Game>(room: &Playroom<G>, once: &Trace) -> String {
    let again = replay(room, 0, None);
    let told = match first_difference(&once.digests, &again.digests) {
        Some(change) if change < once.digests.len().min(again.digests.len()) => {
            let [one, other] = [(); 2].map(|()| replay(room, 0, Some(change)).found);
            format!("at change {}, {}", change + 1, tell_apart(one, other))
        }
        _ => match [once, &again].into_iter().find_map(|run| run.broken.as_ref()) {
            Some(broken) => format!("at change {}, {broken}", once.digests.len() + 1),
            None => {
                let last = once.digests.len().saturating_sub(1);
                let told = tell_apart(room.saved().ok(), replay(room, 0, Some(last)).found);
                format!("at the end, {told}")
            }
        },
    };
    format!(
        "done again, it goes another way: {told}; the same commands at the same times must lead to the same \
         states: is there a clock, a source of chance beside the context's, or a HashMap?"
    )
}

fn first_difference(one: &[u64], other: &[u64]) -> Option<usize> {
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    (same < one.len().max(other.len())).then_some(same)
}

fn tell_apart(one: Option<String>, other: Option<String>) -> String {
    let read = |text: &Option<String>| {
        text.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok())
    };
    match (read(&one), read(&other)) {
        (Some(one_tree), Some(other_tree)) => match difference(&one_tree, &other_tree) {
            Some(difference) => difference,
            None if one != other => "the same is written in another order".to_owned(),
            None => "it differs only sometimes".to_owned(),
        },
        (None, _) | (_, None) => "one of them has ended before".to_owned(),
    }
}

fn replay<G: Game>(of: &Playroom<G>, reload_every: usize, wanted: Option<usize>) -> Trace {
    let mut room = match Playroom::begin(of.beginning.clone()) {
        Ok(room) => room.tolerant(),
        Err(error) => {
            let broken = Some(format!("the room cannot be made: {error}"));
            return Trace { broken, ..Trace::default() };
        }
    };
    room.keep_nothing_sent();
    room.trace = Some(Trace { reload_every, wanted, ..Trace::default() });
    for (at, deed) in &of.log {
        room.wait_until(*at);
        let done = match deed {
            Deed::Command(command) => room.command(command.clone()),
            Deed::Action(player, action) => room.try_act(*player, action.clone()),
            Deed::Arranged(state) => {
                room.lay_out(state);
                Ok(())
            }
            Deed::Stalled(duration) => {
                room.stall_unlogged(*duration);
                Ok(())
            }
        };
        let Some(trace) = &mut room.trace else { break };
        if let Err(refusal) = done {
            trace.broken.get_or_insert_with(|| format!("what was granted is refused: {refusal}"));
        }
        if trace.broken.is_some() {
            return room.trace.take().unwrap_or_default();
        }
    }
    // The last that happened may have been a deadline.
    room.wait_until(of.now());
    let mut trace = room.trace.take().unwrap_or_default();
    if trace.broken.is_some() {
        return trace;
    }
    // What was arranged last came after the last change.
    match room.saved() {
        Ok(saved) => {
            trace.digests.push(digest(&saved));
            if trace.wanted.is_some_and(|wanted| wanted + 1 == trace.digests.len()) {
                trace.found = Some(saved);
            }
        }
        Err(error) => trace.broken = Some(error),
    }
    trace
}

fn digest(text: &str) -> u64 {
    // Keys that are always the same, unlike a HashMap's.
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl<G: Game> Playroom<G> {
    /// Notes down the room after a change, and lets it go through bytes if it is time.
    pub(crate) fn note_down(&mut self) {
        let saved = self.saved();
        let Some(trace) = &mut self.trace else { return };
        if trace.broken.is_some() {
            return;
        }
        let saved = match saved {
            Ok(saved) => saved,
            Err(error) => {
                trace.broken = Some(error);
                return;
            }
        };
        let change = trace.digests.len();
        trace.digests.push(digest(&saved));
        if trace.wanted == Some(change) {
            trace.found = Some(saved);
        }
        if trace.reload_every == 0 || !(change + 1).is_multiple_of(trace.reload_every) {
            return;
        }
        let is_json = ((change + 1) / trace.reload_every).is_multiple_of(2);
        let views = self.all_views();
        let gone = if is_json { self.go_through_json() } else { self.go_through_msgpack() };
        let codec = if is_json { "JSON" } else { "MessagePack" };
        let broken = match (gone, views, self.all_views()) {
            (Err(error), ..) => Some(error),
            (Ok(()), Ok(before), Ok(after)) if before != after => {
                let mut pairs = before.iter().zip(&after).filter(|(before, after)| before != after);
                let told = pairs.next().map(|(before, after)| {
                    tell_apart(Some(before.to_string()), Some(after.to_string()))
                });
                let told = told.unwrap_or_default();
                Some(format!("a viewer sees something else after {codec}: {told}"))
            }
            (Ok(()), ..) => None,
        };
        if let (Some(broken), Some(trace)) = (broken, &mut self.trace) {
            trace.broken = Some(broken);
        }
    }

    /// The whole room as text.
    pub(crate) fn saved(&self) -> Result<String, String> {
        serde_json::to_string(&self.room.save())
            .map_err(|error| format!("the room cannot be written as JSON: {error}"))
    }

    /// By way of a tree, since JSON's reader is not exact to the last bit of an `f64`, which is no fault
    /// of the game's.
    fn go_through_json(&mut self) -> Result<(), String> {
        let tree = serde_json::to_value(self.room.save())
            .map_err(|error| format!("the room cannot be written as JSON: {error}"))?;
        let saved = serde_json::from_value(tree).map_err(|error| {
            format!("the room cannot be read from the JSON that it is written as: {error}")
        })?;
        self.go_on_as(saved);
        Ok(())
    }

    pub(crate) fn go_through_msgpack(&mut self) -> Result<(), String> {
        let bytes = rmp_serde::to_vec_named(&self.room.save())
            .map_err(|error| format!("the room cannot be written as MessagePack: {error}"))?;
        let saved = rmp_serde::from_slice(&bytes).map_err(|error| {
            format!("the room cannot be read from the MessagePack that it is written as: {error}")
        })?;
        self.go_on_as(saved);
        Ok(())
    }

    fn go_on_as(&mut self, saved: SavedRoom<G>) {
        self.go_on_with(Room::restore(Arc::clone(&self.beginning.game), saved));
    }
}

impl<G: Game> Clone for Deed<G> {
    fn clone(&self) -> Self {
        match self {
            Self::Command(command) => Self::Command(command.clone()),
            Self::Action(player, action) => Self::Action(*player, action.clone()),
            Self::Arranged(state) => Self::Arranged(state.clone()),
            Self::Stalled(duration) => Self::Stalled(*duration),
        }
    }
}
