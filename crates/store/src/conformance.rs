//! The promises of the store traits as checks, for every backend the same.
//!
//! A backend's test gives a fresh store, and a way to let time pass: `tokio::time::advance` where
//! the store counts tokio's time, a real wait where another process keeps the clock.

use std::time::Duration;

use crate::{Session, SessionKey, SessionStore};

/// Checks every sentence of [`SessionStore`]. Panics at the first that does not hold.
pub async fn session_store<S: SessionStore>(store: &S, pass_time: impl AsyncFn(Duration)) {
    let (one, two) = (SessionKey([1; 32]), SessionKey([2; 32]));
    let session = |room: &str| Session { room: room.to_owned() };
    let ttl = Duration::from_secs(2);

    assert_eq!(store.load(one).await, Ok(None), "a session never saved is not there");
    store.remove(one).await.expect("removing what is not there succeeds");

    store.save(one, session("A"), ttl).await.expect("a session is saved");
    store.save(two, session("B"), ttl * 10).await.expect("another is saved");
    assert_eq!(store.load(one).await, Ok(Some(session("A"))));
    assert_eq!(store.load(two).await, Ok(Some(session("B"))), "sessions are kept apart");

    store.save(one, session("C"), ttl).await.expect("a session is replaced");
    assert_eq!(store.load(one).await, Ok(Some(session("C"))));

    pass_time(ttl / 2).await;
    store.save(one, session("C"), ttl).await.expect("its life is prolonged");
    pass_time(ttl * 3 / 4).await;
    assert_eq!(store.load(one).await, Ok(Some(session("C"))), "saving again slides the expiry");
    pass_time(ttl / 2).await;
    assert_eq!(store.load(one).await, Ok(None), "an expired session is not there");
    assert_eq!(store.load(two).await, Ok(Some(session("B"))), "expiry is each session's own");

    store.remove(two).await.expect("a session is removed");
    assert_eq!(store.load(two).await, Ok(None), "a removed session is not there");

    assert_eq!(store.save_new(one, session("D"), ttl).await, Ok(None), "the first one is saved");
    let known = store.save_new(one, session("E"), ttl * 10).await;
    assert_eq!(known, Ok(Some(session("D"))), "the second is given what is there");
    pass_time(ttl + ttl / 4).await;
    assert_eq!(store.load(one).await, Ok(None), "and does not prolong its life");
    assert_eq!(store.save_new(one, session("E"), ttl).await, Ok(None));
}
