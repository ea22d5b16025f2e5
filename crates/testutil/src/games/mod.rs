//! Small games, each there to make one thing easy to see.
//!
//! - [`Counting`] has the smallest state there is: what a room itself costs and does.
//! - [`Secrets`] deals numbers that nobody else may see, so large that one found anywhere in what a
//!   client was sent is a leak and no accident.
//! - [`Failing`] refuses, panics and breaks off half-way, when it is asked to.
//! - [`Ledger`] counts and numbers what reaches it: nothing is lost or done twice unseen.

mod counting;
mod failing;
mod ledger;
mod secrets;

pub use counting::{Add, Added, Counting, Total};
pub use failing::{Attempt, Failing, Fault, Marks, Noted};
pub use ledger::{Books, Entry, Ledger, Page, Terms, Told};
pub use secrets::{Dealt, Hands, Known, Secrets, Show, Shown};

use serde::{Deserialize, Serialize};

/// What a game answers with when there is nothing to say: that it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {}

/// How many seats a room has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seats {
    /// Seats for players; the room starts when the last is taken. Defaults to 2.
    #[serde(default = "two")]
    pub seats: u16,
}

fn two() -> u16 {
    2
}
