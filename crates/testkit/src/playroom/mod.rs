//! A room that a test drives: people who do what the test says, and a clock of its own.
//!
//! A [`Playroom`] does what a server does with a room and nothing else. What people do stands here, how time passes
//! and bots are asked in `time`, what can be looked at in `looking`. It writes down everything it did, so that
//! `replay` can do it again.

mod looking;
mod time;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parlor_core::{
    Audience, Command, Commit, CreateError, Digest, Game, GameError, Join, Origin, PlayerId,
    PlayerMap, Profile, Refusal, Room, RoomEvent, Seat, Seed, Settings, Setup, Signal, Snapshot,
    Time,
};
use serde_json::Value;

use crate::mishap::{MISHAPS_MAX, Mishap};
use crate::record::{Record, SentKind, Who};
use crate::replay::{Deed, Trace};
use crate::{Twins, encoding};

use time::{Asked, Person};

pub use time::CALLS_AT_ONE_MOMENT_MAX;

/// Events that a room keeps until they are [taken](Playroom::take_events). One more, and asking for them fails.
pub const EVENTS_KEPT_MAX: usize = 65_536;

/// A room that a test drives.
///
/// ```
/// # use parlor_core::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Default)] struct Count;
/// # #[derive(Clone, Default, Serialize, Deserialize)] struct Options {}
/// # #[derive(Clone, Default, Serialize, Deserialize)] struct State { total: i64 }
/// # impl Game for Count {
/// #     const GAME_TYPE: &'static str = "count";
/// #     type Options = Options; type State = State; type Action = i64; type Event = Never;
/// #     type View = State; type Timer = Never; type Outcome = i64;
/// #     fn about(&self) -> About { About::new("Count", 1, 2) }
/// #     fn rules(&self, _: &Options) -> Rules { Rules::seats(2, 2) }
/// #     fn setup(&self, _: &Options, _: &mut Ctx<'_, Self>) -> Result<State, GameError> { Ok(State::default()) }
/// #     fn on_action(&self, s: &mut State, _: PlayerId, by: i64, ctx: &mut Ctx<'_, Self>) -> Result<(), GameError> {
/// #         if by < 1 { return Err(GameError::invalid_move("too little")); }
/// #         s.total += by;
/// #         if s.total >= 10 { ctx.finish(s.total); }
/// #         Ok(())
/// #     }
/// #     fn view(&self, state: &State, _: Viewer) -> State { state.clone() }
/// # }
/// use parlor_testkit::Playroom;
///
/// let mut room = Playroom::<Count>::new(Options {}, 1);
/// let ada = room.join("Ada");
/// let bob = room.join("Bob"); // The room is full, so the game begins.
/// room.act(ada, 3).unwrap();
/// assert_eq!(room.act(bob, 0).unwrap_err().code(), "INVALID_MOVE");
/// assert_eq!(room.view_of(bob).total, 3);
/// room.act(bob, 8).unwrap();
/// assert_eq!(room.outcome(), Some(&11));
/// room.check_replays();
/// ```
pub struct Playroom<G: Game> {
    pub(crate) room: Room<G>,
    pub(crate) beginning: Beginning<G>,
    now: Time,
    /// The room before the last change, and after it.
    before: Arc<Snapshot<G>>,
    current: Arc<Snapshot<G>>,
    /// How many changes there were.
    changes: u64,
    /// What was asked of the room, be it done or refused.
    attempts: u64,
    /// Everything the room was asked to do and did, and when.
    pub(crate) log: Vec<(Time, Deed<G>)>,
    /// What the game has told since its events were last taken.
    told: Vec<Told<G>>,
    has_lost_events: bool,
    /// Gathered actions that their step refused.
    refused: Vec<(PlayerId, Refusal)>,
    outcome: Option<G::Outcome>,
    record: Record,

