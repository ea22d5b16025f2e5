//! A player who comes back by itself.
//!
//! The [`Player`] owns the task that connects, sits down, and after every loss connects again and
//! resumes. It ends when the seat is gone or the server says not to come back, when the player leaves
//! or closes, and at once when the [`Player`] is dropped.
//!
//! - `desk` keeps what was asked until it is answered, over however many connections.
//! - `journey` is the task.
//! - `places` knows the addresses at which the seat may be reached, `crossing` connects to another one
//!   while the player stays where it is.
//! - `backoff` says how long it waits.
//! - `happenings` is what the program takes.

mod backoff;
mod crossing;
mod desk;
mod happenings;
mod journey;
mod places;
mod status;
mod way_in;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parlor_protocol::{
    AddBot, AddedBot, Chat, ErrorCode, KickPlayer, NoData, OnePlayer, PlayerId, RawData,
    RequestType, Seq, SetReady, SetRole, StateSnapshot, UpdateRoom,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::client::Options;
use crate::closed::CLOSE_TIME_MAX;
use crate::connect::{ConnectError, authority, parse};
use crate::request::RequestError;
use crate::requests::seat_requests;
use crate::session::Session;
use desk::Desk;
use journey::Journey;

pub use happenings::{Happening, Happenings};
pub use status::{Ended, Status};
pub use way_in::WayIn;

/// A player at a seat, whatever happens to its connections.
///
/// What is asked is answered once: a request that a lost connection left unanswered is sent again over
/// the next, under the same number, by which the server knows what it has done already. So a request
/// waits as long as it takes; [`timeout`](tokio::time::timeout) bounds the wait. Dropping its future does not
/// take back a request that was sent. [`UNANSWERED_REQUESTS_MAX`] may be unanswered, and
/// [`PlayerOptions::requests_waiting_max`] wait behind them.
///
/// A server with many nodes may name the one that has the room
/// ([`Joined::url`](crate::protocol::Joined::url)). The player then connects there beside the connection that
/// it has, and goes over when its seat is found, of which its program notices nothing. Where
/// that fails it stays, and does not try that address again. After a loss it goes to where it last was and to the
/// address that it was given, by turns. This client speaks no TLS by itself, so an address with `wss` is
/// not followed. What belongs to a connection and not to the seat, such as a subscription of listings, ends with a
/// move as with a loss.
///
/// Dropping the player cuts the connection; the seat is held for the game's grace period.
///
/// [`UNANSWERED_REQUESTS_MAX`]: crate::protocol::limits::UNANSWERED_REQUESTS_MAX
#[derive(Debug)]
pub struct Player {
    desk: Arc<Desk>,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

/// How a player connects, how patient it is and how much it holds.
#[derive(Clone, Debug)]
pub struct PlayerOptions {
    /// How each connection is made. A request that is not answered within
    /// [`Options::request_time_max`] ends the connection it was sent over.
    pub connection: Options,
    /// The longest wait after the first loss. Defaults to 250 ms. Each failure doubles it, and the
    /// wait is a random time up to that: when a server restarts, all its clients come back.
    pub wait_min: Duration,
    /// The longest wait after any number of failures. Defaults to 10 s.
    pub wait_max: Duration,
    /// Requests that may wait behind the unanswered ones. Defaults to 256; one more is refused with
    /// [`RequestError::TooMany`].
    pub requests_waiting_max: usize,
}

impl Player {
    /// Gets to a seat of the server at `url`, such as `ws://127.0.0.1:8080/ws`, and stays there.
    /// `V` is the game's view.
    ///
    /// Returns at once. Only an address that cannot be one fails; everything else is told by
    /// [`status`](Self::status) and by the happenings, of which the first is the room.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn connect<V: DeserializeOwned + Send + 'static>(
        url: &str,
        way_in: impl Into<WayIn>,
        options: PlayerOptions,
    ) -> Result<(Self, Happenings<V>), ConnectError> {
        let connect = |url: String| async move {
            let address = authority(&parse(&url).map_err(io::Error::other)?);
            let stream = TcpStream::connect(address).await?;
            // A move should not wait for the acknowledgement of the one before.
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        Self::over(connect, url, way_in, options)
    }

    /// The same over streams of any kind: `connect` is called for each, with the address that it is to
    /// lead to. That is `url`, or a node's that the server has named; where it knows no way it fails, and
    /// the player stays.
    pub fn over<V, S, F>(
        connect: impl FnMut(String) -> F + Send + 'static,
        url: &str,
        way_in: impl Into<WayIn>,
        options: PlayerOptions,
    ) -> Result<(Self, Happenings<V>), ConnectError>
    where
        V: DeserializeOwned + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
    {
        parse(url)?;
        let way_in = way_in.into();
        let desk = Desk::new(&options, way_in.session().cloned());
        let stop = CancellationToken::new();
        let (queue, happenings) = mpsc::channel(options.connection.events_max.max(1));
        let journey = Journey::new(
            Arc::clone(&desk),
            connect,
            url.to_owned(),
            way_in,
            queue,
            stop.clone(),
            options,
        );
        let task = AbortOnDropHandle::new(tokio::spawn(journey.run()));
        let happenings = Happenings::new(happenings, Arc::clone(&desk));
        Ok((Self { desk, stop, task }, happenings))
    }

    /// Where the player stands, now and whenever that changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.desk.status()
    }

