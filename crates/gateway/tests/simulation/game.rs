//! The game of the simulation: it numbers what it tells, by audience, counts what it is asked, and
//! hides a word from everyone but its player.
//!
//! Every event says which of its audience's events it is, so that one too few or too many shows.
//! Whatever state the room shows to anyone is kept by the [`Witness`], in whole.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use parlor_core::rand::RngExt as _;
use parlor_core::{
    About, AfterGrace, Audience, Bot, Ctx, Game, GameError, GameRng, PlayerId, Rules, StartRule,
    Viewer,
};
use serde::{Deserialize, Serialize};

/// What every secret word begins with.
pub(crate) const SECRET: &str = "SECRET-";

/// Numbers that bots enter are above all that players do.
pub(crate) const BOT_NUMBERS: u64 = 1_000_000;

pub(crate) const PLAYERS_MAX: u16 = 4;
pub(crate) const SPECTATORS_MAX: u16 = 2;
pub(crate) const GRACE_IN_PLAY: u64 = 20_000;
pub(crate) const GRACE_IN_LOBBY: u64 = 6_000;
pub(crate) const CLOSE_EMPTY_AFTER: u64 = 5_000;
pub(crate) const CLOSE_FINISHED_AFTER: u64 = 60_000;

/// The newest state of each room that was shown to anyone, by the room's tag.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness(Arc<Mutex<BTreeMap<u64, State>>>);

/// The game.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(pub(crate) Witness);

