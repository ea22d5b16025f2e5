//! What each viewer was sent, kept to look for leaks in.
//!
//! Kept as the text that was sent, so that what is looked through is what left the room. Texts that several
//! viewers got are kept once. A full record says so instead of forgetting: a check on half of what was
//! sent would prove nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parlor_core::{PlayerId, Viewer};
use serde_json::Value;

/// What a record may hold, in bytes. Look for leaks earlier, or
/// [forget](crate::Playroom::forget_sent) what was looked through.
pub const RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Something that a viewer was sent, or would have been sent had it asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    pub(crate) kind: SentKind,
    pub(crate) change: u64,
    pub(crate) text: Arc<str>,
}

/// What kind of thing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentKind {
    /// The game's view of its state for this viewer.
    View,
    /// An event of the game's whose audience this viewer is in.
    Event,
    /// How the game ended.
    Outcome,
    /// Why the game refused what this player wanted.
    Refusal,
}

impl Sent {
    /// What kind of thing it is.
    pub fn kind(&self) -> SentKind {
        self.kind
    }

    /// The number of the change that it came of, counted from 1.
    pub fn change(&self) -> u64 {
        self.change
    }

    /// What was sent, as JSON.
    pub fn json(&self) -> &str {
        &self.text
    }

    /// What was sent, as a tree.
    pub fn tree(&self) -> Value {
        serde_json::from_str(&self.text).expect("it was written as JSON")
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of change {}: {}", self.kind, self.change, self.text)
    }
}

impl fmt::Display for SentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::View => "view",
            Self::Event => "event",
            Self::Outcome => "outcome",
            Self::Refusal => "refusal",
        })
    }
}

/// Who is sent something: a seat, whoever is in it and in what role; or one who only watches,
/// whether or not there is one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Seat(PlayerId),
    Watcher,
}

impl From<Viewer> for Who {
    fn from(viewer: Viewer) -> Self {
        match viewer {
            Viewer::Player(player) => Self::Seat(player),
            Viewer::Spectator => Self::Watcher,
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seat(player) => write!(f, "player {player}"),
            Self::Watcher => f.write_str("a spectator"),
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Record {
    sent: BTreeMap<Who, Vec<Sent>>,
    /// The last view of each, which is not kept again while it stays the same.
    views: BTreeMap<Who, Arc<str>>,
    /// What was put last.
    last: Option<Arc<str>>,
    bytes: usize,
    is_full: bool,
    is_off: bool,
}

impl Record {
    pub(crate) fn turn_off(&mut self) {
        self.forget();
        self.is_off = true;
    }

    pub(crate) fn turn_on(&mut self) {
        self.is_off = false;
    }

    pub(crate) fn is_off(&self) -> bool {
        self.is_off
    }

    /// Forgets everything. The next change shows everyone its view anew.
    pub(crate) fn forget(&mut self) {
        *self = Self { is_off: self.is_off, ..Self::default() };
    }

    pub(crate) fn put(&mut self, who: Who, kind: SentKind, change: u64, text: &Arc<str>) {
        if self.is_off || self.is_full {
            return;
        }
        if kind == SentKind::View {
            if self.views.get(&who).is_some_and(|last| last == text) {
                return;
            }
            self.views.insert(who, Arc::clone(text));
        }
        // Those who get the same get it one after the other.
        let is_shared = self.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, text));
        self.bytes += size_of::<Sent>() + if is_shared { 0 } else { text.len() };
        self.last = Some(Arc::clone(text));
        if self.bytes > RECORD_BYTES_MAX {
            self.is_full = true;
            return;
        }
        self.sent.entry(who).or_default().push(Sent { kind, change, text: Arc::clone(text) });
    }

    /// Everything that each was sent, or why that cannot be said.
    pub(crate) fn all(&self) -> Result<&BTreeMap<Who, Vec<Sent>>, &'static str> {
        match (self.is_off, self.is_full) {
            (true, _) => Err("what is sent is not kept in games that bots play among themselves"),
            (_, true) => {
                Err("more was sent than is kept (RECORD_BYTES_MAX): look for leaks earlier \
                              and `forget_sent` what was looked through")
            }
            (false, false) => Ok(&self.sent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_record_says_so_and_forgets_nothing_in_silence() {
        let mut record = Record::default();
        let half: Arc<str> = "x".repeat(RECORD_BYTES_MAX / 2 - size_of::<Sent>()).into();
        let other: Arc<str> = "y".repeat(half.len()).into();
        // One text is kept once, however many get it; the views of each viewer that stay the same, too.
        for who in [Who::Seat(PlayerId(1)), Who::Watcher, Who::Watcher] {
            record.put(who, SentKind::View, 1, &half);
        }
        let kept =
            |record: &Record| record.all().map(|all| all.values().map(Vec::len).sum::<usize>());
        assert_eq!(kept(&record), Ok(2));
        assert_eq!(record.bytes, half.len() + 2 * size_of::<Sent>());

        record.put(Who::Watcher, SentKind::View, 2, &other);
        assert!(kept(&record).unwrap_err().contains("more was sent than is kept"));
        record.forget();
        record.put(Who::Watcher, SentKind::View, 3, &other);
        assert_eq!(kept(&record), Ok(1));
    }
}
