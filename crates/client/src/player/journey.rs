//! The task that takes a player to its seat and, whenever the connection is lost, back.
//!
//! It makes states of what the server sends about them. When it lacks what a patch builds on it asks for
//! the state, one question at a time, and again over the next connection if it must.
//!
//! When the server names the room's own node, the task goes over to there while it is at its seat.
//!
//! It ends when the player will not come back, when it is told to stop, or when its owner drops it;
//! whichever it is, everyone who waits at the desk hears of it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parlor_protocol::{
    CloseCode, ErrorCode, ErrorDetail, EventType, FieldErrors, Joined, Resumed, ServerDraining,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::PlayerOptions;
use super::backoff::Backoff;
use super::crossing::{Crossing, Landing};
use super::desk::Desk;
use super::happenings::Queued;
use super::is_seat_gone;
use super::places::Places;
use super::status::Ended;
use super::way_in::WayIn;
use crate::client::{Client, Options};
use crate::closed::Closed;
use crate::connect::ConnectError;
use crate::event::{Event, Events, Incoming, StateAnswer};
use crate::request::RequestError;
use crate::session::Session;
use crate::shared::Shared;
use crate::states::{Followed, StateFollower};

pub(super) struct Journey<V, C> {
    desk: Arc<Desk>,
    connect: C,
    places: Places,
    /// The address of the room's own node, which the server named and nobody went to yet.
    named: Option<String>,
    options: Options,
    way_in: WayIn,
    /// Where the events stand that were put into the queue. `None` before the first seat.
    session: Option<Session>,
    /// A snapshot that is not in the queue yet. What comes later goes behind it.
    snapshot: Option<Box<Joined<V>>>,
    /// The state at the last event that was taken, or at a later answer.
    states: StateFollower<V>,
    queue: mpsc::Sender<Queued<V>>,
    backoff: Backoff,
    /// Whether the server may have given the seat to a connection of the player's own that did not live
    /// to hear of it. Then being taken over is a loss like any other.
    is_own_rival: bool,
    stop: CancellationToken,
}

/// How it went at the seat.
enum Stay {
    Lost(Closed),
    /// The seat is there over another connection.
    Moved(Client, Events),
    Stopped,
    Unexpected(FieldErrors),
}

/// The player's own question for the state, over one connection.
#[derive(Default)]
struct Question {
    /// When to ask. `None` when there is nothing to ask.
    at: Option<Instant>,
    /// Whether it is asked and not answered.
    is_asked: bool,
}

/// Why there was no getting to the seat.
enum Failure {
    /// Trying again may help, after this time at least.
    Passing(Duration),
    Final(Ended),
}

