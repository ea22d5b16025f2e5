//! Games tried out without a server: simulated players, simulated time, and strict about both.
//!
//! - [`Playroom`] is a real room that a test drives: people join, act, lose their connection, come back, and time
//!   passes as the test says. It shows what each viewer saw and was told.
//! - [`Playroom::assert_never_sent`] and [`Twins`] look for what a viewer was sent and must not know.
//! - [`BotGames`] lets bots play whole games against each other, with what must hold at every change.
//! - [`check_game`] does, in one line, all the checks that fit every game.
//!
//! A room of this kit fails the test where a server would only log: when a callback fails that nothing can
//! refuse, a bot breaks the rules, a view cannot be sent. [`Playroom::tolerant`] takes that back, for tests about
//! it.
//!
//! Nothing here is async, opens a socket or reads a clock to decide anything. The guide is
//! `docs/testing.md`.

mod bot_games;
mod check_game;
mod encoding;
mod mishap;
mod playroom;
mod record;
mod replay;
mod secret;
mod twins;

pub use bot_games::{BotGames, moves};
pub use check_game::{check_game, check_game_with};
pub use mishap::{MISHAPS_MAX, Mishap};
pub use playroom::{CALLS_AT_ONE_MOMENT_MAX, EVENTS_KEPT_MAX, Playroom};
pub use record::{RECORD_BYTES_MAX, Sent, SentKind};
pub use twins::Twins;

/// The guide for authors, whose examples are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/testing.md")]
struct Guide;
