//! Writes frames, many at a time.
//!
//! A [`Batch`] is what goes out in one go: control frames and up to [`MESSAGES_PER_BATCH`] messages
//! of an outbox. It owns the framing (server frames are never masked, so it is a few bytes in
//! front of a payload) and how far the socket has taken it.
//!
//! Batches are borrowed from the thread: a connection holds one only while its socket refuses to
//! take the rest.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use parlor_gateway::outbox::{Message, Outbox, Taken};
use parlor_protocol::FrameKind;
use tokio::io::AsyncWrite;

/// Frames on their way out.
#[derive(Default)]
pub(super) struct Batch {
    /// Headers, and payloads that are cheaper to copy than to point at.
    copied: Vec<u8>,
    /// Payloads that go out from where they lie, each behind so many bytes of `copied`.
    shared: Vec<(usize, Arc<[u8]>)>,
    /// How much of both has been written.
    written: usize,
    /// Whether the outbox, which held no more, wakes the task for what comes next.
    is_last: bool,
    /// What was last taken from the outbox. Empty but for its memory.
    taken: Vec<Message>,
}

impl Batch {
    /// An empty batch.
    pub(super) fn borrow() -> Box<Self> {
        SPARE.take().unwrap_or_default()
    }

    /// Gives a batch back to the thread.
    pub(super) fn give_back(mut self: Box<Self>) {
        self.copied.clear();
        self.shared.clear();
        self.written = 0;
        self.is_last = false;
        SPARE.set(Some(self));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.copied.is_empty()
    }

    /// Whether there is nothing to ask the outbox for once this is written.
    pub(super) fn is_last(&self) -> bool {
        self.is_last
    }

    /// Appends frames that are complete already.
    pub(super) fn append_frames(&mut self, frames: &[u8]) {
        self.copied.extend_from_slice(frames);
    }

    /// Appends what waits in `outbox`, up to a batch full.
    pub(super) fn fill(&mut self, outbox: &Outbox, cx: &mut Context<'_>) -> Poll<Taken> {
        let mut messages = mem::take(&mut self.taken);
        let taken = outbox.poll_take(cx, MESSAGES_PER_BATCH, &mut messages);
        for Message { payload, kind, .. } in messages.drain(..) {
            let opcode = match kind {
                FrameKind::Text => OPCODE_TEXT,
                FrameKind::Binary => OPCODE_BINARY,
            };
            append_header(&mut self.copied, opcode, payload.len());
            if payload.len() <= COPIED_BYTES_MAX {
                self.copied.extend_from_slice(&payload);
            } else {
                self.shared.push((self.copied.len(), payload));
            }
        }
        self.taken = messages;
        self.is_last = matches!(taken, Poll::Ready(Taken::Messages { more: false }));
        taken
    }

    /// Writes all of it. Progress is kept, so this can be left and called again.
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let total =
            self.copied.len() + self.shared.iter().map(|(_, payload)| payload.len()).sum::<usize>();
        while self.written < total {
            let count = if self.shared.is_empty() {
                ready!(Pin::new(&mut *io).poll_write(cx, &self.copied[self.written..]))?
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
                let filled = self.unwritten(&mut slices);
                ready!(Pin::new(&mut *io).poll_write_vectored(cx, &slices[..filled]))?
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        Pin::new(io).poll_flush(cx)
    }

    /// Prepares for a wait, in which the outbox fills: gives back memory that a batch needs only while it is
    /// filled.
    pub(super) fn shrink(&mut self) {
        self.is_last = false;
        self.copied.shrink_to_fit();
        self.shared.shrink_to_fit();
        self.taken = Vec::new();
    }

    /// Points `slices` at what is not yet written, and says how many were needed.
    fn unwritten<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut skip = self.written;
        let mut filled = 0;
        let mut copied_from = 0;
        let ends = self.shared.iter().map(|(end, payload)| (*end, &payload[..]));
        for (end, payload) in ends.chain([(self.copied.len(), &[][..])]) {
            for part in [&self.copied[copied_from..end], payload] {
                let skipped = skip.min(part.len());
                skip -= skipped;
                if skipped < part.len() && filled < slices.len() {
                    slices[filled] = IoSlice::new(&part[skipped..]);
                    filled += 1;
                }
            }
            copied_from = end;
        }
        filled
    }
}

/// Appends a whole control frame. `payload` is at most 125 bytes.
pub(super) fn append_control(frames: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    append_header(frames, opcode, payload.len());
    frames.extend_from_slice(payload);
}

/// Appends a close frame. A reason too long for one is cut at a character.
pub(super) fn append_close(frames: &mut Vec<u8>, code: u16, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX)];
    append_header(frames, OPCODE_CLOSE, 2 + reason.len());
    frames.extend_from_slice(&code.to_be_bytes());
    frames.extend_from_slice(reason.as_bytes());
}

fn append_header(frames: &mut Vec<u8>, opcode: u8, length: usize) {
    frames.push(FIN | opcode);
    if let Ok(length @ 0..=125) = u8::try_from(length) {
        frames.push(length);
    } else if let Ok(length) = u16::try_from(length) {
        frames.push(126);
        frames.extend_from_slice(&length.to_be_bytes());
    } else {
        frames.push(127);
        frames.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

thread_local! {
    static SPARE: Cell<Option<Box<Batch>>> = const { Cell::new(None) };
}

/// Messages joined in one write: measured, a batch of 64 costs a fortieth of 64 writes.
pub(super) const MESSAGES_PER_BATCH: usize = 64;
pub(super) const OPCODE_CLOSE: u8 = 8;
pub(super) const OPCODE_PING: u8 = 9;
pub(super) const OPCODE_PONG: u8 = 10;
const OPCODE_TEXT: u8 = 1;
const OPCODE_BINARY: u8 = 2;
const FIN: u8 = 0x80;
/// What is left of a control frame's 125 bytes beside the code.
const CLOSE_REASON_BYTES_MAX: usize = 123;
/// Up to here a copy is cheaper than one more slice.
const COPIED_BYTES_MAX: usize = 1024;
const SLICES_PER_WRITE: usize = 32;

#[cfg(test)]
mod tests;