impl<V, C, F, S> Journey<V, C>
where
    V: DeserializeOwned + Send + 'static,
    C: FnMut(String) -> F + Send,
    F: Future<Output = io::Result<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    pub(super) fn new(
        desk: Arc<Desk>,
        connect: C,
        url: String,
        way_in: WayIn,
        queue: mpsc::Sender<Queued<V>>,
        stop: CancellationToken,
        options: PlayerOptions,
    ) -> Self {
        Self {
            desk,
            connect,
            places: Places::new(url),
            named: None,
            session: way_in.session().cloned(),
            way_in: way_in.with_key(),
            snapshot: None,
            states: StateFollower::new(),
            queue,
            backoff: Backoff::new(options.wait_min, options.wait_max),
            is_own_rival: false,
            stop,
            options: options.connection,
        }
    }

    pub(super) async fn run(mut self) {
        let ended = self.travel().await;
        self.desk.end(&ended);
    }

    async fn travel(&mut self) -> Ended {
        let mut wait = Duration::ZERO;
        let mut moved = None;
        loop {
            let stop = self.stop.clone();
            let (client, events) = match moved.take() {
                Some(seated) => seated,
                None => tokio::select! {
                    seated = self.reach_seat(wait) => match seated {
                        Ok(seated) => seated,
                        Err(ended) => return ended,
                    },
                    // Losing the race cuts a connection over which nobody plays yet.
                    () = stop.cancelled() => return Ended::ByClient,
                },
            };
            let arrived = Instant::now();
            let last_id = client.session().map_or(0, |session| session.last_id);
            self.desk.open(&client.shared, last_id);
            let stay = self.stay(&client, events).await;
            // Where the events that were taken have led to.
            self.session = client.session().or_else(|| self.session.take());
            match stay {
                Stay::Stopped => {
                    client.close().await;
                    return Ended::ByClient;
                }
                Stay::Unexpected(errors) => return Ended::Unexpected(errors),
                Stay::Moved(client, events) => {
                    self.session = client.session().or_else(|| self.session.take());
                    moved = Some((client, events));
                }
                Stay::Lost(closed) if !closed.may_reconnect() && !self.is_own_doing(&closed) => {
                    return Ended::Connection(closed);
                }
                Stay::Lost(closed) => {
                    self.desk.lose();
                    self.backoff.at_least(wait_after(&closed));
                    self.backoff.held(arrived.elapsed());
                    wait = self.backoff.next();
                }
            }
        }
    }

    /// Passes on what happens, until the connection is over.
    ///
    /// An event is taken only when there is a place for it in the queue. One that finds none is still
    /// with the server when the connection has ended, and is asked for again.
    async fn stay(&mut self, client: &Client, mut events: Events) -> Stay {
        let time_max = self.options.request_time_max;
        let queue = self.queue.clone();
        let mut question = Question::default();
        let mut crossing = self.set_out();
        self.is_own_rival = false;
        // The server's next state may be long in coming. Who wants none has dropped the queue.
        if !self.states.is_following() && !queue.is_closed() {
            question.ask_soon();
        }
        loop {
            // Losing is safe in every arm: a place that is not used is given back.
            let place = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Stay::Stopped,
                place = queue.reserve() => place.ok(),
                closed = client.shared.over() => return Stay::Lost(closed),
                landing = Crossing::land(&mut crossing) => match self.cross(client, landing).await {
                    Some(stay) => return stay,
                    None => continue,
                },
                () = overdue(&self.desk, &client.shared, time_max) => return Stay::Lost(Closed::Silent),
            };
            if let Some(joined) = self.snapshot.take() {
                if let (Some(place), Some(session)) = (place, &self.session) {
                    place.send(Queued::Snapshot(joined, Box::new(session.clone())));
                }
                continue;
            }
            // And here: an event is taken or not, and a question that is due stays so.
            let incoming = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Stay::Stopped,
                () = question.is_due() => {
                    // Meanwhile one may have come by itself.
                    if self.states.is_following() {
                        question.at = None;
                    } else {
                        question.ask(&client.shared);
                    }
                    continue;
                }
                landing = Crossing::land(&mut crossing) => match self.cross(client, landing).await {
                    Some(stay) => return stay,
                    None => continue,
                },
                incoming = events.take() => incoming,
                () = overdue(&self.desk, &client.shared, time_max) => return Stay::Lost(Closed::Silent),
            };
            let happening = match incoming {
                Ok(Incoming::Event(event)) => {
                    self.note_draining(&event);
                    // Once the program has dropped its end nobody wants it.
                    if queue.is_closed() { Ok(None) } else { self.happening(event, &mut question) }
                }
                Ok(Incoming::State(answer)) => self.answered(answer, &mut question),
                Err(closed) => return Stay::Lost(closed),
            };
            match (happening, place) {
                (Ok(Some(happening)), Some(place)) => place.send(happening),
                (Ok(_), _) => {}
                (Err(errors), _) => return Stay::Unexpected(errors),
            }
        }
    }

    /// Sets out to the room's own node, if the server has named it.
    fn set_out(&mut self) -> Option<Crossing> {
        let named = self.named.take();
        let url = self.places.follow(named)?;
        let stream = (self.connect)(url.clone());
        Some(Crossing::begin(url, stream, self.options.clone()))
    }

    /// Asks for the seat over the connection to the room's own node. Gives what has become of the stay
    /// over the present one; `None` when it goes on.
    ///
    /// Until the answer is there nothing is taken from the present one: what the other tells goes on where
    /// this one has led to, and so each event comes once.
    async fn cross(&mut self, client: &Client, landing: Landing) -> Option<Stay> {
        let Landing { url, connection } = landing;
        let Some((there, events)) = connection else {
            self.places.give_up(url);
            return None;
        };
        // Without one there is no way to it over any connection.
        let mut session = client.session()?;
        self.desk.next_try(&mut session);
        there.shared.follow_states();
        let stop = self.stop.clone();
        let answer = tokio::select! {
            biased;
            // Losing the race cuts the other connection.
            () = stop.cancelled() => return Some(Stay::Stopped),
            answer = timeout(SEAT_TIME_MAX, there.reconnect(&mut session)) => answer,
        };
        match answer {
            Ok(Ok(resumed)) => {
                // Were it sent on from there, two nodes could send it to and fro.
                let (snapshot, _) = taken_apart(resumed);
                if let Err(errors) = self.begin(snapshot) {
                    return Some(Stay::Unexpected(errors));
                }
                self.places.arrive_at(url);
                return Some(Stay::Moved(there, events));
            }
            Ok(Err(RequestError::Refused(_))) => {}
            // No answer, but perhaps the seat.
            Ok(Err(_)) | Err(_) => self.is_own_rival = true,
        }
        self.places.give_up(url);
        None
    }

    fn is_own_doing(&self, closed: &Closed) -> bool {
        self.is_own_rival && closed.code() == Some(CloseCode::TakenOver)
    }

    /// What an event is to the program, if it is anything.
    fn happening(
        &mut self,
        event: Event,
        question: &mut Question,
    ) -> Result<Option<Queued<V>>, FieldErrors> {
        if !matches!(event.kind, EventType::RoomState | EventType::RoomPatch) {
            return Ok(Some(Queued::Event(event)));
        }
        match self.states.follow(&event)? {
            Followed::State(now) => Ok(Some(Queued::State(now, event.seq))),
            Followed::Nothing => Ok(None),
            Followed::Lost => {
                question.ask_soon();
                Ok(None)
            }
        }
    }

    /// What an answer to `get_state` is to the program, whoever asked.
    fn answered(
        &mut self,
        answer: StateAnswer,
        question: &mut Question,
    ) -> Result<Option<Queued<V>>, FieldErrors> {
        let mut wait = Duration::ZERO;
        let now = match answer.outcome {
            Ok(now) => self.states.catch_up(now)?,
            Err(error) => {
                wait = retry_after(&error);
                None
            }
        };
        if answer.is_own {
            question.is_asked = false;
            // It was refused, or does not help.
            if !self.states.is_following() {
                question.at = Some(Instant::now() + wait.max(ASK_AGAIN_WAIT));
            }
        }
        Ok(now.map(|now| Queued::State(now, None)))
    }

    fn note_draining(&mut self, event: &Event) {
        if event.kind == EventType::ServerDraining
            && let Ok(ServerDraining { reconnect_after_ms }) = event.data()
        {
            self.backoff.at_least(Duration::from_millis(reconnect_after_ms).min(SERVER_WAIT_MAX));
        }
    }

    /// Tries until there is a connection at the seat, the first time after `wait`.
    async fn reach_seat(&mut self, mut wait: Duration) -> Result<(Client, Events), Ended> {
        loop {
            sleep(wait).await;
            match self.try_to_reach_seat().await {
                Ok(seated) => return Ok(seated),
                Err(Failure::Passing(at_least)) => {
                    self.places.miss();
                    self.backoff.at_least(at_least);
                }
                // Another may have its address by now, so it has not the last word.
                Err(Failure::Final(ended))
                    if is_for_a_node(&ended) && self.places.give_up_node() => {}
                Err(Failure::Final(ended)) => return Err(ended),
            }
            wait = self.backoff.next();
        }
    }

    async fn try_to_reach_seat(&mut self) -> Result<(Client, Events), Failure> {
        let time_max = self.options.connect_time_max;
        let url = self.places.next().to_owned();
        let Ok(Ok(stream)) = timeout(time_max, (self.connect)(url.clone())).await else {
            return Err(Failure::Passing(Duration::ZERO));
        };
        let connecting = Client::over(stream, &url, self.options.clone());
        let (client, events) = connecting.await.map_err(no_connection)?;
        client.shared.follow_states();
        let (snapshot, named) = match &mut self.session {
            None => {
                let mut joined = sit_down(&client, &self.way_in).await.map_err(no_seat)?;
                let named = joined.url.take();
                (Some(joined), named)
            }
            Some(session) => {
                self.desk.next_try(session);
                taken_apart(client.reconnect(session).await.map_err(no_seat)?)
            }
        };
        self.begin(snapshot).map_err(|errors| no_seat(RequestError::Unexpected(errors)))?;
        self.places.arrive();
        self.named = named;
        self.session = client.session().or_else(|| self.session.take());
        Ok((client, events))
    }

    /// Goes on from the room as it is now, where the answer shows it. One that is not in the queue yet goes
    /// before what was missed since.
    fn begin(&mut self, snapshot: Option<Joined<Value>>) -> Result<(), FieldErrors> {
        if let Some(joined) = snapshot {
            self.snapshot = Some(Box::new(self.states.begin(joined)?));
        }
        Ok(())
    }
}

