//! A game for tests: each player has a secret word, and a trap makes any callback fail, or what it
//! made refuse to be encoded.
//!
//! The trap is the game's and not the state's: it is armed and disarmed from outside.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use parlor_core::rand::RngExt as _;
use parlor_core::{
    About, AfterGrace, Audience, Bot, Ctx, Effort, Game, GameError, GameRng, PlayerId, PlayerMap,
    Rules, Scalar, Signal, StartRule, Sync, Viewer,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};

/// The game. Clones share their trap and their notes.
#[derive(Clone, Default)]
pub(crate) struct Probe(Arc<Inside>);

#[derive(Default)]
struct Inside {
    trap: Mutex<Option<(&'static str, How)>>,
    /// What bots were shown.
    bots_saw: Mutex<Vec<String>>,
}

/// How a callback fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Errs,
    Panics,
}

/// Two seats, begun when both are taken, unless something else is chosen.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Options {
    min: u16,
    max: u16,
    start: StartRule,
    late_join: bool,
    after_grace: AfterGrace,
    /// How many seconds a lost player's seat is held in the lobby.
    lobby_grace: u64,
    spectators: u16,
    spectators_heard: bool,
    /// Seconds that spectators are behind.
    delay: u64,
    patches: bool,
    fuse: Bomb,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    words: PlayerMap<String>,
    total: i64,
    /// Written after `total`: a state half changed shows.
    twice: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Action {
    Set {
        total: i64,
    },
    /// Tells one player the actor's word.
    Whisper {
        to: u32,
    },
    /// Tells some of them a number.
    Tell {
        note: u64,
        to: Whom,
    },
    /// Tells everyone so many things.
    Shout {
        times: u32,
    },
    Timer {
        after_ms: u64,
    },
    Finish,
    Refuse,
    Explode {
        fuse: Bomb,
    },
}

/// Whom to tell.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Whom {
    Everyone,
    Players,
    Spectators,
    Only(u32),
    AllBut(u32),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "name", content = "data", rename_all = "snake_case")]
pub(crate) enum Event {
    Whispered { word: String },
    Told { note: u64 },
    Shouted { time: u32, fragile: Fragile },
    Rang,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct View {
    total: i64,
    twice: i64,
    /// The viewer's own word.
    word: Option<String>,
    fragile: Fragile,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    total: i64,
}

/// Cannot be encoded when told so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragile(Option<How>);

/// Panics when it is decoded from `true`.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Bomb(bool);

impl Probe {
    /// Makes `callback` fail from now on. `serialize_view` and `serialize_event` fail later.
    pub(crate) fn arm(&self, callback: &'static str, how: How) {
        *self.0.trap.lock().unwrap() = Some((callback, how));
    }

    pub(crate) fn disarm(&self) {
        *self.0.trap.lock().unwrap() = None;
    }

    /// Everything that bots were shown, as text.
    pub(crate) fn bots_saw(&self) -> String {
        self.0.bots_saw.lock().unwrap().join("\n")
    }

    /// How many hold the game: each room does.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    fn trap(&self, callback: &str) -> Option<How> {
        // Copied out: a panic with the lock held would poison it.
        let trap = *self.0.trap.lock().unwrap();
        trap.and_then(|(name, how)| (name == callback).then_some(how))
    }

    fn spring(&self, callback: &str) -> Result<(), GameError> {
        match self.trap(callback) {
            Some(How::Errs) => Err(GameError::new("TRAPPED", "trapped").with("trap", 1_u32)),
            Some(How::Panics) => panic!("trapped in {callback}"),
            None => Ok(()),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            min: 2,
            max: 2,
            start: StartRule::WhenFull,
            late_join: false,
            after_grace: AfterGrace::Remove,
            lobby_grace: 15,
            spectators: 4,
            spectators_heard: false,
            delay: 0,
            patches: false,
            fuse: Bomb(false),
        }
    }
}

impl Game for Probe {
    const GAME_TYPE: &'static str = "probe";

    type Options = Options;
    type State = State;
    type Action = Action;
    type Event = Event;
    type View = View;
    type Timer = ();
    type Outcome = Outcome;

    fn about(&self) -> About {
        About::new("Probe", 1, 8).with_bots(&["quick", "deep"])
    }

    fn rules(&self, options: &Options) -> Rules {
        let mut rules = Rules::seats(options.min, options.max);
        rules.start = options.start;
        rules.late_join = options.late_join;
        rules.after_grace = options.after_grace.clone();
        rules.grace_in_lobby = Duration::from_secs(options.lobby_grace);
        rules.spectators_max = options.spectators;
        rules.spectators_heard = options.spectators_heard;
        rules.spectator_delay = Duration::from_secs(options.delay);
        if options.patches {
            rules.sync = Sync::patches();
        }
        rules
    }

    fn setup(&self, _: &Options, _: &mut Ctx<'_, Self>) -> Result<State, GameError> {
        self.spring("setup")?;
        Ok(State { words: PlayerMap::new(), total: 0, twice: 0 })
    }

