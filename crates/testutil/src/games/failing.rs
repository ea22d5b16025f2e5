//! A game that fails when asked to, having first done everything that must then not show.

use std::time::{Duration, Instant};

use parlor_core::rand::Rng as _;
use parlor_core::{About, Audience, Ctx, Game, GameError, Never, PlayerId, Rules, ViewKey, Viewer};
use serde::{Deserialize, Serialize};

use super::{Over, Seats};

/// The rules: there are none, and it never ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failing;

/// The state, and what everyone sees of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Attempts that succeeded.
    pub marks: u64,
    /// Set by an attempt that breaks the view, which must then never come about.
    pub broken: bool,
}

/// Leaves a mark, draws a number, tells everyone; then perhaps fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// How, if at all.
    #[serde(default)]
    pub fault: Option<Fault>,
}

/// Ways to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// By a refusal.
    Refuse,
    /// By a panic.
    Panic,
    /// By a state whose view panics.
    BreakView,
    /// By taking ten milliseconds, after which all is well.
    Linger,
}

/// Told to everyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "data", rename_all = "snake_case")]
pub enum Noted {
    /// Someone left a mark.
    Noted {
        /// The number that was drawn.
        drawn: u32,
    },
}

impl Game for Failing {
    const GAME_TYPE: &'static str = "failing";

    type Options = Seats;
    type State = Marks;
    type Action = Attempt;
    type Event = Noted;
    type View = Marks;
    type Timer = Never;
    type Outcome = Over;

    fn about(&self) -> About {
        About::new("Failing", 1, SEATS_MAX)
    }

    fn rules(&self, options: &Seats) -> Rules {
        let seats = options.seats.clamp(1, SEATS_MAX);
        Rules::seats(seats, seats)
    }

    fn setup(&self, _options: &Seats, _ctx: &mut Ctx<'_, Self>) -> Result<Marks, GameError> {
        Ok(Marks::default())
    }

    fn on_action(
        &self,
        state: &mut Marks,
        _player: PlayerId,
        attempt: Attempt,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.marks += 1;
        let drawn = ctx.rng().next_u32();
        ctx.emit(Audience::Everyone, Noted::Noted { drawn });
        match attempt.fault {
            None => Ok(()),
            Some(Fault::Refuse) => Err(GameError::new("ON_PURPOSE", "it was asked to refuse")),
            Some(Fault::Panic) => panic!("it was asked to panic"),
            Some(Fault::BreakView) => {
                state.broken = true;
                Ok(())
            }
            Some(Fault::Linger) => {
                let until = Instant::now() + Duration::from_millis(10);
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
                Ok(())
            }
        }
    }

    fn view(&self, state: &Marks, _viewer: Viewer) -> Marks {
        assert!(!state.broken, "it was asked to break its view");
        *state
    }

    fn view_key(&self, _viewer: Viewer) -> ViewKey {
        ViewKey::Everyone
    }
}

const SEATS_MAX: u16 = 16;
