//! Nine squares: who moves next, what is free, whether there are three in a row.
//!
//! Knows nothing of players. X moves first, so the marks on the board say whose move it is.

use parlor_core::Bounded;
use serde::{Deserialize, Serialize};

use super::Action;

/// The board, row by row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Board([[Square; SIZE]; SIZE]);

/// What stands on a square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Square {
    /// Nothing.
    #[default]
    #[serde(rename = "")]
    Free,
    /// The mark of the player who moves first.
    X,
    /// The mark of the other.
    O,
}

impl Board {
    /// What stands on the square that `at` names.
    pub fn at(&self, at: Action) -> Square {
        self.0[at.row.index()][at.col.index()]
    }

    /// The mark that is set next.
    pub fn next_mark(&self) -> Square {
        if self.marks() % 2 == 0 { Square::X } else { Square::O }
    }

    /// The board after the next mark was set where `at` says.
    #[must_use]
    pub fn after(mut self, at: Action) -> Self {
        self.0[at.row.index()][at.col.index()] = self.next_mark();
        self
    }

    /// The squares that can be marked.
    pub fn free(&self) -> impl Iterator<Item = Action> {
        INDICES
            .iter()
            .flat_map(|row| INDICES.iter().map(|col| Action { row: *row, col: *col }))
            .filter(|at| self.at(*at) == Square::Free)
    }

    /// Whether no square is free.
    pub fn is_full(&self) -> bool {
        self.0.as_flattened().iter().all(|square| *square != Square::Free)
    }

    /// Whether somebody has three in a row. It can only be who set the last mark.
    pub fn has_line(&self) -> bool {
        LINES.iter().any(|line| {
            let [a, b, c] = line.map(|(row, col)| self.0[row][col]);
            a != Square::Free && a == b && b == c
        })
    }

    /// How many squares are marked.
    pub fn marks(&self) -> i8 {
        self.0.as_flattened().iter().map(|square| i8::from(*square != Square::Free)).sum()
    }
}

const SIZE: usize = 3;

const INDICES: [Bounded<0, 2>; SIZE] = [
    Bounded::new(0).expect("within the bounds"),
    Bounded::new(1).expect("within the bounds"),
    Bounded::new(2).expect("within the bounds"),
];

const LINES: [[(usize, usize); SIZE]; 8] = [
    [(0, 0), (0, 1), (0, 2)],
    [(1, 0), (1, 1), (1, 2)],
    [(2, 0), (2, 1), (2, 2)],
    [(0, 0), (1, 0), (2, 0)],
    [(0, 1), (1, 1), (2, 1)],
    [(0, 2), (1, 2), (2, 2)],
    [(0, 0), (1, 1), (2, 2)],
    [(0, 2), (1, 1), (2, 0)],
];
