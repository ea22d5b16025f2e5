//! A small game of cards, sound or with one fault of its author's choice.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parlor_core::rand::RngExt as _;
use parlor_core::{
    About, Audience, Bot, Ctx, Game, GameError, GameRng, PlayerId, PlayerMap, Rules, StartRule,
    ViewKey, Viewer,
};
use serde::{Deserialize, Serialize};

/// Each player has five cards and plays one in its turn, face down. Who has none left first has won.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cards {
    pub(crate) fault: Fault,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    Nothing,
    /// Everyone sees all hands.
    ViewShowsHands,
    /// Everyone is told which card was drawn.
    EventShowsCard,
    /// The refusal of a card says who has it.
    RefusalShowsCard,
    /// Everyone sees whether the first player's hand is a good one.
    ViewShowsSum,
    /// Players share a key, though each sees its own hand.
    OneKeyForAll,
    /// The order of a `HashMap` decides who plays next.
    HashMapDecides,
    /// So does the time of day.
    ClockDecides,
    /// So does chance that is not the room's.
    ForeignChance,
    /// So does whether a game was played before, in this thread.
    FirstTimeDecides,
    /// A field that decides is not written down.
    ForgetsField,
    /// The state has a map whose keys are no text.
    KeysAreNoText,
    /// Nobody is ever without cards.
    NeverEnds,
    /// Nobody moves, and there is no clock.
    Stalls,
    /// A bot plays a card that it does not have.
    BotCheats,
    /// A bot panics.
    BotPanics,
    /// A bot draws from elsewhere.
    BotGuesses,
    /// Bots take no time to think, and the game never ends.
    Hurries,
    /// The clock's callback fails.
    TimerFails,
    /// A player who leaves is not expected.
    LeavePanics,
    /// The view has a number that is none.
    NotFinite,
    /// An event has no name.
    EventHasNoName,
    /// The outcome is read by another name than it is written by.
    OneWayOutcome,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Options {}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// In the order of turns.
    pub(crate) hands: Vec<(PlayerId, Vec<u8>)>,
    turn: usize,
    played: u32,
    winner: Option<PlayerId>,
    by_card: HashMap<u8, PlayerId>,
    pairs: BTreeMap<(u8, u8), u8>,
    #[serde(skip)]
    forgotten: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Play {
    pub(crate) place: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "data", rename_all = "snake_case")]
pub(crate) enum Event {
    Played {
        by: PlayerId,
    },
    Drew {
        card: u8,
    },
    #[serde(untagged)]
    Bare {
        by: PlayerId,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct View {
    pub(crate) hand: Vec<u8>,
    pub(crate) counts: PlayerMap<usize>,
    pub(crate) turn: Option<PlayerId>,
    hands: Vec<Vec<u8>>,
    is_good: bool,
    odds: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) winner: PlayerId,
    #[serde(
        rename(serialize = "how_many", deserialize = "many"),
        default,
        skip_serializing_if = "Option::is_none"
    )]
    many: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TurnOver;

pub(crate) const TURN: Duration = Duration::from_secs(10);

impl Game for Cards {
    const GAME_TYPE: &'static str = "cards";
    type Options = Options;
    type State = State;
    type Action = Play;
    type Event = Event;
    type View = View;
    type Timer = TurnOver;
    type Outcome = Outcome;

    fn about(&self) -> About {
        About::new("Cards", 2, 4).with_bots(&["first", "any"])
    }

    fn rules(&self, _: &Options) -> Rules {
        let mut rules = Rules::seats(2, 4);
        rules.start = StartRule::Host;
        rules
    }

    fn setup(&self, _: &Options, _: &mut Ctx<'_, Self>) -> Result<State, GameError> {
        Ok(State::default())
    }

    fn on_start(&self, state: &mut State, ctx: &mut Ctx<'_, Self>) -> Result<(), GameError> {
        for player in ctx.player_ids() {
            let hand = (0..5).map(|_| ctx.rng().random_range(10..=200)).collect();
            state.hands.push((player, hand));
        }
        if self.fault == Fault::KeysAreNoText {
            state.pairs.insert((1, 2), 3);
        }
        self.next_turn(state, 0, ctx);
        Ok(())
    }

    fn on_action(
        &self,
        state: &mut State,
        player: PlayerId,
        action: Play,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        let next = state.turn;
        if state.hands[next].0 != player {
            let error = GameError::not_your_turn();
            let card = u32::from(state.hands[next].1[0]);
            let tells = self.fault == Fault::RefusalShowsCard;
            return Err(if tells { error.with("card", card) } else { error });
        }
        let hand = &mut state.hands[next].1;
        if action.place >= hand.len() {
            return Err(GameError::invalid_move("you have no such card"));
        }
        let card = hand.remove(action.place);
        state.played += 1;
        if self.fault == Fault::HashMapDecides {
            state.by_card.insert(card, player);
        }
        state.forgotten = state.forgotten.wrapping_add(card);
        ctx.emit(Audience::Everyone, Event::Played { by: player });
        match self.fault {
            Fault::EventHasNoName => ctx.emit(Audience::Everyone, Event::Bare { by: player }),
            Fault::EventShowsCard => ctx.emit(Audience::Everyone, Event::Drew { card }),
            Fault::NeverEnds | Fault::Hurries => {
                hand.push(card);
                ctx.emit(Audience::Player(player), Event::Drew { card });
            }
            _ => ctx.emit(Audience::Player(player), Event::Drew { card }),
        }
        if hand.is_empty() {
            state.winner = Some(player);
            let many = (self.fault == Fault::OneWayOutcome).then_some(state.played);
            ctx.finish(Outcome { winner: player, many });
        } else {
            self.next_turn(state, next + 1, ctx);
        }
        Ok(())
    }

