//! Reads a client's frames out of bytes as they come.
//!
//! [`Decoder`] is a state machine: bytes go in, in whatever pieces the network made of them, and
//! messages and control frames come out. It does no I/O, so it can be dropped or left alone at any
//! byte. It owns every rule of RFC 6455 for what a client may send, and the bounds on what it may
//! make us hold. Answering (pongs, close frames) is the connection's.
//!
//! A message in one frame that lies wholly in the input is unmasked where it lies and never
//! copied. Anything else is gathered in memory that grows with what has arrived, never with what
//! a header announces.

use std::{ops::Range, str};

use fastwebsockets::unmask;
use parlor_protocol::{CloseCode, FrameKind};

/// What a client may send before it is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadLimits {
    /// Bytes of a message, over all its fragments.
    pub(super) message_bytes_max: usize,
    /// Frames of a message. Without this bound empty fragments could go on for ever.
    pub(super) fragments_max: u32,
}

/// The reading state of one connection. Between frames it holds no memory of its own.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    phase: Phase,
    /// What did not lie wholly in the input. `None` between messages.
    gathered: Option<Box<Gathered>>,
}

/// Something a client has said.
#[derive(Debug)]
pub(super) enum Item {
    Message(FrameKind, Payload),
    Ping(Payload),
    Pong,
    /// A valid close frame, with its code if it had one. Nothing after it is to be read.
    Close(Option<u16>),
}

/// Where a payload lies. Good until the next call to [`Decoder::decode`] or
/// [`Decoder::release`].
#[derive(Clone, Debug)]
pub(super) enum Payload {
    /// In the input of the call that returned it.
    InPlace(Range<usize>),
    /// In the decoder.
    Message,
    /// In the decoder, beside a message that goes on after it.
    Control,
}

/// What a client did that ends its connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Violation {
    #[error("reserved bit set")]
    ReservedBit,
    #[error("reserved opcode")]
    ReservedOpcode,
    #[error("frame not masked")]
    NotMasked,
    #[error("control frame fragmented")]
    ControlFragmented,
    #[error("control frame too long")]
    ControlTooLong,
    #[error("length not minimal")]
    LengthNotMinimal,
    #[error("continuation of nothing")]
    ContinuationOfNothing,
    #[error("message inside a message")]
    MessageInsideMessage,
    #[error("message too long")]
    MessageTooLong,
    #[error("too many fragments")]
    TooManyFragments,
    #[error("text is not UTF-8")]
    TextNotUtf8,
    #[error("close frame of one byte")]
    CloseTruncated,
    #[error("close code not allowed")]
    CloseCodeNotAllowed,
    #[error("close reason is not UTF-8")]
    CloseReasonNotUtf8,
}

impl Violation {
    /// The close code to answer with.
    pub(super) fn close_code(self) -> CloseCode {
        match self {
            Self::ReservedBit
            | Self::ReservedOpcode
            | Self::NotMasked
            | Self::ControlFragmented
            | Self::ControlTooLong
            | Self::LengthNotMinimal
            | Self::ContinuationOfNothing
            | Self::MessageInsideMessage
            | Self::CloseTruncated
            | Self::CloseCodeNotAllowed => CloseCode::ProtocolError,
            Self::TextNotUtf8 | Self::CloseReasonNotUtf8 => CloseCode::InvalidText,
            Self::MessageTooLong | Self::TooManyFragments => CloseCode::TooLarge,
        }
    }
}

#[derive(Debug)]
enum Phase {
    Header { bytes: [u8; HEADER_BYTES_MAX], len: u8 },
    Payload(Frame),
}

/// A frame whose header has been read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    /// Turned with each chunk, so that its first byte is always for the next byte of payload.
    mask: [u8; 4],
    /// Bytes of payload still to come.
    remaining: usize,
    /// Whether gathering has begun.
    started: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Opcode {
    Continuation,
    Data(FrameKind),
    Close,
    Ping,
    Pong,
}

#[derive(Debug, Default)]
struct Gathered {
    /// The kind of the message in progress. `None` before the first and after the last fragment.
    kind: Option<FrameKind>,
    fragments: u32,
    message: Vec<u8>,
    /// How much of a text message is known to be UTF-8. At most three bytes behind its end.
    utf8_checked: usize,
    control: Vec<u8>,
}

