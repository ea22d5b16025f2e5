//! A player's name: what may be one, and its normal form.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::limits::NAME_CHARS_MAX;

/// A name of 1 to 32 characters, trimmed and in NFC, that other people can be shown.
///
/// It holds no control characters, no line or paragraph separators and none of the characters that
/// reorder text around them, so a name cannot disguise itself or what stands beside it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String")]
pub struct PlayerName(String);

impl PlayerName {
    /// Normalises `text` and checks what is left.
    pub fn parse(text: &str) -> Result<Self, PlayerNameError> {
        let mut name = String::new();
        for (count, character) in text.trim().nfc().enumerate() {
            if count == NAME_CHARS_MAX {
                return Err(PlayerNameError::Length);
            }
            if is_forbidden(character) {
                return Err(PlayerNameError::Character);
            }
            name.push(character);
        }
        if name.chars().all(is_invisible) {
            return Err(PlayerNameError::Length);
        }
        Ok(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no player's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PlayerNameError {
    /// Nothing visible is left after trimming, or more than 32 characters are.
    #[error("must be 1 to 32 characters after trimming")]
    Length,
    /// It has a control character, or one that reorders text.
    #[error("must not contain control or text direction characters")]
    Character,
}

impl PlayerNameError {
    /// Every way to fail.
    pub(crate) const ALL: [Self; 2] = [Self::Length, Self::Character];

    /// The code in `details.fields`.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Character => "forbidden_character",
        }
    }
}

impl fmt::Display for PlayerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PlayerName {
    type Error = PlayerNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// Control characters, and U+061C, U+200E, U+200F (marks), U+202A to U+202E (embeddings and overrides),
/// U+2066 to U+2069 (isolates), U+2028 and U+2029 (separators).
fn is_forbidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// Characters without a shape of their own. They are welcome inside a name (emoji and some scripts
/// join with them) and cannot be all of it.
fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{00ad}' | '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for PlayerName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PlayerName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "1 to 32 characters after trimming and NFC, without control and text direction characters.",
            "minLength": 1,
        })
    }
}