    /// Bots and people that decide on the state of this moment, in this order.
    asked: VecDeque<Asked<G>>,
    /// The clock has moved on, and those who are due are still to be asked.
    is_awake: bool,
    /// It was the room that wanted to be called then, so that its bots are asked too.
    room_is_due: bool,
    /// How often somebody was due since the clock last moved.
    at_this_moment: u32,
    people: Vec<Person<G>>,
    /// The state on which each bot decided last.
    decided_on: PlayerMap<u64>,

    is_tolerant: bool,
    mishaps: Vec<Mishap>,
    /// Every viewer is looked at closely at every change, and so is each action, event and outcome.
    pub(crate) is_thorough: bool,
    /// What a replay notes down. A replay asks no bots: what they did is in the log.
    pub(crate) trace: Option<Trace>,
    pub(crate) made_at: Instant,
}

/// What a room was made from.
pub(crate) struct Beginning<G: Game> {
    pub(crate) game: Arc<G>,
    pub(crate) options: G::Options,
    pub(crate) players_max: Option<u16>,
    pub(crate) settings: Settings,
    pub(crate) kept_for: Option<Duration>,
    pub(crate) seed: Seed,
    pub(crate) at: Time,
}

/// An event of the game's and who was told.
struct Told<G: Game> {
    audience: Audience,
    event: G::Event,
    heard_by: Vec<PlayerId>,
}

impl<G: Game + Default> Playroom<G> {
    /// A room in its lobby, with nobody in it. The same seed gives the same game.
    #[track_caller]
    pub fn new(options: G::Options, seed: u64) -> Self {
        Self::of(G::default(), options, seed)
    }
}

impl<G: Game> Playroom<G> {
    /// The same for a game that has no default.
    #[track_caller]
    pub fn of(game: G, options: G::Options, seed: u64) -> Self {
        let setup = Setup::new(options, seed_of(seed), BEGINNING);
        match Self::from_setup(Arc::new(game), setup) {
            Ok(room) => room,
            Err(error) => panic!("{}: the room cannot be made: {error:?}", G::GAME_TYPE),
        }
    }

    /// A room with seats, settings and a time of its own.
    pub fn from_setup(game: Arc<G>, setup: Setup<G>) -> Result<Self, CreateError> {
        let Setup { options, players_max, settings, kept_for, seed, now } = setup;
        let beginning = Beginning { game, options, players_max, settings, kept_for, seed, at: now };
        Self::begin(beginning)
    }

    pub(crate) fn begin(beginning: Beginning<G>) -> Result<Self, CreateError> {
        let setup = Setup {
            options: beginning.options.clone(),
            players_max: beginning.players_max,
            settings: beginning.settings.clone(),
            kept_for: beginning.kept_for,
            seed: beginning.seed,
            now: beginning.at,
        };
        let room = Room::create(Arc::clone(&beginning.game), setup)?;
        let now = beginning.at;
        let current = Arc::clone(room.head());
        Ok(Self {
            room,
            beginning,
            now,
            before: Arc::clone(&current),
            current,
            changes: 0,
            attempts: 0,
            log: Vec::new(),
            told: Vec::new(),
            has_lost_events: false,
            refused: Vec::new(),
            outcome: None,
            record: Record::default(),
            asked: VecDeque::new(),
            is_awake: false,
            room_is_due: false,
            at_this_moment: 0,
            people: Vec::new(),
            decided_on: PlayerMap::new(),
            is_tolerant: false,
            mishaps: Vec::new(),
            is_thorough: false,
            trace: None,
            made_at: Instant::now(),
        })
    }

    /// Goes on after what a test should fail at, and keeps it for [`take_mishaps`](Self::take_mishaps):
    /// for tests about callbacks that fail and bots that break the rules.
    #[must_use]
    pub fn tolerant(mut self) -> Self {
        self.is_tolerant = true;
        self
    }

    // People.

    /// Someone sits down to play.
    #[track_caller]
    pub fn join(&mut self, name: &str) -> PlayerId {
        let joined = self.try_join(name);
        self.granted(joined, "to join")
    }

    /// Someone wants to sit down to play, and may be refused.
    #[track_caller]
    pub fn try_join(&mut self, name: &str) -> Result<PlayerId, Refusal> {
        self.sit_down(name, false, Profile::new())
    }