impl Decoder {
    /// Reads `input` from `at` on, to the end of the next item or to its own end, and moves `at`
    /// there. `None` means that more input is needed.
    ///
    /// After a violation nothing more is to be read from the client.
    pub(super) fn decode(
        &mut self,
        limits: &ReadLimits,
        input: &mut [u8],
        at: &mut usize,
    ) -> Result<Option<Item>, Violation> {
        self.release();
        loop {
            let Some(frame) = self.frame(limits, input, at)? else {
                return Ok(None);
            };
            let range = *at..*at + frame.remaining.min(input.len() - *at);
            *at = range.end;
            let chunk = &mut input[range.clone()];
            unmask(chunk, frame.mask);

            let item = if !frame.started && chunk.len() == frame.remaining && frame.stands_alone() {
                self.phase = Phase::default();
                Some(whole(frame.opcode, chunk, Payload::InPlace(range))?)
            } else {
                self.gather(limits, frame, chunk)?
            };
            if item.is_some() || matches!(self.phase, Phase::Payload(_)) {
                return Ok(item);
            }
        }
    }

    /// The bytes of an item's payload, given the input of the call that returned it.
    pub(super) fn payload<'a>(&'a self, payload: &Payload, input: &'a [u8]) -> &'a [u8] {
        match (payload, &self.gathered) {
            (Payload::InPlace(range), _) => &input[range.clone()],
            (Payload::Message, Some(gathered)) => &gathered.message,
            (Payload::Control, Some(gathered)) => &gathered.control,
            (Payload::Message | Payload::Control, None) => &[],
        }
    }

    /// Frees what the last item needed.
    pub(super) fn release(&mut self) {
        if let (Phase::Header { .. }, Some(gathered)) = (&self.phase, &mut self.gathered) {
            if gathered.kind.is_none() {
                self.gathered = None;
            } else {
                gathered.control = Vec::new();
            }
        }
    }

    /// The frame in progress, or the next one once its header is complete.
    fn frame(
        &mut self,
        limits: &ReadLimits,
        input: &[u8],
        at: &mut usize,
    ) -> Result<Option<Frame>, Violation> {
        let (header, len) = match &mut self.phase {
            Phase::Payload(frame) => return Ok(Some(*frame)),
            Phase::Header { bytes, len } => {
                while usize::from(*len) < header_bytes(&bytes[..usize::from(*len)])
                    && let Some(byte) = input.get(*at)
                {
                    bytes[usize::from(*len)] = *byte;
                    *len += 1;
                    *at += 1;
                }
                (*bytes, usize::from(*len))
            }
        };
        if len < 2 {
            return Ok(None);
        }

        let held = self.gathered.as_deref();
        let in_progress = held.is_some_and(|held| held.kind.is_some());
        let opcode = check_start(header[0], header[1], in_progress)?;
        if len < header_bytes(&header[..len]) {
            return Ok(None);
        }

        let length = payload_bytes(&header)?;
        if !opcode.is_control() {
            let before = held.map_or(0, |held| held.message.len());
            let room = limits.message_bytes_max.saturating_sub(before);
            if length > room as u64 {
                return Err(Violation::MessageTooLong);
            }
        }
        let frame = Frame {
            opcode,
            fin: header[0] & FIN != 0,
            mask: [header[len - 4], header[len - 3], header[len - 2], header[len - 1]],
            remaining: usize::try_from(length).map_err(|_| Violation::MessageTooLong)?,
            started: false,
        };
        self.phase = Phase::Payload(frame);
        Ok(Some(frame))
    }

    /// Adds an unmasked `chunk` to what is held. An item, if it was the last.
    fn gather(
        &mut self,
        limits: &ReadLimits,
        mut frame: Frame,
        chunk: &[u8],
    ) -> Result<Option<Item>, Violation> {
        let gathered = self.gathered.get_or_insert_default();
        if !frame.started && !frame.opcode.is_control() {
            gathered.fragments += 1;
            if gathered.fragments > limits.fragments_max {
                return Err(Violation::TooManyFragments);
            }
            if let Opcode::Data(kind) = frame.opcode {
                gathered.kind = Some(kind);
            }
        }

        let into =
            if frame.opcode.is_control() { &mut gathered.control } else { &mut gathered.message };
        into.extend_from_slice(chunk);
        if gathered.kind == Some(FrameKind::Text) {
            gathered.check_utf8()?;
        }

        frame.remaining -= chunk.len();
        if frame.remaining > 0 {
            frame.started = true;
            frame.mask.rotate_left(chunk.len() % 4);
            self.phase = Phase::Payload(frame);
            return Ok(None);
        }
        self.phase = Phase::default();
        if frame.opcode.is_control() {
            return whole(frame.opcode, &gathered.control, Payload::Control).map(Some);
        }
        if !frame.fin {
            return Ok(None);
        }
        if gathered.kind == Some(FrameKind::Text) && gathered.utf8_checked < gathered.message.len()
        {
            return Err(Violation::TextNotUtf8);
        }
        Ok(gathered.kind.take().map(|kind| Item::Message(kind, Payload::Message)))
    }
}

