//! A client without a socket: hands frames to a [`Connection`] and reads what its outbox holds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parlor_gateway::outbox::Taken;
use parlor_gateway::{Connection, Gateway, Handled};
use parlor_protocol::Codec;
use serde_json::{Value, json};

/// One client and everything it was sent and has not yet looked at.
pub(crate) struct Client {
    pub(crate) connection: Connection,
    codec: Codec,
    next_id: u64,
    pub(crate) inbox: VecDeque<Value>,
    /// Every byte it was ever sent.
    pub(crate) bytes: Vec<u8>,
    pub(crate) closed: Option<u16>,
}

impl Client {
    /// Connects, and reads the greeting.
    pub(crate) fn connect(gateway: &Arc<Gateway>, codec: Codec) -> Self {
        let connection = gateway.connect(codec);
        let mut client = Self {
            connection,
            codec,
            next_id: 1,
            inbox: VecDeque::new(),
            bytes: Vec::new(),
            closed: None,
        };
        assert_eq!(client.next_message()["type"], "welcome");
        client
    }

    /// Sends a request and gives its response. What came before stays in the inbox.
    #[track_caller]
    pub(crate) fn ask(&mut self, kind: &str, data: Value) -> impl Future<Output = Value> {
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({"type": kind, "id": id, "data": data});
        async move {
            self.send(&request).await;
            self.receive();
            let place = self.inbox.iter().position(|message| message["id"] == id);
            let place = place.unwrap_or_else(|| panic!("no response to {request}: {:?}", self.inbox));
            self.inbox.remove(place).unwrap()
        }
    }

    /// Sends a request that must succeed and gives the response's data.
    pub(crate) async fn must(&mut self, kind: &str, data: Value) -> Value {
        let response = self.ask(kind, data).await;
        assert_eq!(response["success"], true, "{response}");
        response["data"].clone()
    }

    /// Sends a request that must be refused and gives the error.
    pub(crate) async fn refused(&mut self, kind: &str, data: Value) -> Value {
        let response = self.ask(kind, data).await;
        assert_eq!(response["success"], false, "{response}");
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

    /// The next message, which must be there.
    #[track_caller]
    pub(crate) fn next_message(&mut self) -> Value {
        self.receive();
        self.inbox.pop_front().expect("a message")
    }

    /// Drops messages up to the first event of this type, and gives its data.
    #[track_caller]
    pub(crate) fn event(&mut self, kind: &str) -> Value {
        self.receive();
        while let Some(message) = self.inbox.pop_front() {
            if message["type"] == kind {
                return message["data"].clone();
            }
        }
        panic!("no event {kind}");
    }

    /// The types of all messages that wait, which are dropped.
    pub(crate) fn drain_types(&mut self) -> Vec<String> {
        self.receive();
        self.inbox.drain(..).map(|m| m["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Takes everything out of the outbox.
    pub(crate) fn receive(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut taken = Vec::new();
        loop {
            match self.connection.outbox().poll_take(&mut cx, 64, &mut taken) {
                Poll::Ready(Taken::Messages) => {}
                Poll::Ready(Taken::Close { code, .. }) => {
                    self.closed = Some(code);
                    break;
                }
                Poll::Pending => break,
            }
        }
        for message in taken {
            self.bytes.extend_from_slice(&message.payload);
            let value = match self.codec {
                Codec::Json => serde_json::from_slice(&message.payload).unwrap(),
                Codec::MsgPack => rmp_serde::from_slice(&message.payload).unwrap(),
            };
            self.inbox.push_back(value);
        }
    }
}
