//! Sessions in memory.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{Session, SessionKey, SessionStore, StoreError};

/// The most sessions a [`MemorySessionStore`] holds by default. Each takes about 200 bytes.
pub const SESSIONS_MAX: usize = 1_000_000;

/// Sessions in memory, gone with the process.
///
/// Expired ones give their place back as others are saved; no task sweeps.
#[derive(Debug)]
pub struct MemorySessionStore {
    sessions_max: usize,
    /// Guards the sessions and the order in which they expire.
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    sessions: HashMap<SessionKey, (Instant, Session)>,
    by_expiry: BTreeSet<(Instant, SessionKey)>,
}

impl MemorySessionStore {
    /// A store for up to [`SESSIONS_MAX`] sessions.
    pub fn new() -> Self {
        Self::with_bound(SESSIONS_MAX)
    }

    /// A store for up to `sessions_max` sessions. One more is refused as [`StoreError::Full`].
    pub fn with_bound(sessions_max: usize) -> Self {
        Self { sessions_max, table: Mutex::default() }
    }
}

impl Default for MemorySessionStore {
    fn default() -> Self {
        Self::new()
    }
}

impl SessionStore for MemorySessionStore {
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        let now = Instant::now();
        let table = self.table.lock();
        let live = table.sessions.get(&key).filter(|(expiry, _)| *expiry > now);
        Ok(live.map(|(_, session)| session.clone()))
    }

    async fn save(
        &self,
        key: SessionKey,
        session: Session,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let now = Instant::now();
        self.table.lock().save(key, session, now, ttl, self.sessions_max)
    }

    async fn save_new(
        &self,
        key: SessionKey,
        session: Session,
        ttl: Duration,
    ) -> Result<Option<Session>, StoreError> {
        let now = Instant::now();
        let mut table = self.table.lock();
        if let Some((_, known)) = table.sessions.get(&key).filter(|(expiry, _)| *expiry > now) {
            return Ok(Some(known.clone()));
        }
        table.save(key, session, now, ttl, self.sessions_max).map(|()| None)
    }

    async fn remove(&self, key: SessionKey) -> Result<(), StoreError> {
        self.table.lock().remove(key);
        Ok(())
    }
}

impl Table {
    fn save(
        &mut self,
        key: SessionKey,
        session: Session,
        now: Instant,
        ttl: Duration,
        sessions_max: usize,
    ) -> Result<(), StoreError> {
        self.drop_expired(now);
        self.remove(key);
        if self.sessions.len() >= sessions_max {
            return Err(StoreError::Full);
        }
        let expiry = now + ttl;
        self.sessions.insert(key, (expiry, session));
        self.by_expiry.insert((expiry, key));
        Ok(())
    }

    fn remove(&mut self, key: SessionKey) {
        if let Some((expiry, _)) = self.sessions.remove(&key) {
            self.by_expiry.remove(&(expiry, key));
        }
    }

    /// Each session is dropped once, so this costs no more than saving did.
    fn drop_expired(&mut self, now: Instant) {
        while let Some(&(expiry, key)) = self.by_expiry.first()
            && expiry <= now
        {
            self.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> SessionKey {
        SessionKey([n; 32])
    }

    fn session() -> Session {
        Session { room: "ROOM".into() }
    }

    const TTL: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn one_session_more_than_the_bound_is_refused_until_one_expires() {
        let store = MemorySessionStore::with_bound(2);
        store.save(key(1), session(), TTL).await.unwrap();
        store.save(key(2), session(), TTL * 2).await.unwrap();
        assert_eq!(store.save(key(3), session(), TTL).await, Err(StoreError::Full));
        store.save(key(2), session(), TTL * 2).await.expect("replacing takes no more room");

        tokio::time::advance(TTL).await;
        store.save(key(3), session(), TTL).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn expired_sessions_give_their_memory_back() {
        let store = MemorySessionStore::new();
        for n in 0..100 {
            store.save(key(n), session(), TTL).await.unwrap();
        }
        tokio::time::advance(TTL).await;
        store.save(key(200), session(), TTL).await.unwrap();
        let table = store.table.lock();
        assert_eq!((table.sessions.len(), table.by_expiry.len()), (1, 1));
    }
}
