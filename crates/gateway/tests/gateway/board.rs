//! A game whose state is any value at all: what players write on a board, in any shape.

use parlor_core::{
    About, Actions, Ctx, Game, GameError, PlayerId, Rules, StartRule, Step, SyncMode, Tick,
    ViewKey, Viewer,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) struct Board;

/// How it reaches those who look.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Options {
    mode: SyncMode,
    /// States a second at most; 0 is every change.
    rate: u8,
    /// Steps a second; 0 is none.
    steps: u8,
    gathered: bool,
    /// Whether each sees its own number beside the board.
    own_views: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    board: Value,
    steps: u64,
    own_views: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Write {
    board: Value,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct View {
    board: Value,
    steps: u64,
    own: Option<PlayerId>,
}

impl Game for Board {
    const GAME_TYPE: &'static str = "board";
    type Options = Options;
    type State = State;
    type Action = Write;
    type Event = parlor_core::Never;
    type View = View;
    type Timer = parlor_core::Never;
    type Outcome = ();

    fn about(&self) -> About {
        About::new("Board", 1, 8)
    }

    fn rules(&self, options: &Options) -> Rules {
        let mut rules = Rules::seats(1, 8);
        rules.start = StartRule::Host;
        rules.late_join = true;
        rules.sync.mode = options.mode;
        if options.rate > 0 {
            rules.sync = rules.sync.at_hz(options.rate);
        }
        if options.steps > 0 {
            let mut tick = Tick::hz(options.steps);
            tick.actions = if options.gathered { Actions::Gathered } else { Actions::AsTheyCome };
            rules.tick = Some(tick);
        }
        rules
    }

    fn setup(&self, options: &Options, _: &mut Ctx<'_, Self>) -> Result<State, GameError> {
        Ok(State { board: Value::Null, steps: 0, own_views: options.own_views })
    }

    fn on_action(
        &self,
        state: &mut State,
        _: PlayerId,
        action: Write,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        if action.board == "never" {
            return Err(GameError::invalid_move("this is never written"));
        }
        state.board = action.board;
        Ok(())
    }

    fn on_tick(
        &self,
        state: &mut State,
        step: Step,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        state.steps = step.number();
        Ok(())
    }

    fn view(&self, state: &State, viewer: Viewer) -> View {
        let own = match viewer {
            Viewer::Player(player) if state.own_views => Some(player),
            Viewer::Player(_) | Viewer::Spectator => None,
        };
        View { board: state.board.clone(), steps: state.steps, own }
    }

    fn view_key(&self, viewer: Viewer) -> ViewKey {
        match viewer {
            Viewer::Player(player) => ViewKey::Player(player),
            Viewer::Spectator => ViewKey::Spectators,
        }
    }
}
