//! The task of one connection, for both directions.
//!
//! [`run`] reads all there is, hands it over message by message, yields once so that others can
//! add to what there is to say, and writes it in as few writes as it takes. At rest it holds
//! neither a read nor a write buffer: reading goes into memory lent by the thread, which is back
//! before the task is suspended.
//!
//! The task ends when the close handshake is done or has taken too long, when the socket is lost,
//! or when it is aborted; each way abandons the outbox and drops the session. What is done in one
//! poll is bounded, so no client keeps a thread from the others.
//!
//! A client that does not read is not read from either: what cannot be answered is left with it.

use std::{
    borrow::Cow,
    future::poll_fn,
    io, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use parlor_gateway::{
    Handled,
    outbox::{Outbox, Taken},
};
use parlor_protocol::{CloseCode, FrameKind};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Ending, Session, TransportConfig,
    decode::{Decoder, Item, Payload, ReadLimits, Violation},
    input::Input,
    pulse::{Pulse, Tick},
    write::{Batch, OPCODE_CLOSE, OPCODE_PING, OPCODE_PONG, append_close, append_control},
};

/// Serves one connection to its end.
///
/// `first` is what was read behind the handshake. `held` is dropped when the connection has ended,
/// such as its place among those allowed. Call this inside a runtime with a timer.
pub fn run<IO, S, H>(
    io: IO,
    first: Vec<u8>,
    mut session: S,
    config: Arc<TransportConfig>,
    held: H,
) -> impl Future<Output = ()> + Send
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Session,
    H: Send + 'static,
{
    let mut connection = Connection::new(io, first, Arc::clone(session.outbox()), config);
    // A block rather than an `async fn`, which would hold its arguments twice.
    async move {
        let ending = loop {
            match poll_fn(|cx| connection.poll_next(cx, &mut session)).await {
                Next::Over(ending) => break ending,
                Next::Message(kind, payload) => {
                    let handled = session.message(kind, connection.payload(&payload));
                    if let Handled::Pending(mut handling) = handled {
                        connection.suspend();
                        let beside =
                            poll_fn(|cx| connection.poll_beside(cx, handling.as_mut())).await;
                        if let Some(ending) = beside {
                            break ending;
                        }
                    }
                }
            }
        };
        session.closed(ending);
        drop(held);
    }
}

struct Connection<IO> {
    io: IO,
    config: Arc<TransportConfig>,
    outbox: Arc<Outbox>,
    decoder: Decoder,
    input: Input,
    /// Control frames to be written: at most [`ITEMS_PER_TURN`] pongs, a ping and a close frame.
    control: Vec<u8>,
    /// What the socket would not take. While there is some, nothing more is read.
    blocked: Option<Box<Batch>>,
    pulse: Pulse,
    closing: Option<Closing>,
    /// Items read since the last write.
    items: u8,
    /// Whether others were let through since the last write.
    yielded: bool,
    /// Whether there may be more to read, of which nothing will tell.
    unread: bool,
    /// Whether the client broke the protocol, so that nothing it sends can be read any more.
    unreadable: bool,
}

/// What the session is to do next.
enum Next {
    Message(FrameKind, Payload),
    Over(Ending),
}

/// How a connection ends for which a close frame has been written or is about to be.
#[derive(Clone, Copy)]
struct Closing {
    ending: Ending,
    awaited: Awaited,
}