    fn on_timer(
        &self,
        state: &mut State,
        _: TurnOver,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        if self.fault == Fault::TimerFails {
            return Err(GameError::new("BROKEN", "the clock is broken"));
        }
        self.next_turn(state, state.turn + 1, ctx);
        Ok(())
    }

    fn on_leave(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        assert!(self.fault != Fault::LeavePanics, "nobody leaves");
        let Some(place) = state.hands.iter().position(|(id, _)| *id == player) else {
            return Ok(());
        };
        state.hands.remove(place);
        if let [(winner, _)] = state.hands[..] {
            state.winner = Some(winner);
            ctx.finish(Outcome { winner, many: None });
        } else {
            let turn = if place < state.turn { state.turn - 1 } else { state.turn };
            self.next_turn(state, turn, ctx);
        }
        Ok(())
    }

    fn view(&self, state: &State, viewer: Viewer) -> View {
        let own = state.hands.iter().find(|(id, _)| viewer == Viewer::Player(*id));
        let shows = self.fault == Fault::ViewShowsHands;
        let first: u32 =
            state.hands.iter().take(1).flat_map(|(_, hand)| hand).copied().map(u32::from).sum();
        let is_on = state.winner.is_none();
        View {
            hand: own.map(|(_, hand)| hand.clone()).unwrap_or_default(),
            counts: state.hands.iter().map(|(id, hand)| (*id, hand.len())).collect(),
            turn: state.hands.get(state.turn).filter(|_| is_on).map(|(id, _)| *id),
            hands: state.hands.iter().filter(|_| shows).map(|(_, hand)| hand.clone()).collect(),
            is_good: self.fault == Fault::ViewShowsSum && first > 500,
            odds: if self.fault == Fault::NotFinite { f64::NAN } else { 0.5 },
        }
    }

    fn view_key(&self, viewer: Viewer) -> ViewKey {
        match viewer {
            Viewer::Player(_) if self.fault == Fault::OneKeyForAll => ViewKey::Everyone,
            Viewer::Player(player) => ViewKey::Player(player),
            Viewer::Spectator => ViewKey::Spectators,
        }
    }

    fn bot(&self, level: &str) -> Option<Arc<dyn Bot<Self>>> {
        ["first", "any"].contains(&level).then(|| {
            let bot: Arc<dyn Bot<Self>> =
                Arc::new(CardBot { fault: self.fault, any: level == "any" });
            bot
        })
    }
}

impl Cards {
    fn next_turn(&self, state: &mut State, next: usize, ctx: &mut Ctx<'_, Self>) {
        let odd = match self.fault {
            Fault::HashMapDecides => {
                state.by_card.values().next().map_or(0, |first| first.0 as usize)
            }
            Fault::ClockDecides => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                now.map_or(0, |now| now.as_millis() as usize)
            }
            Fault::ForeignChance => foreign_chance(),
            Fault::FirstTimeDecides => usize::from(!PLAYED.replace(true)),
            Fault::ForgetsField => usize::from(state.forgotten),
            _ => 0,
        };
        state.turn = (next + odd) % state.hands.len();
        if self.fault != Fault::Stalls {
            ctx.set_timer(TurnOver, TURN);
        }
    }
}

thread_local! {
    static PLAYED: Cell<bool> = const { Cell::new(false) };
}

struct CardBot {
    fault: Fault,
    any: bool,
}

impl Bot<Cards> for CardBot {
    fn decide(&self, view: &View, me: PlayerId, rng: &mut GameRng) -> Option<Play> {
        if view.turn != Some(me) || self.fault == Fault::Stalls {
            return None;
        }
        assert!(self.fault != Fault::BotPanics, "a bot at its wit's end");
        let place = match self.fault {
            Fault::BotCheats => 5,
            Fault::BotGuesses => foreign_chance() % view.hand.len(),
            _ if self.any => rng.random_range(0..view.hand.len()),
            _ => 0,
        };
        Some(Play { place })
    }

    fn thinking_time(&self) -> Duration {
        Duration::from_millis(if self.fault == Fault::Hurries { 0 } else { 700 })
    }
}

/// A number that no seed foresees.
fn foreign_chance() -> usize {
    RandomState::new().hash_one(0) as usize
}
