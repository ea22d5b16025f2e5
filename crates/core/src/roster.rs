//! Who sits in a room: seats by rising player id, and the host.
//!
//! The roster says what is; who may change it and what follows from a change is the
//! [`Room`](crate::Room)'s. Seats are shared between rosters, so that a change in a large room
//! copies pointers, not names.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Digest, PlayerId, Profile, Time, Viewer};

/// The longest name of a seat, in characters.
pub const NAME_CHARS_MAX: usize = 32;

/// The seats of a room.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Roster {
    /// By rising id.
    seats: Vec<Arc<Seat>>,
    pub(crate) host: Option<PlayerId>,
}

/// One place in a room: a player's, a bot's or a spectator's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seat {
    pub(crate) id: PlayerId,
    pub(crate) name: Arc<str>,
    pub(crate) spectator: bool,
    /// The level of the bot that plays here.
    pub(crate) bot: Option<Arc<str>>,
    /// What a human's session token hashes to. A bot that sits in for a human keeps it.
    pub(crate) token: Option<Digest>,
    pub(crate) connected: bool,
    pub(crate) ready: bool,
    pub(crate) grace_until: Option<Time>,
    pub(crate) forfeited: bool,
    /// Of most seats nothing. Shared: a seat is copied whenever it changes.
    pub(crate) known: Option<Arc<Known>>,
}

/// What is known of a human beyond the room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    subject: Option<Arc<str>>,
    profile: Profile,
}

impl Known {
    /// `None` when nothing is.
    pub(crate) fn new(subject: Option<Arc<str>>, profile: Profile) -> Option<Arc<Self>> {
        let is_something = subject.is_some() || !profile.is_empty();
        is_something.then(|| Arc::new(Self { subject, profile }))
    }
}

/// What kind of occupant a seat has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeatKind {
    /// A human who plays.
    Human,
    /// A bot, be it of its own or sitting in for a human.
    Bot,
    /// A human who only watches.
    Spectator,
}

impl Seat {
    /// The number the seat is known by.
    pub fn id(&self) -> PlayerId {
        self.id
    }

    /// The name shown to others.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What kind of occupant it has now.
    pub fn kind(&self) -> SeatKind {
        match (self.spectator, &self.bot) {
            (true, _) => SeatKind::Spectator,
            (false, Some(_)) => SeatKind::Bot,
            (false, None) => SeatKind::Human,
        }
    }

    /// Whether it only watches.
    pub fn is_spectator(&self) -> bool {
        self.spectator
    }

    /// Whether someone is there to act: a human with a connection, or a bot.
    pub fn is_present(&self) -> bool {
        self.connected || self.bot.is_some()
    }

    /// Whether it said it is ready. A bot always is.
    pub fn is_ready(&self) -> bool {
        self.ready || self.bot.is_some()
    }

    /// Until when the seat is held for a human who lost the connection.
    pub fn grace_until(&self) -> Option<Time> {
        self.grace_until
    }

    /// Whether the player plays no more, though it keeps the seat.
    pub fn has_forfeited(&self) -> bool {
        self.forfeited
    }

    /// What the program around the rooms knows of the player, if anything. Nobody is sent it.
    pub fn profile(&self) -> Option<&Profile> {
        self.known.as_ref().map(|known| &known.profile).filter(|profile| !profile.is_empty())
    }

    /// Who the player is beyond the room, if it has shown that: the same account is the same text. Nobody is sent
    /// it.
    pub fn subject(&self) -> Option<&str> {
        self.known.as_ref()?.subject.as_deref()
    }

    /// How a game sees the occupant.
    pub fn viewer(&self) -> Viewer {
        if self.spectator { Viewer::Spectator } else { Viewer::Player(self.id) }
    }

    /// Whether a human of its own is connected to it or may still come back in time.
    fn keeps_room(&self) -> bool {
        !self.spectator && self.token.is_some() && (self.connected || self.grace_until.is_some())
    }
}

