//! The load tool: what a server holds, and what the next player will cost.
//!
//! A generator on one thread (`fleet`, `socket`) plays a small game of its own (`echo`) with a server in
//! another process (`target`, `process`), in turn with a bare `hub`, so that what the machine allows is known
//! as well. `crowd` lets players sit down, `steady` lets them act; a file of its own has each other scenario.
//! What is found is a `report`.

pub mod capacity;
mod crowd;
mod echo;
mod fleet;
mod foreign;
mod games;
pub mod hub;
mod mixed;
mod objective;
mod process;
pub mod report;
mod scrape;
pub mod serve;
mod socket;
mod stamp;
mod steady;
mod storms;
mod target;

use crowd::Crowd;

pub use crowd::CrowdError;
pub use games::BoxedGame;
pub use objective::{Objective, ParseObjectiveError};
