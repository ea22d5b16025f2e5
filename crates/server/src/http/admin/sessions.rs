//! Operators who are logged in.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

/// The sessions of operators, by digests of what their cookies hold.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

#[derive(Clone, Copy, Debug)]
struct Session {
    opened: Instant,
    /// Of the token that opened it: when that is no longer the administrator's, nor is this a session any more.
    token: [u8; 32],
}

impl Sessions {
    /// A new session, opened by the administrator's token: what its cookie holds.
    pub(super) fn open(&self, token: &str) -> String {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the system has random numbers");
        let cookie: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut sessions = self.0.lock();
        let now = Instant::now();
        sessions.retain(|_, session| now.duration_since(session.opened) < LIFETIME);
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.opened);
            let oldest = oldest.map(|(key, _)| *key);
            oldest.map(|oldest| sessions.remove(&oldest));
        }
        sessions.insert(digest(&cookie), Session { opened: now, token: digest(token) });
        cookie
    }

    /// Whether this is the cookie of a session that the administrator's present token has opened.
    pub(super) fn know(&self, cookie: &str, token: &str) -> bool {
        // Looked up by digest: how long that takes says nothing of the cookies there are.
        let session = self.0.lock().get(&digest(cookie)).copied();
        session.is_some_and(|session| {
            session.opened.elapsed() < LIFETIME && session.token == digest(token)
        })
    }

    /// Ends a session.
    pub(super) fn close(&self, cookie: &str) {
        self.0.lock().remove(&digest(cookie));
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// How long a login lasts.
pub(super) const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// Logins at a time. One more ends the oldest.
const SESSIONS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_known_until_they_are_closed_or_too_many_or_the_token_is_another() {
        let sessions = Sessions::default();
        let known = |cookie: &str| sessions.know(cookie, "token");
        let first = sessions.open("token");
        assert!(known(&first) && !known(""));
        assert!(!sessions.know(&first, "another token"));
        let second = sessions.open("token");
        sessions.close(&second);
        assert!(known(&first) && !known(&second));
        for _ in 0..SESSIONS_MAX {
            sessions.open("token");
        }
        assert!(!known(&first), "the oldest makes room");
        assert_eq!(sessions.0.lock().len(), SESSIONS_MAX);
    }
}
