//! What waits to be written to one socket.
//!
//! An [`Outbox`] is a bounded queue between many pushers (rooms, request handlers) and one writer
//! (the socket's task). It owns the order of messages, the bound, the rule that a newer room state
//! replaces an undelivered one, and how a connection ends: what is queued, then the close frame.
//! It knows neither frames nor sockets: the writer pulls, by polling.
//!
//! Pushing and waking are two calls. A room pushes to all its sockets while it is locked, collects the writers
//! that wait, and wakes them after the lock is released, so that no writer wakes only to run into
//! the lock.

use std::{
    borrow::Cow,
    cell::Cell,
    collections::VecDeque,
    fmt, mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::{Mutex, MutexGuard};

use parlor_protocol::{CloseCode, FrameKind};

/// The queue of one socket. See the [module](self).
pub struct Outbox {
    limits: OutboxLimits,
    /// Guards everything that changes. Taken last: no other lock is taken while it is held.
    state: Mutex<State>,
}

/// How much may wait for one client before it is closed as too slow.
///
/// What the writer has taken is no longer counted: at most one batch, which it finishes before it
/// takes another. Nor is what a player missed while it was away, which a room's history bounds: it waits
/// beside these, so that whoever comes back has as much room as anyone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutboxLimits {
    /// Messages that may wait. Defaults to 512. Each costs 24 bytes beside its payload, which is
    /// shared by all who get it.
    pub messages_max: usize,
    /// Payload bytes that may wait behind the message at the head. Defaults to 1 MiB.
    ///
    /// The head itself is not counted: one message larger than this must still get through, with
    /// others behind it, or a client of a room with a large state could never be served. So at
    /// worst a client holds this much and one message.
    pub bytes_max: usize,
}

/// One encoded message, ready to be framed.
#[derive(Clone)]
pub struct Message {
    /// The encoded body, shared by all sockets that it goes to.
    pub payload: Arc<[u8]>,
    /// Whether a newer message may replace it.
    pub class: Class,
    /// The kind of frame that it travels in.
    pub kind: FrameKind,
}

/// What may happen to a message while it waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// Delivered, in order.
    Reliable,
    /// A room's state, whole: it removes the undelivered one and goes to the tail.
    State,
    /// What has changed in a room's state. Refused while a state waits, whole or patched: the client has
    /// yet to see what it builds on.
    Patch,
}

/// What became of a pushed message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pushed {
    /// It waits behind the others.
    Queued,
    /// It waits behind the others, and an older state that nobody had seen is gone.
    Replaced,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PushError {
    /// The client reads too slowly. The outbox has dropped what it held and closes with 4002.
    #[error("the outbox is full")]
    Full,
    /// The state that a patch builds on still waits: push the whole state in its place.
    #[error("the state that the patch builds on is not delivered")]
    BaseWaits,
    /// The connection is ending. What the client misses, it gets when it comes back.
    #[error("the outbox is closed")]
    Closed,
}

/// What the writer is to do next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Taken {
    /// Write the messages taken.
    Messages {
        /// Ask again then. Otherwise the waker is armed, as if nothing had been there to take.
        more: bool,
    },
    /// Everything was taken: send this close frame. Given again to whoever asks again.
    Close {
        /// The close code.
        code: u16,
        /// The close reason.
        reason: Cow<'static, str>,
    },
}

/// How many messages went which way.
///
/// Once the outbox is closed and drained, or abandoned, `queued` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OutboxTotals {
    /// Accepted by `push`.
    pub queued: u64,
    /// Taken by the writer.
    pub written: u64,
    /// States, whole or patched, that newer ones replaced before they were taken.
    pub coalesced: u64,
    /// Dropped because the client was too slow or its socket was lost.
    pub unsent: u64,
}