impl Default for Phase {
    fn default() -> Self {
        Self::Header { bytes: [0; HEADER_BYTES_MAX], len: 0 }
    }
}

impl Frame {
    /// Whether it is not one of several fragments.
    fn stands_alone(self) -> bool {
        self.opcode.is_control() || (self.fin && self.opcode != Opcode::Continuation)
    }
}

impl Opcode {
    fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

impl Gathered {
    /// Checks what was added, so that broken text is refused at its first wrong byte.
    fn check_utf8(&mut self) -> Result<(), Violation> {
        match str::from_utf8(&self.message[self.utf8_checked..]) {
            Ok(_) => self.utf8_checked = self.message.len(),
            // A character cut in two by the end of what has arrived may still be completed.
            Err(error) if error.error_len().is_none() => self.utf8_checked += error.valid_up_to(),
            Err(_) => return Err(Violation::TextNotUtf8),
        }
        Ok(())
    }
}

/// How many bytes a header has, as far as its first bytes tell.
fn header_bytes(header: &[u8]) -> usize {
    match header.get(1).map(|second| second & LENGTH) {
        None => 2,
        Some(LENGTH_IN_2_BYTES) => 2 + 2 + 4,
        Some(LENGTH_IN_8_BYTES) => 2 + 8 + 4,
        Some(_) => 2 + 4,
    }
}

/// Checks all that the first two bytes of a frame tell.
fn check_start(first: u8, second: u8, in_progress: bool) -> Result<Opcode, Violation> {
    if first & RESERVED != 0 {
        return Err(Violation::ReservedBit);
    }
    let opcode = match first & OPCODE {
        0 => Opcode::Continuation,
        1 => Opcode::Data(FrameKind::Text),
        2 => Opcode::Data(FrameKind::Binary),
        8 => Opcode::Close,
        9 => Opcode::Ping,
        10 => Opcode::Pong,
        _ => return Err(Violation::ReservedOpcode),
    };
    if second & MASKED == 0 {
        return Err(Violation::NotMasked);
    }
    match opcode {
        Opcode::Continuation if !in_progress => Err(Violation::ContinuationOfNothing),
        Opcode::Data(_) if in_progress => Err(Violation::MessageInsideMessage),
        Opcode::Continuation | Opcode::Data(_) => Ok(opcode),
        Opcode::Close | Opcode::Ping | Opcode::Pong => {
            if first & FIN == 0 {
                Err(Violation::ControlFragmented)
            } else if second & LENGTH > CONTROL_BYTES_MAX {
                Err(Violation::ControlTooLong)
            } else {
                Ok(opcode)
            }
        }
    }
}

/// The length that a complete header announces.
fn payload_bytes(header: &[u8; HEADER_BYTES_MAX]) -> Result<u64, Violation> {
    let (length, least) = match header[1] & LENGTH {
        LENGTH_IN_2_BYTES => (u64::from(u16::from_be_bytes([header[2], header[3]])), 126),
        LENGTH_IN_8_BYTES => {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&header[2..10]);
            (u64::from_be_bytes(bytes), 1 << 16)
        }
        short => (u64::from(short), 0),
    };
    if length < least { Err(Violation::LengthNotMinimal) } else { Ok(length) }
}

/// What a whole, unmasked payload means.
fn whole(opcode: Opcode, bytes: &[u8], payload: Payload) -> Result<Item, Violation> {
    match opcode {
        Opcode::Data(FrameKind::Text) if str::from_utf8(bytes).is_err() => {
            Err(Violation::TextNotUtf8)
        }
        Opcode::Data(kind) => Ok(Item::Message(kind, payload)),
        Opcode::Continuation => Err(Violation::ContinuationOfNothing),
        Opcode::Ping => Ok(Item::Ping(payload)),
        Opcode::Pong => Ok(Item::Pong),
        Opcode::Close => close_code(bytes).map(Item::Close),
    }
}

/// The code in a close frame's payload.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => return Err(Violation::CloseTruncated),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    // 1004 to 1006 and 1015 are never sent; 1012 to 1014 were registered after the RFC.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::CloseCodeNotAllowed);
    }
    if str::from_utf8(reason).is_err() {
        return Err(Violation::CloseReasonNotUtf8);
    }
    Ok(Some(code))
}

/// Two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;
const CONTROL_BYTES_MAX: u8 = 125;
const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const LENGTH_IN_2_BYTES: u8 = 126;
const LENGTH_IN_8_BYTES: u8 = 127;

#[cfg(test)]
mod tests;
