//! The task that carries one socket, both ways.
//!
//! It ends with the connection: by a close frame, a broken socket, a silent server, a full queue of
//! events; or when its owner drops it. Reading and writing are two loops of the one task,
//! neither of which is ever cut short while the other goes on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::closed::{CLOSE_TIME_MAX, Closed};
use crate::event::Queued;
use crate::shared::Shared;

/// Carries messages until the connection is over.
pub(crate) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    outgoing: mpsc::Receiver<Message>,
    events: mpsc::Sender<Queued>,
    shared: Arc<Shared>,
    heartbeat: Duration,
) {
    let (sink, stream) = socket.split();
    // Whichever ends first, the connection is over, and with it the other.
    let closed = tokio::select! {
        closed = read(stream, &events, &shared, heartbeat) => closed,
        closed = write(sink, outgoing) => closed,
    };
    // Before the queue of events ends, so that its reader learns why.
    shared.end(&closed);
}

async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: SplitStream<WebSocketStream<S>>,
    events: &mpsc::Sender<Queued>,
    shared: &Shared,
    heartbeat: Duration,
) -> Closed {
    loop {
        let mut next = timeout(heartbeat, stream.next()).await;
        if next.is_err() {
            shared.ping();
            next = timeout(SIGN_OF_LIFE_TIME_MAX, stream.next()).await;
        }
        let message = match next {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(error))) => return Closed::Lost(error.to_string()),
            Ok(None) => return Closed::Lost("the connection ended".to_owned()),
            Err(_) => return Closed::Silent,
        };
        let frame = match message {
            Message::Text(text) => text.into(),
            Message::Binary(bytes) => bytes,
            // Reading on lets the library answer.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            Message::Close(frame) => {
                // The library's answer leaves while one reads on, to the end.
                let _ = timeout(CLOSE_TIME_MAX, stream.next()).await;
                if shared.is_closing() {
                    return Closed::ByClient;
                }
                let (code, reason) = match frame {
                    Some(frame) => (frame.code.into(), frame.reason.to_string()),
                    None => (NO_CODE, String::new()),
                };
                return Closed::ByServer { code, reason };
            }
        };
        if let Err(closed) = shared.receive(frame, events) {
            return closed;
        }
    }
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    mut sink: SplitSink<WebSocketStream<S>, Message>,
    mut outgoing: mpsc::Receiver<Message>,
) -> Closed {
    match write_all(&mut sink, &mut outgoing).await {
        // Everyone who could ask is gone. What is left is to read the end.
        Ok(()) => std::future::pending().await,
        Err(error) => {
            // A server that closes stops reading, and its reason may still be on its way.
            sleep(CLOSE_TIME_MAX).await;
            Closed::Lost(error.to_string())
        }
    }
}

async fn write_all<S: AsyncRead + AsyncWrite + Unpin>(
    sink: &mut SplitSink<WebSocketStream<S>, Message>,
    outgoing: &mut mpsc::Receiver<Message>,
) -> Result<(), tungstenite::Error> {
    while let Some(message) = outgoing.recv().await {
        sink.feed(message).await?;
        // What was asked at the same time leaves in one write.
        while let Ok(message) = outgoing.try_recv() {
            sink.feed(message).await?;
        }
        sink.flush().await?;
    }
    Ok(())
}

/// How long a server that was asked for a sign of life may take to give one.
const SIGN_OF_LIFE_TIME_MAX: Duration = Duration::from_secs(5);
/// 1005: a close frame without a code.
const NO_CODE: u16 = 1005;