    fn on_join(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        let word = format!("w{:016x}", ctx.rng().random::<u64>());
        state.words.insert(player, word);
        self.spring("on_join")
    }

    fn on_leave(
        &self,
        state: &mut State,
        player: PlayerId,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.words.remove(&player);
        self.spring("on_leave")
    }

    fn on_forfeit(
        &self,
        _: &mut State,
        _: PlayerId,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        self.spring("on_forfeit")
    }

    fn on_disconnect(
        &self,
        state: &mut State,
        _: PlayerId,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        if self.trap("on_disconnect").is_some() {
            state.total = -1;
        }
        self.spring("on_disconnect")
    }

    fn on_reconnect(
        &self,
        state: &mut State,
        _: PlayerId,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        if self.trap("on_reconnect").is_some() {
            state.total = -1;
        }
        self.spring("on_reconnect")
    }

    fn on_start(&self, _: &mut State, _: &mut Ctx<'_, Self>) -> Result<(), GameError> {
        self.spring("on_start")
    }

    fn on_action(
        &self,
        state: &mut State,
        player: PlayerId,
        action: Action,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        match action {
            Action::Set { total } => {
                state.total = total;
                state.twice = total * 2;
            }
            Action::Whisper { to } => {
                let word = state.words.get(&player).cloned().unwrap_or_default();
                ctx.emit(Audience::Player(PlayerId(to)), Event::Whispered { word });
            }
            Action::Tell { note, to } => {
                let audience = match to {
                    Whom::Everyone => Audience::Everyone,
                    Whom::Players => Audience::Players,
                    Whom::Spectators => Audience::Spectators,
                    Whom::Only(one) => Audience::Player(PlayerId(one)),
                    Whom::AllBut(one) => Audience::AllBut(PlayerId(one)),
                };
                ctx.emit(audience, Event::Told { note });
            }
            Action::Shout { times } => {
                let fragile = Fragile(self.trap("serialize_event"));
                for time in 0..times {
                    ctx.emit(Audience::Everyone, Event::Shouted { time, fragile });
                }
            }
            Action::Timer { after_ms } => {
                ctx.set_timer((), Duration::from_millis(after_ms));
            }
            Action::Finish => ctx.finish(Outcome { total: state.total }),
            Action::Refuse => return Err(GameError::invalid_move("never").with("why", "rule 1")),
            Action::Explode { .. } => {}
        }
        self.spring("on_action")
    }

    fn on_timer(
        &self,
        state: &mut State,
        (): (),
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.total += 1;
        ctx.set_timer((), Duration::from_secs(1));
        ctx.emit(Audience::Everyone, Event::Rang);
        self.spring("on_timer")?;
        state.twice = state.total * 2;
        Ok(())
    }

    fn on_signal(
        &self,
        state: &mut State,
        signal: Signal,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        if signal.name == "refuse" {
            return Err(GameError::new("NOT_NOW", "not now").with("why", "rule 2"));
        }
        // Whom the program knows to be rich counts for more.
        for seat in ctx.players() {
            if let Some(Scalar::Int(rank)) = seat.profile().and_then(|known| known.get("rank")) {
                state.total += rank;
            }
        }
        ctx.emit(Audience::Everyone, Event::Rang);
        Ok(())
    }

    fn view(&self, state: &State, viewer: Viewer) -> View {
        self.spring("view").expect("a view can only panic");
        let word = match viewer {
            Viewer::Player(player) => state.words.get(&player).cloned(),
            Viewer::Spectator => None,
        };
        View {
            total: state.total,
            twice: state.twice,
            word,
            fragile: Fragile(self.trap("serialize_view")),
        }
    }

    fn bot(&self, level: &str) -> Option<Arc<dyn Bot<Self>>> {
        let effort = match level {
            "quick" => Effort::Inline,
            "deep" => Effort::Searching,
            _ => return None,
        };
        Some(Arc::new(Mind { effort, inside: Arc::clone(&self.0) }))
    }
}

/// Makes an odd total even.
struct Mind {
    effort: Effort,
    inside: Arc<Inside>,
}

impl Bot<Probe> for Mind {
    fn decide(&self, view: &View, _: PlayerId, _: &mut GameRng) -> Option<Action> {
        let mut saw = self.inside.bots_saw.lock().unwrap();
        saw.push(serde_json::to_string(view).unwrap());
        (view.total % 2 != 0).then_some(Action::Set { total: view.total + 1 })
    }

    fn effort(&self) -> Effort {
        self.effort
    }
}

impl Serialize for Fragile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => serializer.serialize_unit(),
            Some(How::Errs) => Err(ser::Error::custom("fragile")),
            Some(How::Panics) => panic!("fragile"),
        }
    }
}

impl<'de> Deserialize<'de> for Fragile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self(None))
    }
}

impl<'de> Deserialize<'de> for Bomb {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let is_lit = bool::deserialize(deserializer)?;
        assert!(!is_lit, "the bomb went off");
        Ok(Self(is_lit))
    }
}
