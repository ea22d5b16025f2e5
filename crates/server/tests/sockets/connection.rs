//! One connection over a pipe in memory, with a clock that stands still unless all wait.

use std::{
    io, mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use parlor_gateway::outbox::{Outbox, OutboxLimits, PushError};
use parlor_protocol::FrameKind;
use parlor_server::transport::{TransportConfig, run};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex},
    task::JoinHandle,
    time::Instant,
};

use crate::support::{Client, Diary, Echo, Frame, close, frame, message, text};

fn config() -> TransportConfig {
    TransportConfig {
        message_bytes_max: 1000,
        fragments_max: 8,
        heartbeat: Duration::from_secs(20),
        close_time_max: Duration::from_secs(1),
    }
}

/// A connection and all that can be seen of it.
struct Fixture {
    client: Client<DuplexStream>,
    outbox: Arc<Outbox>,
    diary: Diary,
    gate: Arc<tokio::sync::Semaphore>,
    task: JoinHandle<()>,
}

impl Fixture {
    fn new() -> Self {
        Self::with(Echo::new(), 1 << 20)
    }

    /// A connection over a pipe that holds `pipe_bytes` each way.
    fn with(echo: Echo, pipe_bytes: usize) -> Self {
        let (io, far) = duplex(pipe_bytes);
        let (outbox, diary, gate) =
            (Arc::clone(&echo.outbox), Arc::clone(&echo.diary), Arc::clone(&echo.gate));
        let task = tokio::spawn(run(io, Vec::new(), echo, Arc::new(config()), ()));
        Self { client: Client { io: far }, outbox, diary, gate, task }
    }

    fn push(&self, payload: &str) -> Result<(), PushError> {
        self.outbox.push(message(FrameKind::Text, payload.as_bytes()))?;
        self.outbox.wake();
        Ok(())
    }

