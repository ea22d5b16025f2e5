//! Sessions in Redis: `parlor:session:{digest}` is the room's code, for as long as the session lives.

use std::time::Duration;

use super::{Redis, millis};
use crate::{Session, SessionKey, SessionStore, StoreError};

/// A [`SessionStore`] on Redis.
#[derive(Clone, Debug)]
pub struct RedisSessionStore {
    redis: Redis,
}

impl RedisSessionStore {
    /// Sessions over this way.
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    fn key(&self, SessionKey(digest): SessionKey) -> String {
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.redis.key("session", hex)
    }
}

impl SessionStore for RedisSessionStore {
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        let room: Option<String> = self.redis.run(::redis::cmd("GET").arg(self.key(key))).await?;
        Ok(room.map(|room| Session { room }))
    }

    async fn save(
        &self,
        key: SessionKey,
        session: Session,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let mut set = ::redis::cmd("SET");
        set.arg(self.key(key)).arg(session.room).arg("PX").arg(millis(ttl));
        self.redis.run(&set).await
    }

    async fn save_new(
        &self,
        key: SessionKey,
        session: Session,
        ttl: Duration,
    ) -> Result<Option<Session>, StoreError> {
        let mut set = ::redis::cmd("SET");
        set.arg(self.key(key)).arg(session.room).arg("PX").arg(millis(ttl)).arg("NX").arg("GET");
        let known: Option<String> = self.redis.run(&set).await?;
        Ok(known.map(|room| Session { room }))
    }

    async fn remove(&self, key: SessionKey) -> Result<(), StoreError> {
        self.redis.run::<u64>(::redis::cmd("DEL").arg(self.key(key))).await.map(|_| ())
    }
}
