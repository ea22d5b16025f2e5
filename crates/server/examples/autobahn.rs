//! An echo server on the very transport that the games use, for conformance suites and load tests.

use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use parlor_gateway::{
    Caller, Handled,
    outbox::{Class, Message, Outbox, OutboxLimits},
};
use parlor_protocol::FrameKind;
use parlor_server::{
    ServerConfig, Site,
    transport::{Ending, Endpoint, Listening, Session},
};
use tokio::{net::TcpListener, signal::ctrl_c};

#[derive(Parser)]
#[command(about = "Echoes every WebSocket message, at /ws.")]
struct Args {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Bytes of a message.
    #[arg(long, default_value_t = 16 * 1024 * 1024)]
    message_bytes_max: usize,
    /// Frames of a message.
    #[arg(long, default_value_t = 1 << 20)]
    fragments_max: u32,
    /// Seconds of silence before a ping.
    #[arg(long, default_value_t = 20)]
    heartbeat_seconds: u64,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut config = ServerConfig::default();
    config.gateway.frame.message_bytes_max = args.message_bytes_max;
    config.fragments_max = args.fragments_max;
    config.gateway.heartbeat = Duration::from_secs(args.heartbeat_seconds);

    let listener = TcpListener::bind(args.listen).await?;
    let limits = OutboxLimits { bytes_max: 2 * args.message_bytes_max, ..OutboxLimits::default() };
    let listening = Listening::start(listener, Site::new(Echo { limits }), config)?;
    writeln!(io::stdout(), "ws://{}/ws", listening.address())?;
    ctrl_c().await?;
    listening.stop().await;
    Ok(())
}

struct Echo {
    limits: OutboxLimits,
}

impl Endpoint for Echo {
    type Session = EchoSession;
    const SUBPROTOCOLS: &'static [&'static str] = &[];

    fn connect(&self, _: Option<&'static str>, _: Caller) -> EchoSession {
        EchoSession { outbox: Outbox::new(self.limits) }
    }
}

struct EchoSession {
    outbox: Arc<Outbox>,
}

impl Session for EchoSession {
    fn message(&mut self, kind: FrameKind, payload: &[u8]) -> Handled<'_> {
        // A client that is too slow is closed by its outbox: there is nothing to add.
        let _ = self.outbox.push(Message { payload: payload.into(), class: Class::Reliable, kind });
        Handled::Done
    }

    fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    fn idle_max(&self) -> Option<Duration> {
        None
    }

    fn closed(&mut self, _: Ending) {}
}