    /// What the session saw, once the task has ended.
    async fn ended(self) -> Vec<String> {
        self.task.await.unwrap();
        assert!(self.outbox.is_closed() && self.outbox.is_empty(), "the outbox is abandoned");
        let totals = self.outbox.totals();
        assert_eq!(totals.queued, totals.written + totals.coalesced + totals.unsent);
        self.diary.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn messages_come_back_in_order_and_in_kind() {
    let mut fixture = Fixture::new();
    fixture.client.send(&[text("one"), frame(0x82, &[0, 255]), text("")].concat()).await;
    fixture.client.expect_text("one").await;
    fixture.client.expect(Frame::Binary(vec![0, 255])).await;
    fixture.client.expect_text("").await;
}

#[tokio::test(start_paused = true)]
async fn bytes_read_behind_the_handshake_come_first() {
    let (io, far) = duplex(1000);
    let first = [text("one"), text("two")].concat();
    let (first, rest) = first.split_at(12);
    tokio::spawn(run(io, first.to_vec(), Echo::new(), Arc::new(config()), ()));
    let mut client = Client { io: far };
    client.expect_text("one").await;
    client.send(rest).await;
    client.expect_text("two").await;
}

#[tokio::test(start_paused = true)]
async fn frames_survive_any_cut() {
    let mut fixture = Fixture::with(Echo::new(), 1);
    let long = "long ".repeat(150);
    let sent = [text("one"), text(&long), frame(0x01, b"tw"), frame(0x80, b"o")].concat();
    let (mut reader, mut writer) = tokio::io::split(fixture.client.io);
    let sending = tokio::spawn(async move {
        tokio::io::AsyncWriteExt::write_all(&mut writer, &sent).await.unwrap();
        writer
    });
    let mut echoed = Vec::new();
    let expected = 2 + 3 + 4 + long.len() + 2 + 3;
    while echoed.len() < expected {
        let mut byte = [0];
        tokio::io::AsyncReadExt::read_exact(&mut reader, &mut byte).await.unwrap();
        echoed.push(byte[0]);
    }
    assert!(echoed.ends_with(b"\x81\x03two"));
    fixture.client = Client { io: reader.unsplit(sending.await.unwrap()) };
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_in_order_even_inside_a_message() {
    let mut fixture = Fixture::new();
    let sent = [
        frame(0x01, b"hel"),
        frame(0x89, b"first"),
        frame(0x89, b"second"),
        frame(0x8a, b"unasked"),
        frame(0x80, b"lo"),
    ];
    fixture.client.send(&sent.concat()).await;
    fixture.client.expect(Frame::Pong(b"first".to_vec())).await;
    fixture.client.expect(Frame::Pong(b"second".to_vec())).await;
    fixture.client.expect_text("hello").await;
}

/// Pongs are made only as fast as they are read.
#[tokio::test(start_paused = true)]
async fn flood_of_pings_is_left_with_the_client() {
    let mut fixture = Fixture::with(Echo::new(), 4096);
    let ping = frame(0x89, &[7; 125]);
    let flood = ping.repeat(10_000);
    let all = tokio::time::timeout(Duration::from_secs(1), fixture.client.send(&flood)).await;
    assert!(all.is_err(), "more than a megabyte would have been taken");
}

/// Counts the writes of a pipe.
struct Counted {
    io: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_leaves_in_one_write() {
    let (io, far) = duplex(1 << 20);
    let writes = Arc::new(AtomicUsize::new(0));
    let echo = Echo::new();
    let (outbox, heard) = (Arc::clone(&echo.outbox), Arc::clone(&echo.heard));
    let io = Counted { io, writes: Arc::clone(&writes) };
    tokio::spawn(run(io, Vec::new(), echo, Arc::new(config()), ()));
    let mut client = Client { io: far };

    for _ in 0..64 {
        outbox.push(message(FrameKind::Text, b"event")).unwrap();
    }
    outbox.wake();
    for _ in 0..64 {
        client.expect_text("event").await;
    }
    assert_eq!(writes.swap(0, Ordering::Relaxed), 1, "64 events");

    // Another task that has something to say as soon as the first request is handled.
    tokio::spawn(async move {
        heard.notified().await;
        outbox.push(message(FrameKind::Text, b"event")).unwrap();
        outbox.wake();
    });
    tokio::task::yield_now().await;
    client.send(&text("request").repeat(32)).await;
    for _ in 0..32 {
        client.expect_text("request").await;
    }
    client.expect_text("event").await;
    assert_eq!(writes.load(Ordering::Relaxed), 1, "32 responses and the event that came meanwhile");
}

#[tokio::test(start_paused = true)]
async fn close_of_the_client_is_answered_with_its_code() {
    for code in [1000, 4999] {
        let mut fixture = Fixture::new();
        fixture.client.send(&[text("last"), close(code), text("never read")].concat()).await;
        let answer = Frame::Close(Some(code), String::new());
        // What was handled but not yet written when the close came is not sent any more.
        let mut next = fixture.client.next().await;
        if next == Some(Frame::Text("last".into())) {
            next = fixture.client.next().await;
        }
        assert_eq!(next, Some(answer));
        fixture.client.expect_end().await;
        assert_eq!(
            fixture.ended().await,
            ["last".to_owned(), format!("ByClient(Some({code}))"), "dropped".to_owned()]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn close_without_a_code_is_answered_without_one() {
    let mut fixture = Fixture::new();
    fixture.client.send(&frame(0x88, b"")).await;
    fixture.client.expect(Frame::Close(None, String::new())).await;
    fixture.client.expect_end().await;
    assert_eq!(fixture.ended().await, ["ByClient(None)", "dropped"]);
}

#[tokio::test(start_paused = true)]
async fn close_of_the_server_comes_after_what_is_queued_and_waits_for_the_answer() {
    let mut fixture = Fixture::new();
    fixture.push("last words").unwrap();
    fixture.outbox.close(4001, "taken over");
    assert_eq!(fixture.push("too late"), Err(PushError::Closed));
    fixture.client.expect_text("last words").await;
    fixture.client.expect(Frame::Close(Some(4001), "taken over".into())).await;
    fixture.client.send(&[text("ignored"), close(4001)].concat()).await;
    fixture.client.expect_end().await;
    assert_eq!(fixture.ended().await, ["ByServer(4001)", "dropped"]);
}

#[tokio::test(start_paused = true)]
async fn unanswered_close_is_cut_after_a_second() {
    let mut fixture = Fixture::new();
    let start = Instant::now();
    fixture.outbox.close(1001, "");
    fixture.client.expect_close(1001).await;
    fixture.client.expect_end().await;
    assert_eq!(start.elapsed().as_secs(), 1);
    assert_eq!(fixture.ended().await, ["ByServer(1001)", "dropped"]);
}

#[tokio::test(start_paused = true)]
async fn violations_end_with_their_close_codes() {
    let long = vec![b'x'; 600];
    for (bytes, code) in [
        (frame(0xc1, b"reserved bit"), 1002),
        (frame(0x83, b"reserved opcode"), 1002),
        (vec![0x81, 0x01, b'x'], 1002),
        (frame(0x89, &[0; 126]), 1002),
        (frame(0x09, b"fragmented ping"), 1002),
        (frame(0x80, b"continuation"), 1002),
        ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), 1002),
        (frame(0x88, b"x"), 1002),
        (close(1005), 1002),
        (frame(0x81, b"\xff"), 1007),
        (frame(0x88, b"\x03\xe8\xff"), 1007),
        (frame(0x82, &[0; 1001]), 1009),
        ([frame(0x01, &long), frame(0x80, &long)].concat(), 1009),
        ([frame(0x01, b""), frame(0x00, b"").repeat(8)].concat(), 1009),
    ] {
        let mut fixture = Fixture::new();
        fixture.client.send(&bytes).await;
        fixture.client.send(b"what follows is taken and not read").await;
        fixture.client.expect_close(code).await;
        fixture.client.expect_end().await;
        drop(mem::replace(&mut fixture.client.io, duplex(1).0));
        assert_eq!(fixture.ended().await, [format!("ByServer({code})"), "dropped".into()]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_violation_is_still_answered() {
    let mut fixture = Fixture::new();
    fixture.client.send(&[text("good"), frame(0xc1, b"bad"), text("too late")].concat()).await;
    fixture.client.expect_text("good").await;
    fixture.client.expect_close(1002).await;
    fixture.client.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn message_at_the_bound_is_taken() {
    let mut fixture = Fixture::new();
    fixture.client.send(&frame(0x82, &[7; 1000])).await;
    fixture.client.expect(Frame::Binary(vec![7; 1000])).await;
    fixture.client.send(&[frame(0x02, &[7; 999]), frame(0x80, &[7])].concat()).await;
    fixture.client.expect(Frame::Binary(vec![7; 1000])).await;
}

#[tokio::test(start_paused = true)]
async fn lost_socket_drops_the_session() {
    let mut fixture = Fixture::new();
    fixture.client.send(&text("half a frame")[..5]).await;
    drop(mem::replace(&mut fixture.client.io, duplex(1).0));
    assert_eq!(fixture.ended().await, ["Lost", "dropped"]);
}

#[tokio::test(start_paused = true)]
async fn aborted_task_abandons_the_outbox_and_drops_the_session() {
    let fixture = Fixture::new();
    fixture.outbox.push(message(FrameKind::Text, b"unsent")).unwrap();
    fixture.task.abort();
    assert!(fixture.task.await.unwrap_err().is_cancelled());
    assert_eq!(*fixture.diary.lock().unwrap(), ["dropped"]);
    assert_eq!(fixture.outbox.totals().unsent, 1);
}

/// While a request is being handled nothing more is handed over, and writing goes on.
#[tokio::test(start_paused = true)]
async fn requests_of_a_socket_run_one_after_another() {
    let mut fixture = Fixture::new();
    fixture.client.send(&[text("slow one"), text("two"), text("slow three")].concat()).await;
    tokio::task::yield_now().await;
    fixture.push("pushed meanwhile").unwrap();
    fixture.client.expect_text("pushed meanwhile").await;
    assert_eq!(*fixture.diary.lock().unwrap(), ["slow one"]);

    fixture.client.send(&text("four")).await;
    fixture.gate.add_permits(1);
    fixture.client.expect_text("slow one").await;
    fixture.client.expect_text("two").await;
    assert_eq!(*fixture.diary.lock().unwrap(), ["slow one", "two", "slow three"]);

    fixture.gate.add_permits(1);
    fixture.client.expect_text("slow three").await;
    fixture.client.expect_text("four").await;
}

#[tokio::test(start_paused = true)]
async fn close_is_not_held_up_by_a_request_that_hangs() {
    let mut fixture = Fixture::new();
    fixture.client.send(&text("slow")).await;
    tokio::task::yield_now().await;
    fixture.outbox.close(1001, "");
    fixture.client.expect_close(1001).await;
    fixture.client.expect_end().await;
    assert_eq!(fixture.ended().await, ["slow", "ByServer(1001)", "dropped"]);
}

/// A client that asks for much at once is answered in portions and never closed for it.
#[tokio::test(start_paused = true)]
async fn pipelined_requests_do_not_fill_the_outbox() {
    let limits = OutboxLimits { messages_max: 100, ..OutboxLimits::default() };
    let mut fixture = Fixture::with(Echo::with_limits(limits), 1 << 20);
    fixture.client.send(&text("x").repeat(5000)).await;
    for _ in 0..5000 {
        fixture.client.expect_text("x").await;
    }
}

/// A client that does not read is not read from, so that it waits instead of being closed.
#[tokio::test(start_paused = true)]
async fn client_that_does_not_read_its_answers_has_to_wait() {
    let limits = OutboxLimits { messages_max: 100, ..OutboxLimits::default() };
    let mut fixture = Fixture::with(Echo::with_limits(limits), 4096);
    let requests = text("x").repeat(50_000);
    let all = tokio::time::timeout(Duration::from_secs(1), fixture.client.send(&requests)).await;
    assert!(all.is_err(), "350 kB would have been taken");
    assert!(!fixture.outbox.is_closed());
    for _ in 0..100 {
        fixture.client.expect_text("x").await;
    }
}

/// The pipe holds 16 bytes and the client reads nothing.
#[tokio::test(start_paused = true)]
async fn slow_consumer_is_cut_within_a_second_of_its_outbox_being_full() {
    let limits = OutboxLimits { messages_max: 4, ..OutboxLimits::default() };
    let fixture = Fixture::with(Echo::with_limits(limits), 16);
    fixture.push("taken by the writer, which blocks").unwrap();
    tokio::task::yield_now().await;
    let start = Instant::now();
    for _ in 0..4 {
        fixture.push("waits").unwrap();
    }
    assert_eq!(fixture.outbox.push(message(FrameKind::Text, b"too much")), Err(PushError::Full));
    fixture.outbox.wake();
    assert_eq!(fixture.ended().await, ["Lost", "dropped"]);
    assert_eq!(start.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn slow_consumer_that_reads_in_time_learns_why() {
    let limits = OutboxLimits { messages_max: 1, ..OutboxLimits::default() };
    let mut fixture = Fixture::with(Echo::with_limits(limits), 16);
    fixture.push("taken by the writer, which blocks").unwrap();
    tokio::task::yield_now().await;
    fixture.push("dropped").unwrap();
    assert_eq!(fixture.push("too much"), Err(PushError::Full));
    fixture.outbox.wake();
    fixture.client.expect_text("taken by the writer, which blocks").await;
    fixture.client.expect_close(4002).await;
}

#[tokio::test(start_paused = true)]
async fn silent_client_is_pinged_and_then_closed() {
    let mut fixture = Fixture::new();
    let start = Instant::now();
    fixture.client.expect(Frame::Ping(Vec::new())).await;
    let pinged = start.elapsed();
    assert!((16_000..=24_001).contains(&pinged.as_millis()), "{pinged:?}");
    fixture.client.expect_close(4005).await;
    let closed = start.elapsed();
    assert!(closed.abs_diff(2 * pinged) < Duration::from_millis(5), "{pinged:?} {closed:?}");
    fixture.client.expect_end().await;
    assert_eq!(fixture.ended().await, ["ByServer(4005)", "dropped"]);
}

#[tokio::test(start_paused = true)]
async fn client_that_answers_pings_stays_for_ever() {
    let mut fixture = Fixture::new();
    let start = Instant::now();
    for _ in 0..100 {
        fixture.client.expect(Frame::Ping(Vec::new())).await;
        fixture.client.send(&frame(0x8a, b"")).await;
    }
    assert!(start.elapsed() >= Duration::from_secs(100 * 16));
    assert!(!fixture.outbox.is_closed());
}

#[tokio::test(start_paused = true)]
async fn clients_that_came_together_are_not_pinged_together() {
    let start = Instant::now();
    let mut times = Vec::new();
    for mut fixture in [(); 8].map(|()| Fixture::new()) {
        times.push(tokio::spawn(async move {
            fixture.client.expect(Frame::Ping(Vec::new())).await;
            start.elapsed()
        }));
    }
    let mut distinct = std::collections::BTreeSet::new();
    for time in times {
        distinct.insert(time.await.unwrap());
    }
    assert!(distinct.len() > 4, "{distinct:?}");
}

/// The client answers pings but says nothing.
#[tokio::test(start_paused = true)]
async fn idle_client_is_closed_when_its_session_says_so() {
    let mut echo = Echo::new();
    echo.idle_max = Some(Duration::from_secs(120));
    let mut fixture = Fixture::with(echo, 1000);
    tokio::time::sleep(Duration::from_secs(10)).await;
    fixture.client.send(&text("hello")).await;
    fixture.client.expect_text("hello").await;
    let start = Instant::now();
    loop {
        match fixture.client.next().await {
            Some(Frame::Ping(_)) => fixture.client.send(&frame(0x8a, b"")).await,
            other => break assert_eq!(other, Some(Frame::Close(Some(1000), "idle".into()))),
        }
    }
    assert_eq!(start.elapsed().as_secs(), 120);
}

/// Both a client that is not heard from and one whose socket takes nothing.
#[tokio::test(start_paused = true)]
async fn half_open_connection_ends_though_nothing_can_be_written() {
    let fixture = Fixture::with(Echo::new(), 16);
    fixture.push("does not fit into the pipe").unwrap();
    let start = Instant::now();
    assert_eq!(fixture.ended().await, ["Lost", "dropped"]);
    let elapsed = start.elapsed().as_secs();
    assert!((32..=49).contains(&elapsed), "twice the heartbeat and a second: {elapsed}");
}

#[tokio::test]
async fn task_of_a_connection_is_small() {
    struct Never(#[expect(dead_code, reason = "takes a socket's place")] [u64; 5]);
    impl AsyncRead for Never {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }
    impl AsyncWrite for Never {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    assert_eq!(size_of::<Never>(), size_of::<tokio::net::TcpStream>());
    let echo = Echo::new();
    let session = size_of_val(&echo);
    let task = run(Never([0; 5]), Vec::new(), echo, Arc::new(config()), ());
    let own = size_of_val(&task) - session;
    assert!(own <= 336, "{own} bytes beside the session");
}
