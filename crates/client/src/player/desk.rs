//! What a player has asked and was not yet answered, over however many connections.
//!
//! Requests get their numbers here, and keep them when they are sent again. Also keeps what the
//! player's program and its task both need to know: the status, and the session as the program has seen it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use parlor_protocol::limits::UNANSWERED_REQUESTS_MAX;
use parlor_protocol::{Codec, RawData, RequestFrame, RequestId, RequestType};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::PlayerOptions;
use super::status::{Ended, Status};
use crate::request::RequestError;
use crate::session::Session;
use crate::shared::{Reply, Shared};

pub(crate) struct Desk {
    codec: Codec,
    waiting_max: usize,
    /// One permit for each that is unanswered or waits. Closed at the end, like the other.
    places: Arc<Semaphore>,
    /// One permit for each that is unanswered.
    unanswered: Arc<Semaphore>,
    status: watch::Sender<Status>,
    /// Guards everything that changes, and makes the order of numbers that of sending. Taken before
    /// a connection's own lock.
    state: Mutex<State>,
}

struct State {
    last_id: u64,
    attempt: u64,
    asked: BTreeMap<u64, Asked>,
    connection: Option<Arc<Shared>>,
    /// Raised with every connection, so that a late answer over an abandoned one does not make
    /// room for a request that the present one has no room for.
    connections: u64,
    /// Where the program is.
    session: Option<Session>,
    ended: Option<Ended>,
}

struct Asked {
    bytes: Bytes,
    /// Over the present connection, or before there was one.
    sent_at: Instant,
    reply: Reply,
    /// Given back with the answer, whether or not anybody still waits for it.
    permits: [OwnedSemaphorePermit; 2],
}

impl Desk {
    pub(super) fn new(options: &PlayerOptions, session: Option<Session>) -> Arc<Self> {
        Arc::new(Self {
            codec: options.connection.codec,
            waiting_max: options.requests_waiting_max,
            places: Arc::new(Semaphore::new(
                UNANSWERED_REQUESTS_MAX + options.requests_waiting_max,
            )),
            unanswered: Arc::new(Semaphore::new(UNANSWERED_REQUESTS_MAX)),
            status: watch::Sender::new(Status::Connecting),
            state: Mutex::new(State {
                last_id: session.as_ref().map_or(0, |session| session.last_id),
                attempt: session.as_ref().map_or(0, |session| session.attempt),
                asked: BTreeMap::new(),
                connection: None,
                connections: 0,
                session,
                ended: None,
            }),
        })
    }

