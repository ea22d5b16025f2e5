//! What a room promises, each promise a test: by subject, on one small game made for it.
//!
//! Owns the table that the tests sit at, which drives a room as a server does; the game stands in
//! `probe`. How a room fares under real threads and every order of them is tried further in
//! `parlor-models`.

mod answers;
mod bots;
mod bounds;
mod chairs;
mod deadlines;
mod determinism;
mod disposal;
mod failures;
mod grace;
mod hosts;
mod outside;
mod play;
mod probe;
mod readers;
mod refusals;
mod seam;
mod showing;
mod steps;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Room, Setup};
use crate::{
    Audience, CloseReason, Command, Commit, Digest, Failure, Join, Origin, Phase, PlayerId,
    Refusal, RoomEvent, Seat, Seed, SettingsChanges, Snapshot, Time,
};

use probe::{Action, Event, Options, Probe, State};

/// A room, and the clock of whoever drives it.
struct Table {
    room: Room<Probe>,
    now: Time,
}

/// Anything that a room decides on when asked, as a log would hold it.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Wish {
    Room(Command),
    Act { player: PlayerId, action: Action, seen: Option<u64> },
}

impl From<Command> for Wish {
    fn from(command: Command) -> Self {
        Self::Room(command)
    }
}

/// What came of one change.
struct Done {
    at: Time,
    /// The room's events, in words.
    told: Vec<String>,
    game_events: Vec<(Audience, Event)>,
    views: usize,
    shows_state: bool,
    whole_state: bool,
    steps_skipped: u64,
    seated: Option<PlayerId>,
    failure: Option<Failure>,
}

impl Table {
    fn new(options: Options) -> Self {
        let now = Time::from_millis(1_000_000);
        let setup = Setup::new(options, Seed([7; 32]), now);
        let room = Room::create(Arc::new(Probe::default()), setup).expect("the probe sets up");
        Self { room, now }
    }

    /// The default table with these players, 1 and up, not yet begun.
    fn with(names: &[&str]) -> Self {
        Self::seated(Options::default(), names)
    }

    fn seated(options: Options, names: &[&str]) -> Self {
        let mut table = Self::new(options);
        for name in names {
            table.join(name);
        }
        table
    }

    /// As [`Table::with`], and begun by player 1.
    fn playing(names: &[&str]) -> Self {
        Self::begun(Options::default(), names)
    }

    fn begun(options: Options, names: &[&str]) -> Self {
        let mut table = Self::seated(options, names);
        table.must(Command::Start(P1));
        table
    }

    fn finished(names: &[&str]) -> Self {
        let mut table = Self::playing(names);
        table.act(P1, Action::Finish);
        table
    }

    /// Decides without publishing.
    fn decide(&mut self, wish: impl Into<Wish>) -> Result<Commit<Probe>, Refusal> {
        match wish.into() {
            Wish::Room(command) => self.room.apply(self.now, command),
            Wish::Act { player, action, seen } => {
                let origin = seen.map_or(Origin::Request(None), Origin::Bot);
                self.room.act(self.now, player, action, origin)
            }
        }
    }

    /// Decides and publishes, as a server does, without looking for deadlines.
    fn ask(&mut self, wish: impl Into<Wish>) -> Result<Done, Refusal> {
        self.decide(wish).map(|commit| self.publish(commit))
    }

    #[track_caller]
    fn must(&mut self, wish: impl Into<Wish>) -> Done {
        match self.ask(wish) {
            Ok(done) => done,
            Err(refusal) => panic!("refused: {refusal:?}"),
        }
    }

    #[track_caller]
    fn refused(&mut self, wish: impl Into<Wish>) -> Refusal {
        let before = self.bytes();
        match self.ask(wish) {
            Ok(done) => panic!("accepted: {:?}", done.told),
            Err(refusal) => {
                assert!(self.bytes() == before, "a refused command has changed the room");
                refusal
            }
        }
    }

    fn publish(&mut self, commit: Commit<Probe>) -> Done {
        let done = Done::of(&commit);
        self.room.publish(commit);
        done
    }

    /// Lets time pass and fires what becomes due, each change published before the next.
    fn pass(&mut self, time: Duration) -> Vec<Done> {
        self.now = self.now + time;
        let mut all = Vec::new();
        while let Some(commit) = self.room.advance(self.now) {
            all.push(self.publish(commit));
            assert!(all.len() < 10_000, "the room spins");
        }
        all
    }

