//! One client's socket: as little of HTTP and WebSocket as a client needs, so that thousands of them cost less
//! than the server that they are to measure.
//!
//! Reads into a buffer that all sockets share and keeps only what of a frame has not come yet.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;

use memchr::memmem;
use mio::net::TcpStream;
use parlor_protocol::{Codec, FrameKind};

/// A socket that is being opened, or is open.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    codec: Codec,
    is_open: bool,
    /// What has come of a frame, or of the answer to the handshake, that is not complete.
    partial: Vec<u8>,
    /// What the kernel had no room for.
    unsent: Vec<u8>,
}

/// Why a socket is of no more use.
#[derive(Debug, thiserror::Error)]
pub(super) enum SocketError {
    /// The network's.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server would not upgrade.
    #[error("the handshake was refused: {0}")]
    Refused(String),
    /// The server closed it.
    #[error("closed by the server with {0}")]
    Closed(u16),
    /// A frame that no server sends.
    #[error("the server sent a frame that is none")]
    Malformed,
}

impl Socket {
    /// Begins to connect; the handshake for `path` is sent as soon as that is possible.
    pub(super) fn connect(server: SocketAddr, path: &str, codec: Codec) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        let protocol = match codec {
            Codec::Json => "parlor.v1.json",
            Codec::MsgPack => "parlor.v1.msgpack",
        };
        let handshake = format!(
            "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: {protocol}\r\n\r\n"
        );
        let unsent = handshake.into_bytes();
        Ok(Self { stream, codec, is_open: false, partial: Vec::new(), unsent })
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Sends a message, now or as soon as the kernel has room for it.
    pub(super) fn send(&mut self, message: &[u8]) -> Result<(), SocketError> {
        self.send_frame(opcode(self.codec.frame_kind()), message)
    }

