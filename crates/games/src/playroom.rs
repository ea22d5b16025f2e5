//! A room to test games in: real, driven by a clock of its own, strict.
//!
//! A [`Playroom`] does what a server does with a room and nothing else. It panics where a
//! callback fails, and writes down every command, so that a game can be played again.

use std::sync::Arc;
use std::time::Duration;

use parlor_core::{
    Command, Commit, Digest, Game, GameError, Join, Origin, PlayerId, Refusal, Room, RoomEvent,
    Seed, Setup, Time, Viewer,
};

pub(crate) struct Playroom<G: Game> {
    room: Room<G>,
    now: Time,
    /// Everything the room was asked to do and did, and when.
    log: Vec<(Time, Deed)>,
    /// What the game has told since [`take_events`](Self::take_events) was last called.
    events: Vec<G::Event>,
    outcome: Option<G::Outcome>,
}

/// What a room was asked to do.
#[derive(Clone)]
enum Deed {
    Command(Command),
    /// A player's action, as bytes.
    Action(PlayerId, Vec<u8>),
}

impl<G: Game + Default> Playroom<G> {
    /// A room in its lobby, with nobody in it.
    pub(crate) fn new(options: G::Options, seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let now = Time::from_millis(1_000_000);
        let setup = Setup::new(options, Seed(bytes), now);
        let room = Room::create(Arc::new(G::default()), setup).unwrap();
        Self { room, now, log: Vec::new(), events: Vec::new(), outcome: None }
    }

    /// Lays the state out anew, as a test needs it: `edit` gets what the state is saved as.
    pub(crate) fn arrange(&mut self, edit: impl FnOnce(&mut serde_json::Value)) {
        let mut saved = serde_json::to_value(self.room.save()).unwrap();
        edit(&mut saved["head"]["snapshot"]["state"]);
        let saved = serde_json::from_value(saved).unwrap();
        self.room = Room::restore(Arc::clone(self.room.game()), saved);
    }

    /// The same room, gone through bytes.
    fn reload(&mut self) {
        let saved = serde_json::from_str(&self.saved()).unwrap();
        self.room = Room::restore(Arc::clone(self.room.game()), saved);
    }

    /// What a new room that does what this one did is saved as: after each deed, and at the end.
    /// Before the deed numbered `reload_at` it goes through bytes itself.
    fn replayed(&self, options: G::Options, seed: u64, reload_at: Option<usize>) -> Vec<String> {
        let mut again = Self::new(options, seed);
        let mut saved = Vec::new();
        for (number, (at, deed)) in self.log.iter().enumerate() {
            if Some(number) == reload_at {
                again.reload();
            }
            again.wait_until(*at);
            match deed.clone() {
                Deed::Command(command) => again.command(command).unwrap(),
                Deed::Action(player, action) => {
                    again.act(player, serde_json::from_slice(&action).unwrap()).unwrap();
                }
            }
            saved.push(again.saved());
        }
        // The last that happened may have been a deadline.
        again.wait_until(self.now);
        saved.push(again.saved());
        saved
    }

    /// Does all of it again, twice as it was and once through bytes half-way, and compares.
    #[track_caller]
    pub(crate) fn check_replays(&self, options: &G::Options, seed: u64) {
        let once = self.replayed(options.clone(), seed, None);
        assert!(once.last() == Some(&self.saved()), "played again, it ends otherwise");
        assert!(
            self.replayed(options.clone(), seed, None) == once,
            "it goes another way each time"
        );
        let reload_at = Some(self.log.len() / 2);
        assert!(
            self.replayed(options.clone(), seed, reload_at) == once,
            "bytes do not hold it all"
        );
    }
}

impl<G: Game> Playroom<G> {
    pub(crate) fn join(&mut self, name: &str) -> PlayerId {
        let mut token = [0; 32];
        token[..8].copy_from_slice(&(self.log.len() as u64).to_le_bytes());
        let join = Join::new(name, Digest(token));
        self.command(Command::Join(join)).unwrap();
        self.newest_player()
    }

    pub(crate) fn add_bot(&mut self, by: PlayerId, level: &str) -> PlayerId {
        let level = Some(level.to_owned());
        self.command(Command::AddBot { by, name: None, level }).unwrap();
        self.newest_player()
    }

    /// Has `command` done, with all that follows from it at once.
    pub(crate) fn command(&mut self, command: Command) -> Result<(), Refusal> {
        let commit = self.room.apply(self.now, command.clone())?;
        self.did(Deed::Command(command), commit);
        Ok(())
    }

    /// Lets `player` act. Anything but the game's own refusal is a mistake in the test.
    pub(crate) fn act(&mut self, player: PlayerId, action: G::Action) -> Result<(), GameError> {
        let deed = Deed::Action(player, serde_json::to_vec(&action).unwrap());
        match self.room.act(self.now, player, action, Origin::Request(None)) {
            Ok(commit) => {
                self.did(deed, commit);
                Ok(())
            }
            Err(Refusal::Game(error)) => Err(error),
            Err(refusal) => panic!("the room refused: {refusal}"),
        }
    }

    pub(crate) fn wait(&mut self, duration: Duration) {
        self.wait_until(self.now + duration);
    }

    /// Moves on to when the room next wants to be called, and does what is due: deadlines, then
    /// bots, whose actions must be allowed.
    pub(crate) fn step(&mut self) {
        let next = self.room.wake_at().expect("a game that is on has a next deadline");
        self.wait_until(next.max(self.now));
        for turn in self.room.due_bots(self.now) {
            let (player, seen) = (turn.player(), turn.version());
            let Some(action) = turn.decide() else {
                assert!(self.room.answer(self.now, player, seen, None).unwrap().is_none());
                continue;
            };
            let deed = Deed::Action(player, serde_json::to_vec(&action).unwrap());
            match self.room.answer(self.now, player, seen, Some(action)) {
                Ok(commit) => self.did(deed, commit.expect("an action makes a commit")),
                // Another bot was quicker; this one is asked again.
                Err(Refusal::Stale) => {}
                Err(refusal) => panic!("a bot's action was refused: {refusal}"),
            }
        }
    }

    pub(crate) fn view(&self) -> G::View {
        self.room.look(self.room.head(), Viewer::Spectator).unwrap()
    }

    pub(crate) fn room(&self) -> &Room<G> {
        &self.room
    }

    pub(crate) fn now(&self) -> Time {
        self.now
    }

    pub(crate) fn outcome(&self) -> Option<&G::Outcome> {
        self.outcome.as_ref()
    }

    pub(crate) fn take_events(&mut self) -> Vec<G::Event> {
        std::mem::take(&mut self.events)
    }

    fn saved(&self) -> String {
        serde_json::to_string(&self.room.save()).unwrap()
    }

    fn did(&mut self, deed: Deed, commit: Commit<G>) {
        self.log.push((self.now, deed));
        self.publish(commit);
        self.wait_until(self.now);
    }

    fn wait_until(&mut self, at: Time) {
        self.now = at;
        while let Some(commit) = self.room.advance(at) {
            self.publish(commit);
        }
    }

    #[track_caller]
    fn publish(&mut self, mut commit: Commit<G>) {
        assert_eq!(commit.failure, None);
        self.events.extend(commit.game_events.drain(..).map(|(_, event)| event));
        for event in &commit.room_events {
            match event {
                RoomEvent::Finished(outcome) => self.outcome = Some(outcome.clone()),
                RoomEvent::Started => self.outcome = None,
                _ => {}
            }
        }
        self.room.publish(commit);
    }

    fn newest_player(&self) -> PlayerId {
        self.room.head().roster.players().last().expect("one has just sat down").id()
    }
}
