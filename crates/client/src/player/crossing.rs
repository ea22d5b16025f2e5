//! A connection to another address that is on its way, while the one at the seat goes on.
//!
//! A [`Crossing`] ends when its connection is greeted, when there will be none, or when it is dropped,
//! which cuts it. It does not ask for the seat.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::client::{Client, Options};
use crate::event::Events;

pub(super) struct Crossing {
    url: String,
    connecting: Pin<Box<dyn Future<Output = Option<Connection>> + Send>>,
}

/// One that is greeted.
type Connection = (Client, Events);

/// How a crossing ended: where it went, and the connection, if there is one.
pub(super) struct Landing {
    pub(super) url: String,
    pub(super) connection: Option<Connection>,
}

impl Crossing {
    /// Sets out to `url` over the stream that `stream` gives.
    pub(super) fn begin<S>(
        url: String,
        stream: impl Future<Output = io::Result<S>> + Send + 'static,
        options: Options,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let time_max = options.connect_time_max.min(CROSSING_TIME_MAX);
        let connecting = {
            let url = url.clone();
            async move { Client::over(stream.await.ok()?, &url, options).await.ok() }
        };
        let connecting = async move { timeout(time_max, connecting).await.ok().flatten() };
        Self { url, connecting: Box::pin(connecting) }
    }

    /// Waits until the crossing, if there is one, has ended, and leaves none.
    ///
    /// Cancel-safe: it goes on where it was.
    pub(super) async fn land(crossing: &mut Option<Self>) -> Landing {
        let Some(under_way) = crossing else { return pending().await };
        let connection = under_way.connecting.as_mut().await;
        let url = std::mem::take(&mut under_way.url);
        *crossing = None;
        Landing { url, connection }
    }
}

/// Nobody waits for it, but an address at which nobody answers should be known as such before long.
const CROSSING_TIME_MAX: Duration = Duration::from_secs(5);
