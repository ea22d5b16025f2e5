//! The bus on Redis: an inbox is a channel, in a cluster one of a shard.
//!
//! Who listens has a task and a connection for it. The task ends when the receiving end is dropped, whatever it is at,
//! and its connection with it; nothing else ends it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::redis as client;
use client::{AsyncConnectionConfig, Cmd, PushInfo, PushKind, Value};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};

use super::Redis;
use crate::bus::INBOX_MESSAGES_MAX;
use crate::{Bus, StoreError};

/// A [`Bus`] on Redis.
#[derive(Clone, Debug)]
pub struct RedisBus {
    redis: Redis,
}

impl RedisBus {
    /// A bus over this way.
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    fn channel(&self, inbox: &str) -> String {
        self.redis.key("inbox", inbox)
    }
}

impl Bus for RedisBus {
    async fn send(&self, inbox: &str, message: Vec<u8>) -> Result<(), StoreError> {
        let name = if self.redis.is_cluster() { "SPUBLISH" } else { "PUBLISH" };
        let mut publish = client::cmd(name);
        publish.arg(self.channel(inbox)).arg(message);
        // How many have heard it does not say who has: in a cluster and behind Sentinels not all who listen are counted.
        self.redis.send::<u64>(&publish).await.map(|_listeners| ())
    }

    /// # Panics
    ///
    /// Outside of a tokio runtime.
    fn listen(&self, inbox: &str) -> mpsc::Receiver<Vec<u8>> {
        let (sender, receiver) = mpsc::channel(INBOX_MESSAGES_MAX);
        let name = if self.redis.is_cluster() { "SSUBSCRIBE" } else { "SUBSCRIBE" };
        let mut subscribe = client::cmd(name);
        subscribe.arg(self.channel(inbox));
        tokio::spawn(listen(self.redis.clone(), subscribe, sender));
        receiver
    }
}

async fn listen(redis: Redis, subscribe: Cmd, inbox: mpsc::Sender<Vec<u8>>) {
    tokio::select! {
        // What is dropped with the other arm is a connection that nobody listens to any more.
        () = inbox.closed() => {}
        never = listen_for_ever(&redis, &subscribe, &inbox) => match never {},
    }
}

async fn listen_for_ever(
    redis: &Redis,
    subscribe: &Cmd,
    inbox: &mpsc::Sender<Vec<u8>>,
) -> Infallible {
    let mut delay = RECONNECT_DELAY_MIN;
    let mut attempt = 0_usize;
    loop {
        let began = Instant::now();
        listen_once(redis, subscribe, inbox, attempt).await;
        attempt = attempt.wrapping_add(1);
        if began.elapsed() > RECONNECT_DELAY_MAX * 2 {
            delay = RECONNECT_DELAY_MIN;
        }
        sleep(delay).await;
        delay = (delay * 2).min(RECONNECT_DELAY_MAX);
    }
}

/// Listens over one connection until it is lost. Why is of no use to anyone: the next thing is to connect again.
async fn listen_once(
    redis: &Redis,
    subscribe: &Cmd,
    inbox: &mpsc::Sender<Vec<u8>>,
    attempt: usize,
) {
    let ear = Arc::new(Ear::new(inbox.clone()));
    let hears = Arc::clone(&ear);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER_TIME_MAX))
        .set_response_timeout(Some(ANSWER_TIME_MAX))
        .set_push_sender(move |push| {
            hears.hear(push);
            Ok::<(), Infallible>(())
        });
    let connect = redis.address().subscribe(subscribe, &config, attempt);
    let Ok(Ok(mut connection)) = timeout(CONNECT_TIME_MAX, connect).await else { return };
    let mut heard = 0;
    loop {
        tokio::select! {
            // A notice that comes during the other arm's work waits for the next turn.
            () = ear.lost.notified() => return,
            () = sleep(SILENCE_MAX) => {}
        }
        let heard_now = ear.heard.load(Ordering::Relaxed);
        if heard_now != heard {
            heard = heard_now;
            continue;
        }
        // Says more than a ping: also that the channel is still this node's.
        if subscribe.query_async::<Value>(&mut connection).await.is_err() {
            return;
        }
    }
}

/// What a connection brings, other than answers.
struct Ear {
    inbox: mpsc::Sender<Vec<u8>>,
    /// How many messages came.
    heard: AtomicU64,
    /// No more will come.
    lost: Notify,
}

impl Ear {
    fn new(inbox: mpsc::Sender<Vec<u8>>) -> Self {
        Self { inbox, heard: AtomicU64::new(0), lost: Notify::new() }
    }

    fn hear(&self, PushInfo { kind, data }: PushInfo) {
        match kind {
            PushKind::Message | PushKind::SMessage => {
                self.heard.fetch_add(1, Ordering::Relaxed);
                if let Some(Value::BulkString(message)) = data.into_iter().nth(1) {
                    let _full = self.inbox.try_send(message);
                }
            }
            // A node unsubscribes its listeners when the channel moves to another.
            PushKind::Disconnection | PushKind::Unsubscribe | PushKind::SUnsubscribe => {
                self.lost.notify_one();
            }
            // Subscriptions that are confirmed, and what was not asked for.
            _ => {}
        }
    }
}

/// Before connecting again, growing from the one to the other.
const RECONNECT_DELAY_MIN: Duration = Duration::from_millis(10);
const RECONNECT_DELAY_MAX: Duration = Duration::from_millis(200);
/// How long it may take to find out where to connect, and to subscribe there.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// After this long without a message a connection is tried, since one that leads nowhere looks like it.
const SILENCE_MAX: Duration = Duration::from_secs(2);
/// And given up when nothing answers for so long.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
