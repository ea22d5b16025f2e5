//! A server made of a script: it accepts one client over a pipe and says what a test lets it say.

use futures_util::{SinkExt, StreamExt};
use parlor_client::protocol::{Codec, ErrorCode};
use parlor_client::{Client, ConnectError, Events, Options};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// The server's end of a connection.
pub(crate) struct Script {
    socket: WebSocketStream<DuplexStream>,
    codec: Codec,
}

impl Script {
    /// Connects a client that is greeted with `welcome`.
    pub(crate) async fn greet(
        options: Options,
        welcome: Value,
    ) -> (Self, Result<(Client, Events), ConnectError>) {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let serving = Self::serve(far, options.codec, welcome);
        tokio::join!(serving, Client::over(near, "ws://parlor.test/ws", options))
    }

    /// Accepts the client at the other end of a pipe and greets it with `welcome`.
    pub(crate) async fn serve(far: DuplexStream, codec: Codec, welcome: Value) -> Self {
        let mut script = Self::accept(far, codec).await;
        script.say(&json!({"type": "welcome", "data": welcome})).await;
        script
    }

    /// Accepts the client at the other end of a pipe and says nothing.
    pub(crate) async fn accept(far: DuplexStream, codec: Codec) -> Self {
        #[expect(clippy::result_large_err, reason = "the library wants this signature")]
        let agree = |_: &Request, mut response: Response| {
            let name = codec.subprotocol().parse().unwrap();
            response.headers_mut().insert("Sec-WebSocket-Protocol", name);
            Ok(response)
        };
        Self { socket: accept_hdr_async(far, agree).await.unwrap(), codec }
    }

    /// Connects a client.
    pub(crate) async fn connect(options: Options) -> (Self, Client, Events) {
        let (script, connected) = Self::greet(options, welcome()).await;
        let (client, events) = connected.unwrap();
        (script, client, events)
    }

    /// Sends a message.
    pub(crate) async fn say(&mut self, message: &Value) {
        let bytes = self.codec.encode(message).unwrap();
        let message = match self.codec {
            Codec::Json => Message::text(String::from_utf8(bytes).unwrap()),
            Codec::MsgPack => Message::binary(bytes),
        };
        self.socket.send(message).await.unwrap();
    }

    /// Answers `request` with success.
    pub(crate) async fn answer(&mut self, request: &Value, data: Value) {
        let kind = format!("{}_result", request["type"].as_str().unwrap());
        let id = &request["id"];
        self.say(&json!({"type": kind, "id": id, "success": true, "data": data})).await;
    }

    /// Refuses `request`.
    pub(crate) async fn refuse(&mut self, request: &Value, code: ErrorCode) {
        let kind = format!("{}_result", request["type"].as_str().unwrap());
        let retryable = code.retryable();
        let error = json!({"code": code, "message": "no", "retryable": retryable});
        let mut refusal = json!({"type": kind, "success": false, "error": error});
        if let Some(id) = request.get("id") {
            refusal["id"] = id.clone();
        }
        self.say(&refusal).await;
    }

    /// The next request.
    pub(crate) async fn hear(&mut self) -> Value {
        match self.hear_frame().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            Some(Message::Binary(bytes)) => rmp_serde::from_slice(&bytes).unwrap(),
            other => panic!("no request: {other:?}"),
        }
    }

    /// The next frame; `None` when the client is gone.
    pub(crate) async fn hear_frame(&mut self) -> Option<Message> {
        self.socket.next().await.and_then(Result::ok)
    }

    /// Pings the client.
    pub(crate) async fn ping(&mut self) {
        self.socket.send(Message::Ping("beat".into())).await.unwrap();
    }

    /// Closes, and hangs up when the client has agreed.
    pub(crate) async fn close(mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.socket.close(Some(frame)).await.unwrap();
        while self.hear_frame().await.is_some() {}
    }
}

/// A greeting with small bounds.
pub(crate) fn welcome() -> Value {
    json!({
        "protocol": 1, "server": "script/1", "connectionId": "c1", "serverTime": 1_700_000_000_000_u64,
        "heartbeatMs": 20_000, "limits": {"maxMessageBytes": 256, "messagesPerSecond": 60},
    })
}

/// What a client is told when it has sat down.
pub(crate) fn joined() -> Value {
    json!({
        "roomId": "ACDEFHJK", "gameType": "count", "playerId": 3, "sessionToken": "secret-token",
        "epoch": "e1", "seq": 10, "lastId": 0, "version": 1, "phase": "lobby", "host": 3,
        "players": [], "state": {"total": 0}, "chat": [],
    })
}

/// More than any test sends before it reads.
pub(crate) const PIPE_BYTES: usize = 64 * 1024;
