//! Operators who are logged in.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

/// The sessions of operators, by digests of what their cookies hold.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Instant>>);

impl Sessions {
    /// A new session: what its cookie holds.
    pub(super) fn open(&self) -> String {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the system has random numbers");
        let cookie: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut sessions = self.0.lock();
        let now = Instant::now();
        sessions.retain(|_, opened| now.duration_since(*opened) < LIFETIME);
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, opened)| **opened).map(|(key, _)| *key);
            oldest.map(|oldest| sessions.remove(&oldest));
        }
        sessions.insert(digest(&cookie), now);
        cookie
    }

    /// Whether this is the cookie of a session.
    pub(super) fn know(&self, cookie: &str) -> bool {
        // Looked up by digest: how long that takes says nothing of the cookies there are.
        let opened = self.0.lock().get(&digest(cookie)).copied();
        opened.is_some_and(|opened| opened.elapsed() < LIFETIME)
    }

    /// Ends a session.
    pub(super) fn close(&self, cookie: &str) {
        self.0.lock().remove(&digest(cookie));
    }
}

fn digest(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie.as_bytes()).into()
}

/// How long a login lasts.
pub(super) const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// Logins at a time. One more ends the oldest.
const SESSIONS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_known_until_they_are_closed_or_too_many() {
        let sessions = Sessions::default();
        let first = sessions.open();
        assert!(sessions.know(&first) && !sessions.know(""));
        let second = sessions.open();
        sessions.close(&second);
        assert!(sessions.know(&first) && !sessions.know(&second));
        for _ in 0..SESSIONS_MAX {
            sessions.open();
        }
        assert!(!sessions.know(&first), "the oldest makes room");
        assert_eq!(sessions.0.lock().len(), SESSIONS_MAX);
    }
}
