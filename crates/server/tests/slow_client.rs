//! One client that stops reading, and ninety-nine that must not notice.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use parlor_client::protocol::{
    ChatMessage, CloseCode, Codec, EventType, Joined, PlayerId, Resumed,
};
use parlor_client::{Client, Options, new_room, seat_in};
use parlor_server::ServerConfig;
use parlor_testutil::games::{Ledger, Page};
use parlor_testutil::seat::{Seat, WAIT_MAX, name};
use parlor_testutil::server::TestServer;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// The room says as much as it takes until the one that does not read is given up. Meanwhile the others
/// have heard all of it, in order and each line once, about as soon as without it; and when it comes back
/// it has lost nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_does_not_hold_up_the_ninety_nine_that_do() {
    let mut config = ServerConfig::default();
    config.gateway.requests_per_second = 1_000_000;
    config.gateway.requests_burst = 1_000_000;
    // Small, so that the end comes soon.
    config.send_buffer_bytes = Some(64 * 1024);
    config.gateway.outbox.messages_max = 64;
    let outbox = config.gateway.outbox;
    let server = TestServer::with_config(config, |server| server.game(Ledger));

    let mut room = new_room("ledger", name("Host"));
    room.options = json!({"seats": SEATS}).as_object().unwrap().clone();
    let mut host: Seat<Page> = Seat::create(&server, Codec::Json, &room).await;
    let mut readers = JoinSet::new();
    for number in 1..SEATS - 1 {
        let codec = Codec::ALL[number % 2];
        let seat = seat_in(host.room, name(&format!("Reader {number}")));
        readers.spawn(listen(Seat::join(&server, codec, &seat).await));
    }

    let mut said = 0;
    let alone = host.say_and_hear(&mut said, CALM_LINES, |_| false).await;
    assert_eq!(alone.len(), CALM_LINES, "nobody is lost yet");

    let (deaf, stream) = Deaf::connect(&server).await;
    let options = Options::default();
    let (client, events) = Client::over(stream, &server.socket_url(), options).await.unwrap();
    let joined: Joined<Page> = client.join_room(&seat_in(host.room, name("Deaf"))).await.unwrap();
    let mut session = client.session().unwrap();
    session.last_seq = joined.seq;
    deaf.store(true, Ordering::SeqCst);

    let disturbed =
        host.say_and_hear(&mut said, LINES_MAX, |lost| lost.contains(&joined.player_id)).await;
    assert!(disturbed.len() < LINES_MAX, "the deaf one is given up in the end");
    let (alone, disturbed) = (median(alone), median(disturbed));
    assert!(disturbed < alone * 5 + Duration::from_millis(5), "{alone:?} became {disturbed:?}");

    connections(&server, SEATS - 1).await;
    let given_up = server.gateway().traffic().unsent[&CloseCode::SlowConsumer.as_u16()];
    assert!((1..=outbox.messages_max as u64).contains(&given_up), "{given_up}");

    // It is back at once, and what it missed it is told, or it is told that it is given the whole room.
    drop((client, events));
    let (client, mut events) = server.connect(Codec::MsgPack).await;
    let mut heard = Vec::new();
    match soon(client.reconnect::<Page>(&mut session)).await.unwrap() {
        Resumed::Snapshot(room) => heard.extend(room.chat.into_iter().map(|line| line.text)),
        Resumed::Replayed(_) => {}
    }
    host.say("the last line").await;
    while heard.last().is_none_or(|line| line != "the last line") {
        let event = soon(events.next()).await.unwrap();
        if event.kind == EventType::ChatMessage {
            heard.push(event.data::<ChatMessage>().unwrap().text);
        }
    }
    heard.pop();
    let numbers: Vec<usize> = heard.iter().map(|line| number_of(line)).collect();
    assert!(numbers.is_sorted_by(|one, next| next - one == 1), "no line is missing in between");
    assert_eq!(numbers.last().copied(), Some(said - 1));

    for lines in readers.join_all().await {
        assert!(lines.into_iter().eq(0..said), "each line, in order, once");
    }
    drop((client, events, host));
    connections(&server, 0).await;
    let traffic = server.gateway().traffic();
    let unsent: u64 = traffic.unsent.values().sum();
    assert_eq!(traffic.queued, traffic.written + traffic.coalesced + unsent, "{traffic:?}");
}

/// Waits until the server has no more connections than this.
async fn connections(server: &TestServer, max: usize) {
    soon(async {
        while server.gateway().connection_count() > max {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Takes all lines until the last, and gives their numbers.
async fn listen(mut seat: Seat<Page>) -> Vec<usize> {
    let mut numbers = Vec::new();
    loop {
        let line: ChatMessage = seat.until_event(EventType::ChatMessage).await.data().unwrap();
        if line.text == "the last line" {
            return numbers;
        }
        numbers.push(number_of(&line.text));
    }
}

fn number_of(line: &str) -> usize {
    line.split(' ').next().and_then(|number| number.parse().ok()).expect("a line has a number")
}

trait Talk {
    async fn say(&mut self, text: &str);
    async fn say_and_hear(
        &mut self,
        said: &mut usize,
        lines_max: usize,
        is_enough: impl Fn(&[PlayerId]) -> bool,
    ) -> Vec<Duration>;
}

impl Talk for Seat<Page> {
    async fn say(&mut self, text: &str) {
        soon(self.client.chat(text)).await.expect("the line is taken");
    }

    /// Says long lines one after another, each when the one before was heard, until those who were lost are
    /// enough. Gives how long each took to be heard.
    async fn say_and_hear(
        &mut self,
        said: &mut usize,
        lines_max: usize,
        is_enough: impl Fn(&[PlayerId]) -> bool,
    ) -> Vec<Duration> {
        let mut times = Vec::new();
        let mut lost = Vec::new();
        while times.len() < lines_max && !is_enough(&lost) {
            let line = format!("{said} {}", "\u{1F3B2}".repeat(LINE_CHARS));
            *said += 1;
            let asked = Instant::now();
            self.say(&line).await;
            loop {
                let event = self.next().await;
                match event.kind {
                    EventType::PlayerDisconnected => {
                        let gone: BTreeMap<String, u64> = event.data().unwrap();
                        lost.push(PlayerId(u32::try_from(gone["playerId"]).unwrap()));
                    }
                    EventType::ChatMessage => break,
                    _ => {}
                }
            }
            times.push(asked.elapsed());
        }
        times
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn soon<T>(happens: impl Future<Output = T>) -> T {
    timeout(WAIT_MAX, happens).await.expect("it happens in time")
}

/// A connection that can be told to read nothing more.
struct Deaf {
    stream: TcpStream,
    is_deaf: Arc<AtomicBool>,
}

impl Deaf {
    /// Connects with a small buffer for what is not read.
    async fn connect(server: &TestServer) -> (Arc<AtomicBool>, Self) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = soon(socket.connect(server.address())).await.unwrap();
        let is_deaf = Arc::new(AtomicBool::new(false));
        (Arc::clone(&is_deaf), Self { stream, is_deaf })
    }
}

impl AsyncRead for Deaf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_deaf.load(Ordering::SeqCst) {
            // For good, so nobody has to be woken.
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

const SEATS: usize = 100;
/// Lines said before the deaf one is there.
const CALM_LINES: usize = 60;
/// Four bytes each: a line is about 2 KB, so that a few thousand fill any buffer of the system's.
const LINE_CHARS: usize = 490;
/// More than the system and the outbox can hold.
const LINES_MAX: usize = 2000;
