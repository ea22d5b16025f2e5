//! The games that the server ships, each a model of one capability.
//!
//! - [`tictactoe`] is the smallest complete game: two seats, one kind of action, no secrets.
//! - [`arena`] is real time: steps, patches, late joining, two to sixteen players who run about.
//! - [`farkle`] is dice: randomness, a turn clock, options, two to six players who may leave.
//! - [`liars_dice`] is bluffing: hidden dice, elimination, spectators who see no more than they should.
//!
//! They use nothing but `parlor-core`, as a game of your own would. What is the room's, such as
//! seats, starting, lost connections and rematches, is not in here.

pub mod arena;
#[cfg(test)]
mod bot_games;
pub mod farkle;
pub mod liars_dice;
pub mod tictactoe;

pub use arena::Arena;
pub use farkle::Farkle;
pub use liars_dice::LiarsDice;
pub use tictactoe::TicTacToe;
