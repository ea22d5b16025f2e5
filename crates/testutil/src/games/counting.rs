//! A game that adds up. Anyone may act at any time, and everyone sees the same.

use parlor_core::{
    About, Audience, Bounded, Ctx, Game, GameError, Never, PlayerId, Rules, ViewKey, Viewer,
};
use serde::{Deserialize, Serialize};

use super::{Over, Seats};

/// The rules: whoever brings the total to 1000 or more ends it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

/// The state, and what everyone sees of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// The sum so far.
    pub total: i64,
}

/// Adds a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Add {
    /// Which.
    pub add: Bounded<1, 100>,
}

/// Told to everyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "data", rename_all = "snake_case")]
pub enum Added {
    /// Someone added a number.
    Added {
        /// Who.
        by: PlayerId,
        /// Which.
        number: i64,
    },
}

impl Game for Counting {
    const GAME_TYPE: &'static str = "counting";

    type Options = Seats;
    type State = Total;
    type Action = Add;
    type Event = Added;
    type View = Total;
    type Timer = Never;
    type Outcome = Over;

    fn about(&self) -> About {
        About::new("Counting", 1, SEATS_MAX)
    }

    fn rules(&self, options: &Seats) -> Rules {
        let seats = options.seats.clamp(1, SEATS_MAX);
        Rules::seats(seats, seats)
    }

    fn setup(&self, _options: &Seats, _ctx: &mut Ctx<'_, Self>) -> Result<Total, GameError> {
        Ok(Total::default())
    }

    fn on_action(
        &self,
        state: &mut Total,
        by: PlayerId,
        action: Add,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        let number = action.add.get();
        state.total += number;
        ctx.emit(Audience::Everyone, Added::Added { by, number });
        if state.total >= TOTAL_MAX {
            ctx.finish(Over {});
        }
        Ok(())
    }

    fn view(&self, state: &Total, _viewer: Viewer) -> Total {
        *state
    }

    fn view_key(&self, _viewer: Viewer) -> ViewKey {
        ViewKey::Everyone
    }
}

const SEATS_MAX: u16 = 1000;
const TOTAL_MAX: i64 = 1000;
