//! A game of hidden numbers. Each player sees its own; it may show it to one other.

use parlor_core::rand::RngExt as _;
use parlor_core::{
    About, Audience, Ctx, Game, GameError, Never, PlayerId, PlayerMap, Rules, Viewer,
};
use serde::{Deserialize, Serialize};

use super::Seats;

/// The rules: it ends when everyone has shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Secrets;

/// The state, secrets included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hands {
    /// Each player's number, from the start on: 15 digits, so that it is found in no message by accident.
    pub numbers: PlayerMap<u64>,
    /// Who has shown to whom.
    pub shown: PlayerMap<PlayerId>,
}

/// What a player sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its own number; a spectator has none.
    pub mine: Option<u64>,
    /// Who has shown to whom.
    pub shown: PlayerMap<PlayerId>,
}

/// Shows one's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Show {
    /// To whom.
    pub to: PlayerId,
}

/// Told to whom it was shown, and to nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "data", rename_all = "snake_case")]
pub enum Shown {
    /// Someone's number.
    Shown {
        /// Whose.
        by: PlayerId,
        /// The number.
        number: u64,
    },
}

/// The result: by then everyone may know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dealt {
    /// How many had one.
    pub players: usize,
}

impl Game for Secrets {
    const GAME_TYPE: &'static str = "secrets";

    type Options = Seats;
    type State = Hands;
    type Action = Show;
    type Event = Shown;
    type View = Known;
    type Timer = Never;
    type Outcome = Dealt;

    fn about(&self) -> About {
        About::new("Secrets", 2, SEATS_MAX)
    }

    fn rules(&self, options: &Seats) -> Rules {
        let seats = options.seats.clamp(2, SEATS_MAX);
        Rules::seats(seats, seats)
    }

    fn setup(&self, _options: &Seats, _ctx: &mut Ctx<'_, Self>) -> Result<Hands, GameError> {
        Ok(Hands::default())
    }

    fn on_start(&self, state: &mut Hands, ctx: &mut Ctx<'_, Self>) -> Result<(), GameError> {
        state.numbers = ctx
            .player_ids()
            .into_iter()
            .map(|player| (player, ctx.rng().random_range(NUMBER_MIN..NUMBER_MIN * 10)))
            .collect();
        Ok(())
    }

    fn on_action(
        &self,
        state: &mut Hands,
        by: PlayerId,
        action: Show,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        let number = state.numbers.get(&by).copied();
        let number = number.ok_or_else(|| GameError::invalid_move("you have no number"))?;
        state.shown.insert(by, action.to);
        ctx.emit(Audience::Player(action.to), Shown::Shown { by, number });
        if state.shown.len() == state.numbers.len() {
            ctx.finish(Dealt { players: state.numbers.len() });
        }
        Ok(())
    }

    fn view(&self, state: &Hands, viewer: Viewer) -> Known {
        let mine = match viewer {
            Viewer::Player(player) => state.numbers.get(&player).copied(),
            Viewer::Spectator => None,
        };
        Known { mine, shown: state.shown.clone() }
    }
}

const SEATS_MAX: u16 = 16;
const NUMBER_MIN: u64 = 100_000_000_000_000;
