//! Which node owns a room, and which nodes there are.

use std::future::Future;
use std::time::Duration;

use crate::{BoxFuture, StoreError};

/// The nodes of a cluster, and for each room the one that owns it.
///
/// A node is there while it says so in time ([`beat`](Self::beat)): that is its lease. A room's record says which node
/// owns it and bears a fence, a number that rises whenever the room is claimed: what comes with an older one is
/// refused. A record says nothing about whether its owner is still there; that is for whoever has found it to look up
/// among the nodes.
///
/// Each backend passes the checks in `conformance`, which test these sentences. All of it may be tried again when it
/// is not known whether it happened.
pub trait RoomDirectory: Send + Sync + 'static {
    /// Takes a room for `node`, for `ttl` from now: one that nobody has, or that it has already. The fence is then one
    /// more than the higher of `fence` and what the record had, so higher than any before it.
    ///
    /// A room that another node has is left as it is, whether or not that node is still there.
    fn claim(
        &self,
        room: &str,
        node: &str,
        fence: u64,
        ttl: Duration,
    ) -> impl Future<Output = Result<Claim, StoreError>> + Send;

    /// Keeps a record for another `ttl`, and says whether it is still there as `owned` has it: the same node and the
    /// same fence.
    fn renew(
        &self,
        room: &str,
        owned: &Ownership,
        ttl: Duration,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes a record that is still as `owned` has it. Another one stays.
    fn release(
        &self,
        room: &str,
        owned: &Ownership,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Who owns a room, or `None` if nobody claimed it, it was released, or its time is over.
    fn find(
        &self,
        room: &str,
    ) -> impl Future<Output = Result<Option<Ownership>, StoreError>> + Send;

    /// Says that a node is there for `lease` from now and what it says of itself, and hears of all that are.
    fn beat(
        &self,
        node: &NodeRecord,
        lease: Duration,
    ) -> impl Future<Output = Result<Beat, StoreError>> + Send;

    /// A node is there no longer. Rooms that it has stay its own.
    fn leave(&self, node: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Which node owns a room, and by which claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// The node's name.
    pub node: String,
    /// Rises from claim to claim, beginning with 1.
    pub fence: u64,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The room is the node's, under this fence.
    Granted {
        /// Higher than any that the room has had.
        fence: u64,
    },
    /// Another node has it.
    Refused(Ownership),
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// Its name, which no other node ever has.
    pub node: String,
    /// What other nodes want to know of it; a few hundred bytes.
    pub about: String,
}

/// What a node hears when it says that it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// All nodes that are there, itself included, by name.
    pub nodes: Vec<NodeRecord>,
    /// Whether its lease had not ended before: not the first time, and not after a silence.
    pub was_held: bool,
    /// Names what the directory remembers. Another one than last time: all that it knew is lost.
    pub memory: String,
    /// How long it has remembered things.
    pub memory_age: Duration,
}

/// [`RoomDirectory`] behind a pointer, for whoever is given one at run time.
pub trait DynRoomDirectory: Send + Sync + 'static {
    /// See [`RoomDirectory::claim`].
    fn claim<'a>(
        &'a self,
        room: &'a str,
        node: &'a str,
        fence: u64,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Claim, StoreError>>;

    /// See [`RoomDirectory::renew`].
    fn renew<'a>(
        &'a self,
        room: &'a str,
        owned: &'a Ownership,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// See [`RoomDirectory::release`].
    fn release<'a>(
        &'a self,
        room: &'a str,
        owned: &'a Ownership,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// See [`RoomDirectory::find`].
    fn find<'a>(&'a self, room: &'a str) -> BoxFuture<'a, Result<Option<Ownership>, StoreError>>;

    /// See [`RoomDirectory::beat`].
    fn beat<'a>(
        &'a self,
        node: &'a NodeRecord,
        lease: Duration,
    ) -> BoxFuture<'a, Result<Beat, StoreError>>;

    /// See [`RoomDirectory::leave`].
    fn leave<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
}

impl<D: RoomDirectory> DynRoomDirectory for D {
    fn claim<'a>(
        &'a self,
        room: &'a str,
        node: &'a str,
        fence: u64,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Claim, StoreError>> {
        Box::pin(RoomDirectory::claim(self, room, node, fence, ttl))
    }

    fn renew<'a>(
        &'a self,
        room: &'a str,
        owned: &'a Ownership,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(RoomDirectory::renew(self, room, owned, ttl))
    }

    fn release<'a>(
        &'a self,
        room: &'a str,
        owned: &'a Ownership,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(RoomDirectory::release(self, room, owned))
    }

    fn find<'a>(&'a self, room: &'a str) -> BoxFuture<'a, Result<Option<Ownership>, StoreError>> {
        Box::pin(RoomDirectory::find(self, room))
    }

    fn beat<'a>(
        &'a self,
        node: &'a NodeRecord,
        lease: Duration,
    ) -> BoxFuture<'a, Result<Beat, StoreError>> {
        Box::pin(RoomDirectory::beat(self, node, lease))
    }

    fn leave<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(RoomDirectory::leave(self, node))
    }
}
