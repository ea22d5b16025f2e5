//! Rooms over a transport of one's own: JSON messages on plain TCP, one a line.
//!
//! The gateway needs no more of a transport than this: hand over each frame, write what the outbox
//! holds, drop the connection when the socket is lost. Try it with `nc`:
//!
//! ```text
//! cargo run -p parlor-examples --bin custom_transport -- 127.0.0.1:7777
//! nc 127.0.0.1 7777
//! {"type":"create_room","id":1,"data":{"gameType":"tictactoe","playerName":"Ada"}}
//! ```

#![expect(clippy::print_stdout, reason = "a program for people to watch")]

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use futures_util::StreamExt as _;
use parlor_games::TicTacToe;
use parlor_gateway::outbox::{Outbox, Taken};
use parlor_gateway::{Connection, Gateway, GatewayConfig, Handled};
use parlor_protocol::limits::MESSAGE_BYTES_MAX;
use parlor_protocol::{Codec, FrameKind};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::codec::{FramedRead, LinesCodec};

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);

    let gateway = Gateway::builder(GatewayConfig::default()).game(TicTacToe).start();
    let mut sockets = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await?;
        sockets.spawn(serve(socket, gateway.connect(Codec::Json)));
        while sockets.try_join_next().is_some() {}
    }
}

/// Carries one socket until either side is done with it. Then the connection is dropped, and the
/// seat is held for the game's grace period.
async fn serve(socket: TcpStream, connection: Connection) {
    let (reading, writing) = socket.into_split();
    let outbox = Arc::clone(connection.outbox());
    tokio::select! {
        // Whichever ends, the socket is closed, so nothing is lost that could still arrive.
        () = read(reading, connection) => {}
        _ = write(writing, &outbox) => {}
    }
}

async fn read(socket: OwnedReadHalf, mut connection: Connection) {
    let mut lines = FramedRead::new(socket, LinesCodec::new_with_max_length(MESSAGE_BYTES_MAX));
    // A line that is too long or not in UTF-8 ends the connection; what is no message is answered.
    while let Some(Ok(line)) = lines.next().await {
        match connection.handle(FrameKind::Text, line.as_bytes()) {
            Handled::Done => {}
            // Requests run one after another: the next line waits.
            Handled::Pending(rest) => rest.await,
        }
        // Answers wait in the outbox; that they do, the gateway leaves to the transport to say.
        connection.outbox().wake();
    }
}

async fn write(mut socket: OwnedWriteHalf, outbox: &Outbox) -> io::Result<()> {
    let mut messages = Vec::new();
    let mut bytes = Vec::new();
    loop {
        let taken = poll_fn(|cx| outbox.poll_take(cx, BATCH_MAX, &mut messages)).await;
        for message in messages.drain(..) {
            bytes.extend_from_slice(&message.payload);
            bytes.push(b'\n');
        }
        if let Taken::Close { code, reason } = &taken {
            // A line has no close frame, so it is said in a line.
            let goodbye = json!({"type": "closed", "data": {"code": code, "reason": reason}});
            bytes.extend_from_slice(format!("{goodbye}\n").as_bytes());
        }
        socket.write_all(&bytes).await?;
        bytes.clear();
        if let Taken::Close { .. } = taken {
            return socket.shutdown().await;
        }
    }
}

/// Messages joined into one write.
const BATCH_MAX: usize = 64;
