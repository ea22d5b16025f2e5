//! A client that speaks WebSocket by the byte, so that tests can also break the rules.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use parlor_gateway::{
    Caller, Handled,
    outbox::{Class, Message, Outbox, OutboxLimits},
};
use parlor_protocol::FrameKind;
use parlor_server::transport::{Ending, Endpoint, Session};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The far end of a connection.
#[derive(Debug)]
pub(crate) struct Client<IO> {
    pub(crate) io: IO,
}

/// A frame from the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Frame {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

/// Bytes of a client's frame, masked and with the shortest length.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [1, 2, 3, 4];
    let mut frame = vec![first];
    if let Ok(length @ 0..126) = u8::try_from(payload.len()) {
        frame.push(0x80 | length);
    } else if let Ok(length) = u16::try_from(payload.len()) {
        frame.push(0x80 | 126);
        frame.extend_from_slice(&length.to_be_bytes());
    } else {
        frame.push(0x80 | 127);
        frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

pub(crate) fn text(payload: &str) -> Vec<u8> {
    frame(0x81, payload.as_bytes())
}

pub(crate) fn close(code: u16) -> Vec<u8> {
    frame(0x88, &code.to_be_bytes())
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Client<IO> {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.expect("the server takes what is sent");
    }

    /// The next frame, or `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let first = self.io.read_u8().await.ok()?;
        let second = self.io.read_u8().await.expect("a whole header");
        assert_eq!(first & 0xf0, 0x80, "the server sends whole messages without extensions");
        assert_eq!(second & 0x80, 0, "a server does not mask");
        let length = match second {
            126 => u64::from(self.io.read_u16().await.expect("a whole header")),
            127 => self.io.read_u64().await.expect("a whole header"),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).expect("it fits into memory")];
        self.io.read_exact(&mut payload).await.expect("a whole payload");
        Some(match first & 0x0f {
            1 => Frame::Text(String::from_utf8(payload).expect("text is UTF-8")),
            2 => Frame::Binary(payload),
            8 => match &payload[..] {
                [] => Frame::Close(None, String::new()),
                [high, low, reason @ ..] => Frame::Close(
                    Some(u16::from_be_bytes([*high, *low])),
                    String::from_utf8(reason.to_vec()).expect("a reason is UTF-8"),
                ),
                [_] => panic!("a close frame of one byte"),
            },
            9 => Frame::Ping(payload),
            10 => Frame::Pong(payload),
            opcode => panic!("opcode {opcode}"),
        })
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, expected: Frame) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        async move {
            let got = self.next().await;
            assert_eq!(got, Some(expected), "asked at {at}");
        }
    }

    pub(crate) async fn expect_text(&mut self, expected: &str) {
        self.expect(Frame::Text(expected.to_owned())).await;
    }

    pub(crate) async fn expect_close(&mut self, code: u16) {
        match self.next().await {
            Some(Frame::Close(Some(got), _)) => assert_eq!(got, code),
            other => panic!("not a close frame: {other:?}"),
        }
    }

    /// Waits for the server to end the stream.
    pub(crate) async fn expect_end(&mut self) {
        assert_eq!(self.next().await, None);
    }
}

impl Client<TcpStream> {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { io: TcpStream::connect(address).await.expect("the server listens") }
    }

    /// Opens a WebSocket.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let mut client = Self::connect(address).await;
        let answer = client.ask(&upgrade("")).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        client
    }

    /// Sends a request and reads the head of its answer.
    pub(crate) async fn ask(&mut self, request: &str) -> String {
        self.send(request.as_bytes()).await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.io.read_u8().await.expect("a whole head"));
        }
        String::from_utf8(head).expect("a head is ASCII")
    }

    /// Sends a request and reads its answer, head and body.
    pub(crate) async fn ask_whole(&mut self, request: &str) -> (String, String) {
        let head = self.ask(request).await;
        let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.io.read_exact(&mut body).await.expect("a whole body");
        (head, String::from_utf8(body).expect("a body is UTF-8"))
    }
}

/// A request for a WebSocket, with `more` header lines.
pub(crate) fn upgrade(more: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: play.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// A header's value in an answer's head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// Fails a test that waits for something that does not come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), what).await.expect("it happens within 20 s")
}

/// Sends back what it gets, and keeps a diary.
///
/// A text that begins with "slow" is answered only when the test lets it.
#[derive(Debug)]
pub(crate) struct Echo {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) idle_max: Option<Duration>,
    pub(crate) diary: Diary,
    pub(crate) gate: Arc<tokio::sync::Semaphore>,
    /// Told of each message.
    pub(crate) heard: Arc<tokio::sync::Notify>,
}

/// How a session went.
pub(crate) type Diary = Arc<Mutex<Vec<String>>>;

impl Echo {
    pub(crate) fn new() -> Self {
        Self::with_limits(OutboxLimits::default())
    }

    pub(crate) fn with_limits(limits: OutboxLimits) -> Self {
        Self {
            outbox: Outbox::new(limits),
            idle_max: None,
            diary: Diary::default(),
            gate: Arc::new(tokio::sync::Semaphore::new(0)),
            heard: Arc::default(),
        }
    }
}

pub(crate) fn message(kind: FrameKind, payload: &[u8]) -> Message {
    Message { payload: payload.into(), class: Class::Reliable, kind }
}

impl Session for Echo {
    fn message(&mut self, kind: FrameKind, payload: &[u8]) -> Handled<'_> {
        self.diary.lock().unwrap().push(String::from_utf8_lossy(payload).into_owned());
        self.heard.notify_one();
        let message = message(kind, payload);
        if payload.starts_with(b"slow") {
            return Handled::Pending(Box::pin(async move {
                self.gate.acquire().await.expect("the gate stays").forget();
                let _ = self.outbox.push(message);
            }));
        }
        let _ = self.outbox.push(message);
        Handled::Done
    }

    fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    fn idle_max(&self) -> Option<Duration> {
        self.idle_max
    }

    fn closed(&mut self, ending: Ending) {
        self.diary.lock().unwrap().push(format!("{ending:?}"));
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.diary.lock().unwrap().push("dropped".to_owned());
    }
}

/// Makes an [`Echo`] for each socket and remembers their outboxes.
#[derive(Debug, Default)]
pub(crate) struct Echoes {
    pub(crate) limits: OutboxLimits,
    pub(crate) outboxes: Arc<Mutex<Vec<Arc<Outbox>>>>,
}

impl Endpoint for Echoes {
    type Session = Echo;
    const SUBPROTOCOLS: &'static [&'static str] = &["echo.v1", "echo.v2"];

    fn connect(&self, _: Option<&'static str>, _: Caller) -> Echo {
        let echo = Echo::with_limits(self.limits);
        self.outboxes.lock().unwrap().push(Arc::clone(&echo.outbox));
        echo
    }
}
