//! How nodes talk to each other.

use std::future::Future;

use tokio::sync::mpsc;

use crate::{BoxFuture, StoreError};

/// Carries messages from node to node.
///
/// Each arrives at most once or, rarely, twice; it may be lost without a word. Those that one sender sends to an inbox,
/// each after the last has been sent, come in that order. Whoever needs more than that numbers them.
///
/// Each backend passes the checks in `conformance`, which test these sentences.
pub trait Bus: Send + Sync + 'static {
    /// Sends a message to whoever listens to `inbox`. An error means that it is not known whether it has been sent.
    fn send(
        &self,
        inbox: &str,
        message: Vec<u8>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Listens to `inbox` from now on, also across losses of the connection, until the receiving end is dropped. Up to
    /// [`INBOX_MESSAGES_MAX`] messages wait in it; further ones are lost.
    ///
    /// Comes back before anything is connected: what is sent in the meantime is lost.
    fn listen(&self, inbox: &str) -> mpsc::Receiver<Vec<u8>>;
}

/// Messages that may wait in an inbox.
pub const INBOX_MESSAGES_MAX: usize = 4096;

/// [`Bus`] behind a pointer, for whoever is given one at run time.
pub trait DynBus: Send + Sync + 'static {
    /// See [`Bus::send`].
    fn send<'a>(
        &'a self,
        inbox: &'a str,
        message: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// See [`Bus::listen`].
    fn listen(&self, inbox: &str) -> mpsc::Receiver<Vec<u8>>;
}

impl<B: Bus> DynBus for B {
    fn send<'a>(
        &'a self,
        inbox: &'a str,
        message: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(Bus::send(self, inbox, message))
    }

    fn listen(&self, inbox: &str) -> mpsc::Receiver<Vec<u8>> {
        Bus::listen(self, inbox)
    }
}
