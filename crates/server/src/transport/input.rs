//! What was read from a socket and is not yet decoded.
//!
//! Reading goes into a buffer lent by the thread. [`Input::suspend`] gives it back before the task
//! is suspended, with a copy of what is left over: usually nothing, so that a connection at rest
//! holds no memory here.

use std::{
    cell::Cell,
    io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

/// Bytes, and how far they are decoded.
#[derive(Debug)]
pub(super) struct Input {
    /// The thread's buffer, a copy of what was left over, or empty.
    buffer: Vec<u8>,
    at: usize,
    end: usize,
}

impl Input {
    pub(super) fn new(first: Vec<u8>) -> Self {
        Self { at: 0, end: first.len(), buffer: first }
    }

    /// All bytes of the last read, decoded or not.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.end]
    }

    /// The same, and the place from which they are still to be decoded.
    pub(super) fn unread(&mut self) -> (&mut [u8], &mut usize) {
        (&mut self.buffer[..self.end], &mut self.at)
    }

    /// Reads more in place of what there was. No bytes: the stream has ended.
    pub(super) fn poll_fill<R: AsyncRead + Unpin>(
        &mut self,
        io: &mut R,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.len() < SCRATCH_BYTES {
            self.buffer = SCRATCH.take();
            // The thread's first, or lent to another connection that is being polled inside this
            // one's poll.
            self.buffer.resize(SCRATCH_BYTES, 0);
        }
        (self.at, self.end) = (0, 0);
        let mut buffer = ReadBuf::new(&mut self.buffer);
        ready!(Pin::new(io).poll_read(cx, &mut buffer))?;
        self.end = buffer.filled().len();
        Poll::Ready(Ok(self.end))
    }

    /// Gives back the thread's buffer. What is not yet decoded stays.
    pub(super) fn suspend(&mut self) {
        if self.at == 0 && self.buffer.len() < SCRATCH_BYTES {
            return;
        }
        let rest = self.buffer[self.at..self.end].to_vec();
        (self.at, self.end) = (0, rest.len());
        let buffer = mem::replace(&mut self.buffer, rest);
        if buffer.len() == SCRATCH_BYTES {
            SCRATCH.set(buffer);
        }
    }
}

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// One read takes this much at most.
const SCRATCH_BYTES: usize = 64 * 1024;