    /// As [`Table::pass`], in words alone.
    fn told_within(&mut self, time: Duration) -> Vec<String> {
        self.pass(time).into_iter().flat_map(|done| done.told).collect()
    }

    #[track_caller]
    fn join(&mut self, name: &str) -> PlayerId {
        self.must(join(name)).seated.expect("who joins has a seat")
    }

    #[track_caller]
    fn act(&mut self, player: PlayerId, action: Action) -> Done {
        self.must(act(player, action))
    }

    /// The whole room, so that two that ought to be equal can be compared.
    fn bytes(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(&self.room.save()).expect("a room can be written down")
    }

    fn seen(&self) -> Arc<Snapshot<Probe>> {
        self.room.view().snapshot()
    }

    fn state(&self) -> &State {
        &self.room.head().state
    }

    fn phase(&self) -> Phase {
        self.room.head().phase
    }

    fn host(&self) -> Option<PlayerId> {
        self.room.head().roster.host()
    }

    #[track_caller]
    fn seat(&self, player: PlayerId) -> &Seat {
        self.room.head().roster.seat(player).expect("the player has a seat")
    }

    fn ids(&self) -> Vec<u32> {
        self.room.head().roster.seats().map(|seat| seat.id().0).collect()
    }

    fn closed(&self) -> Option<CloseReason> {
        self.room.closed()
    }

    /// The callbacks run so far, in order.
    fn calls(&self) -> Vec<&str> {
        self.state().calls.iter().map(|call| call.callback.as_str()).collect()
    }
}

impl Done {
    fn of(commit: &Commit<Probe>) -> Self {
        Self {
            at: commit.after.clock,
            told: commit.room_events.iter().map(in_words).collect(),
            game_events: commit.game_events.clone(),
            views: commit.views.len(),
            shows_state: commit.shows_state,
            whole_state: commit.whole_state,
            steps_skipped: commit.steps_skipped,
            seated: commit.seated,
            failure: commit.failure.clone(),
        }
    }
}

fn in_words(event: &RoomEvent<Probe>) -> String {
    match event {
        RoomEvent::Joined(seat) => format!("joined {} {}", seat.id(), seat.name()),
        RoomEvent::Replaced(seat) => format!("replaced {} {:?}", seat.id(), seat.kind()),
        RoomEvent::Left(player, reason) => format!("left {player} {reason:?}"),
        RoomEvent::Disconnected(player, _) => format!("disconnected {player}"),
        RoomEvent::Reconnected(player) => format!("reconnected {player}"),
        RoomEvent::Ready(player, ready) => format!("ready {player} {ready}"),
        RoomEvent::HostChanged(Some(player)) => format!("host {player}"),
        RoomEvent::HostChanged(None) => "host nobody".to_owned(),
        RoomEvent::Updated => "updated".to_owned(),
        RoomEvent::Started => "started".to_owned(),
        RoomEvent::Finished(outcome) => format!("finished {outcome}"),
        RoomEvent::Chat(line) => format!("chat {}: {}", line.name, line.text),
        RoomEvent::ActionRefused { player, request, refusal } => {
            format!("refused {player} {request:?}: {refusal}")
        }
        RoomEvent::Closed(reason) => format!("closed {reason:?}"),
    }
}

fn join(name: &str) -> Command {
    Command::Join(newcomer(name))
}

fn watch(name: &str) -> Command {
    Command::Join(Join { spectator: true, ..newcomer(name) })
}

fn newcomer(name: &str) -> Join {
    Join::new(name, token(name))
}

/// A digest that differs from name to name.
fn token(name: &str) -> Digest {
    let mut digest = [0; 32];
    for (place, byte) in digest.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    Digest(digest)
}

fn act(player: PlayerId, action: Action) -> Wish {
    Wish::Act { player, action, seen: None }
}

fn chat(player: PlayerId, text: &str) -> Command {
    Command::Chat(player, text.to_owned())
}

fn add_bot(level: &str) -> Command {
    Command::AddBot { by: P1, name: None, level: Some(level.to_owned()) }
}

fn kick(player: PlayerId, ban: bool) -> Command {
    Command::Kick { by: Some(P1), player, ban }
}

fn update(changes: SettingsChanges) -> Command {
    Command::Update { by: P1, changes }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const P1: PlayerId = PlayerId(1);
const P2: PlayerId = PlayerId(2);
const P3: PlayerId = PlayerId(3);
const P4: PlayerId = PlayerId(4);
