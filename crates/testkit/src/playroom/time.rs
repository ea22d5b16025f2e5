//! How time passes in a room, and how its bots are asked.
//!
//! As on a server: the room is called when it next wants to be. Everything due then fires in order, each change
//! shown before the next, and after that the bots are asked whose time it is. Everything goes by
//! [`Playroom::change`], which makes one change at most.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use parlor_core::rand::SeedableRng as _;
use parlor_core::{
    Bot, BotTurn, Failure, Fault, Game, GameRng, Phase, PlayerId, Refusal, SeatKind, Time, Viewer,
};

use super::Playroom;
use crate::mishap::Mishap;
use crate::replay::Deed;

/// How often somebody may be due without any time passing. Once more, and the test fails: it would never
/// end.
pub const CALLS_AT_ONE_MOMENT_MAX: u32 = 4096;

/// Who decides on the present state.
pub(super) enum Asked<G: Game> {
    Bot(Box<BotTurn<G>>),
    Person(PlayerId),
}

/// A person whose decisions a bot makes.
pub(super) struct Person<G: Game> {
    player: PlayerId,
    mind: Arc<dyn Bot<G>>,
    rng: GameRng,
    /// When it will have made up its mind, or nothing while it waits for the state to change.
    decides_at: Option<Time>,
    /// The state it has thought about last.
    seen: Option<u64>,
}

impl<G: Game> Playroom<G> {
    /// The time in the room.
    pub fn now(&self) -> Time {
        self.now
    }

    /// When something is next due: a deadline, a step, a bot that has thought.
    pub fn next_due(&self) -> Option<Time> {
        let people = self.people.iter().filter_map(|person| person.decides_at);
        let people = if self.trace.is_none() { people.min() } else { None };
        let next = self.room.wake_at().into_iter().chain(people).min()?;
        Some(next.max(self.now))
    }

    /// Lets time pass, and everything happen that is due meanwhile.
    #[track_caller]
    pub fn wait(&mut self, duration: Duration) {
        self.wait_until(self.now + duration);
    }

    /// The same up to a point in time.
    #[track_caller]
    pub fn wait_until(&mut self, at: Time) {
        while self.change(at) {}
    }

    /// Moves on to when something is next due, and lets it happen: deadlines, then bots.
    #[track_caller]
    pub fn step(&mut self) {
        let Some(next) = self.next_due() else {
            self.fail("nothing is due: nobody thinks, no timer is set and no step comes")
        };
        self.wake(next);
        while self.change_now() {}
    }

    /// Lets time pass in which nobody calls the room, as on a server that is late. What was due fires
    /// after that, as far as the room makes up for it.
    #[track_caller]
    pub fn stall(&mut self, duration: Duration) {
        self.log.push((self.now, Deed::Stalled(duration)));
        self.stall_unlogged(duration);
    }

    #[track_caller]
    pub(crate) fn stall_unlogged(&mut self, duration: Duration) {
        self.now = self.now + duration;
        self.at_this_moment = 0;
        self.catch_up();
    }

    /// From now on a bot decides for this person, as though the person did: its actions are a human's.
    pub fn autoplay(&mut self, player: PlayerId, mind: Arc<dyn Bot<G>>) {
        let seed = u64::from_le_bytes(
            *self.beginning.seed.0.first_chunk().expect("a seed has more than eight bytes"),
        );
        let mut rng = GameRng::seed_from_u64(seed);
        // A stream apart from the room's and from its bots', whose numbers are small.
        rng.set_stream((1 << 40) + u64::from(player.0));
        self.people.retain(|person| person.player != player);
        self.people.push(Person { player, mind, rng, decides_at: None, seen: None });
        self.let_people_see();
    }

    /// Makes the next change that is due by `until`, or lets the time come and gives `false`.
    #[track_caller]
    pub(crate) fn change(&mut self, until: Time) -> bool {
        loop {
            if self.change_now() {
                return true;
            }
            match self.next_due() {
                Some(next) if next <= until => self.wake(next),
                Some(_) | None => break,
            }
        }
        if until > self.now {
            self.now = until;
            self.at_this_moment = 0;
        }
        false
    }

    /// Makes the next change of this moment, if the room was called for one more.
    #[track_caller]
    fn change_now(&mut self) -> bool {
        loop {
            if let Some(commit) = self.room.advance(self.now) {
                self.publish(commit);
                return true;
            }
            if let Some(asked) = self.asked.pop_front() {
                let has_acted = match asked {
                    Asked::Bot(turn) => self.ask_bot(*turn),
                    Asked::Person(player) => self.ask_person(player),
                };
                if has_acted {
                    return true;
                }
                continue;
            }
            if !std::mem::take(&mut self.is_awake) {
                return false;
            }
            self.ask_who_is_due();
        }
    }

    /// Fires everything that is due, without asking anybody.
    #[track_caller]
    pub(super) fn catch_up(&mut self) {
        while let Some(commit) = self.room.advance(self.now) {
            self.publish(commit);
        }
    }

