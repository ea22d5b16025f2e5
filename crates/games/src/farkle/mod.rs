//! Farkle: push your luck with six dice. A model for randomness, a turn clock and options.
//!
//! In a turn a player rolls, keeps at least one die that scores (what scores stands in `score`),
//! and then rolls the rest again or banks what the turn has gathered. A roll without anything to
//! keep loses it. Dice of one roll may be kept in several goes, and each go is counted by
//! itself. Who has kept all six may roll all six again.
//!
//! Who reaches the target brings on the last round: each other player has one more turn. Then the
//! highest total wins; of equal ones, the one that was reached first.
//!
//! Lots decide the order of turns. A clock ends the turn of a player who sleeps or is away: it
//! banks if that is allowed and passes otherwise, and who loses the connection keeps the seat
//! for the room's grace period. Who leaves is taken out, and who is left alone has won.

mod bot;
mod hand;
mod messages;
mod score;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use parlor_core::rand::seq::SliceRandom as _;
use parlor_core::{About, Bot, Ctx, Game, GameError, PlayerId, Rules, StartRule, ViewKey, Viewer};

use bot::Temper;

pub use hand::{Hand, Stage};
pub use messages::{Action, Event, Options, Outcome, TargetScore, Timer, View};
pub use table::State;

/// How many dice there are.
pub const DICE: usize = 6;

/// The rules of farkle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Farkle;

impl Game for Farkle {
    const GAME_TYPE: &'static str = "farkle";

    type Options = Options;
    type State = State;
    type Action = Action;
    type Event = Event;
    type View = View;
    type Timer = Timer;
    type Outcome = Outcome;

    fn about(&self) -> About {
        About::new("Farkle", 2, 6).with_bots(&["careful", "bold"])
    }

    fn rules(&self, _options: &Options) -> Rules {
        let mut rules = Rules::seats(2, 6);
        rules.start = StartRule::Host;
        rules
    }

    fn setup(&self, options: &Options, _ctx: &mut Ctx<'_, Self>) -> Result<State, GameError> {
        Ok(State::new(options))
    }

    fn on_start(&self, state: &mut State, ctx: &mut Ctx<'_, Self>) -> Result<(), GameError> {
        let mut order = ctx.player_ids();
        order.shuffle(ctx.rng());
        state.start(order, ctx);
        Ok(())
    }

    fn on_action(
        &self,
        state: &mut State,
        player: PlayerId,
        action: Action,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.act(player, action, ctx)
    }

    fn on_leave(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.remove(player, ctx);
        Ok(())
    }

    fn on_timer(
        &self,
        state: &mut State,
        timer: Timer,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        match timer {
            Timer::TurnOver => state.time_out(ctx),
        }
        Ok(())
    }

    fn view(&self, state: &State, _viewer: Viewer) -> View {
        state.view()
    }

    fn view_key(&self, _viewer: Viewer) -> ViewKey {
        ViewKey::Everyone
    }

    fn bot(&self, level: &str) -> Option<Arc<dyn Bot<Self>>> {
        match level {
            "careful" => Some(Arc::new(Temper::CAREFUL)),
            "bold" => Some(Arc::new(Temper::BOLD)),
            _ => None,
        }
    }
}
