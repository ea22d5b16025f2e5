//! The gateway as a client sees it, without a socket: frames in, messages out.
//!
//! Time is paused nearly everywhere, so that a minute of grace takes no time and every run is the
//! same. `support` has the client and the test doubles, `probe` a game with something to hide and
//! a trap in every callback.

mod arena;
mod board;
mod bots;
mod bounds;
mod closing;
mod cluster;
mod delay;
mod failures;
mod garbage;
mod hosting;
mod leaks;
mod liars_dice;
mod listings;
mod logs;
mod order;
mod outside;
mod patches;
mod play;
mod probe;
mod readers;
mod refusals;
mod remembered;
mod requests;
mod resume;
mod secrecy;
mod sessions;
mod states;
mod steps;
mod support;
mod told;
mod wakes;
