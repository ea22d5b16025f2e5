//! A game that leaves traces: every callback counts, draws and emits, and a trap makes any of them
//! fail after all that.
//!
//! The trap is the game's and not the state's, so that a room with a trap sprung in it can be
//! compared byte by byte with one in which nothing happened.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use crate::{
    About, AfterGrace, Audience, Bot, Ctx, Effort, Game, GameError, GameRng, PlayerId, Rules,
    Scalar, Signal, StartRule, Step, Sync, Tick, Time, ViewKey, Viewer,
};

#[derive(Default)]
pub(super) struct Probe {
    trap: Mutex<Option<(&'static str, How)>>,
}

/// How a callback fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Errs,
    Panics,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Options {
    pub(super) players_min: u16,
    pub(super) players_max: u16,
    pub(super) spectators_max: u16,
    pub(super) start: StartRule,
    pub(super) late_join: bool,
    pub(super) accounts_only: bool,
    pub(super) after_grace: AfterGrace,
    pub(super) tick: Option<Tick>,
    pub(super) sync: Sync,
}

/// One to four players, begun by the host, removed when not back in time.
impl Default for Options {
    fn default() -> Self {
        Self {
            players_min: 1,
            players_max: 4,
            spectators_max: 2,
            start: StartRule::Host,
            late_join: false,
            accounts_only: false,
            after_grace: AfterGrace::Remove,
            tick: None,
            sync: Sync::states(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// All callbacks so far, and the same again, written last: a mixed state shows.
    pub(super) callbacks: u64,
    pub(super) callbacks_again: u64,
    /// The last of them.
    pub(super) calls: Vec<Call>,
    /// Who plays, by what the callbacks said.
    pub(super) seats: Vec<PlayerId>,
    pub(super) stage: Stage,
    pub(super) total: i64,
    /// The number of the last step.
    pub(super) steps: u64,
}

/// The room's phase, by what the callbacks said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    Before,
    On,
    Over,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) callback: String,
    pub(super) player: Option<PlayerId>,
    pub(super) at: Time,
    pub(super) drawn: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Action {
    Add(i64),
    /// Adds one and does nothing else, unlike all the others: no draw, no event.
    Quiet,
    /// Sets timer `id`.
    Timer {
        id: u32,
        after_ms: u64,
    },
    Cancel {
        id: u32,
    },
    /// Sets this many timers, a minute from now.
    Timers(u32),
    /// Emits this many events.
    Emit(u32),
    Finish,
    Refuse,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Event(pub(super) String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct View {
    pub(super) callbacks: u64,
    pub(super) total: i64,
}

impl Probe {
    /// Makes `callback` fail from now on.
    pub(super) fn arm(&self, callback: &'static str, how: How) {
        *self.trap.lock().unwrap() = Some((callback, how));
    }

    pub(super) fn disarm(&self) {
        *self.trap.lock().unwrap() = None;
    }

    fn spring(&self, callback: &'static str) -> Result<(), GameError> {
        // Copied out: a panic with the lock held would poison it.
        let trap = *self.trap.lock().unwrap();
        match trap {
            Some((name, How::Errs)) if name == callback => {
                Err(GameError::new("TRAPPED", callback).with("callback", callback))
            }
            Some((name, How::Panics)) if name == callback => panic!("trapped in {callback}"),
            _ => Ok(()),
        }
    }

    /// For callbacks that return no error.
    fn spring_or_panic(&self, callback: &'static str) {
        self.spring(callback).expect("this callback can only panic");
    }

    /// Leaves every trace there is, then fails if told to.
    fn note(
        &self,
        callback: &'static str,
        state: &mut State,
        player: Option<PlayerId>,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.callbacks += 1;
        let drawn = ctx.rng().random();
        if state.calls.len() == CALLS_MAX {
            state.calls.remove(0);
        }
        let call = Call { callback: callback.to_owned(), player, at: ctx.now(), drawn };
        state.calls.push(call);
        ctx.emit(Audience::Everyone, Event(callback.to_owned()));
        if self.trap.lock().unwrap().is_some_and(|(name, _)| name == callback) {
            ctx.set_timer(u32::MAX, Duration::from_millis(1));
        }
        self.spring(callback)?;
        state.callbacks_again += 1;
        Ok(())
    }
}

/// Calls that a state remembers; without a bound long tests would clone ever longer lists.
const CALLS_MAX: usize = 32;

impl Game for Probe {
    const GAME_TYPE: &'static str = "probe";
    type Options = Options;
    type State = State;
    type Action = Action;
    type Event = Event;
    type View = View;
    type Timer = u32;
    type Outcome = i64;

    fn about(&self) -> About {
        About::new("Probe", 1, 4).with_bots(&["adds", "waits", "refused", "breaks", "searches"])
    }

    fn rules(&self, options: &Options) -> Rules {
        self.spring_or_panic("rules");
        Rules {
            spectators_max: options.spectators_max,
            start: options.start,
            late_join: options.late_join,
            accounts_only: options.accounts_only,
            after_grace: options.after_grace.clone(),
            tick: options.tick,
            sync: options.sync,
            ..Rules::seats(options.players_min, options.players_max)
        }
    }

    fn setup(&self, _: &Options, ctx: &mut Ctx<'_, Self>) -> Result<State, GameError> {
        let mut state = State {
            callbacks: 0,
            callbacks_again: 0,
            calls: Vec::new(),
            seats: Vec::new(),
            stage: Stage::Before,
            total: 0,
            steps: 0,
        };
        self.note("setup", &mut state, None, ctx)?;
        Ok(state)
    }

    fn on_join(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.seats.push(player);
        state.seats.sort();
        self.note("on_join", state, Some(player), ctx)
    }

    fn on_leave(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.seats.retain(|seat| *seat != player);
        self.note("on_leave", state, Some(player), ctx)
    }

    fn on_forfeit(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        self.note("on_forfeit", state, Some(player), ctx)
    }

    fn on_disconnect(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        self.note("on_disconnect", state, Some(player), ctx)
    }

    fn on_reconnect(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        self.note("on_reconnect", state, Some(player), ctx)
    }

    fn on_start(&self, state: &mut State, ctx: &mut Ctx<'_, Self>) -> Result<(), GameError> {
        state.stage = Stage::On;
        self.note("on_start", state, None, ctx)
    }

    fn on_action(
        &self,
        state: &mut State,
        player: PlayerId,
        action: Action,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        match action {
            Action::Add(n) => state.total = state.total.wrapping_add(n),
            Action::Quiet => {
                state.total = state.total.wrapping_add(1);
                return Ok(());
            }
            Action::Timer { id, after_ms } => {
                ctx.set_timer(id, Duration::from_millis(after_ms));
            }
            Action::Cancel { id } => ctx.cancel_timer(&id),
            Action::Timers(count) => {
                for id in 0..count {
                    ctx.set_timer(id, Duration::from_secs(60));
                }
            }
            Action::Emit(count) => {
                for n in 0..count {
                    ctx.emit(Audience::Player(player), Event(n.to_string()));
                }
            }
            Action::Finish => {
                state.stage = Stage::Over;
                ctx.finish(state.total);
            }
            Action::Refuse => {}
        }
        self.note("on_action", state, Some(player), ctx)?;
        if action == Action::Refuse {
            return Err(GameError::invalid_move("refused, as asked"));
        }
        Ok(())
    }

    fn on_timer(
        &self,
        state: &mut State,
        timer: u32,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.total = state.total.wrapping_add(timer.into());
        self.note("on_timer", state, None, ctx)
    }

    fn on_tick(
        &self,
        state: &mut State,
        step: Step,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.steps = step.number();
        self.note("on_tick", state, None, ctx)
    }

    fn on_signal(
        &self,
        state: &mut State,
        signal: Signal,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        if let Some(Scalar::Int(by)) = signal.data.get("by") {
            state.total += by;
        }
        self.note("on_signal", state, None, ctx)
    }

    fn view(&self, state: &State, _: Viewer) -> View {
        self.spring_or_panic("view");
        View { callbacks: state.callbacks, total: state.total }
    }

    fn view_key(&self, viewer: Viewer) -> ViewKey {
        self.spring_or_panic("view_key");
        match viewer {
            Viewer::Player(player) => ViewKey::Player(player),
            Viewer::Spectator => ViewKey::Spectators,
        }
    }

    fn bot(&self, level: &str) -> Option<Arc<dyn Bot<Self>>> {
        self.spring_or_panic("bot");
        let bot = match level {
            "adds" => ProbeBot::Adds,
            "waits" => ProbeBot::Waits,
            "refused" => ProbeBot::Refused,
            "breaks" => ProbeBot::Breaks,
            "searches" => ProbeBot::Searches,
            _ => return None,
        };
        Some(Arc::new(bot))
    }
}

enum ProbeBot {
    /// Adds a small number of its own choice, until the total is large.
    Adds,
    Waits,
    Refused,
    Breaks,
    /// As `Adds`, at great cost.
    Searches,
}

impl Bot<Probe> for ProbeBot {
    fn decide(&self, view: &View, _: PlayerId, rng: &mut GameRng) -> Option<Action> {
        match self {
            Self::Adds | Self::Searches => {
                (view.total < BOT_TOTAL_MAX).then(|| Action::Add(rng.random_range(1..=6)))
            }
            Self::Waits => None,
            Self::Refused => Some(Action::Refuse),
            Self::Breaks => panic!("a bot that breaks"),
        }
    }

    fn thinking_time(&self) -> Duration {
        THINKING_TIME
    }

    fn effort(&self) -> Effort {
        match self {
            Self::Searches => Effort::Searching,
            Self::Adds | Self::Waits | Self::Refused | Self::Breaks => Effort::Inline,
        }
    }
}

/// From this total on a bot that adds waits.
pub(super) const BOT_TOTAL_MAX: i64 = 1000;

pub(super) const THINKING_TIME: Duration = Duration::from_millis(500);