    fn send_frame(&mut self, opcode: u8, payload: &[u8]) -> Result<(), SocketError> {
        let mut frame = [0; SMALL_FRAME];
        match masked(payload, opcode, &mut frame) {
            Some(length) if self.unsent.is_empty() && self.is_open => {
                let written = retrying(|| self.stream.write(&frame[..length]))?.unwrap_or(0);
                self.unsent.extend_from_slice(&frame[written..length]);
                Ok(())
            }
            Some(length) => {
                self.unsent.extend_from_slice(&frame[..length]);
                if self.is_open { self.flush() } else { Ok(()) }
            }
            None => Err(SocketError::Malformed),
        }
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self) -> Result<(), SocketError> {
        while !self.unsent.is_empty() {
            match retrying(|| self.stream.write(&self.unsent)) {
                Ok(Some(written)) => drop(self.unsent.drain(..written)),
                Ok(None) => break,
                // Not connected yet: the poll says when it is.
                Err(error) if error.kind() == ErrorKind::NotConnected => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads what is there and hands out each message; pings are answered. Gives the bytes read, and whether the
    /// socket has just been opened.
    pub(super) fn read(
        &mut self,
        scratch: &mut [u8],
        mut on_message: impl FnMut(&[u8]),
    ) -> Result<(usize, bool), SocketError> {
        let (mut bytes, mut is_new) = (0, false);
        loop {
            let read = match retrying(|| self.stream.read(scratch)) {
                Ok(Some(0)) => return Err(SocketError::Closed(1006)),
                Ok(Some(read)) => read,
                Ok(None) => return Ok((bytes, is_new)),
                Err(error) => return Err(error.into()),
            };
            bytes += read;
            let mut rest = &scratch[..read];
            if !self.is_open || !self.partial.is_empty() {
                self.partial.extend_from_slice(rest);
                let mut whole = std::mem::take(&mut self.partial);
                let mut taken = 0;
                if !self.is_open {
                    let Some(end) = memmem::find(&whole, b"\r\n\r\n") else {
                        self.partial = whole;
                        continue;
                    };
                    if !whole.starts_with(b"HTTP/1.1 101") {
                        let head = String::from_utf8_lossy(&whole);
                        let line = head.lines().next().unwrap_or_default();
                        return Err(SocketError::Refused(line.to_owned()));
                    }
                    (self.is_open, is_new, taken) = (true, true, end + 4);
                }
                let (more, ping) = frames(&whole[taken..], &mut on_message)?;
                self.answer(ping)?;
                whole.drain(..taken + more);
                self.partial = whole;
            } else {
                let (taken, ping) = frames(rest, &mut on_message)?;
                self.answer(ping)?;
                rest = &rest[taken..];
                self.partial.extend_from_slice(rest);
            }
            if self.partial.is_empty() {
                // A socket at rest holds no buffer.
                self.partial = Vec::new();
            }
            if read < scratch.len() {
                return Ok((bytes, is_new));
            }
        }
    }

    /// Answers a ping, so that the server knows one who only listens to be there.
    fn answer(&mut self, ping: Option<&[u8]>) -> Result<(), SocketError> {
        ping.map_or(Ok(()), |payload| self.send_frame(OPCODE_PONG, payload))
    }
}

/// Hands out each whole message at the start of `bytes`. Gives how many bytes they took, and what the last ping
/// among them said: an answer to that answers those before it (RFC 6455, 5.5.3).
fn frames<'a>(
    mut bytes: &'a [u8],
    on_message: &mut impl FnMut(&[u8]),
) -> Result<(usize, Option<&'a [u8]>), SocketError> {
    let before = bytes.len();
    let mut ping = None;
    while let [first, second, rest @ ..] = bytes {
        let (length, rest) = match (second, rest) {
            (126, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                let length = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                (usize::try_from(length).map_err(|_| SocketError::Malformed)?, rest)
            }
            (126 | 127, _) => break,
            (length @ 0..126, rest) => (usize::from(*length), rest),
            // Masked, which a server must not.
            (128.., _) => return Err(SocketError::Malformed),
        };
        let Some((payload, after)) = rest.split_at_checked(length) else { break };
        match first & 0x0f {
            1 | 2 => on_message(payload),
            8 => {
                let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                return Err(SocketError::Closed(code));
            }
            9 => ping = Some(payload),
            10 => {}
            _ => return Err(SocketError::Malformed),
        }
        bytes = after;
    }
    Ok((before - bytes.len(), ping))
}

fn opcode(kind: FrameKind) -> u8 {
    match kind {
        FrameKind::Text => 1,
        FrameKind::Binary => 2,
    }
}

/// Writes a masked frame into `frame`, and gives its length. `None` when it is too long.
fn masked(message: &[u8], opcode: u8, frame: &mut [u8; SMALL_FRAME]) -> Option<usize> {
    frame[0] = 0x80 | opcode;
    let start = if message.len() < 126 {
        frame[1] = 0x80 | u8::try_from(message.len()).ok()?;
        2
    } else {
        frame[1] = 0x80 | 126;
        frame[2..4].copy_from_slice(&u16::try_from(message.len()).ok()?.to_be_bytes());
        4
    };
    frame.get_mut(start..start + 4)?.copy_from_slice(&MASK);
    let payload = frame.get_mut(start + 4..start + 4 + message.len())?;
    for (place, (to, from)) in payload.iter_mut().zip(message).enumerate() {
        *to = from ^ MASK[place % 4];
    }
    Some(start + 4 + message.len())
}

/// `None` where the kernel would have to wait.
fn retrying(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

const OPCODE_PONG: u8 = 10;
/// Nobody between a generator and its server is to be fooled, which is what masks are for.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// The longest frame that is sent.
const SMALL_FRAME: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expect: &[&[u8]], left: usize) {
        let mut seen = Vec::new();
        let (taken, _) = frames(bytes, &mut |payload| seen.push(payload.to_vec())).unwrap();
        assert_eq!(seen, expect);
        assert_eq!(bytes.len() - taken, left);
    }

    #[test]
    fn whole_frames_are_handed_out_and_the_rest_is_left() {
        check(b"", &[], 0);
        check(b"\x81\x02hi\x82\x00\x89\x01p\x81", &[b"hi", b""], 1);
        check(b"\x81\x05hi", &[], 4);
        check(b"\x81\x7e\x00", &[], 3);
        let long = [b"\x81\x7e\x01\x00".as_slice(), &[7; 256]].concat();
        check(&long, &[&[7; 256]], 0);
        check(&long[..259], &[], 259);
        let longer = [b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00".as_slice(), &[7; 65536]].concat();
        check(&longer, &[&[7; 65536]], 0);
    }

    #[test]
    fn last_ping_is_what_is_to_be_answered() {
        let ping = |bytes| frames(bytes, &mut |_| {}).unwrap().1.map(<[u8]>::to_vec);
        assert_eq!(ping(b"\x89\x01a\x81\x00\x89\x02bc\x89\x01"), Some(b"bc".to_vec()));
        assert_eq!(ping(b"\x89\x00"), Some(Vec::new()));
        assert_eq!(ping(b"\x8a\x01a\x81\x00"), None);
    }

    #[test]
    fn close_and_what_no_server_sends_end_a_socket() {
        let ended = |bytes| frames(bytes, &mut |_| {}).unwrap_err();
        assert!(matches!(ended(b"\x88\x02\x0f\xa2"), SocketError::Closed(4002)));
        assert!(matches!(ended(b"\x88\x00"), SocketError::Closed(1005)));
        assert!(matches!(ended(b"\x81\x80\0\0\0\0"), SocketError::Malformed));
        assert!(matches!(ended(b"\x83\x00"), SocketError::Malformed));
    }

    #[test]
    fn sent_frame_is_masked_and_unmasks_to_what_was_sent() {
        for length in [0, 1, 125, 126, 500] {
            let message = vec![b'm'; length];
            let mut frame = [0; SMALL_FRAME];
            let sent = masked(&message, 1, &mut frame).unwrap();
            let start = if length < 126 { 6 } else { 8 };
            assert_eq!((frame[0], sent), (0x81, start + length));
            let unmasked: Vec<u8> = frame[start..sent]
                .iter()
                .enumerate()
                .map(|(place, byte)| byte ^ MASK[place % 4])
                .collect();
            assert_eq!(unmasked, message);
        }
        assert_eq!(masked(&[0; SMALL_FRAME], 1, &mut [0; SMALL_FRAME]), None);
    }
}