impl Roster {
    /// All seats, by rising id.
    pub fn seats(&self) -> impl ExactSizeIterator<Item = &Seat> {
        self.seats.iter().map(Arc::as_ref)
    }

    /// The seats of players and bots, by rising id.
    pub fn players(&self) -> impl Iterator<Item = &Seat> {
        self.seats().filter(|seat| !seat.spectator)
    }

    /// The seat of `player`, if it still has one.
    pub fn seat(&self, player: PlayerId) -> Option<&Seat> {
        self.place(player).map(|place| self.seats[place].as_ref())
    }

    /// The seat whose human holds the token with this digest.
    pub fn seat_by_token(&self, token: &Digest) -> Option<&Seat> {
        self.seats().find(|seat| seat.token.as_ref() == Some(token))
    }

    /// The connected human who may start and steer the room, if there is one.
    pub fn host(&self) -> Option<PlayerId> {
        self.host
    }

    pub(crate) fn add(&mut self, seat: Seat) {
        debug_assert!(self.seats.last().is_none_or(|last| last.id < seat.id), "ids rise");
        self.seats.push(Arc::new(seat));
    }

    /// Takes a seat away. Who is host after that is decided when the change is complete.
    pub(crate) fn remove(&mut self, player: PlayerId) {
        self.seats.retain(|seat| seat.id != player);
    }

    /// Changes one seat, which the caller knows to be there.
    pub(crate) fn change(&mut self, player: PlayerId, change: impl FnOnce(&mut Seat)) {
        let place = self.place(player).expect("the caller has seen this seat");
        change(Arc::make_mut(&mut self.seats[place]));
    }

    /// The human who becomes host when nobody is: connected, with the lowest id.
    pub(crate) fn next_host(&self) -> Option<PlayerId> {
        self.seats().find(|seat| seat.kind() == SeatKind::Human && seat.connected).map(Seat::id)
    }

    pub(crate) fn keeps_room(&self) -> bool {
        self.seats().any(Seat::keeps_room)
    }

    /// `wanted`, or with " 2", " 3" and so on when it is taken, cut to [`NAME_CHARS_MAX`].
    pub(crate) fn free_name(&self, wanted: &str) -> Arc<str> {
        let is_taken = |name: &str| self.seats().any(|seat| seat.name() == name);
        if !is_taken(wanted) {
            return wanted.into();
        }
        // One of these is free: there are more of them than seats.
        (2..=self.seats.len() + 2)
            .map(|n| {
                let suffix = format!(" {n}");
                let base: String = wanted.chars().take(NAME_CHARS_MAX - suffix.len()).collect();
                base.trim_end().to_owned() + &suffix
            })
            .find(|name| !is_taken(name))
            .expect("fewer seats than candidates")
            .into()
    }

    fn place(&self, player: PlayerId) -> Option<usize> {
        self.seats.binary_search_by_key(&player, |seat| seat.id).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(names: &[&str]) -> Roster {
        let mut roster = Roster::default();
        for (id, name) in (1..).zip(names) {
            roster.add(Seat {
                id: PlayerId(id),
                name: (*name).into(),
                spectator: false,
                bot: None,
                token: None,
                connected: true,
                ready: false,
                grace_until: None,
                forfeited: false,
                known: None,
            });
        }
        roster
    }

    #[test]
    fn taken_name_gets_the_next_free_number() {
        assert_eq!(&*roster(&["Ada"]).free_name("Bob"), "Bob");
        assert_eq!(&*roster(&["Ada"]).free_name("Ada"), "Ada 2");
        assert_eq!(&*roster(&["Ada", "Ada 2"]).free_name("Ada"), "Ada 3");
    }

    #[test]
    fn numbered_name_stays_within_the_bound() {
        let long = "ä".repeat(NAME_CHARS_MAX);
        let name = roster(&[&long]).free_name(&long);
        assert_eq!(name.chars().count(), NAME_CHARS_MAX);
        assert!(name.ends_with(" 2"));
    }
}