    /// Someone sits down to play of whom the program around the rooms knows this, as its join hook would say.
    #[track_caller]
    pub fn join_as(&mut self, name: &str, profile: Profile) -> PlayerId {
        let joined = self.sit_down(name, false, profile);
        self.granted(joined, "to join")
    }

    /// Someone comes to watch.
    #[track_caller]
    pub fn watch(&mut self, name: &str) -> PlayerId {
        let joined = self.sit_down(name, true, Profile::new());
        self.granted(joined, "to watch")
    }

    /// The host gives a seat to a bot of this level.
    #[track_caller]
    pub fn add_bot(&mut self, by: PlayerId, level: &str) -> PlayerId {
        let added = self.seated(Command::AddBot { by, name: None, level: Some(level.to_owned()) });
        self.granted(added, "to add a bot")
    }

    /// A player is ready.
    #[track_caller]
    pub fn ready(&mut self, player: PlayerId) {
        let ready = self.command(Command::SetReady(player, true));
        self.granted(ready, "to be ready");
    }

    /// The host begins the game.
    #[track_caller]
    pub fn start(&mut self) {
        let host = self.host();
        let started = self.command(Command::Start(host));
        self.granted(started, "to start");
    }

    /// The host begins anew after the end.
    #[track_caller]
    pub fn rematch(&mut self) {
        let host = self.host();
        let begun = self.command(Command::Rematch(host));
        self.granted(begun, "to play again");
    }

    /// Someone says something.
    #[track_caller]
    pub fn chat(&mut self, player: PlayerId, text: &str) {
        let said = self.command(Command::Chat(player, text.to_owned()));
        self.granted(said, "to chat");
    }

    /// A player or a spectator leaves for good.
    #[track_caller]
    pub fn leave(&mut self, player: PlayerId) {
        let left = self.command(Command::Leave(player));
        self.granted(left, "to leave");
    }

    /// A player's connection is lost; its seat is held for the grace period.
    #[track_caller]
    pub fn disconnect(&mut self, player: PlayerId) {
        let lost = self.command(Command::Disconnect(player));
        self.granted(lost, "to lose its connection");
    }

    /// A player is back.
    #[track_caller]
    pub fn reconnect(&mut self, player: PlayerId) {
        let back = self.command(Command::Reconnect(player));
        self.granted(back, "to come back");
    }

    /// The program around the rooms sends a word into this one. The game may refuse it.
    #[track_caller]
    pub fn signal(&mut self, signal: Signal) -> Result<(), Refusal> {
        self.command(Command::Signal(signal))
    }

    /// Has any command done, with all that follows from it at once.
    #[track_caller]
    pub fn command(&mut self, command: Command) -> Result<(), Refusal> {
        self.apply(command).map(drop)
    }

    /// Lets `player` act, or gives the game's refusal. Fails when the room itself refuses, such as before the
    /// start: see [`try_act`](Self::try_act).
    ///
    /// Where actions are [gathered](parlor_core::Actions::Gathered) it only waits for the next step, and
    /// what is refused then is in [`take_refused`](Self::take_refused).
    #[track_caller]
    pub fn act(&mut self, player: PlayerId, action: G::Action) -> Result<(), GameError> {
        match self.try_act(player, action) {
            Ok(()) => Ok(()),
            Err(Refusal::Game(error)) => Err(error),
            Err(refusal) => {
                self.fail(&format!("the room refused player {player} to act: {refusal}"))
            }
        }
    }

    /// Lets `player` act, or gives the refusal, be it the game's or the room's.
    #[track_caller]
    pub fn try_act(&mut self, player: PlayerId, action: G::Action) -> Result<(), Refusal> {
        self.attempts += 1;
        if self.is_thorough()
            && let Err(error) = encoding::alike(&action)
        {
            self.mishap(Mishap::Unsendable(format!("an action {error}")));
        }
        match self.room.act(self.now, player, action.clone(), Origin::Request(None)) {
            Ok(commit) => {
                self.did(Deed::Action(player, action), commit);
                Ok(())
            }
            Err(refusal) => Err(self.refuse(Some(player), refusal)),
        }
    }

