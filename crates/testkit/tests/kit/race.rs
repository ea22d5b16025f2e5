//! A small game that steps: players push forward, and whoever is 20 ahead has won.

use std::sync::Arc;
use std::time::Duration;

use parlor_core::{
    About, Actions, Audience, Bot, Ctx, Game, GameError, GameRng, PlayerId, PlayerMap, Rules, Step,
    Tick, ViewKey, Viewer,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Race {
    /// Whether actions wait for the next step.
    pub(crate) gathers: bool,
    /// Whether its bots push backwards, which is refused.
    pub(crate) bots_cheat: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Options {}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) at: PlayerMap<f64>,
    pub(crate) speed: PlayerMap<i64>,
    pub(crate) steps: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Push {
    pub(crate) by: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "data", rename_all = "snake_case")]
pub(crate) enum Event {
    Pushed { by: PlayerId },
}

impl Game for Race {
    const GAME_TYPE: &'static str = "race";
    type Options = Options;
    type State = State;
    type Action = Push;
    type Event = Event;
    type View = State;
    type Timer = ();
    type Outcome = PlayerId;

    fn about(&self) -> About {
        About::new("Race", 2, 4).with_bots(&["steady"])
    }

    fn rules(&self, _: &Options) -> Rules {
        let mut rules = Rules::seats(2, 4);
        let mut tick = Tick::hz(10);
        tick.actions = if self.gathers { Actions::Gathered } else { Actions::AsTheyCome };
        rules.tick = Some(tick);
        rules
    }

    fn setup(&self, _: &Options, _: &mut Ctx<'_, Self>) -> Result<State, GameError> {
        Ok(State::default())
    }

    fn on_join(
        &self,
        state: &mut State,
        player: PlayerId,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.at.insert(player, 0.0);
        state.speed.insert(player, 0);
        Ok(())
    }

    fn on_leave(
        &self,
        state: &mut State,
        player: PlayerId,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.at.remove(&player);
        state.speed.remove(&player);
        Ok(())
    }

    fn on_action(
        &self,
        state: &mut State,
        player: PlayerId,
        push: Push,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        if push.by < 0 {
            return Err(GameError::invalid_move("only forward"));
        }
        state.speed.insert(player, push.by);
        for _ in 0..push.by {
            ctx.emit(Audience::Everyone, Event::Pushed { by: player });
        }
        Ok(())
    }

    fn on_tick(
        &self,
        state: &mut State,
        step: Step,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.steps = step.number();
        for (player, at) in state.at.iter_mut() {
            *at += state.speed[player] as f64 * f64::from(step.seconds());
            if *at >= 20.0 {
                ctx.finish(*player);
                break;
            }
        }
        Ok(())
    }

    fn view(&self, state: &State, _: Viewer) -> State {
        state.clone()
    }

    fn view_key(&self, _: Viewer) -> ViewKey {
        ViewKey::Everyone
    }

    fn bot(&self, level: &str) -> Option<Arc<dyn Bot<Self>>> {
        let bot: Arc<dyn Bot<Self>> = Arc::new(Steady { by: if self.bots_cheat { -1 } else { 3 } });
        (level == "steady").then_some(bot)
    }
}

struct Steady {
    by: i64,
}

impl Bot<Race> for Steady {
    fn decide(&self, view: &State, me: PlayerId, _: &mut GameRng) -> Option<Push> {
        (view.speed[&me] != self.by).then_some(Push { by: self.by })
    }

    fn thinking_time(&self) -> Duration {
        Duration::from_millis(250)
    }
}
