//! What games by turns have in common: whose turn it is, choices made at once, and how long they may take.
//!
//! All of it is plain data for a game's state. Nothing here reads a clock, sets a timer or calls back:
//! the game says what has happened, and asks what follows.

mod clock;
mod order;
mod simultaneous;

pub use clock::TurnClock;
pub use order::{Removal, TurnOrder};
pub use simultaneous::{Simultaneous, SubmitError};
