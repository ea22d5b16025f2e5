//! Arena: a game of tag in a field with walls. A model for real time, patches and late joining.
//!
//! One player is it. Who it touches is it in its place, and for a moment nobody can be tagged. Who was
//! it for the shortest time when the round is over has come in first.
//!
//! Players only say where they run and whether they would dash; how fast that is and how far they get is
//! decided here, thirty times a second. A dash is a short burst of speed with a pause after it. Walls
//! and the field's edges are slid along, never run through.
//!
//! Players come and go while the round is on. Who comes late begins with the average of the others'
//! time. When the one who is it leaves, lots decide who is next; who is left alone has come in first.
//! Who loses the connection stops, and is played for by a bot if it is not back soon.

mod bot;
mod field;
mod messages;
mod round;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use parlor_core::{
    About, AfterGrace, Bot, Ctx, Game, GameError, PlayerId, Rules, StartRule, Step, Sync, Tick,
    ViewKey, Viewer,
};

use bot::Legs;
use field::Walls;

pub use field::{HEIGHT, RADIUS, WALLS, WIDTH};
pub use messages::{Action, Axis, Event, Options, Outcome, Rank, Timer, View};
pub use round::State;

/// How many can play at once.
pub const PLAYERS_MAX: usize = 16;

/// How often everyone goes on.
const STEPS_PER_SECOND: i32 = 30;

/// The rules of the arena.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arena;

impl Game for Arena {
    const GAME_TYPE: &'static str = "arena";

    type Options = Options;
    type State = State;
    type Action = Action;
    type Event = Event;
    type View = View;
    type Timer = Timer;
    type Outcome = Outcome;

    fn about(&self) -> About {
        About::new("Arena", 2, 16).with_bots(&["chaser", "sprinter"])
    }

    fn rules(&self, _options: &Options) -> Rules {
        let mut rules = Rules::seats(2, 16);
        rules.start = StartRule::Host;
        rules.late_join = true;
        rules.tick = Some(Tick::hz(30));
        rules.sync = Sync::patches().at_hz(20);
        // One who stands around spoils the round for everyone, above all when it is it.
        rules.grace_in_play = Duration::from_secs(8);
        rules.after_grace = AfterGrace::StandIn { level: "chaser".into() };
        rules
    }

    fn setup(&self, _options: &Options, ctx: &mut Ctx<'_, Self>) -> Result<State, GameError> {
        Ok(State::new(Walls::draw(ctx.rng())))
    }

    fn on_start(&self, state: &mut State, ctx: &mut Ctx<'_, Self>) -> Result<(), GameError> {
        state.start(ctx);
        Ok(())
    }

    fn on_join(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.join(player, ctx);
        Ok(())
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
        state.head(player, Action::default());
        Ok(())
    }

    /// Where a stand-in was running to is not where the player wants to go.
    fn on_reconnect(
        &self,
        state: &mut State,
        player: PlayerId,
        _ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.head(player, Action::default());
        Ok(())
    }

    fn on_action(
        &self,
        state: &mut State,
        player: PlayerId,
        action: Action,
        _ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.head(player, action);
        Ok(())
    }

    fn on_timer(
        &self,
        state: &mut State,
        timer: Timer,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        match timer {
            Timer::RoundOver => state.finish(ctx),
        }
        Ok(())
    }

    fn on_tick(
        &self,
        state: &mut State,
        _step: Step,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.step(ctx);
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
            "chaser" => Some(Arc::new(Legs::CHASER)),
            "sprinter" => Some(Arc::new(Legs::SPRINTER)),
            _ => None,
        }
    }
}
