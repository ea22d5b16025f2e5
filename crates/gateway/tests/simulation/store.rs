//! A session store that lets a request wait when it is told to.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use parlor_store::{Session, SessionKey, SessionStore, StoreError};

#[derive(Default)]
pub(crate) struct WaitingStore {
    sessions: Mutex<BTreeMap<SessionKey, Session>>,
    /// Who asks next must ask twice.
    pub(crate) is_slow: AtomicBool,
}

impl WaitingStore {
    async fn reach(&self) {
        std::future::poll_fn(|_| match self.is_slow.swap(false, Ordering::Relaxed) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        })
        .await;
    }
}

impl SessionStore for WaitingStore {
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        self.reach().await;
        Ok(self.sessions.lock().unwrap().get(&key).cloned())
    }

    async fn save(
        &self,
        key: SessionKey,
        session: Session,
        _ttl: Duration,
    ) -> Result<(), StoreError> {
        self.reach().await;
        self.sessions.lock().unwrap().insert(key, session);
        Ok(())
    }

    async fn save_new(
        &self,
        key: SessionKey,
        session: Session,
        _ttl: Duration,
    ) -> Result<Option<Session>, StoreError> {
        self.reach().await;
        let mut sessions = self.sessions.lock().unwrap();
        let known = sessions.get(&key).cloned();
        sessions.entry(key).or_insert(session);
        Ok(known)
    }

    async fn remove(&self, key: SessionKey) -> Result<(), StoreError> {
        self.sessions.lock().unwrap().remove(&key);
        Ok(())
    }
}
