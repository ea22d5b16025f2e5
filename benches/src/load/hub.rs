//! A yardstick: a hub that knows nothing of rooms, games or sessions, to see what the machine allows.
//!
//! Whoever connects to `/room/N` gets what anybody there sends: of each message the stamp is found and put into
//! one frame, made once, which goes to all. Read and write are as a good server does them: one small task for each
//! connection, one buffer for all reads, and many frames for each write.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io::{self, ErrorKind, Write as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use parlor_protocol::Codec;
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::process::LISTENING;
use super::stamp::Stamp;

/// Serves until the process ends.
pub fn run(listen: SocketAddr) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(listen).await?;
        let mut out = io::stdout();
        writeln!(out, "{LISTENING}{}", listener.local_addr()?)?;
        out.flush()?;
        let rooms = Rc::new(RefCell::new(Rooms::default()));
        loop {
            let (stream, _) = listener.accept().await?;
            // A client that breaks off is not the hub's business.
            let rooms = Rc::clone(&rooms);
            spawn_local(async move { drop(serve(stream, rooms).await) });
        }
    })
}

type Rooms = HashMap<String, Room>;
type Room = Rc<RefCell<Vec<Rc<Peer>>>>;

/// What waits for one connection.
#[derive(Default)]
struct Peer {
    queue: RefCell<VecDeque<Bytes>>,
    waker: RefCell<Option<Waker>>,
}

async fn serve(mut stream: TcpStream, rooms: Rc<RefCell<Rooms>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (name, codec) = upgrade(&mut stream).await?;
    let room = Rc::clone(rooms.borrow_mut().entry(name).or_default());
    let peer = Rc::new(Peer::default());
    room.borrow_mut().push(Rc::clone(&peer));
    // The handshake's future is much larger than the connection's, which so is the only one kept.
    spawn_local(async move {
        let _ended = relay(stream, &peer, &room, codec).await;
        room.borrow_mut().retain(|other| !Rc::ptr_eq(other, &peer));
    });
    Ok(())
}

async fn relay(mut stream: TcpStream, peer: &Peer, room: &Room, codec: Codec) -> io::Result<()> {
    let mut partial = Vec::new();
    let mut unsent = Vec::new();
    loop {
        poll_fn(|cx| {
            let read = poll_read(cx, &mut stream, &mut partial, |payload| {
                let Some((stamp, _)) = Stamp::find(payload) else { return };
                let frame = frame(codec, stamp);
                for other in room.borrow().iter() {
                    other.queue.borrow_mut().push_back(frame.clone());
                    if let Some(waker) = other.waker.borrow_mut().take() {
                        waker.wake();
                    }
                }
            });
            if read.is_ready() {
                return read;
            }
            if !unsent.is_empty() {
                return stream.poll_write_ready(cx);
            }
            if !peer.queue.borrow().is_empty() {
                return Poll::Ready(Ok(()));
            }
            *peer.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await?;
        // Others may have something for this one as well: then it is one write.
        yield_now().await;
        write(&stream, peer, &mut unsent)?;
    }
}

/// Reads once and hands out what is whole.
fn poll_read(
    cx: &mut Context<'_>,
    stream: &mut TcpStream,
    partial: &mut Vec<u8>,
    mut on_payload: impl FnMut(&[u8]),
) -> Poll<io::Result<()>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        let read = buffer.filled().len();
        if read == 0 {
            return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
        }
        if partial.is_empty() {
            let taken = unmask(&mut scratch[..read], &mut on_payload)?;
            partial.extend_from_slice(&scratch[taken..read]);
        } else {
            partial.extend_from_slice(&scratch[..read]);
            let taken = unmask(partial, &mut on_payload)?;
            partial.drain(..taken);
        }
        if partial.is_empty() {
            // A connection at rest holds no buffer.
            *partial = Vec::new();
        }
        Poll::Ready(Ok(()))
    })
}

fn write(stream: &TcpStream, peer: &Peer, unsent: &mut Vec<u8>) -> io::Result<()> {
    let mut queue = peer.queue.borrow_mut();
    BATCH.with_borrow_mut(|batch| {
        while !queue.is_empty() || !unsent.is_empty() {
            batch.clear();
            batch.append(unsent);
            let count = queue.len().min(FRAMES_PER_WRITE);
            queue.drain(..count).for_each(|frame| batch.extend_from_slice(&frame));
            let written = match stream.try_write(batch) {
                Ok(written) => written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
            if written < batch.len() {
                unsent.extend_from_slice(&batch[written..]);
                return Ok(());
            }
        }
        if queue.capacity() > FRAMES_PER_WRITE {
            *queue = VecDeque::new();
        }
        Ok(())
    })
}

/// Unmasks each whole frame at the start of `bytes` in place and hands it out. Gives how many bytes they took.
fn unmask(bytes: &mut [u8], on_payload: &mut impl FnMut(&[u8])) -> io::Result<usize> {
    let mut taken = 0;
    loop {
        let frame = &mut bytes[taken..];
        let (length, start) = match *frame {
            [_, length @ 0x80..=0xfd, ..] => (usize::from(length & 0x7f), 2),
            [_, 0xfe, a, b, ..] => (usize::from(u16::from_be_bytes([a, b])), 4),
            [_, ..0x80 | 0xff, ..] => return Err(ErrorKind::InvalidData.into()),
            _ => return Ok(taken),
        };
        let end = start + 4 + length;
        if frame.len() < end {
            return Ok(taken);
        }
        let (head, payload) = frame[..end].split_at_mut(start + 4);
        let mask = &head[start..];
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        if head[0] & 0x0f == 8 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        on_payload(payload);
        taken += end;
    }
}

/// The frame that a game server would send for it, as long as that.
fn frame(codec: Codec, stamp: Stamp) -> Bytes {
    let event = serde_json::json!({
        "type": "game_event", "seq": 1_000_000, "data": {"name": "said", "data": {"at": stamp}},
    });
    let payload = codec.encode(&event).expect("a tree can be encoded");
    let head = match codec {
        Codec::Json => 0x81,
        Codec::MsgPack => 0x82,
    };
    let length = u8::try_from(payload.len()).expect("it is short");
    [&[head, length], &*payload].concat().into()
}

/// Answers the handshake. Gives the path and the codec.
async fn upgrade(stream: &mut TcpStream) -> io::Result<(String, Codec)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD_BYTES_MAX || stream.read_buf(&mut head).await? == 0 {
            return Err(ErrorKind::InvalidData.into());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let key = header("Sec-WebSocket-Key: ").ok_or(ErrorKind::InvalidData)?;
    let protocol = header("Sec-WebSocket-Protocol: ").unwrap_or("parlor.v1.json");
    let codec = if protocol.ends_with("msgpack") { Codec::MsgPack } else { Codec::Json };
    let path = head.split(' ').nth(1).ok_or(ErrorKind::InvalidData)?.to_owned();
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    Ok((path, codec))
}

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; 64 * 1024].into_boxed_slice());
    static BATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

const FRAMES_PER_WRITE: usize = 64;
const HEAD_BYTES_MAX: usize = 8192;
