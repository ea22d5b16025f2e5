//! A change in the making: what a command would change, beside what stands.
//!
//! A [`Draft`] borrows the head and never touches it. What it changes it copies first, so that
//! dropping it undoes everything. Callbacks run here and nowhere else, each guarded against panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::commit::{Books, Gathered, Head};
use crate::ctx::Effects;
use crate::tick::Ticks;
use crate::{
    Audience, Charter, Commit, Ctx, Digest, Failure, Fault, Game, GameError, Phase, PlayerId,
    Refusal, RoomEvent, Roster, Rules, Seat, Settings, Snapshot, SyncMode, Time, ViewKey, Viewer,
};

pub(super) struct Draft<'a, G: Game> {
    pub(super) game: &'a G,
    pub(super) charter: &'a Charter<G>,
    head: &'a Head<G>,
    pub(super) now: Time,
    spare: Option<Arc<G::State>>,
    /// Whether the game is told. Only what cannot be refused goes on without.
    pub(super) with_game: bool,

    state: Option<Arc<G::State>>,
    phase: Phase,
    roster: Option<Roster>,
    settings: Option<Settings>,
    books: Option<Books<G>>,
    pub(super) ticks: Option<Ticks>,
    pub(super) gathered: Gathered<G>,

    room_events: Vec<RoomEvent<G>>,
    game_events: Vec<(Audience, G::Event)>,
    whole_state: bool,
    /// Whether this is a moment at which a state that waits may be shown.
    pub(super) may_show: bool,
    pub(super) step_due: Option<Time>,
    pub(super) steps_skipped: u64,
    pub(super) departed: Vec<Digest>,
    pub(super) left: Vec<PlayerId>,
    pub(super) seated: Option<PlayerId>,
}

impl<'a, G: Game> Draft<'a, G> {
    pub(super) fn new(
        game: &'a G,
        charter: &'a Charter<G>,
        head: &'a Head<G>,
        now: Time,
        spare: Option<Arc<G::State>>,
    ) -> Self {
        Self {
            game,
            charter,
            head,
            now,
            spare,
            with_game: true,
            state: None,
            phase: head.snapshot.phase,
            roster: None,
            settings: None,
            books: None,
            ticks: head.ticks,
            gathered: head.gathered.clone(),
            room_events: Vec::new(),
            game_events: Vec::new(),
            whole_state: false,
            // A game that steps is shown at its steps.
            may_show: head.ticks.is_none(),
            step_due: None,
            steps_skipped: 0,
            departed: Vec::new(),
            left: Vec::new(),
            seated: None,
        }
    }

    pub(super) fn version(&self) -> u64 {
        self.head.snapshot.version
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Moves the room to another phase; every viewer gets the whole state.
    pub(super) fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.whole_state = true;
        for waiting in self.gathered.take().iter().flat_map(|gathered| gathered.iter()) {
            let (player, request) = (waiting.player, waiting.request);
            self.tell(RoomEvent::ActionRefused { player, request, refusal: Refusal::Over });
        }
        self.ticks = match (phase, &self.charter.rules.tick) {
            (Phase::Playing, Some(tick)) => Some(Ticks::start(tick.rate, self.now)),
            (Phase::Playing, None) | (Phase::Lobby | Phase::Finished, _) => None,
        };
    }

    /// Shows every viewer the whole state, though it may be as before.
    pub(super) fn show_whole_state(&mut self) {
        self.whole_state = true;
    }

    pub(super) fn roster(&self) -> &Roster {
        self.roster.as_ref().unwrap_or(&self.head.snapshot.roster)
    }

    pub(super) fn roster_mut(&mut self) -> &mut Roster {
        self.roster.get_or_insert_with(|| Roster::clone(&self.head.snapshot.roster))
    }

    pub(super) fn settings(&self) -> &Settings {
        self.settings.as_ref().unwrap_or(&self.head.snapshot.settings)
    }

    pub(super) fn settings_mut(&mut self) -> &mut Settings {
        self.settings.get_or_insert_with(|| Settings::clone(&self.head.snapshot.settings))
    }

    pub(super) fn books(&self) -> &Books<G> {
        self.books.as_ref().unwrap_or(&self.head.books)
    }

    pub(super) fn books_mut(&mut self) -> &mut Books<G> {
        self.books.get_or_insert_with(|| Books::clone(&self.head.books))
    }

    /// The seat of `player`, or the refusal that says there is none.
    pub(super) fn seat(&self, player: PlayerId) -> Result<&Seat, Refusal> {
        self.roster().seat(player).ok_or(Refusal::NoSuchPlayer)
    }

    pub(super) fn tell(&mut self, event: RoomEvent<G>) {
        self.room_events.push(event);
    }