    /// Takes in a request, as soon as there is a seat to ask from and room for it. `reply` is called
    /// once, unless this fails.
    pub(super) async fn ask(
        self: &Arc<Self>,
        kind: RequestType,
        data: &(impl Serialize + ?Sized),
        reply: Reply,
    ) -> Result<(), RequestError> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.check_open()?;
            return Err(RequestError::TooMany { waiting_max: self.waiting_max });
        };
        // A number that is given out before the server has said which it knows might be an old one.
        let seated = |status: &Status| !matches!(status, Status::Connecting);
        // It fails only when the sender is gone, which is here.
        let _ = self.status.subscribe().wait_for(seated).await;
        let Ok(permit) = Arc::clone(&self.unanswered).acquire_owned().await else {
            self.check_open()?;
            return Err(RequestError::Ended(Ended::ByClient));
        };

        let mut state = self.state.lock();
        if let Some(ended) = &state.ended {
            return Err(RequestError::Ended(ended.clone()));
        }
        let number = state.last_id + 1;
        let id = RequestId::new(number);
        let bytes = self.codec.encode(&RequestFrame { kind, id, data })?.into();
        state.last_id = number;
        state.asked.insert(
            number,
            Asked { bytes, sent_at: Instant::now(), reply, permits: [place, permit] },
        );
        let refused = self.send(&state, number);
        drop(state);
        if let Err(error) = refused {
            self.answer(number, Err(error));
        }
        Ok(())
    }

    /// Numbers a try to come back: the request by its id, and the try itself.
    pub(super) fn next_try(&self, session: &mut Session) {
        let mut state = self.state.lock();
        session.last_id = state.last_id;
        state.last_id += 1;
        // One that came to nothing was counted all the same.
        session.attempt = session.attempt.max(state.attempt);
        state.attempt = session.attempt + 1;
    }

    /// There is a connection at the seat, the first or in the place of another: sends over it what is
    /// unanswered, in order.
    pub(super) fn open(self: &Arc<Self>, connection: &Arc<Shared>, last_id: u64) {
        let mut state = self.state.lock();
        state.last_id = state.last_id.max(last_id);
        state.connections += 1;
        state.connection = Some(Arc::clone(connection));
        let now = Instant::now();
        for asked in state.asked.values_mut() {
            asked.sent_at = now;
        }
        let refused: Vec<_> = state
            .asked
            .keys()
            .filter_map(|number| Some((*number, self.send(&state, *number).err()?)))
            .collect();
        // With the lock held, so that nobody hears of an older status after a newer one. Who has moved
        // was open all along.
        self.status.send_if_modified(|status| {
            let is_news = !matches!(status, Status::Open);
            if is_news {
                *status = Status::Open;
            }
            is_news
        });
        drop(state);
        for (number, error) in refused {
            self.answer(number, Err(error));
        }
    }

    /// The connection is lost.
    pub(super) fn lose(&self) {
        let mut state = self.state.lock();
        state.connection = None;
        self.status.send_replace(Status::Resuming);
    }

    /// The player does not come back. Only the first reason counts.
    pub(super) fn end(&self, ended: &Ended) {
        let mut state = self.state.lock();
        if state.ended.is_some() {
            return;
        }
        state.ended = Some(ended.clone());
        state.connection = None;
        let asked = std::mem::take(&mut state.asked);
        self.status.send_replace(Status::Closed(ended.clone()));
        drop(state);
        self.places.close();
        self.unanswered.close();
        for asked in asked.into_values() {
            (asked.reply)(Err(RequestError::Ended(ended.clone())));
        }
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        self.state.lock().ended.clone()
    }

    /// Waits until a request has been unanswered for `time_max` on the present connection.
    pub(super) async fn overdue(&self, time_max: Duration) {
        loop {
            let oldest = self.state.lock().asked.values().map(|asked| asked.sent_at).min();
            match oldest {
                Some(sent_at) if sent_at.elapsed() >= time_max => return,
                Some(sent_at) => sleep_until(sent_at + time_max).await,
                // Whatever is asked meanwhile is not overdue before.
                None => sleep(time_max).await,
            }
        }
    }

    pub(super) fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(super) fn session(&self) -> Option<Session> {
        let state = self.state.lock();
        let (last_id, attempt) = (state.last_id, state.attempt);
        state.session.clone().map(|session| Session { last_id, attempt, ..session })
    }

    /// The program has the room as it was at `session`.
    pub(super) fn note_snapshot(&self, session: Session) {
        self.state.lock().session = Some(session);
    }

    /// The program has what came with the event of this number.
    pub(super) fn note_seen(&self, seq: Option<u64>) {
        if let (Some(seq), Some(session)) = (seq, &mut self.state.lock().session) {
            session.last_seq = seq;
        }
    }

    /// Sends what was asked under this number over the connection, if there is one. Fails when it
    /// can never be sent.
    fn send(self: &Arc<Self>, state: &State, number: u64) -> Result<(), RequestError> {
        let (Some(connection), Some(asked)) = (&state.connection, state.asked.get(&number)) else {
            return Ok(());
        };
        let desk = Arc::clone(self);
        let over = state.connections;
        let reply = move |outcome: Result<RawData<'_>, RequestError>| {
            // Not answered: it is sent again over the next connection.
            if matches!(outcome, Err(RequestError::Closed(_))) || !desk.is_over(over) {
                return;
            }
            desk.answer(number, outcome);
        };
        match connection.send_numbered(number, asked.bytes.clone(), Box::new(reply)) {
            Ok(()) | Err(RequestError::Closed(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn is_over(&self, connection: u64) -> bool {
        self.state.lock().connections == connection
    }

    fn answer(&self, number: u64, outcome: Result<RawData<'_>, RequestError>) {
        let Some(asked) = self.state.lock().asked.remove(&number) else { return };
        // First, so that whoever hears of the answer may ask again at once.
        drop(asked.permits);
        (asked.reply)(outcome);
    }

    fn check_open(&self) -> Result<(), RequestError> {
        self.ended().map_or(Ok(()), |ended| Err(RequestError::Ended(ended)))
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Desk")
            .field("status", &*self.status.borrow())
            .field("unanswered", &state.asked.len())
            .finish_non_exhaustive()
    }
}
