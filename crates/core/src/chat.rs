//! The last lines of a room's chat.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{PlayerId, Time};

/// Lines that a room keeps for those who come later.
pub const CHAT_LINES_MAX: usize = 50;

/// One line of chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatLine {
    /// Who said it.
    pub player: PlayerId,
    /// Its name at the time; the player may be gone since.
    pub name: Arc<str>,
    /// What was said.
    pub text: String,
    /// When.
    pub at: Time,
    /// Whether only those who watch may hear it.
    pub is_aside: bool,
}

/// The last lines, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ChatLog(VecDeque<Arc<ChatLine>>);

impl ChatLog {
    /// Adds a line; beyond [`CHAT_LINES_MAX`] the oldest goes.
    pub(crate) fn push(&mut self, line: Arc<ChatLine>) {
        if self.0.len() == CHAT_LINES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }

    pub(crate) fn lines(&self) -> impl ExactSizeIterator<Item = &ChatLine> {
        self.0.iter().map(Arc::as_ref)
    }
}
