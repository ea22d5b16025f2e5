//! What a server would log and a test should fail at.

use std::fmt;

use parlor_core::{Failure, PlayerId, Refusal};

/// Mishaps that a [tolerant](crate::Playroom::tolerant) room keeps; later ones are dropped.
pub const MISHAPS_MAX: usize = 1024;

/// Something that goes wrong in a game without anyone being refused for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Mishap {
    /// A callback failed where nothing can be refused, or broke down.
    Callback(Failure),
    /// A bot broke down, or the view that it was to decide on.
    BotBrokeDown(PlayerId, Failure),
    /// A bot did what the game refuses, in the very state that it had decided on.
    BotRefused(PlayerId, Refusal),
    /// Something that is to be sent is not as the protocol has it.
    Unsendable(String),
    /// Two viewers with the same key see two things, so that one is sent what the other sees.
    ViewKey(String),
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Callback(failure) => write!(f, "a callback failed: {failure}"),
            Self::BotBrokeDown(player, failure) => {
                write!(f, "the bot of player {player} broke down: {failure}")
            }
            Self::BotRefused(player, refusal) => {
                write!(f, "the bot of player {player} broke the rules: {refusal}")
            }
            Self::Unsendable(why) => write!(f, "it cannot be sent: {why}"),
            Self::ViewKey(why) => write!(f, "viewers with the same key must see the same: {why}"),
        }
    }
}
