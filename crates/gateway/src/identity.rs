//! Who a player is beyond a room: what a service that players have accounts with says of them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use parlor_core::Profile;
use parlor_protocol::{PlayerName, Secret};

/// Someone whom an [`Authenticator`] knows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// What it is known by, for ever: an account's number, say. Never shown to other players.
    pub subject: Arc<str>,
    /// The name that it plays under, in place of the one that a request asks for.
    pub name: Option<PlayerName>,
    /// What games may know of it: [`Seat::profile`](parlor_core::Seat::profile).
    pub profile: Profile,
}

impl Identity {
    /// Someone of whom nothing else is known.
    pub fn new(subject: impl Into<Arc<str>>) -> Self {
        Self { subject: subject.into(), name: None, profile: Profile::default() }
    }
}

/// Tells from a token who sent it.
pub trait Authenticator: Send + Sync + 'static {
    /// Who bears this token. Asked once for each token that a connection shows.
    ///
    /// If the future is dropped nothing has happened.
    fn authenticate(
        &self,
        token: &Secret,
    ) -> impl Future<Output = Result<Identity, AuthenticateError>> + Send;
}

impl<A: Authenticator> Authenticator for Arc<A> {
    async fn authenticate(&self, token: &Secret) -> Result<Identity, AuthenticateError> {
        A::authenticate(self, token).await
    }
}

/// Why a token says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticateError {
    /// It is not valid, or no longer: another is needed. The reason reaches the client.
    #[error("{0}")]
    Refused(&'static str),
    /// It cannot be found out just now. Trying again later may help.
    #[error("it cannot be found out just now who you are")]
    Unavailable,
}

/// [`Authenticator`] behind a pointer.
pub(crate) trait DynAuthenticator: Send + Sync + 'static {
    /// See [`Authenticator::authenticate`].
    fn authenticate<'a>(&'a self, token: &'a Secret) -> Answer<'a>;
}

pub(crate) type Answer<'a> =
    Pin<Box<dyn Future<Output = Result<Identity, AuthenticateError>> + Send + 'a>>;

impl<A: Authenticator> DynAuthenticator for A {
    fn authenticate<'a>(&'a self, token: &'a Secret) -> Answer<'a> {
        Box::pin(Authenticator::authenticate(self, token))
    }
}

impl fmt::Debug for dyn DynAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator")
    }
}