/// What a push touches lies close together and before all else: there are many outboxes, and the memory of
/// one that was not used for a while has to be fetched.
#[derive(Default)]
struct State {
    queue: VecDeque<Message>,
    /// Payload bytes in `queue`, the head's included.
    bytes: usize,
    /// Whether the writer waits for messages. When it waits for something else, only a close
    /// concerns it.
    armed: bool,
    waker: Option<Waker>,
    queued: u64,
    coalesced: u64,
    /// While somebody is greeted, and once the connection ends.
    special: Option<Box<Special>>,
}

/// What most outboxes are without most of the time.
#[derive(Default)]
struct Special {
    /// Messages that may wait beyond the bound: of a greeting, those that were not taken yet.
    greeting_messages: usize,
    /// Bytes that may wait beyond the bound, likewise.
    greeting_bytes: usize,
    /// Woken when nothing waits any more.
    watcher: Option<Waker>,
    /// Set once: the first close wins.
    closing: Option<(u16, Cow<'static, str>)>,
    unsent: u64,
}

impl Outbox {
    /// An empty outbox.
    pub fn new(limits: OutboxLimits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// Makes room beside the bounds for what a player is greeted with, which is pushed next.
    ///
    /// The room is given back as messages are taken, and never adds up: there is as much as the largest
    /// greeting needs.
    pub fn expect_greeting(&self, messages: usize, bytes: usize) {
        let mut state = self.state.lock();
        let special = state.special.get_or_insert_default();
        special.greeting_messages = special.greeting_messages.max(messages);
        special.greeting_bytes = special.greeting_bytes.max(bytes);
    }

    /// Queues `message`, without waiting and without waking the writer: call [`wake`](Self::wake)
    /// once no lock is held.
    ///
    /// A message for which there is no room closes the outbox with 4002 and drops what waited: a
    /// session resumes with a replay or a snapshot, so nothing is lost.
    pub fn push(&self, message: Message) -> Result<Pushed, PushError> {
        self.state.lock().push(message, self.limits)
    }

    /// The same, where the writer is to be woken with others: it is added to `wakes` if it waits for this.
    pub(crate) fn push_among(
        &self,
        message: Message,
        wakes: &mut Wakes,
    ) -> Result<Pushed, PushError> {
        let mut state = self.state.lock();
        let pushed = state.push(message, self.limits);
        if let Some(waker) = state.waker_to_wake() {
            wakes.add(waker);
        }
        pushed
    }

    /// Wakes the writer if it waits for what was pushed.
    pub fn wake(&self) {
        let waker = self.state.lock().waker_to_wake();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends the connection: what is queued is still delivered, then a close frame with `code`.
    ///
    /// The first close wins. Wakes the writer by itself, even from under a room's lock: a
    /// connection closes once.
    pub fn close(&self, code: u16, reason: impl Into<Cow<'static, str>>) {
        let mut state = self.state.lock();
        state.close(code, reason.into());
        let waker = state.disarm();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Says that nothing will be written any more: the socket is gone.
    ///
    /// Drops what is queued, however long others still hold the outbox.
    pub fn abandon(&self) {
        let mut state = self.state.lock();
        state.close(CloseCode::Abnormal.as_u16(), Cow::Borrowed(""));
        state.discard();
        let waker = state.disarm();
        drop(state);
        // Dropped, if at all, outside the lock: it may hold the last reference to a task.
        drop(waker);
    }

    /// Appends up to `messages_max` messages to `messages`, or says that it is time to close. Arms the waker
    /// unless there is more.
    pub fn poll_take(
        &self,
        cx: &mut Context<'_>,
        messages_max: usize,
        messages: &mut Vec<Message>,
    ) -> Poll<Taken> {
        let mut state = self.state.lock();
        let has_taken = !state.queue.is_empty();
        if has_taken {
            if let Some(watcher) = state.take(messages_max, messages) {
                // It only takes a note of it.
                MutexGuard::unlocked(&mut state, || watcher.wake());
            }
            if !state.queue.is_empty() || state.is_closing() {
                return Poll::Ready(Taken::Messages { more: true });
            }
        } else if let Some((code, reason)) = state.closing() {
            return Poll::Ready(Taken::Close { code: *code, reason: reason.clone() });
        }
        state.register(cx);
        state.armed = true;
        if has_taken { Poll::Ready(Taken::Messages { more: false }) } else { Poll::Pending }
    }

    /// Wakes `watcher` once, when nothing waits to be taken: at once if that is so.
    pub(crate) fn when_empty(&self, watcher: Waker) {
        let mut state = self.state.lock();
        if state.queue.is_empty() {
            drop(state);
            watcher.wake();
        } else {
            state.special.get_or_insert_default().watcher = Some(watcher);
        }
    }

    /// Waits for the outbox to be closed, whatever is still queued.
    ///
    /// For a writer that cannot write just now, and must not wait for ever.
    pub fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.is_closing() {
            return Poll::Ready(());
        }
        state.register(cx);
        state.armed = false;
        Poll::Pending
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.state.lock().queue.len()
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a quarter of what may wait does.
    ///
    /// Then whoever asks for more should first be given what it asked for: so a client that asks for much at
    /// once does not fill its own outbox, nor do a few together the outboxes of their room.
    pub fn is_filling(&self) -> bool {
        let state = self.state.lock();
        state.queue.len() >= self.limits.messages_max / FILLING_PART
            || state.bytes >= self.limits.bytes_max / FILLING_PART
    }

    /// Whether pushing is over.
    pub fn is_closed(&self) -> bool {
        self.state.lock().is_closing()
    }

    /// The close code that ends the connection; 1006 while nothing has.
    pub fn close_code(&self) -> u16 {
        self.state.lock().closing().map_or(CloseCode::Abnormal.as_u16(), |(code, _)| *code)
    }

    /// The counts so far.
    pub fn totals(&self) -> OutboxTotals {
        self.state.lock().totals()
    }
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self { messages_max: 512, bytes_max: 1024 * 1024 }
    }
}

/// Shows no payload: it may hold what others may not see.
impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Outbox")
            .field("messages", &state.queue.len())
            .field("bytes", &state.bytes)
            .field("closing", &state.closing())
            .field("totals", &state.totals())
            .finish_non_exhaustive()
    }
}

/// Shows no payload: it may hold what others may not see.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("bytes", &self.payload.len())
            .field("class", &self.class)
            .field("kind", &self.kind)
            .finish()
    }
}