    /// Runs a callback on a copy of the state, and takes over what it did if it succeeds.
    ///
    /// On failure the draft must be given up: the state is gone with it.
    pub(super) fn call(
        &mut self,
        callback: &'static str,
        run: impl FnOnce(&G, &mut G::State, &mut Ctx<'_, G>) -> Result<(), GameError>,
    ) -> Result<(), Refusal> {
        if !self.with_game {
            return Ok(());
        }
        let mut effects = Effects::default();
        let ran = {
            let head: &Arc<G::State> = &self.head.snapshot.state;
            let (drafted, spare) = (self.state.take(), self.spare.take());
            let books = self.books.as_ref().unwrap_or(&self.head.books);
            let roster = self.roster.as_ref().unwrap_or(&self.head.snapshot.roster);
            let mut ctx = Ctx::new(
                self.now,
                roster,
                &self.charter.options,
                &books.timers,
                &books.random,
                &mut effects,
            );
            let game = self.game;
            guarded(|| {
                let mut state = drafted.unwrap_or_else(|| copy(head, spare));
                let own = Arc::get_mut(&mut state).expect("a draft is shared with nobody");
                run(game, own, &mut ctx)?;
                Ok(state)
            })
        };
        let state = ran
            .and_then(|state| effects.check(self.phase).map(|()| state))
            .map_err(|fault| refusal(callback, fault))?;
        self.state = Some(state);
        self.take_over(effects);
        Ok(())
    }

    /// Whether the game has a bot of this level.
    pub(super) fn has_bot(&self, level: &str) -> Result<bool, Refusal> {
        guarded(|| Ok(self.game.bot(level).is_some())).map_err(|fault| refusal("bot", fault))
    }

    /// Replaces the state by a new one from the game's `setup`.
    pub(super) fn set_up_anew(&mut self) -> Result<(), Refusal> {
        self.state = None;
        self.call("setup", |game, state, ctx| {
            *state = game.setup(ctx.options(), ctx)?;
            Ok(())
        })
    }

    fn take_over(&mut self, effects: Effects<G>) {
        let Effects { events, timers, rng, outcome, over_bound: _ } = effects;
        if self.game_events.is_empty() {
            self.game_events = events;
        } else {
            self.game_events.extend(events);
        }
        if let Some(timers) = timers {
            self.books_mut().timers = timers;
        }
        if let Some(rng) = rng {
            self.books_mut().random.advance_to(&rng);
        }
        if let Some(outcome) = outcome {
            self.set_phase(Phase::Finished);
            self.tell(RoomEvent::Finished(outcome));
            let until = self.now + self.charter.rules.close_finished_after;
            let books = self.books_mut();
            books.timers.clear();
            books.finished_until = Some(until);
            self.put_grace_on_absent(self.now + self.charter.rules.grace_in_lobby);
        }
    }

    /// Puts the change together, with the views it needs.
    pub(super) fn commit(mut self) -> Result<Commit<G>, Refusal> {
        if self.roster.is_some() {
            self.follow_roster();
        }
        let before = self.head;
        let state_moved = self.state.is_some() || self.phase != before.snapshot.phase;
        let changed = state_moved || self.roster.is_some() || self.settings.is_some();
        let failures = if state_moved && self.with_game { 0 } else { before.failures };
        let rescheduled = self.roster.is_some()
            || self.phase != before.snapshot.phase
            || self.books.is_some()
            || self.ticks != before.ticks
            || failures != before.failures;

        let snapshot = if changed {
            Arc::new(Snapshot {
                version: before.snapshot.version + u64::from(state_moved),
                phase: self.phase,
                state: self.state.unwrap_or_else(|| Arc::clone(&before.snapshot.state)),
                roster: self.roster.map_or_else(|| Arc::clone(&before.snapshot.roster), Arc::new),
                settings: self
                    .settings
                    .map_or_else(|| Arc::clone(&before.snapshot.settings), Arc::new),
            })
        } else {
            Arc::clone(&before.snapshot)
        };
        let books = self.books.map_or_else(|| Arc::clone(&before.books), Arc::new);

        let sync = self.charter.rules.sync;
        let mut shown = before.shown;
        let is_due = self.may_show
            && snapshot.version != shown.version
            && sync.mode != SyncMode::Events
            && self.now >= shown.next;
        // Without the game there is nothing to ask for views: what failed may have been one of them.
        let shows_state = self.with_game && (self.whole_state || is_due);
        if shows_state {
            shown.show(snapshot.version, sync.rate, self.now);
        } else if is_due {
            shown.pass(sync.rate, self.now);
        }
        let views = if shows_state {
            views(self.game, &snapshot, &self.charter.rules)?
        } else {
            Vec::new()
        };

        let mut after = Head {
            snapshot,
            books,
            clock: self.now,
            failures,
            ticks: self.ticks,
            gathered: self.gathered,
            shown,
            wake_at: before.wake_at,
        };
        if rescheduled || after.has_unshown(self.charter) != before.has_unshown(self.charter) {
            after.reschedule(self.charter);
        }
        Ok(Commit {
            before: before.clone(),
            after,
            room_events: self.room_events,
            game_events: self.game_events,
            shows_state,
            views,
            whole_state: self.whole_state,
            step_due: self.step_due,
            steps_skipped: self.steps_skipped,
            departed: self.departed,
            seated: self.seated,
            failure: None,
            left: self.left,
            fact: None,
        })
    }

    /// What follows from a new roster: who is host, and whether the room is on its way out.
    fn follow_roster(&mut self) {
        self.choose_host();
        let until = self.now + self.charter.rules.close_empty_after;
        let is_kept = self.roster().keeps_room();
        let empty_until = if is_kept { None } else { self.books().empty_until.or(Some(until)) };
        if self.books().empty_until != empty_until {
            self.books_mut().empty_until = empty_until;
        }
        if is_kept && self.books().is_reserved {
            self.books_mut().is_reserved = false;
        }
        // A new token alone, of which nobody is told, is no reason to try again.
        if self.books().start_failed && !self.room_events.is_empty() {
            self.books_mut().start_failed = false;
        }
        if self.charter.rules.tick.is_some_and(|tick| tick.pause_when_empty) {
            let is_empty = !self.roster().seats().any(|seat| seat.connected);
            let now = self.now;
            if let Some(ticks) = &mut self.ticks {
                ticks.pause(is_empty, now);
            }
        }
    }
}

impl<G: Game> Effects<G> {
    /// Whether what a callback asked for can be granted in `phase`.
    fn check(&self, phase: Phase) -> Result<(), Fault> {
        match (self.over_bound, &self.outcome) {
            (Some(bound), _) => Err(Fault::OverBound(bound)),
            (None, Some(_)) if phase != Phase::Playing => Err(Fault::FinishedOutsidePlay),
            (None, _) => Ok(()),
        }
    }
}

/// The state of a new room.
pub(super) fn first_state<G: Game>(
    game: &G,
    options: &G::Options,
    now: Time,
    books: &mut Books<G>,
) -> Result<G::State, Fault> {
    let mut effects = Effects::default();
    let nobody = Roster::default();
    let mut ctx = Ctx::new(now, &nobody, options, &books.timers, &books.random, &mut effects);
    let state = guarded(|| game.setup(options, &mut ctx))?;
    effects.check(Phase::Lobby)?;
    if let Some(timers) = effects.timers {
        books.timers = timers;
    }
    if let Some(rng) = effects.rng {
        books.random.advance_to(&rng);
    }
    Ok(state)
}

/// Runs code of the game's; a panic becomes a [`Fault`].
///
/// What it borrowed mutably must be dropped after a fault, for it may be half changed: that is
/// what makes `AssertUnwindSafe` true.
pub(super) fn guarded<T>(run: impl FnOnce() -> Result<T, GameError>) -> Result<T, Fault> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(outcome) => outcome.map_err(Fault::Refused),
        Err(panic) => {
            let message = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned());
            Err(Fault::Panicked(message.unwrap_or_else(|| "(no message)".to_owned())))
        }
    }
}

