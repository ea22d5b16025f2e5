//! The games that the server ships, each a model of one capability.
//!
//! - [`tictactoe`] is the smallest complete game: two seats, one kind of action, no secrets.
//! - [`farkle`] is dice: randomness, a turn clock, options, two to six players who may leave.
//! - [`liars_dice`] is bluffing: hidden dice, elimination, spectators who see no more than they should.
//!
//! They use nothing but `parlor-core`, as a game of your own would. What is the room's, such as
//! seats, starting, lost connections and rematches, is not in here.

#[cfg(test)]
mod bot_games;
pub mod farkle;
pub mod liars_dice;
#[cfg(test)]
mod playroom;
pub mod tictactoe;

pub use farkle::Farkle;
pub use liars_dice::LiarsDice;
pub use tictactoe::TicTacToe;
