//! Bots for tic-tac-toe: one that marks any free square, and one that never loses.

use parlor_core::rand::seq::IndexedRandom as _;
use parlor_core::{Bot, GameRng, PlayerId};

use super::{Action, Board, TicTacToe, View};

/// How well a bot plays.
#[derive(Clone, Copy, Debug)]
pub(super) enum Level {
    /// Marks any free square.
    Easy,
    /// Never loses, and wins as soon as it can.
    Perfect,
}

impl Bot<TicTacToe> for Level {
    fn decide(&self, view: &View, me: PlayerId, rng: &mut GameRng) -> Option<Action> {
        if view.turn != Some(me) {
            return None;
        }
        let moves = match self {
            Self::Easy => view.board.free().collect(),
            Self::Perfect => best_moves(view.board),
        };
        moves.choose(rng).copied()
    }
}

/// The moves that nothing beats, for whoever is to move.
fn best_moves(board: Board) -> Vec<Action> {
    // The two openings that would take long to search are known: every first move leads to a
    // draw, and the answer to it is the centre, or a corner when the centre is taken.
    if board.marks() == 0 {
        return board.free().collect();
    }
    if board.marks() == 1 {
        let is_centre = |at: &Action| at.row.get() == 1 && at.col.get() == 1;
        let is_corner = |at: &Action| at.row.get() != 1 && at.col.get() != 1;
        return match board.free().find(is_centre) {
            Some(centre) => vec![centre],
            None => board.free().filter(is_corner).collect(),
        };
    }
    let mut best = Vec::new();
    let mut best_outlook = 1 - SURE_WIN;
    for at in board.free() {
        // One below the best, so that an equally good move is known from a worse one.
        let outlook = -outlook(board.after(at), -SURE_WIN, 1 - best_outlook);
        if outlook > best_outlook {
            best.clear();
            best_outlook = outlook;
        }
        if outlook == best_outlook {
            best.push(at);
        }
    }
    best
}

/// How the game ends for whoever is to move if both play well: above 0 is a win, the higher the
/// sooner. Exact between `floor` and `ceiling`; outside of them the search stops early.
fn outlook(board: Board, mut floor: i8, ceiling: i8) -> i8 {
    if board.has_line() {
        // The last mark made it, so the one to move has lost.
        return board.marks() - SURE_WIN;
    }
    if board.is_full() {
        return 0;
    }
    for at in board.free() {
        floor = floor.max(-outlook(board.after(at), -ceiling, -floor));
        if floor >= ceiling {
            break;
        }
    }
    floor
}

/// More than any outlook: a win is this less the marks on the board.
const SURE_WIN: i8 = 16;

#[cfg(test)]
mod tests {
    use super::super::{Square, tests::at};
    use super::*;

    /// Plays every reply against every best move from `board` on, and counts the games.
    fn play_out(board: Board, perfect_moves: bool, games: &mut u32) {
        if board.has_line() {
            assert!(!perfect_moves, "the perfect player has lost: {board:?}");
        }
        if board.has_line() || board.is_full() {
            *games += 1;
            return;
        }
        let moves = if perfect_moves { best_moves(board) } else { board.free().collect() };
        assert!(moves.iter().all(|at| board.at(*at) == Square::Free));
        for at in moves {
            play_out(board.after(at), !perfect_moves, games);
        }
    }

    #[test]
    fn perfect_bot_loses_no_game_that_can_be_played_against_it() {
        for moves_first in [true, false] {
            let mut games = 0;
            play_out(Board::default(), moves_first, &mut games);
            assert!(games > 100, "{games} games are not all");
        }
    }

    #[test]
    fn perfect_bot_takes_the_win_at_hand() {
        let marks = [(0, 0), (1, 1), (0, 1), (2, 2)];
        let board =
            marks.into_iter().fold(Board::default(), |board, (row, col)| board.after(at(row, col)));
        assert_eq!(best_moves(board), [at(0, 2)]);
    }
}
