//! Tic-tac-toe: the smallest complete game, and the one to read first.
//!
//! The game begins by itself when both seats are taken. Lots decide who is X and moves first.
//! Three in a row win, a full board is a draw, and who leaves has lost. There is nothing to
//! hide, so everyone shares one view.

mod board;
mod bot;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use parlor_core::rand::RngExt as _;
use parlor_core::{
    About, Bot, Bounded, Ctx, Game, GameError, Never, PlayerId, PlayerMap, Rules, ViewKey, Viewer,
};
use serde::{Deserialize, Serialize};

use bot::Level;

pub use board::{Board, Square};

/// The rules of tic-tac-toe.
#[derive(Clone, Copy, Debug, Default)]
pub struct TicTacToe;

/// There is nothing to choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {}

/// The board, who plays, and who has won.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    board: Board,
    /// X and O. `None` until the game begins.
    players: Option<[PlayerId; 2]>,
    winner: Option<PlayerId>,
}

/// Marks a square.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// From the top.
    pub row: Bounded<0, 2>,
    /// From the left.
    pub col: Bounded<0, 2>,
}

/// What everyone sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The squares, row by row.
    pub board: Board,
    /// Each player's mark; empty before the start.
    pub symbols: PlayerMap<Square>,
    /// Who is to move, while the game is on.
    pub turn: Option<PlayerId>,
    /// Who has won.
    pub winner: Option<PlayerId>,
    /// Whether the board is full and nobody has won.
    pub draw: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Who has won; nobody, when it is a draw.
    pub winner: Option<PlayerId>,
}

impl Game for TicTacToe {
    const GAME_TYPE: &'static str = "tictactoe";

    type Options = Options;
    type State = State;
    type Action = Action;
    type Event = Never;
    type View = View;
    type Timer = Never;
    type Outcome = Outcome;

    fn about(&self) -> About {
        About::new("Tic-tac-toe", 2, 2).with_bots(&["easy", "perfect"])
    }

    fn rules(&self, _options: &Options) -> Rules {
        Rules::seats(2, 2)
    }

    fn setup(&self, _options: &Options, _ctx: &mut Ctx<'_, Self>) -> Result<State, GameError> {
        Ok(State::default())
    }

    fn on_start(&self, state: &mut State, ctx: &mut Ctx<'_, Self>) -> Result<(), GameError> {
        let mut players = <[PlayerId; 2]>::try_from(ctx.player_ids())
            .map_err(|_| GameError::new("NOT_READY", "two players are needed"))?;
        if ctx.rng().random() {
            players.reverse();
        }
        state.players = Some(players);
        Ok(())
    }

    fn on_action(
        &self,
        state: &mut State,
        player: PlayerId,
        at: Action,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        if state.turn() != Some(player) {
            return Err(GameError::not_your_turn());
        }
        if state.board.at(at) != Square::Free {
            return Err(GameError::invalid_move("the cell is taken")
                .with("rule", "cell_taken")
                .with("row", at.row.get())
                .with("col", at.col.get()));
        }

        state.board = state.board.after(at);
        if state.board.has_line() {
            state.winner = Some(player);
        }
        if state.winner.is_some() || state.board.is_full() {
            ctx.finish(Outcome { winner: state.winner });
        }
        Ok(())
    }

    fn on_leave(
        &self,
        state: &mut State,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        // In the lobby there is nothing to lose yet.
        if let Some(players) = state.players {
            state.winner = players.into_iter().find(|other| *other != player);
            ctx.finish(Outcome { winner: state.winner });
        }
        Ok(())
    }

    fn view(&self, state: &State, _viewer: Viewer) -> View {
        View {
            board: state.board,
            symbols: state
                .players
                .into_iter()
                .flat_map(|[x, o]| [(x, Square::X), (o, Square::O)])
                .collect(),
            turn: state.turn(),
            winner: state.winner,
            draw: state.winner.is_none() && state.board.is_full(),
        }
    }

    fn view_key(&self, _viewer: Viewer) -> ViewKey {
        ViewKey::Everyone
    }

    fn bot(&self, level: &str) -> Option<Arc<dyn Bot<Self>>> {
        match level {
            "easy" => Some(Arc::new(Level::Easy)),
            "perfect" => Some(Arc::new(Level::Perfect)),
            _ => None,
        }
    }
}

impl State {
    /// Who is to move, while the game is on.
    fn turn(&self) -> Option<PlayerId> {
        let [x, o] = self.players?;
        if self.winner.is_some() || self.board.is_full() {
            return None;
        }
        Some(if self.board.next_mark() == Square::X { x } else { o })
    }
}