/// A game's error is its answer; everything else is a breakdown.
fn refusal(callback: &'static str, fault: Fault) -> Refusal {
    match fault {
        Fault::Refused(error) => Refusal::Game(error),
        fault => Refusal::Failed(Failure { callback, fault }),
    }
}

/// A copy of `state` that nobody else has, in `spare`'s memory when that is free.
fn copy<S: Clone>(state: &Arc<S>, spare: Option<Arc<S>>) -> Arc<S> {
    match spare {
        Some(mut spare) => {
            if let Some(own) = Arc::get_mut(&mut spare) {
                own.clone_from(state);
                return spare;
            }
            Arc::new(S::clone(state))
        }
        None => Arc::new(S::clone(state)),
    }
}

/// The state as each group of viewers that is present sees it, each group once, by rising key. Spectators
/// who are told later count as present: one may yet come to see it.
fn views<G: Game>(
    game: &G,
    snapshot: &Snapshot<G>,
    rules: &Rules,
) -> Result<Vec<(ViewKey, G::View)>, Refusal> {
    guarded(|| {
        let present = snapshot.roster.seats().filter(|seat| seat.connected).map(Seat::viewer);
        let late = (!rules.spectator_delay.is_zero()).then_some(Viewer::Spectator);
        let mut groups: Vec<(ViewKey, Viewer)> = Vec::new();
        for viewer in present.chain(late) {
            let key = game.view_key(viewer);
            // Mostly the group of the one before, or a new one of a higher key.
            if groups.last().is_some_and(|(last, _)| *last == key) {
                continue;
            }
            if let Err(place) = groups.binary_search_by_key(&key, |(key, _)| *key) {
                groups.insert(place, (key, viewer));
            }
        }
        let view = |(key, viewer)| (key, game.view(&snapshot.state, viewer));
        Ok(groups.into_iter().map(view).collect())
    })
    .map_err(|fault| refusal("view", fault))
}
