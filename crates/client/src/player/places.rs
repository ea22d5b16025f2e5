//! Where a player may find its seat: at the address that it was given, and at one that the server has
//! named since.
//!
//! Only what is known of the addresses; connections are made in `journey` and `crossing`.

use parlor_protocol::limits::URL_CHARS_MAX;

use crate::connect::parse;

/// The addresses of one player.
#[derive(Debug)]
pub(super) struct Places {
    /// The one that it was given.
    home: String,
    /// Where it last was at its seat, or is.
    last: String,
    /// Whether the next try goes home, although it last was elsewhere.
    is_home_next: bool,
    /// Where it was sent and did not get to its seat. Not gone to again, however often it is named.
    given_up: Vec<String>,
}

impl Places {
    pub(super) fn new(home: String) -> Self {
        Self { last: home.clone(), home, is_home_next: false, given_up: Vec::new() }
    }

    /// Where to try.
    pub(super) fn next(&self) -> &str {
        if self.is_home_next { &self.home } else { &self.last }
    }

    /// There was no getting to the seat from where the last try went.
    ///
    /// A node may be gone for good, and the way by which the player first came may be so for a while.
    pub(super) fn miss(&mut self) {
        self.is_home_next = !self.is_home_next;
    }

    /// The player is at its seat from where the last try went.
    pub(super) fn arrive(&mut self) {
        if self.is_home_next {
            self.arrive_at(self.home.clone());
        }
    }

    /// The player is at its seat by way of `url`.
    pub(super) fn arrive_at(&mut self, url: String) {
        self.last = url;
        self.is_home_next = false;
    }

    /// The address that the server names, if it is one to go to.
    pub(super) fn follow(&self, url: Option<String>) -> Option<String> {
        url.filter(|url| {
            url.chars().count() <= URL_CHARS_MAX
                && parse(url).is_ok()
                && url != self.next()
                && self.given_up.len() < GIVEN_UP_MAX
                && !self.given_up.contains(url)
        })
    }

    /// The player does not go to `url` again because the server says so.
    pub(super) fn give_up(&mut self, url: String) {
        self.given_up.push(url);
    }

    /// Gives up a node at which the last try went wrong for good. False when that was at home, where
    /// no other is left.
    pub(super) fn give_up_node(&mut self) -> bool {
        if self.next() == self.home {
            return false;
        }
        let node = std::mem::replace(&mut self.last, self.home.clone());
        self.give_up(node);
        true
    }
}

/// A server that has named so many addresses in vain is not followed any more, which also bounds what is
/// kept of them.
const GIVEN_UP_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "ws://games.example/ws";
    const NODE: &str = "ws://node-2.games.example/ws";

    fn places() -> Places {
        Places::new(HOME.to_owned())
    }

    #[track_caller]
    fn check(url: &str, is_followed: bool) {
        let followed = places().follow(Some(url.to_owned()));
        assert_eq!(followed.as_deref(), is_followed.then_some(url), "{url:?}");
    }

    #[test]
    fn only_addresses_that_can_be_gone_to_are_followed() {
        check(NODE, true);
        check("ws://127.0.0.1:8080/ws", true);
        check(&format!("ws://games.example/{}", "w".repeat(181)), true);
        check(&format!("ws://games.example/{}", "w".repeat(182)), false);
        check(HOME, false);
        check("wss://node-2.games.example/ws", false);
        check("http://node-2.games.example/ws", false);
        check("javascript:alert(1)", false);
        check("ws://", false);
        check("ws://node 2/ws", false);
        check("ws://node-2/ws\r\nHost: evil", false);
        check("", false);
    }

    #[test]
    fn tries_go_to_where_the_player_last_was_then_home_and_so_on() {
        let mut places = places();
        places.miss();
        assert_eq!(places.next(), HOME);
        places.arrive_at(NODE.to_owned());
        let mut gone_to = Vec::new();
        for _ in 0..4 {
            gone_to.push(places.next().to_owned());
            places.miss();
        }
        assert_eq!(gone_to, [NODE, HOME, NODE, HOME]);

        places.miss();
        places.arrive();
        places.miss();
        assert_eq!(places.next(), HOME, "where it last was is home again");
    }

    #[test]
    fn place_that_was_given_up_is_not_followed_again_and_many_end_all_following() {
        let mut places = places();
        places.give_up(NODE.to_owned());
        assert_eq!(places.follow(Some(NODE.to_owned())), None);
        for node in 3.. {
            let node = format!("ws://node-{node}.games.example/ws");
            match places.follow(Some(node)) {
                Some(node) => places.give_up(node),
                None => break,
            }
        }
        assert_eq!(places.given_up.len(), GIVEN_UP_MAX);
    }

    #[test]
    fn node_is_given_up_but_not_the_way_home() {
        let mut places = places();
        assert!(!places.give_up_node());
        places.arrive_at(NODE.to_owned());
        assert!(places.give_up_node());
        assert_eq!((places.next(), places.follow(Some(NODE.to_owned()))), (HOME, None));
        assert!(!places.give_up_node());
    }
}
