//! A client without a socket: hands frames to a [`Connection`] and reads what its outbox holds.
//! And what else tests put in the place of the world.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parlor_games::TicTacToe;
use parlor_gateway::outbox::{Message, Taken};
use parlor_gateway::{Connection, Gateway, GatewayConfig, Handled};
use parlor_protocol::Codec;
use parlor_store::{Session, SessionKey, SessionStore, StoreError};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::probe::Probe;

/// One client and everything it was sent and has not yet looked at.
pub(crate) struct Client {
    pub(crate) connection: Connection,
    codec: Codec,
    pub(crate) inbox: VecDeque<Value>,
    /// Every byte it was ever sent.
    pub(crate) bytes: Vec<u8>,
    pub(crate) closed: Option<u16>,
}

/// A gateway with two games, whose clients may ask as fast as they like.
pub(crate) fn gateway(probe: &Probe) -> Arc<Gateway> {
    gateway_with(probe, roomy())
}

pub(crate) fn gateway_with(probe: &Probe, config: GatewayConfig) -> Arc<Gateway> {
    Gateway::builder(config).game(probe.clone()).game(TicTacToe).start()
}

/// A configuration without a limit on the rate of requests.
pub(crate) fn roomy() -> GatewayConfig {
    let mut config = GatewayConfig::default();
    config.requests_per_second = 1_000_000;
    config.requests_burst = 1_000_000;
    config
}

/// Lets time pass, with everything that falls due in it.
pub(crate) async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
    settle().await;
}

/// Lets the other tasks do what they can do now.
pub(crate) async fn settle() {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

/// An id above all others, whatever seat it is for: a session's ids rise over all of its sockets.
pub(crate) fn next_id() -> u64 {
    static NEXT_ID: AtomicU64 = AtomicU64::new(1);
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

impl Client {
    /// Connects, and reads the greeting.
    pub(crate) fn connect(gateway: &Arc<Gateway>, codec: Codec) -> Self {
        let connection = gateway.connect(codec);
        let mut client =
            Self { connection, codec, inbox: VecDeque::new(), bytes: Vec::new(), closed: None };
        assert_eq!(client.next_message()["type"], "welcome");
        client
    }

    /// Connects and opens a room of the probe with these options. Gives the client and `Joined`.
    pub(crate) async fn host(
        gateway: &Arc<Gateway>,
        codec: Codec,
        options: Value,
    ) -> (Self, Value) {
        let mut client = Self::connect(gateway, codec);
        let data = json!({"gameType": "probe", "playerName": "Ada", "options": options});
        let joined = client.must("create_room", data).await;
        (client, joined)
    }

    /// Connects and sits down in the room.
    pub(crate) async fn guest(
        gateway: &Arc<Gateway>,
        codec: Codec,
        room: &Value,
        name: &str,
    ) -> (Self, Value) {
        let mut client = Self::connect(gateway, codec);
        let joined = client.must("join_room", json!({"roomId": room, "playerName": name})).await;
        (client, joined)
    }

    /// Sends a request and gives its response. What came before stays in the inbox.
    pub(crate) async fn ask(&mut self, kind: &str, data: Value) -> Value {
        let id = next_id();
        let request = json!({"type": kind, "id": id, "data": data});
        self.send(&request).await;
        self.receive();
        let place = self.inbox.iter().position(|message| message["id"] == id);
        let place = place.unwrap_or_else(|| panic!("no response to {request}: {:?}", self.inbox));
        self.inbox.remove(place).unwrap()
    }

    /// Sends a request whose response stays in the inbox, in its place among the events.
    pub(crate) async fn ask_and_keep(&mut self, kind: &str, data: Value) {
        let request = json!({"type": kind, "id": next_id(), "data": data});
        self.send(&request).await;
        self.receive();
    }

    /// Sends a request that must succeed and gives the response's data.
    pub(crate) async fn must(&mut self, kind: &str, data: Value) -> Value {
        let response = self.ask(kind, data).await;
        assert_eq!(response["success"], true, "{kind}: {response}");
        response["data"].clone()
    }

    /// Sends a request that must be refused and gives the error.
    pub(crate) async fn refused(&mut self, kind: &str, data: Value) -> Value {
        let response = self.ask(kind, data).await;
        assert_eq!(response["success"], false, "{kind}: {response}");
        response["error"].clone()
    }

    /// Sends a message as one frame.
    pub(crate) async fn send(&mut self, message: &Value) {
        let bytes = self.codec.encode(message).unwrap();
        self.send_bytes(&bytes).await;
    }

    /// Sends any bytes as one frame of the codec's kind.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        match self.connection.handle(self.codec.frame_kind(), bytes) {
            Handled::Done => {}
            Handled::Pending(future) => future.await,
        }
    }

    /// Sends a message as one frame, and reads what comes while it is handled, as sockets do. Says whether it is handled
    /// in time.
    pub(crate) async fn send_and_read(&mut self, message: &Value, time_max: Duration) -> bool {
        let bytes = self.codec.encode(message).unwrap();
        let outbox = Arc::clone(self.connection.outbox());
        let mut taken = Vec::new();
        let is_handled = match self.connection.handle(self.codec.frame_kind(), &bytes) {
            Handled::Done => true,
            Handled::Pending(mut future) => {
                let mut waited = Duration::ZERO;
                loop {
                    if tokio::time::timeout(READS_EVERY, &mut future).await.is_ok() {
                        break true;
                    }
                    let mut cx = Context::from_waker(Waker::noop());
                    let _ready = outbox.poll_take(&mut cx, usize::MAX, &mut taken);
                    waited += READS_EVERY;
                    if waited >= time_max {
                        break false;
                    }
                }
            }
        };
        let read: Vec<Value> = taken.into_iter().map(|message| self.read(&message)).collect();
        self.inbox.extend(read);
        self.receive();
        is_handled
    }

    /// The next message, which must be there.
    #[track_caller]
    pub(crate) fn next_message(&mut self) -> Value {
        self.receive();
        self.inbox.pop_front().expect("a message")
    }

    /// Drops messages up to the first event of this type, and gives its data.
    #[track_caller]
    pub(crate) fn event(&mut self, kind: &str) -> Value {
        self.find_event(kind).unwrap_or_else(|| panic!("no event {kind}"))
    }

    /// The same, or `None` when there is no such event.
    pub(crate) fn find_event(&mut self, kind: &str) -> Option<Value> {
        self.receive();
        while let Some(message) = self.inbox.pop_front() {
            if message["type"] == kind {
                return Some(message["data"].clone());
            }
        }
        None
    }

    /// The types of all messages that wait, which are dropped.
    pub(crate) fn drain_types(&mut self) -> Vec<String> {
        self.drain().iter().map(|m| m["type"].as_str().unwrap().to_owned()).collect()
    }

    /// All messages that wait, which are dropped.
    pub(crate) fn drain(&mut self) -> Vec<Value> {
        self.receive();
        self.inbox.drain(..).collect()
    }

    /// With what code the connection is closed, if it is.
    pub(crate) fn close_code(&mut self) -> Option<u16> {
        self.receive();
        self.closed
    }

    /// Takes everything out of the outbox.
    pub(crate) fn receive(&mut self) {
        loop {
            let taken = self.take(64);
            if taken.is_empty() {
                break;
            }
            self.inbox.extend(taken);
        }
    }

    /// Takes some messages out of the outbox, past the inbox: a client that reads slowly.
    pub(crate) fn take(&mut self, messages_max: usize) -> Vec<Value> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut taken = Vec::new();
        match self.connection.outbox().poll_take(&mut cx, messages_max, &mut taken) {
            Poll::Ready(Taken::Close { code, .. }) => self.closed = Some(code),
            Poll::Ready(Taken::Messages { .. }) | Poll::Pending => {}
        }
        taken.iter().map(|message| self.read(message)).collect()
    }

    fn read(&mut self, message: &Message) -> Value {
        self.bytes.extend_from_slice(&message.payload);
        match self.codec {
            Codec::Json => serde_json::from_slice(&message.payload).unwrap(),
            Codec::MsgPack => rmp_serde::from_slice(&message.payload).unwrap(),
        }
    }
}