impl State {
    fn closing(&self) -> Option<&(u16, Cow<'static, str>)> {
        self.special.as_ref()?.closing.as_ref()
    }

    fn is_closing(&self) -> bool {
        self.closing().is_some()
    }

    /// Closes, unless it is closed already.
    fn close(&mut self, code: u16, reason: Cow<'static, str>) {
        self.special.get_or_insert_default().closing.get_or_insert((code, reason));
    }

    /// The messages and bytes that may wait beyond the bounds.
    fn greeting(&self) -> (usize, usize) {
        self.special
            .as_ref()
            .map_or((0, 0), |special| (special.greeting_messages, special.greeting_bytes))
    }

    fn totals(&self) -> OutboxTotals {
        let (queued, coalesced) = (self.queued, self.coalesced);
        let unsent = self.special.as_ref().map_or(0, |special| special.unsent);
        let written = queued - coalesced - unsent - self.queue.len() as u64;
        OutboxTotals { queued, written, coalesced, unsent }
    }

    fn push(&mut self, message: Message, limits: OutboxLimits) -> Result<Pushed, PushError> {
        if self.is_closing() {
            return Err(PushError::Closed);
        }

        let replaced = match message.class {
            Class::Reliable => false,
            Class::State => self.remove_state(),
            Class::Patch if self.waiting_state().is_some() => return Err(PushError::BaseWaits),
            Class::Patch => false,
        };
        let bytes_behind_head = match self.queue.front() {
            Some(head) => self.bytes - head.payload.len() + message.payload.len(),
            None => 0,
        };
        let (greeting_messages, greeting_bytes) = self.greeting();
        if self.queue.len() >= limits.messages_max + greeting_messages
            || bytes_behind_head > limits.bytes_max + greeting_bytes
        {
            self.close(CloseCode::SlowConsumer.as_u16(), Cow::Borrowed("slow consumer"));
            self.discard();
            return Err(PushError::Full);
        }

        self.bytes += message.payload.len();
        self.queued += 1;
        self.queue.push_back(message);
        Ok(if replaced { Pushed::Replaced } else { Pushed::Queued })
    }

