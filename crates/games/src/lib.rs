//! The games that the server ships, each a model of one capability.
//!
//! - [`tictactoe`] is the smallest complete game: two seats, one kind of action, no secrets.
//! - [`arena`] is real time: steps, patches, late joining, two to sixteen players who run about.
//! - [`farkle`] is dice: randomness, a turn clock, options, two to six players who may leave.
//!
//! They use nothing but `parlor-core`, as a game of your own would. What is the room's, such as
//! seats, starting, lost connections and rematches, is not in here.

pub mod arena;
pub mod farkle;
#[cfg(test)]
mod playroom;
pub mod tictactoe;

pub use arena::Arena;
pub use farkle::Farkle;
pub use tictactoe::TicTacToe;
