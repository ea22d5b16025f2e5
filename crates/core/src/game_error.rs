//! Why a game refuses: a stable code, a sentence, and details that a program can use.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Scalar;

/// A game's refusal, as the player who asked receives it.
///
/// Put into it only what that player may know.
///
/// ```
/// use parlor_core::GameError;
///
/// let error = GameError::invalid_move("the cell is taken").with("row", 1_i64);
/// assert_eq!(error.code(), "INVALID_MOVE");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GameError {
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    details: BTreeMap<Cow<'static, str>, Scalar>,
}

impl GameError {
    /// An error with a code of the game's own, in SCREAMING_SNAKE_CASE.
    pub fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), message: message.into(), details: BTreeMap::new() }
    }

    /// A well-formed action that breaks a rule.
    pub fn invalid_move(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new("INVALID_MOVE", message)
    }

    /// It is another player's turn.
    pub fn not_your_turn() -> Self {
        Self::new("NOT_YOUR_TURN", "it is not your turn")
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Scalar>) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// A sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Facts for programs, by name.
    pub fn details(&self) -> &BTreeMap<Cow<'static, str>, Scalar> {
        &self.details
    }
}

impl fmt::Display for GameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for GameError {}
