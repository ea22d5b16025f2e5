//! Two rooms that differ only in what somebody hides.
//!
//! Whatever happens in both alike must look alike to everyone who may not know: this finds leaks that no search
//! for a value does, such as a hand's size in bytes, a sorted order, or a move that is refused for a reason
//! that only the hider could know.

use std::collections::BTreeSet;
use std::fmt;

use parlor_core::{Game, PlayerId};
use serde_json::Value;

use crate::Playroom;
use crate::encoding::difference;
use crate::record::{Sent, Who};

/// Two rooms in which the same is done, and which must look the same to all who may not know what
/// sets them apart.
///
/// Made by [`Playroom::twins`] or [`Twins::of`].
#[must_use = "nothing is compared before `play`"]
pub struct Twins<G: Game> {
    rooms: [Playroom<G>; 2],
    may_know: BTreeSet<PlayerId>,
}

impl<G: Game> Twins<G> {
    /// Two rooms that were made alike, but for what `may_know` are allowed to know: by two seeds, or by
    /// two ways to lay out the state.
    ///
    /// Fails when the states are the same, and when anyone else can tell the rooms apart already.
    #[track_caller]
    pub fn of(
        one: Playroom<G>,
        other: Playroom<G>,
        may_know: impl IntoIterator<Item = PlayerId>,
    ) -> Self {
        let mut twins = Self { rooms: [one, other], may_know: may_know.into_iter().collect() };
        let [one, other] = twins.rooms.each_ref().map(|room| tree(room.state()));
        if one == other {
            twins.rooms[0]
                .fail("the states of the two rooms are the same: nothing is hidden in them");
        }
        for room in &mut twins.rooms {
            room.keep_sent();
            room.forget_sent();
            room.show_all();
        }
        twins.compare();
        twins
    }

    /// Does the same in both rooms and compares what everyone was sent meanwhile who may not know
    /// the difference. Gives what `script` gave in each.
    ///
    /// Fails when anyone can tell the rooms apart, and when nothing has happened.
    #[track_caller]
    pub fn play<T>(&mut self, mut script: impl FnMut(&mut Playroom<G>) -> T) -> [T; 2] {
        let before = self.rooms.each_ref().map(Playroom::attempts);
        let given = self.rooms.each_mut().map(|room| {
            room.forget_sent();
            room.show_all();
            script(room)
        });
        self.compare();
        if self.rooms.each_ref().map(Playroom::attempts) == before {
            self.rooms[0].fail("nothing has happened in either room: there is nothing to compare");
        }
        given
    }

    /// The two rooms, to go on in each by itself: for what everyone may know in the end.
    pub fn part(self) -> [Playroom<G>; 2] {
        self.rooms
    }

    #[track_caller]
    fn compare(&self) {
        let [ones, others] = self.rooms.each_ref().map(Playroom::record);
        let everyone: BTreeSet<Who> = ones.keys().chain(others.keys()).copied().collect();
        for who in everyone {
            if matches!(who, Who::Seat(player) if self.may_know.contains(&player)) {
                continue;
            }
            let [ones, others] =
                [ones, others].map(|sent| sent.get(&who).map_or(&[][..], Vec::as_slice));
            let is_same =
                |(one, other): (&Sent, &Sent)| one.kind == other.kind && one.text == other.text;
            if ones.len() == others.len() && ones.iter().zip(others).all(is_same) {
                continue;
            }
            let place = ones.iter().zip(others).take_while(|pair| is_same(*pair)).count();
            let told = tell_apart(ones.get(place), others.get(place));
            self.rooms[0].fail(&format!("{who} can tell what is hidden from it: {told}"));
        }
    }
}

fn tell_apart(one: Option<&Sent>, other: Option<&Sent>) -> String {
    match (one, other) {
        (Some(one), Some(other)) if one.kind == other.kind => {
            let found = difference(&one.tree(), &other.tree());
            let found = found.unwrap_or_else(|| "it is written otherwise".to_owned());
            format!("in the {} of change {}, {found}", one.kind, one.change)
        }
        (one, other) => {
            let told = |sent: Option<&Sent>| match sent {
                Some(sent) => format!("{sent:?}"),
                None => "nothing more".to_owned(),
            };
            format!("one room sends {}, and the other {}", told(one), told(other))
        }
    }
}

fn tree(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("a state can be written as JSON")
}

impl<G: Game> fmt::Debug for Twins<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twins").field("rooms", &self.rooms).finish_non_exhaustive()
    }
}
