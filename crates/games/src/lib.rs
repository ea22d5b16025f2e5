//! The games that the server ships, each a model of one capability.
//!
//! - [`tictactoe`] is the smallest complete game: two seats, one kind of action, no secrets.
//! - [`farkle`] is dice: randomness, a turn clock, options, two to six players who may leave.
//!
//! They use nothing but `parlor-core`, as a game of your own would. What is the room's, such as
//! seats, starting, lost connections and rematches, is not in here.

pub mod farkle;
pub mod tictactoe;

pub use farkle::Farkle;
pub use tictactoe::TicTacToe;