    // White boxes.

    /// Lays the state out as a test needs it: `edit` gets what the state is written as. Nobody is shown it
    /// before the next change.
    #[track_caller]
    pub fn arrange(&mut self, edit: impl FnOnce(&mut Value)) {
        let mut tree = match serde_json::to_value(self.state()) {
            Ok(tree) => tree,
            Err(error) => self.fail(&format!("the state cannot be written as JSON: {error}")),
        };
        edit(&mut tree);
        match serde_json::from_value(tree) {
            Ok(state) => self.set_state(state),
            Err(error) => self.fail(&format!("what was arranged is no state: {error}")),
        }
    }

    /// Puts `state` in the place of the room's. Nobody is shown it before the next change.
    pub fn set_state(&mut self, state: G::State) {
        self.lay_out(&state);
        self.log.push((self.now, Deed::Arranged(state)));
    }

    pub(crate) fn lay_out(&mut self, state: &G::State) {
        let mut saved = self.room.save();
        saved.state_mut().clone_from(state);
        self.go_on_with(Room::restore(Arc::clone(&self.beginning.game), saved));
    }

    /// Goes on with the room as another server would: written down as MessagePack and read again.
    #[track_caller]
    pub fn reload(&mut self) {
        if let Err(error) = self.go_through_msgpack() {
            self.fail(&error);
        }
    }

    /// Two copies of this room, of which `edit` changes the state of one: in what only `may_know` are allowed
    /// to know. See [`Twins`].
    #[track_caller]
    pub fn twins(
        mut self,
        may_know: impl IntoIterator<Item = PlayerId>,
        edit: impl FnOnce(&mut Value),
    ) -> Twins<G> {
        // Both go through bytes, so that both have their bots asked anew.
        self.reload();
        self.told.clear();
        let mut other = self.fork();
        other.arrange(edit);
        let state = G::State::clone(self.state());
        self.set_state(state);
        Twins::of(self, other, may_know)
    }

    /// Does everything again that was done in this room, and compares: in a new room as it was, and in one that
    /// goes through bytes again and again, JSON and MessagePack in turn.
    ///
    /// Fails when the same commands at the same times do not lead to the same states, which is what a clock, a source
    /// of chance beside the context's, or a `HashMap` does; and when bytes do not hold the whole state.
    #[track_caller]
    pub fn check_replays(&self) {
        if let Err(why) = crate::replay::check(self) {
            self.fail(&why);
        }
    }

    // What they share.

    #[track_caller]
    fn sit_down(
        &mut self,
        name: &str,
        spectator: bool,
        profile: Profile,
    ) -> Result<PlayerId, Refusal> {
        let mut token = [0; 32];
        token[..8].copy_from_slice(&self.attempts.to_le_bytes());
        let join = Join { spectator, profile, ..Join::new(name, Digest(token)) };
        self.seated(Command::Join(join))
    }

    /// Has a command done that gives somebody a seat.
    #[track_caller]
    fn seated(&mut self, command: Command) -> Result<PlayerId, Refusal> {
        self.apply(command).map(|seated| seated.expect("this command seats somebody"))
    }

    /// Has a command done. Gives whom it gave a seat.
    #[track_caller]
    fn apply(&mut self, command: Command) -> Result<Option<PlayerId>, Refusal> {
        self.attempts += 1;
        match self.room.apply(self.now, command.clone()) {
            Ok(commit) => {
                let seated = commit.seated;
                self.did(Deed::Command(command), commit);
                Ok(seated)
            }
            Err(refusal) => Err(self.refuse(None, refusal)),
        }
    }

    #[track_caller]
    fn host(&self) -> PlayerId {
        match self.current.roster.host() {
            Some(host) => host,
            None => self.fail("nobody is host: somebody must have joined and be connected"),
        }
    }