/// The rules of a room.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Options {
    /// Names the room to the witness.
    pub(crate) tag: u64,
    pub(crate) min: u16,
    pub(crate) max: u16,
    pub(crate) start: StartRule,
    pub(crate) after: After,
    pub(crate) late_join: bool,
    /// Between two rings; 0 for none.
    pub(crate) ring_ms: u64,
    /// Views say nothing of changes that do not concern the viewer.
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum After {
    Remove,
    Forfeit,
    StandIn,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    tag: u64,
    quiet: bool,
    /// Names the time between two setups.
    round: u64,
    /// Callbacks that have changed something.
    changes: u64,
    /// How many events each audience was told.
    told: BTreeMap<String, u64>,
    words: BTreeMap<PlayerId, String>,
    /// What each player has entered, in order.
    entered: BTreeMap<PlayerId, Vec<u64>>,
    pondered: BTreeMap<PlayerId, u64>,
    flag: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Action {
    /// Everyone hears of it.
    Enter {
        number: u64,
    },
    /// Nobody hears of it, and nobody else sees it.
    Ponder {},
    /// Nobody hears of it, and everyone sees it: twice, and the state looks as before.
    Flip {},
    /// A new word, which its player is told.
    Rotate {},
    Tell {
        to: Whom,
    },
    Refuse {},
    Finish {},
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Whom {
    Players,
    Spectators,
    Only(u32),
    AllBut(u32),
}

/// One of the events of an audience.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "name", content = "data", rename_all = "snake_case")]
pub(crate) enum Event {
    Told {
        round: u64,
        class: String,
        n: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        word: Option<String>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct View {
    round: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changes: Option<u64>,
    told: BTreeMap<String, u64>,
    me: Option<PlayerId>,
    word: Option<String>,
    entered: Vec<u64>,
    pondered: u64,
    flag: bool,
}

impl Witness {
    /// What `viewer` sees of the newest state of the room.
    pub(crate) fn view(&self, tag: u64, viewer: Viewer) -> Option<serde_json::Value> {
        let states = self.0.lock().unwrap();
        Some(serde_json::to_value(states.get(&tag)?.view(viewer)).unwrap())
    }
}

impl State {
    fn view(&self, viewer: Viewer) -> View {
        let me = match viewer {
            Viewer::Player(player) => Some(player),
            Viewer::Spectator => None,
        };
        let own = |class: &str| me.is_some_and(|me| class == only(me));
        let told = self.told.iter().filter(|(class, _)| match class.as_str() {
            "everyone" => true,
            "players" => me.is_some(),
            "spectators" => me.is_none(),
            class if class.starts_with("only") => own(class),
            class => me.is_none_or(|me| class != all_but(me)),
        });
        View {
            round: self.round,
            changes: (!self.quiet).then_some(self.changes),
            told: told.map(|(class, n)| (class.clone(), *n)).collect(),
            me,
            word: me.and_then(|me| self.words.get(&me).cloned()),
            entered: me.and_then(|me| self.entered.get(&me).cloned()).unwrap_or_default(),
            pondered: me.and_then(|me| self.pondered.get(&me).copied()).unwrap_or_default(),
            flag: self.flag,
        }
    }

    fn tell(&mut self, ctx: &mut Ctx<'_, Numbers>, to: Audience, word: Option<String>) {
        let class = match to {
            Audience::Everyone => "everyone".to_owned(),
            Audience::Players => "players".to_owned(),
            Audience::Spectators => "spectators".to_owned(),
            Audience::Player(player) => only(player),
            Audience::AllBut(player) => all_but(player),
        };
        let n = self.told.entry(class.clone()).or_default();
        *n += 1;
        ctx.emit(to, Event::Told { round: self.round, class, n: *n, word });
    }

    fn new_word(&mut self, player: PlayerId, ctx: &mut Ctx<'_, Numbers>) -> String {
        // Room and owner stand in it, so that one found elsewhere tells where it came from.
        let word = format!("{SECRET}{}-{}-{:016x}", self.tag, player, ctx.rng().random::<u64>());
        self.words.insert(player, word.clone());
        word
    }
}

/// The class of what only this player is told.
pub(crate) fn only(player: PlayerId) -> String {
    format!("only:{player}")
}

/// The class of what all but this player are told.
pub(crate) fn all_but(player: PlayerId) -> String {
    format!("but:{player}")
}

impl Game for Numbers {
    const GAME_TYPE: &'static str = "numbers";

    type Options = Options;
    type State = State;
    type Action = Action;
    type Event = Event;
    type View = View;
    type Timer = ();
    type Outcome = ();

    fn about(&self) -> About {
        About::new("Numbers", 1, PLAYERS_MAX).with_bots(&["eager"])
    }

    fn rules(&self, options: &Options) -> Rules {
        let mut rules = Rules::seats(options.min, options.max);
        rules.start = options.start;
        rules.late_join = options.late_join;
        rules.spectators_max = SPECTATORS_MAX;
        // The model lets everyone hear everyone.
        rules.spectators_heard = true;
        rules.after_grace = match options.after {
            After::Remove => AfterGrace::Remove,
            After::Forfeit => AfterGrace::Forfeit,
            After::StandIn => AfterGrace::StandIn { level: "eager".into() },
        };
        rules.grace_in_play = Duration::from_millis(GRACE_IN_PLAY);
        rules.grace_in_lobby = Duration::from_millis(GRACE_IN_LOBBY);
        rules.close_empty_after = Duration::from_millis(CLOSE_EMPTY_AFTER);
        rules.close_finished_after = Duration::from_millis(CLOSE_FINISHED_AFTER);
        rules
    }

    fn setup(&self, options: &Options, ctx: &mut Ctx<'_, Self>) -> Result<State, GameError> {
        // Within what every codec and JavaScript carries.
        let round = u64::from(ctx.rng().random::<u32>());
        Ok(State { tag: options.tag, quiet: options.quiet, round, ..State::default() })
    }

    fn on_join(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.changes += 1;
        state.new_word(player, ctx);
        state.tell(ctx, Audience::Everyone, None);
        Ok(())
    }

    fn on_leave(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.changes += 1;
        state.words.remove(&player);
        state.entered.remove(&player);
        state.pondered.remove(&player);
        // Otherwise no other view need change.
        if !state.quiet {
            state.tell(ctx, Audience::Everyone, None);
        }
        Ok(())
    }

    fn on_disconnect(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.changes += 1;
        state.tell(ctx, Audience::AllBut(player), None);
        Ok(())
    }

    fn on_reconnect(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.changes += 1;
        state.tell(ctx, Audience::Everyone, None);
        state.tell(ctx, Audience::Player(player), None);
        Ok(())
    }

    fn on_start(&self, state: &mut State, ctx: &mut Ctx<'_, Self>) -> Result<(), GameError> {
        state.changes += 1;
        state.tell(ctx, Audience::Players, None);
        let ring = ctx.options().ring_ms;
        if ring > 0 {
            ctx.set_timer((), Duration::from_millis(ring));
        }
        Ok(())
    }

    fn on_action(
        &self,
        state: &mut State,
        player: PlayerId,
        action: Action,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.changes += 1;
        match action {
            Action::Enter { number } => {
                state.entered.entry(player).or_default().push(number);
                state.tell(ctx, Audience::Everyone, None);
            }
            Action::Ponder {} => *state.pondered.entry(player).or_default() += 1,
            Action::Flip {} => state.flag = !state.flag,
            Action::Rotate {} => {
                let word = state.new_word(player, ctx);
                state.tell(ctx, Audience::Player(player), Some(word));
            }
            Action::Tell { to } => {
                let audience = match to {
                    Whom::Players => Audience::Players,
                    Whom::Spectators => Audience::Spectators,
                    Whom::Only(one) => Audience::Player(PlayerId(one)),
                    Whom::AllBut(one) => Audience::AllBut(PlayerId(one)),
                };
                state.tell(ctx, audience, None);
            }
            Action::Refuse {} => return Err(GameError::invalid_move("never")),
            Action::Finish {} => ctx.finish(()),
        }
        Ok(())
    }

    fn on_timer(
        &self,
        state: &mut State,
        (): (),
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.changes += 1;
        let to =
            if state.changes.is_multiple_of(2) { Audience::Everyone } else { Audience::Spectators };
        state.tell(ctx, to, None);
        ctx.set_timer((), Duration::from_millis(ctx.options().ring_ms));
        Ok(())
    }

    fn view(&self, state: &State, viewer: Viewer) -> View {
        let mut states = self.0.0.lock().unwrap();
        if states.get(&state.tag) != Some(state) {
            states.insert(state.tag, state.clone());
        }
        state.view(viewer)
    }

    fn bot(&self, _level: &str) -> Option<Arc<dyn Bot<Self>>> {
        Some(Arc::new(Eager))
    }
}

/// Enters the next number, ponders or flips.
struct Eager;

impl Bot<Numbers> for Eager {
    fn decide(&self, view: &View, _me: PlayerId, rng: &mut GameRng) -> Option<Action> {
        let number = BOT_NUMBERS + view.entered.len() as u64;
        Some(match rng.random_range(0..4) {
            0 => Action::Ponder {},
            1 => Action::Flip {},
            _ => Action::Enter { number },
        })
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tag: 0,
            min: 1,
            max: 2,
            start: StartRule::WhenFull,
            after: After::Remove,
            late_join: false,
            ring_ms: 0,
            quiet: false,
        }
    }
}