    /// The waker of a writer that waits for what there is, a close or messages.
    fn waker_to_wake(&mut self) -> Option<Waker> {
        if self.armed || self.is_closing() { self.disarm() } else { None }
    }

    /// Removes the state that waits, if one does.
    fn remove_state(&mut self) -> bool {
        let Some(at) = self.waiting_state() else { return false };
        let removed = self.queue.remove(at).expect("the position was just found");
        self.bytes -= removed.payload.len();
        self.coalesced += 1;
        true
    }

    /// Where a state waits, whole or patched. There is never more than one.
    fn waiting_state(&self) -> Option<usize> {
        self.queue.iter().rposition(|waiting| waiting.class != Class::Reliable)
    }

    /// Gives whoever is to be woken because nothing waits any more.
    fn take(&mut self, messages_max: usize, messages: &mut Vec<Message>) -> Option<Waker> {
        let count = self.queue.len().min(messages_max);
        let before = messages.len();
        messages.extend(self.queue.drain(..count));
        let bytes = messages[before..].iter().map(|taken| taken.payload.len()).sum::<usize>();
        self.bytes -= bytes;
        let mut watcher = None;
        if let Some(special) = &mut self.special {
            if self.queue.is_empty() {
                watcher = special.watcher.take();
            }
            special.greeting_messages = special.greeting_messages.saturating_sub(count);
            special.greeting_bytes = special.greeting_bytes.saturating_sub(bytes);
            let is_over = (special.greeting_messages, special.greeting_bytes) == (0, 0);
            if is_over && special.closing.is_none() && special.watcher.is_none() {
                self.special = None;
            }
        }
        // A burst must not cost memory for as long as the connection lasts.
        if self.queue.is_empty() && self.queue.capacity() > CAPACITY_AT_REST {
            self.queue = VecDeque::new();
        }
        watcher
    }

    /// Drops what waits, for good: the outbox is closed.
    fn discard(&mut self) {
        self.special.get_or_insert_default().unsent += self.queue.len() as u64;
        self.queue = VecDeque::new();
        self.bytes = 0;
    }

    fn register(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
    }

    fn disarm(&mut self) -> Option<Waker> {
        self.armed = false;
        self.waker.take()
    }
}

/// Writers to be woken, once no lock is held.
#[derive(Debug, Default)]
pub(crate) struct Wakes(Vec<Waker>);

impl Wakes {
    fn add(&mut self, waker: Waker) {
        if self.0.capacity() == 0 {
            self.0 = SPARE.take();
        }
        self.0.push(waker);
    }

    /// Wakes them all.
    pub(crate) fn wake(mut self) {
        self.0.drain(..).for_each(Waker::wake);
        if (1..=WAKES_KEPT).contains(&self.0.capacity()) {
            SPARE.set(mem::take(&mut self.0));
        }
    }
}

thread_local! {
    static SPARE: Cell<Vec<Waker>> = const { Cell::new(Vec::new()) };
}

/// The part of an outbox's bounds at which it [is filling](Outbox::is_filling).
const FILLING_PART: usize = 4;
/// Wakers for which a thread keeps memory.
const WAKES_KEPT: usize = 4096;
/// Messages that an empty queue keeps memory for.
const CAPACITY_AT_REST: usize = 4;

#[cfg(test)]
mod tests;