    #[track_caller]
    fn granted<T>(&self, outcome: Result<T, Refusal>, wish: &str) -> T {
        match outcome {
            Ok(granted) => granted,
            Err(refusal) => self.fail(&format!("the room refused {wish}: {refusal}")),
        }
    }

    /// Takes note of a refusal; one that is a breakdown is a mishap.
    #[track_caller]
    fn refuse(&mut self, player: Option<PlayerId>, refusal: Refusal) -> Refusal {
        match (&refusal, player) {
            (Refusal::Failed(failure), _) => self.mishap(Mishap::Callback(failure.clone())),
            (Refusal::Game(error), Some(player)) => self.record_refusal(player, error),
            _ => {}
        }
        refusal
    }

    fn record_refusal(&mut self, player: PlayerId, error: &GameError) {
        if let Ok(text) = serde_json::to_string(error) {
            let text = Arc::from(text);
            self.record.put(Who::Seat(player), SentKind::Refusal, self.changes, &text);
        }
    }

    #[track_caller]
    pub(crate) fn did(&mut self, deed: Deed<G>, commit: Commit<G>) {
        self.log.push((self.now, deed));
        self.publish(commit);
        self.catch_up();
    }

    /// Shows a change, and takes note of it and of all that is told with it.
    #[track_caller]
    fn publish(&mut self, mut commit: Commit<G>) {
        self.changes += 1;
        let failure = commit.failure.take();
        let room_events = std::mem::take(&mut commit.room_events);
        let game_events = std::mem::take(&mut commit.game_events);
        self.before = std::mem::replace(&mut self.current, Arc::clone(commit.snapshot()));
        self.room.publish(commit);

        if let Some(failure) = failure {
            self.mishap(Mishap::Callback(failure));
        }
        for event in room_events {
            self.hear(event);
        }
        for (audience, event) in game_events {
            self.tell(audience, event);
        }
        if self.trace.is_some() {
            self.note_down();
        } else {
            self.show();
            self.let_people_see();
        }
    }

    #[track_caller]
    fn hear(&mut self, event: RoomEvent<G>) {
        match event {
            RoomEvent::Started => self.outcome = None,
            RoomEvent::Finished(outcome) => {
                match self.written("an outcome", &outcome) {
                    Ok(text) => self.record_for(Audience::Everyone, SentKind::Outcome, &text),
                    Err(error) => self.mishap(Mishap::Unsendable(error)),
                }
                self.outcome = Some(outcome);
            }
            RoomEvent::ActionRefused { player, refusal, .. } => {
                if let Refusal::Game(error) = &refusal {
                    self.record_refusal(player, error);
                    // If the state is still the one that it saw, the bot has nobody else to blame.
                    if self.decided_on.get(&player) == Some(&self.current.version) {
                        self.mishap(Mishap::BotRefused(player, refusal.clone()));
                    }
                }
                if self.refused.len() < EVENTS_KEPT_MAX {
                    self.refused.push((player, refusal));
                }
            }
            RoomEvent::Joined(_)
            | RoomEvent::Replaced(_)
            | RoomEvent::Left(..)
            | RoomEvent::Disconnected(..)
            | RoomEvent::Reconnected(_)
            | RoomEvent::Ready(..)
            | RoomEvent::HostChanged(_)
            | RoomEvent::Updated
            | RoomEvent::Chat(_)
            | RoomEvent::Closed(_) => {}
        }
    }

    #[track_caller]
    fn tell(&mut self, audience: Audience, event: G::Event) {
        let tagged = self.written("an event", &event).and_then(|text| {
            let tree = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            encoding::check_tagged(&tree).map(|()| text)
        });
        match tagged {
            Ok(text) => self.record_for(audience, SentKind::Event, &text),
            Err(error) => self.mishap(Mishap::Unsendable(error)),
        }
        if self.told.len() >= EVENTS_KEPT_MAX {
            self.has_lost_events = true;
            return;
        }
        let hears = |seat: &&Seat| audience.includes(seat.id(), seat.viewer());
        let heard_by = self.current.roster.seats().filter(hears).map(Seat::id).collect();
        self.told.push(Told { audience, event, heard_by });
    }