#[derive(Clone, Copy)]
enum Awaited {
    /// The client's close frame.
    CloseFrame,
    /// The client's end of stream. What it sends can no longer be read as frames, but has to be
    /// taken: closing a socket with unread bytes in it would take our close frame back.
    EndOfStream,
    Nothing,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Connection<IO> {
    fn new(io: IO, first: Vec<u8>, outbox: Arc<Outbox>, config: Arc<TransportConfig>) -> Self {
        Self {
            io,
            pulse: Pulse::new(config.heartbeat),
            config,
            outbox,
            decoder: Decoder::default(),
            input: Input::new(first),
            control: Vec::new(),
            blocked: None,
            closing: None,
            items: 0,
            yielded: false,
            unread: false,
            unreadable: false,
        }
    }

    fn payload(&self, payload: &Payload) -> &[u8] {
        self.decoder.payload(payload, self.input.bytes())
    }

    /// Goes on to the next message, writing what there is to write.
    fn poll_next<S: Session>(&mut self, cx: &mut Context<'_>, session: &mut S) -> Poll<Next> {
        let next = self.poll_turn(cx, session);
        if next.is_pending() {
            self.suspend();
        }
        next
    }

    fn poll_turn<S: Session>(&mut self, cx: &mut Context<'_>, session: &mut S) -> Poll<Next> {
        self.decoder.release();
        loop {
            if let Poll::Ready(next) = self.poll_read(cx) {
                return Poll::Ready(next);
            }
            if self.items > 0 && !self.yielded {
                self.yielded = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }

            match self.poll_write(cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(Next::Over(self.ending())),
                Poll::Ready(Ok(())) if self.closing.is_some() => {
                    if let Poll::Ready(ending) = self.poll_close(cx) {
                        return Poll::Ready(Next::Over(ending));
                    }
                }
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }

            match ready!(self.pulse.poll(cx, || session.idle_max())) {
                Tick::Ping => append_control(&mut self.control, OPCODE_PING, &[]),
                Tick::Silent => self.close(CloseCode::NoHeartbeat, "no heartbeat"),
                Tick::Idle => self.close(CloseCode::Normal, "idle"),
                Tick::Cut => return Poll::Ready(Next::Over(self.ending())),
            }
        }
    }

    /// Waits for a request to be handled. Writing goes on; reading does not.
    fn poll_beside(
        &mut self,
        cx: &mut Context<'_>,
        handling: Pin<&mut (dyn Future<Output = ()> + Send)>,
    ) -> Poll<Option<Ending>> {
        if handling.poll(cx).is_ready() {
            // We did not listen: the silence was ours.
            self.pulse.heard();
            return Poll::Ready(None);
        }
        if let Poll::Ready(Err(_)) = self.poll_write(cx) {
            return Poll::Ready(Some(self.ending()));
        }
        self.pulse.poll_cut(cx).map(|()| Some(self.ending()))
    }

    /// Gives back what is needed only while the task runs.
    fn suspend(&mut self) {
        self.decoder.release();
        self.input.suspend();
    }

    /// Reads up to the next message. Answers control frames; a turn's worth of items at most.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        while self.listens() && self.blocked.is_none() && !self.turn_is_full() {
            match ready!(self.poll_item(cx)) {
                Ok(Item::Message(kind, payload)) => {
                    self.items += 1;
                    self.pulse.spoken();
                    return Poll::Ready(Next::Message(kind, payload));
                }
                Ok(Item::Ping(payload)) => {
                    self.items += 1;
                    let payload = self.decoder.payload(&payload, self.input.bytes());
                    append_control(&mut self.control, OPCODE_PONG, payload);
                }
                Ok(Item::Pong) => self.items += 1,
                Ok(Item::Close(code)) => {
                    match code {
                        Some(code) => append_close(&mut self.control, code, ""),
                        None => append_control(&mut self.control, OPCODE_CLOSE, &[]),
                    }
                    self.outbox.abandon();
                    self.begin_closing(Ending::ByClient(code), Awaited::Nothing);
                }
                Err(ReadError::Violation(violation)) => {
                    self.unreadable = true;
                    self.close(violation.close_code(), violation.to_string());
                }
                Err(ReadError::Lost) => return Poll::Ready(Next::Over(Ending::Lost)),
            }
        }
        self.unread = true;
        Poll::Pending
    }

    fn listens(&self) -> bool {
        self.closing.is_none() && !self.unreadable
    }

    /// Whether it is time to write before anything more is read, lest a client that asks much at
    /// once fills its own outbox.
    fn turn_is_full(&self) -> bool {
        self.items >= ITEMS_PER_TURN || (self.items > 0 && self.outbox.is_filling())
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Result<Item, ReadError>> {
        let limits = ReadLimits {
            message_bytes_max: self.config.message_bytes_max,
            fragments_max: self.config.fragments_max,
        };
        loop {
            let (bytes, at) = self.input.unread();
            if let Some(item) = self.decoder.decode(&limits, bytes, at)? {
                return Poll::Ready(Ok(item));
            }
            if ready!(self.input.poll_fill(&mut self.io, cx)).unwrap_or(0) == 0 {
                return Poll::Ready(Err(ReadError::Lost));
            }
            self.pulse.heard();
        }
    }

    /// Writes what there is to write and arms the outbox. Pending when the socket is full, and
    /// when there is more but it is the others' turn.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..BATCHES_PER_TURN {
            let Some(mut batch) = self.blocked.take().or_else(|| self.next_batch(cx)) else {
                self.end_turn(cx);
                return Poll::Ready(Ok(()));
            };
            match batch.poll_write(&mut self.io, cx) {
                Poll::Ready(Ok(())) => {
                    let is_last = batch.is_last();
                    batch.give_back();
                    if is_last {
                        self.end_turn(cx);
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    batch.shrink();
                    self.blocked = Some(batch);
                    if self.outbox.poll_closed(cx).is_ready() {
                        self.pulse.cut_after(self.config.close_time_max);
                    }
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Everything is written: what was left unread is next.
    fn end_turn(&mut self, cx: &mut Context<'_>) {
        if mem::take(&mut self.unread) && self.listens() {
            cx.waker().wake_by_ref();
        }
        self.items = 0;
        self.yielded = false;
    }

    fn next_batch(&mut self, cx: &mut Context<'_>) -> Option<Box<Batch>> {
        let mut batch = Batch::borrow();
        batch.append_frames(&self.control);
        self.control = Vec::new();
        if self.closing.is_none()
            && let Poll::Ready(Taken::Close { code, reason }) = batch.fill(&self.outbox, cx)
        {
            append_close(&mut self.control, code, &reason);
            batch.append_frames(&self.control);
            self.control = Vec::new();
            let awaited = if self.unreadable { Awaited::EndOfStream } else { Awaited::CloseFrame };
            self.begin_closing(Ending::ByServer(code), awaited);
        }
        if batch.is_empty() {
            batch.give_back();
            return None;
        }
        Some(batch)
    }

    /// Closes once what is queued is written, or is cut.
    fn close(&mut self, code: CloseCode, reason: impl Into<Cow<'static, str>>) {
        self.outbox.close(code.as_u16(), reason);
        self.pulse.cut_after(self.config.close_time_max);
    }

    fn begin_closing(&mut self, ending: Ending, awaited: Awaited) {
        self.closing = Some(Closing { ending, awaited });
        self.pulse.cut_after(self.config.close_time_max);
    }

    /// How the connection has ended, if it ends now.
    fn ending(&self) -> Ending {
        self.closing.map_or(Ending::Lost, |closing| closing.ending)
    }

    /// Goes on with the close handshake once the close frame is written.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let Some(closing) = &mut self.closing else { return Poll::Pending };
        let ending = closing.ending;
        match closing.awaited {
            Awaited::Nothing => {}
            Awaited::CloseFrame => {
                // Whatever else it still says is too late.
                while let Ok(item) = ready!(self.poll_item(cx)) {
                    if matches!(item, Item::Close(_)) {
                        break;
                    }
                }
            }
            Awaited::EndOfStream => {
                let _ = ready!(Pin::new(&mut self.io).poll_shutdown(cx));
                while let Ok(1..) = ready!(self.input.poll_fill(&mut self.io, cx)) {}
                return Poll::Ready(ending);
            }
        }
        // Both close frames are through, or the client is gone: nothing is lost if this fails.
        let _ = ready!(Pin::new(&mut self.io).poll_shutdown(cx));
        Poll::Ready(ending)
    }
}

impl<IO> Drop for Connection<IO> {
    fn drop(&mut self) {
        self.outbox.abandon();
    }
}

/// Why there is nothing more to read.
enum ReadError {
    Violation(Violation),
    Lost,
}

impl From<Violation> for ReadError {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

/// Items that are read before what they led to is written.
///
/// A turn through a large room takes as long as all its members' writes, so this is what one of them may do in that
/// time; and it is how long others on the thread wait for a client that asks for much at once.
const ITEMS_PER_TURN: u8 = 64;
/// Batches that are written before others get their turn.
const BATCHES_PER_TURN: usize = 4;