/// How often a client reads while it waits for a frame to be handled.
const READS_EVERY: Duration = Duration::from_millis(50);

/// Whether `needle` is anywhere in `bytes`.
pub(crate) fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// A session store that can be away, hang or forget.
#[derive(Default)]
pub(crate) struct TestStore {
    sessions: Mutex<HashMap<SessionKey, Session>>,
    pub(crate) is_away: AtomicBool,
    pub(crate) hangs: AtomicBool,
}

impl TestStore {
    pub(crate) fn len(&self) -> usize {
        self.sessions.lock().unwrap().len()
    }

    /// As if everything had expired.
    pub(crate) fn forget_all(&self) {
        self.sessions.lock().unwrap().clear();
    }

    async fn reach(&self) -> Result<(), StoreError> {
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("switched off".into()));
        }
        Ok(())
    }
}

impl SessionStore for TestStore {
    async fn load(&self, key: SessionKey) -> Result<Option<Session>, StoreError> {
        self.reach().await?;
        Ok(self.sessions.lock().unwrap().get(&key).cloned())
    }

    async fn save(
        &self,
        key: SessionKey,
        session: Session,
        _ttl: Duration,
    ) -> Result<(), StoreError> {
        self.reach().await?;
        self.sessions.lock().unwrap().insert(key, session);
        Ok(())
    }

    async fn save_new(
        &self,
        key: SessionKey,
        session: Session,
        _ttl: Duration,
    ) -> Result<Option<Session>, StoreError> {
        self.reach().await?;
        let mut sessions = self.sessions.lock().unwrap();
        let known = sessions.get(&key).cloned();
        sessions.entry(key).or_insert(session);
        Ok(known)
    }

    async fn remove(&self, key: SessionKey) -> Result<(), StoreError> {
        self.reach().await?;
        self.sessions.lock().unwrap().remove(&key);
        Ok(())
    }
}

/// Everything that this thread logs while [`Logs::capture`]'s guard lives.
#[derive(Clone, Default)]
pub(crate) struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    pub(crate) fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        let logs = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(logs.clone())
            .finish();
        (logs, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