    /// `value` as the text that is sent, if both codecs agree on it.
    fn written<T: parlor_core::Data>(&self, what: &str, value: &T) -> Result<Arc<str>, String> {
        if self.is_thorough() {
            encoding::alike(value).map_err(|error| format!("{what} {error}"))?;
        }
        let text = serde_json::to_string(value)
            .map_err(|error| format!("{what} cannot be written as JSON: {error}"))?;
        Ok(text.into())
    }

    fn record_for(&mut self, audience: Audience, kind: SentKind, text: &Arc<str>) {
        for seat in self.current.roster.seats() {
            if audience.includes(seat.id(), seat.viewer()) {
                self.record.put(Who::Seat(seat.id()), kind, self.changes, text);
            }
        }
        if looking::any_spectator_hears(audience) {
            self.record.put(Who::Watcher, kind, self.changes, text);
        }
    }

    /// Takes note of what should fail a test, and fails it unless the room is tolerant.
    #[track_caller]
    fn mishap(&mut self, mishap: Mishap) {
        if !self.is_tolerant {
            self.fail(&mishap.to_string());
        }
        if self.mishaps.len() < MISHAPS_MAX {
            self.mishaps.push(mishap);
        }
    }

    /// Fails the test, and says where in which game.
    #[track_caller]
    pub(crate) fn fail(&self, what: &str) -> ! {
        let after = self.now.since(self.beginning.at);
        let (game, changes) = (G::GAME_TYPE, self.changes);
        let seed = match self.small_seed() {
            Some(seed) => format!("seed {seed}"),
            None => "a seed of its own".to_owned(),
        };
        panic!("{game}, {seed}, at change {changes}, {after:?} after the beginning: {what}");
    }

    /// The seed, if the room was made by a small number.
    fn small_seed(&self) -> Option<u64> {
        let (number, rest) = self.beginning.seed.0.split_first_chunk()?;
        (*rest == [0; 24]).then_some(u64::from_le_bytes(*number))
    }

    /// A room that is as this one is, and has done what this one has.
    fn fork(&self) -> Self {
        let saved = self.room.save();
        let beginning = self.beginning.clone();
        let room = Room::restore(Arc::clone(&beginning.game), saved);
        let current = Arc::clone(room.head());
        Self {
            room,
            beginning,
            now: self.now,
            before: Arc::clone(&current),
            current,
            changes: self.changes,
            attempts: self.attempts,
            log: self.log.clone(),
            told: Vec::new(),
            has_lost_events: false,
            refused: Vec::new(),
            outcome: self.outcome.clone(),
            record: Record::default(),
            asked: VecDeque::new(),
            is_awake: false,
            room_is_due: false,
            at_this_moment: 0,
            people: self.people.clone(),
            decided_on: PlayerMap::new(),
            is_tolerant: self.is_tolerant,
            mishaps: Vec::new(),
            is_thorough: self.is_thorough,
            trace: None,
            made_at: self.made_at,
        }
    }

    /// Has `room` in the place of the present one, which it was made from.
    pub(crate) fn go_on_with(&mut self, room: Room<G>) {
        self.room = room;
        self.current = Arc::clone(self.room.head());
        self.asked.clear();
        self.is_awake = false;
    }
}

/// When rooms are made.
pub(crate) const BEGINNING: Time = Time::from_millis(1_000_000);

/// The seed of a room by a small number.
pub(crate) fn seed_of(seed: u64) -> Seed {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    Seed(bytes)
}

impl<G: Game> Clone for Beginning<G> {
    fn clone(&self) -> Self {
        Self {
            game: Arc::clone(&self.game),
            options: self.options.clone(),
            players_max: self.players_max,
            settings: self.settings.clone(),
            kept_for: self.kept_for,
            seed: self.seed,
            at: self.at,
        }
    }
}

impl<G: Game> fmt::Debug for Playroom<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Playroom")
            .field("now", &self.now)
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}