    /// What brings the player back after a restart of the program; `None` before it has taken the
    /// first happening. It changes with every happening, so ask when it is needed.
    pub fn session(&self) -> Option<Session> {
        self.desk.session()
    }

    /// Sends a request and waits for its answer, over as many connections as that takes. What a seat
    /// can ask has methods of its own; this is what they have in common.
    pub async fn request<T: DeserializeOwned + Send + 'static>(
        &self,
        kind: RequestType,
        data: &(impl Serialize + Sync + ?Sized),
    ) -> Result<T, RequestError> {
        let (reply, answer) = oneshot::channel();
        let reply = Box::new(move |outcome: Result<RawData<'_>, RequestError>| {
            let read = |data: RawData<'_>| data.decode().map_err(RequestError::Unexpected);
            // Nobody listens any more when the future was dropped.
            let _ = reply.send(outcome.and_then(read));
        });
        self.desk.ask(kind, data, reply).await?;
        // Every reply is called, by the answer or by the end.
        answer.await.unwrap_or(Err(RequestError::Ended(Ended::ByClient)))
    }

    seat_requests! {}

    /// Leaves the room for good.
    ///
    /// A seat that is found gone when coming back to leave it is left, too.
    pub async fn leave(self) -> Result<(), RequestError> {
        match self.request::<Seq>(RequestType::LeaveRoom, &NoData {}).await {
            Err(RequestError::Ended(Ended::NoSeat(why))) if is_seat_gone(&why) => {}
            left => drop(left?),
        }
        self.close().await;
        Ok(())
    }

    /// Closes the connection in good order, once what was asked has been sent.
    ///
    /// The seat stays held for the game's grace period; [`leave`](Self::leave) gives it up.
    pub async fn close(self) {
        self.stop.cancel();
        // Past this the connection is cut, as by dropping. However the task ends, it is over.
        let _ = timeout(CLOSE_TIME_MAX, self.task).await;
    }
}

impl Default for PlayerOptions {
    fn default() -> Self {
        Self {
            connection: Options::default(),
            wait_min: Duration::from_millis(250),
            wait_max: Duration::from_secs(10),
            requests_waiting_max: 256,
        }
    }
}

fn is_seat_gone(error: &RequestError) -> bool {
    error
        .code()
        .is_some_and(|code| [ErrorCode::SESSION_INVALID, ErrorCode::ROOM_CLOSED].contains(code))
}
