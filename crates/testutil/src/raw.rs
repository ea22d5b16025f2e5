//! A socket that is written by the byte, so that tests can also break the rules.
//!
//! [`RawSocket`] knows how frames look and nothing of what they say. It panics where a server falls silent.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::seat::WAIT_MAX;

/// A connection to a server.
#[derive(Debug)]
pub struct RawSocket {
    reader: BufReader<OwnedReadHalf>,
    writer: Option<OwnedWriteHalf>,
}

/// A frame from the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RawFrame {
    /// A message.
    Message(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame, with its code and its reason.
    Close(u16, String),
}

impl RawSocket {
    /// Connects from 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When nobody listens.
    pub async fn connect(server: SocketAddr) -> Self {
        Self::connect_from(1, server).await
    }

    /// Connects from 127.0.0.`host`.
    ///
    /// # Panics
    ///
    /// When nobody listens.
    pub async fn connect_from(host: u8, server: SocketAddr) -> Self {
        Self::new(stream_from(host, server).await.expect("the server listens"))
    }

    /// Goes on with a connection.
    pub fn new(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: BufReader::new(reader), writer: Some(writer) }
    }

    /// Opens a WebSocket, in JSON unless `more` header lines say otherwise.
    ///
    /// # Panics
    ///
    /// When it is refused.
    pub async fn open(server: SocketAddr, more: &str) -> Self {
        let mut socket = Self::connect(server).await;
        let head = socket.ask(&upgrade(more)).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        socket
    }

    /// Sends bytes as they are. An error means that the server has cut the connection.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.writer {
            Some(writer) => writer.write_all(bytes).await,
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The direction to the server, for those who write while something else reads.
    ///
    /// # Panics
    ///
    /// When it was taken before.
    pub fn take_writer(&mut self) -> OwnedWriteHalf {
        self.writer.take().expect("it is taken once")
    }

    /// Sends a request and reads the head of its answer; what there was of it, when the connection ends before.
    ///
    /// # Panics
    ///
    /// When there is no end in time.
    pub async fn ask(&mut self, request: &str) -> String {
        // A server that has refused already does not take it.
        let _ = self.send(request.as_bytes()).await;
        let mut head = Vec::new();
        let reading = async {
            while !head.ends_with(b"\r\n\r\n") {
                match self.reader.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
        };
        timeout(WAIT_MAX, reading).await.expect("the server answers in time");
        String::from_utf8(head).expect("a head is text")
    }

    /// The next frame, or `None` at the end of the stream.
    ///
    /// # Panics
    ///
    /// When neither comes in time, or what comes is no frame.
    pub async fn next(&mut self) -> Option<RawFrame> {
        timeout(WAIT_MAX, self.read()).await.expect("the server says something in time")
    }

    /// The next message, read as JSON. Pings are passed over.
    ///
    /// # Panics
    ///
    /// When something else comes.
    pub async fn json(&mut self) -> Value {
        loop {
            match self.next().await {
                Some(RawFrame::Message(text)) => {
                    return serde_json::from_slice(&text).expect("messages are JSON");
                }
                Some(RawFrame::Ping(_)) => {}
                other => panic!("no message: {other:?}"),
            }
        }
    }

    /// The answer to a request, sent as a text frame. Events are passed over.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn request(&mut self, kind: &str, data: &Value) -> Value {
        let request = serde_json::json!({"type": kind, "data": data});
        self.send(&text(&request.to_string())).await.expect("the connection holds");
        loop {
            let said = self.json().await;
            if said["type"] == format!("{kind}_result") {
                return said;
            }
        }
    }

    /// Reads up to the server's close frame and gives its code and what came before; `None` for the code when
    /// the connection ends without one.
    ///
    /// # Panics
    ///
    /// When neither comes in time.
    pub async fn until_closed(&mut self) -> (Option<u16>, Vec<RawFrame>) {
        let mut before = Vec::new();
        loop {
            match self.next().await {
                Some(RawFrame::Close(code, _)) => return (Some(code), before),
                Some(frame) => before.push(frame),
                None => return (None, before),
            }
        }
    }

    /// Reads until the server has ended the connection, whatever it says before, and gives that.
    ///
    /// # Panics
    ///
    /// When it does not in time.
    pub async fn until_cut(&mut self) -> Vec<u8> {
        let mut said = Vec::new();
        let cut = timeout(WAIT_MAX, self.reader.read_to_end(&mut said)).await;
        let _in_whatever_way = cut.expect("the connection is cut in time");
        said
    }

    async fn read(&mut self) -> Option<RawFrame> {
        let first = self.reader.read_u8().await.ok()?;
        let second = self.reader.read_u8().await.ok()?;
        assert_eq!(first & 0xf0, 0x80, "the server sends whole messages without extensions");
        assert_eq!(second & 0x80, 0, "a server does not mask");
        let length = match second {
            126 => u64::from(self.reader.read_u16().await.ok()?),
            127 => self.reader.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).expect("it fits into memory")];
        self.reader.read_exact(&mut payload).await.ok()?;
        Some(match (first & 0x0f, &payload[..]) {
            (1 | 2, _) => RawFrame::Message(payload),
            (8, []) => RawFrame::Close(1005, String::new()),
            (8, [high, low, reason @ ..]) => RawFrame::Close(
                u16::from_be_bytes([*high, *low]),
                String::from_utf8_lossy(reason).into_owned(),
            ),
            (9, _) => RawFrame::Ping(payload),
            (10, _) => RawFrame::Pong(payload),
            (opcode, _) => panic!("a frame with opcode {opcode} and {} bytes", payload.len()),
        })
    }
}

/// Connects from 127.0.0.`host`, which all are this machine.
pub async fn stream_from(host: u8, server: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), 0))?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A request for a WebSocket, with `more` header lines.
pub fn upgrade(more: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: play.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// Bytes of a client's frame, masked and with the shortest length.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, payload.len() as u64);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// What stands before a payload of this length.
pub fn header(first: u8, length: u64) -> Vec<u8> {
    let mut header = vec![first];
    if let Ok(length @ 0..126) = u8::try_from(length) {
        header.push(0x80 | length);
    } else if let Ok(length) = u16::try_from(length) {
        header.push(0x80 | 126);
        header.extend_from_slice(&length.to_be_bytes());
    } else {
        header.push(0x80 | 127);
        header.extend_from_slice(&length.to_be_bytes());
    }
    header.extend_from_slice(&MASK);
    header
}

/// A message in a text frame.
pub fn text(payload: &str) -> Vec<u8> {
    frame(0x81, payload.as_bytes())
}

const MASK: [u8; 4] = [1, 2, 3, 4];
