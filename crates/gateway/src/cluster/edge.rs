//! A client of this node whose room is on another: what it sends is passed on as it is, and what comes for it goes to
//! its outbox.
//!
//! One frame of a client is under way at a time, so that its requests are handled in order and a client that asks
//! faster than it is answered waits at its own socket.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::{Wake, Waker};

use memchr::memmem;
use parking_lot::Mutex;
use parlor_protocol::{CloseCode, ErrorDetail, FrameKind, Secret};
use tokio::sync::oneshot;

use super::bundle::{Note, Seated};
use super::peer::Peer;
use crate::encode::Outlet;
use crate::outbox::Class;

/// One client's way to another node, as the client's connection holds it. Dropping it says that the client is gone.
#[derive(Debug)]
pub(crate) struct EdgeHandle(pub(crate) Arc<EdgeLink>);

/// One client's way to another node.
pub(crate) struct EdgeLink {
    pub(super) number: u64,
    pub(super) peer: Arc<Peer>,
    outlet: Outlet,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What stands for the token in the first message, and the token.
    blank: Option<(Secret, Secret)>,
    /// Messages and bytes that came, and how many of those the host knows to be taken.
    came: (u64, u64),
    told: (u64, u64),
    /// Whether it is to be told when the outbox is empty.
    is_watched: bool,
    opened: Option<oneshot::Sender<Result<Seated, ErrorDetail>>>,
    handled: Option<oneshot::Sender<bool>>,
    is_seated: bool,
    is_over: bool,
}

impl EdgeLink {
    /// A link that waits for its seat. The token that the seat is to get, if any, stands as `blank` in the answer.
    pub(super) fn new(
        number: u64,
        peer: Arc<Peer>,
        outlet: Outlet,
        blank: Option<(Secret, Secret)>,
    ) -> (Arc<Self>, oneshot::Receiver<Result<Seated, ErrorDetail>>) {
        let (sender, opened) = oneshot::channel();
        let state = State { blank, opened: Some(sender), ..State::default() };
        (Arc::new(Self { number, peer, outlet, state: Mutex::new(state) }), opened)
    }

    /// Passes a frame on, and resolves when it is handled: whether the client still holds its seat.
    pub(crate) fn pass_on(&self, kind: FrameKind, frame: &[u8]) -> oneshot::Receiver<bool> {
        let (sender, handled) = oneshot::channel();
        {
            let mut state = self.state.lock();
            if state.is_over {
                // Its connection is closing: nothing more is answered.
                return handled;
            }
            state.handled = Some(sender);
        }
        let frame = Cow::Owned(frame.to_vec());
        self.peer.tell(Note::Frame { link: self.number, kind: kind.into(), frame });
        handled
    }

    /// Takes what the host sends to the client.
    pub(super) fn deliver(self: &Arc<Self>, payload: &Arc<[u8]>) {
        let mut state = self.state.lock();
        let payload = match state.blank.take() {
            Some((blank, token)) => fill_in(payload, &blank, &token),
            None => Arc::clone(payload),
        };
        state.came.0 += 1;
        state.came.1 += payload.len() as u64;
        drop(state);
        self.outlet.push(payload, Class::Reliable);
    }

    /// Everything that came at once is delivered.
    pub(super) fn after_delivery(self: &Arc<Self>) {
        self.outlet.outbox.wake();
        let is_due = {
            let max = self.peer.under_way;
            let mut state = self.state.lock();
            let is_due = !state.is_watched
                && (state.came.0 - state.told.0 >= max.messages / TOLD_PART
                    || state.came.1 - state.told.1 >= max.bytes / TOLD_PART);
            state.is_watched |= is_due;
            is_due
        };
        if is_due {
            self.outlet.outbox.when_empty(Waker::from(Arc::clone(self)));
        }
    }

    /// What the host is to know: that the client has taken everything that came.
    pub(super) fn taken(&self) -> Option<Note<'static>> {
        let mut state = self.state.lock();
        if !std::mem::take(&mut state.is_watched) || state.is_over {
            return None;
        }
        state.told = state.came;
        let (messages, bytes) = state.told;
        Some(Note::Taken { link: self.number, messages, bytes })
    }

    pub(super) fn opened(&self, outcome: Result<Seated, ErrorDetail>) {
        let mut state = self.state.lock();
        state.is_seated = matches!(outcome, Ok(Seated::Yes));
        if let Some(opened) = state.opened.take() {
            let _gave_up = opened.send(outcome);
        }
    }

    pub(super) fn handled(&self, attached: bool) {
        if let Some(handled) = self.state.lock().handled.take() {
            let _gave_up = handled.send(attached);
        }
    }

    /// The host ends the client's connection.
    pub(super) fn close(&self, code: u16, reason: String) {
        self.end();
        self.outlet.outbox.close(code, reason);
    }

    /// The host is out of touch. A client that has a seat there finds it again by itself.
    pub(super) fn lose(&self) {
        let was_seated = self.end();
        if was_seated {
            let code = CloseCode::OwnerLost.as_u16();
            self.outlet.outbox.close(code, "lost touch with the room's node");
        }
    }

    /// Says whether it had got its seat, as far as the client knows.
    fn end(&self) -> bool {
        let mut state = self.state.lock();
        state.is_over = true;
        state.handled = None;
        // Whoever waits for the seat is told by this being dropped.
        state.opened = None;
        state.is_seated || state.came.0 > 0
    }
}

/// Its outbox is empty.
impl Wake for EdgeLink {
    fn wake(self: Arc<Self>) {
        let peer = Arc::clone(&self.peer);
        peer.has_taken(self);
    }
}

impl Drop for EdgeHandle {
    fn drop(&mut self) {
        let EdgeLink { number, peer, .. } = &*self.0;
        self.0.end();
        if peer.remove_edge(*number) {
            peer.tell(Note::Gone { link: *number });
        }
    }
}

impl std::fmt::Debug for EdgeLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EdgeLink")
            .field("number", &self.number)
            .field("node", &self.peer.node)
            .finish_non_exhaustive()
    }
}

/// Puts the token for its blank. Both are equally long, so it is nothing else in either codec.
fn fill_in(payload: &Arc<[u8]>, blank: &Secret, token: &Secret) -> Arc<[u8]> {
    let (blank, token) = (blank.expose().as_bytes(), token.expose().as_bytes());
    let Some(at) = memmem::find(payload, blank).filter(|_| blank.len() == token.len()) else {
        return Arc::clone(payload);
    };
    let mut filled = payload.to_vec();
    filled[at..at + token.len()].copy_from_slice(token);
    filled.into()
}

/// The host is told of what was taken when this part of what may be under way came since the last time.
const TOLD_PART: u64 = 4;
