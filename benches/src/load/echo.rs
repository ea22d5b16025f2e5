//! The game that is played under load: what one player says, all of the room are told.

use parlor_core::{
    About, Audience, Ctx, Game, GameError, Never, PlayerId, Rules, Sync, ViewKey, Viewer,
};
use serde::{Deserialize, Serialize};

use super::stamp::Stamp;

/// A state, one event for all and one response for each action.
#[derive(Debug)]
pub(super) struct Echo;

/// How much has been said.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct State {
    said: u64,
}

/// Nothing to choose.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Options {}

/// Says when it was to be sent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Say {
    pub(super) at: Stamp,
}

/// Who was heard.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(tag = "name", content = "data", rename_all = "snake_case")]
pub(super) enum Event {
    /// Somebody said this.
    Said {
        /// What the action said.
        at: Stamp,
    },
}

impl Game for Echo {
    const GAME_TYPE: &'static str = GAME_TYPE;
    type Options = Options;
    type State = State;
    type Action = Say;
    type Event = Event;
    type View = State;
    type Timer = Never;
    type Outcome = Never;

    fn about(&self) -> About {
        About::new("Load test", 2, ROOM_PLAYERS_MAX)
    }

    fn rules(&self, _: &Options) -> Rules {
        let mut rules = Rules::seats(2, ROOM_PLAYERS_MAX);
        rules.sync = Sync::events();
        rules
    }

    fn setup(&self, _: &Options, _: &mut Ctx<'_, Self>) -> Result<State, GameError> {
        Ok(State { said: 0 })
    }

    fn on_action(
        &self,
        state: &mut State,
        _: PlayerId,
        Say { at }: Say,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.said += 1;
        ctx.emit(Audience::Everyone, Event::Said { at });
        Ok(())
    }

    fn view(&self, state: &State, _: Viewer) -> State {
        *state
    }

    fn view_key(&self, _: Viewer) -> ViewKey {
        ViewKey::Everyone
    }
}

pub(super) const GAME_TYPE: &str = "load_test";
pub(super) const ROOM_PLAYERS_MAX: u16 = 1000;