impl Question {
    /// Asks as soon as possible, unless that is under way.
    fn ask_soon(&mut self) {
        if !self.is_asked {
            self.at.get_or_insert_with(Instant::now);
        }
    }

    async fn is_due(&self) {
        match self.at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    fn ask(&mut self, connection: &Shared) {
        self.is_asked = connection.ask_for_state();
        // The queue is full of requests that nobody takes; later it may be shorter.
        self.at = (!self.is_asked).then(|| Instant::now() + ASK_AGAIN_WAIT);
    }
}

impl<V, C> Drop for Journey<V, C> {
    fn drop(&mut self) {
        // Only when the task was cut short.
        self.desk.end(&Ended::ByClient);
    }
}

/// Waits until a request has been unanswered for too long, the program's or the player's own.
async fn overdue(desk: &Desk, connection: &Shared, time_max: Duration) {
    tokio::select! {
        () = desk.overdue(time_max) => {}
        () = connection.overdue(time_max) => {}
    }
}

async fn sit_down(client: &Client, way_in: &WayIn) -> Result<Joined<Value>, RequestError> {
    match way_in {
        WayIn::CreateRoom(room) => client.create_room(room).await,
        WayIn::JoinRoom(seat) => client.join_room(seat).await,
        WayIn::QuickMatch(seat) => client.quick_match(seat).await,
        WayIn::Session(_) => unreachable!("a session is resumed"),
    }
}

/// The room, where the whole of it is the answer, and the address of its own node, which is no business of
/// the program's.
fn taken_apart(resumed: Resumed<Value>) -> (Option<Joined<Value>>, Option<String>) {
    match resumed {
        Resumed::Snapshot(mut joined) => {
            let named = joined.url.take();
            (Some(*joined), named)
        }
        Resumed::Replayed(replayed) => (None, replayed.url),
    }
}

/// Whether this may be so at one node alone.
///
/// A seat that somebody else has taken is not among it: to ask for it once more is to take it back.
fn is_for_a_node(ended: &Ended) -> bool {
    match ended {
        Ended::NoServer(_) => true,
        Ended::NoSeat(error) => is_seat_gone(error),
        Ended::ByClient | Ended::Connection(_) | Ended::Unexpected(_) => false,
    }
}

fn no_connection(error: ConnectError) -> Failure {
    if error.may_retry() {
        Failure::Passing(Duration::ZERO)
    } else {
        Failure::Final(Ended::NoServer(Arc::new(error)))
    }
}

fn no_seat(error: RequestError) -> Failure {
    match &error {
        RequestError::Refused(detail) if detail.retryable => Failure::Passing(retry_after(detail)),
        RequestError::Closed(closed) if closed.may_reconnect() => {
            Failure::Passing(wait_after(closed))
        }
        RequestError::Closed(closed) => Failure::Final(Ended::Connection(closed.clone())),
        RequestError::Timeout => Failure::Passing(Duration::ZERO),
        RequestError::Refused(_)
        | RequestError::TooLarge { .. }
        | RequestError::Encode(_)
        | RequestError::Unexpected(_)
        | RequestError::Ended(_)
        | RequestError::TooMany { .. } => Failure::Final(Ended::NoSeat(Arc::new(error))),
    }
}

/// What the rate limit asks for.
fn retry_after(detail: &ErrorDetail) -> Duration {
    let asked = match &detail.details {
        Some(details) if detail.code == ErrorCode::RATE_LIMITED => details.get("retryAfterMs"),
        Some(_) | None => None,
    };
    let millis = asked.and_then(Value::as_u64).unwrap_or(0);
    Duration::from_millis(millis).min(SERVER_WAIT_MAX)
}

fn wait_after(closed: &Closed) -> Duration {
    if closed.code().is_some_and(CloseCode::wait_first) { WAIT_FIRST } else { Duration::ZERO }
}

/// How long the room's own node may take to answer for the seat. Meanwhile the program is told nothing.
const SEAT_TIME_MAX: Duration = Duration::from_secs(3);
/// After a question for the state that was refused or could not be asked.
const ASK_AGAIN_WAIT: Duration = Duration::from_secs(1);
/// Both codes that ask to wait count what was sent in the last 10 s.
const WAIT_FIRST: Duration = Duration::from_secs(10);
/// A server that asks for more is not believed.
const SERVER_WAIT_MAX: Duration = Duration::from_secs(60);
