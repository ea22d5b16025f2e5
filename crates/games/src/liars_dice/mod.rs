//! Liar's dice: bid on dice that nobody sees all of. A model for hidden hands, elimination and spectators.
//!
//! Each player has five dice under a cup, seen by itself alone. In turn, each bids how many dice of
//! a face there are under all cups together, and outbids the last bid (`bids` has the exact rules), or
//! challenges it. Then all dice are shown. If there are as many as the bid says, the challenger loses a
//! die, otherwise the bidder. All roll anew, and the loser begins; if that was its last die it is out, and
//! the next one begins. Who is left with dice has won.
//!
//! Lots decide the order of turns. A clock, with a bank of time for each player, plays for one who
//! sleeps: it challenges the bid, or makes the lowest one where there is none. A bot sits in for who loses
//! the connection for longer than the room's grace period. Who leaves takes its dice along unseen; then
//! the bids of the round, which counted on them, are void, and all roll anew, beginning with whose turn
//! it is.

mod bids;
mod bot;
mod messages;
mod table;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use parlor_core::rand::seq::SliceRandom as _;
use parlor_core::{
    About, AfterGrace, Bot, Ctx, Game, GameError, PlayerId, Rules, StartRule, Viewer,
};

use bot::Mind;

pub use bids::{Bid, Count, Face};
pub use messages::{Action, Event, Options, Outcome, Reveal, Timer, View};
pub use table::{BIDS_SHOWN_MAX, State};

/// How many dice a player begins with.
pub const DICE: usize = 5;

/// The rules of liar's dice.
#[derive(Clone, Copy, Debug, Default)]
pub struct LiarsDice;

impl Game for LiarsDice {
    const GAME_TYPE: &'static str = "liars_dice";

    type Options = Options;
    type State = State;
    type Action = Action;
    type Event = Event;
    type View = View;
    type Timer = Timer;
    type Outcome = Outcome;

    fn about(&self) -> About {
        About::new("Liar’s dice", 2, 6).with_bots(&["honest", "cunning"])
    }

    fn rules(&self, _options: &Options) -> Rules {
        let mut rules = Rules::seats(2, 6);
        rules.start = StartRule::Host;
        rules.after_grace = AfterGrace::StandIn { level: Cow::Borrowed("honest") };
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

    fn on_disconnect(
        &self,
        state: &mut State,
        player: PlayerId,
        _ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.away(player);
        Ok(())
    }

    fn on_reconnect(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.back(player, ctx);
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
    }

    fn view(&self, state: &State, viewer: Viewer) -> View {
        state.view(viewer)
    }

    fn bot(&self, level: &str) -> Option<Arc<dyn Bot<Self>>> {
        match level {
            "honest" => Some(Arc::new(Mind::HONEST)),
            "cunning" => Some(Arc::new(Mind::CUNNING)),
            _ => None,
        }
    }
}
