//! A string that must not reach a log.

use std::fmt;

use serde::{Deserialize, Serialize};
use validator::ValidateLength;

/// A session token, a password or a joining key. Its `Debug` shows nothing of it.
///
/// Comparing two with `==` takes a time that depends on them: compare hashes, or in
/// constant time, where an attacker can measure.
#[derive(Clone, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, to hash it or to send it to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl ValidateLength<u64> for Secret {
    fn length(&self) -> Option<u64> {
        ValidateLength::<u64>::length(&self.0)
    }
}