    #[track_caller]
    fn wake(&mut self, at: Time) {
        if at > self.now {
            self.now = at;
            self.at_this_moment = 0;
        } else {
            self.at_this_moment += 1;
            if self.at_this_moment > CALLS_AT_ONE_MOMENT_MAX {
                self.fail("time stands still: somebody is asked again and again at one moment");
            }
        }
        self.is_awake = true;
        self.room_is_due = self.room.wake_at().is_some_and(|due| due <= self.now);
    }

    fn ask_who_is_due(&mut self) {
        let now = self.now;
        // A game that steps has its bots asked at steps, and not whenever a person moves.
        if std::mem::take(&mut self.room_is_due) {
            let turns = self.room.due_bots(now).into_iter();
            self.asked.extend(turns.map(Box::new).map(Asked::Bot));
        }
        if self.trace.is_some() {
            return;
        }
        for person in &mut self.people {
            if person.decides_at.is_some_and(|at| at <= now) {
                person.decides_at = None;
                self.asked.push_back(Asked::Person(person.player));
            }
        }
    }

    /// Gives whether the bot has done anything.
    #[track_caller]
    fn ask_bot(&mut self, turn: BotTurn<G>) -> bool {
        let (bot, seen) = (turn.player(), turn.version());
        let mut action = None;
        // In a replay all that bots did is in the log.
        if self.trace.is_none() {
            match turn.try_decide() {
                Ok(decision) => action = decision,
                Err(failure) => self.mishap(Mishap::BotBrokeDown(bot, failure)),
            }
        }
        let deed = action.clone().map(|action| Deed::Action(bot, action));
        let is_as_seen = self.current.version == seen;
        self.decided_on.insert(bot, seen);
        match (self.room.answer(self.now, bot, seen, action), deed) {
            (Ok(Some(commit)), Some(deed)) => {
                self.did(deed, commit);
                return true;
            }
            // Another one was quicker. It is asked again, or the game has moved on for good.
            (Ok(_) | Err(Refusal::Stale), _) => {}
            (Err(Refusal::Failed(failure)), _) => self.mishap(Mishap::Callback(failure)),
            (Err(refusal @ Refusal::Game(_)), _) if is_as_seen => {
                self.mishap(Mishap::BotRefused(bot, refusal));
            }
            (Err(_), _) => {}
        }
        false
    }

    /// Gives whether the person has done anything.
    #[track_caller]
    fn ask_person(&mut self, player: PlayerId) -> bool {
        let Some(place) = self.people.iter().position(|person| person.player == player) else {
            return false;
        };
        let thinking_time = self.people[place].mind.thinking_time();
        if self.steps() {
            self.people[place].decides_at = Some(self.now + thinking_time.max(MILLISECOND));
        }
        let seat = self.current.roster.seat(player);
        let can_act = seat.is_some_and(|seat| {
            seat.kind() == SeatKind::Human && seat.is_present() && !seat.has_forfeited()
        });
        if !can_act || self.current.phase != Phase::Playing {
            return false;
        }
        let decided = self.room.look(&self.current, Viewer::Player(player)).and_then(|view| {
            let person = &mut self.people[place];
            let decide = || person.mind.decide(&view, player, &mut person.rng);
            catch_unwind(AssertUnwindSafe(decide)).map_err(|panic| Failure {
                callback: "decide",
                fault: Fault::Panicked(message_of(&*panic)),
            })
        });
        let action = match decided {
            Ok(Some(action)) => action,
            Ok(None) => return false,
            Err(failure) => {
                self.mishap(Mishap::BotBrokeDown(player, failure));
                return false;
            }
        };
        self.decided_on.insert(player, self.current.version);
        match self.try_act(player, action) {
            Ok(()) => true,
            Err(refusal @ Refusal::Game(_)) => {
                self.mishap(Mishap::BotRefused(player, refusal));
                false
            }
            Err(_) => false,
        }
    }

    /// Lets those who wait for the state to change see whether it has.
    pub(super) fn let_people_see(&mut self) {
        let (version, phase, now) = (self.current.version, self.current.phase, self.now);
        for person in &mut self.people {
            if phase != Phase::Playing {
                (person.decides_at, person.seen) = (None, None);
            } else if person.seen != Some(version) {
                person.seen = Some(version);
                let then = now + person.mind.thinking_time();
                person.decides_at = person.decides_at.or(Some(then));
            }
        }
    }

    /// Whether the game is on and steps.
    fn steps(&self) -> bool {
        self.room.charter().rules.tick.is_some() && self.current.phase == Phase::Playing
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(no message)".to_owned())
}

impl<G: Game> Clone for Person<G> {
    fn clone(&self) -> Self {
        Self {
            player: self.player,
            mind: Arc::clone(&self.mind),
            rng: self.rng.clone(),
            decides_at: self.decides_at,
            seen: self.seen,
        }
    }
}
