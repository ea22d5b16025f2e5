//! Which rooms there are to see, and who wants to hear of them.
//!
//! For each game an index of its public rooms, kept by the rooms themselves as they change, so
//! that no listing ever looks at a room. Subscribers hear of changes a few times a second, each room
//! at most once each time. Where there are many nodes each has the rooms of all, and hears of the others' in the
//! same way.
//!
//! The lock of a game's index is taken after a room's; while it is held, only an outbox's is taken.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use parlor_protocol::{
    Codec, EventType, Object, RoomCode, RoomInfo, RoomListUpdate, RoomSubscription,
};
use tokio::sync::Notify;

use crate::encode::{Answering, Link, Outlet, encode_event};
use crate::outbox::Class;

/// The listings of all games.
pub(crate) struct Listings {
    games: BTreeMap<&'static str, Mutex<Listing>>,
    /// Some listing has changed.
    changed: Notify,
    /// Some room of this node has changed that other nodes are to hear of.
    changed_here: Notify,
}

/// What a room says of itself when it changes.
pub(crate) struct Offer {
    pub(crate) game_type: &'static str,
    /// Rises from room to room of a node.
    pub(crate) number: u64,
    pub(crate) is_public: bool,
    pub(crate) info: RoomInfo,
}

/// A room's place among all others: when it was made, its number on its node, and its code, which tells apart those
/// of several nodes.
pub(crate) type Place = (u64, u64, RoomCode);

/// What became of a node's public rooms since the last time.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// With their numbers there.
    pub(crate) changed: Vec<(u64, Arc<RoomInfo>)>,
    pub(crate) removed: Vec<RoomCode>,
}

/// One page of rooms.
pub(crate) struct Page {
    pub(crate) rooms: Vec<Arc<RoomInfo>>,
    /// The place below which the next page begins, if there is one.
    pub(crate) next: Option<Place>,
}

#[derive(Default)]
struct Listing {
    rooms: HashMap<RoomCode, Listed>,
    /// In their order: newest first is from the end.
    by_age: BTreeSet<Place>,
    /// Of these, the rooms that a player could join.
    joinable: BTreeSet<Place>,
    /// Rooms with someone in them that `quick_match` may choose, the fullest first for each set of options.
    open: BTreeSet<Open>,
    /// Rooms here that changed since subscribers were last told of them: no more than there are.
    dirty: BTreeSet<RoomCode>,
    /// Rooms gone since subscribers were last told: those of one interval.
    gone: BTreeSet<RoomCode>,
    /// The room that subscribers were told of last. They are told in turn by code, so that many
    /// changes do not keep some rooms from ever being told.
    told_last: Option<RoomCode>,
    /// By connection, so that they are told in the same order each time.
    subscribers: BTreeMap<u64, Outlet>,
    /// Rooms of this node that changed since other nodes were last told, if there are any to be told.
    untold: Option<Untold>,
}

#[derive(Default)]
struct Untold {
    changed: BTreeSet<RoomCode>,
    gone: BTreeSet<RoomCode>,
}

struct Listed {
    /// The node that it is on, unless it is this one.
    node: Option<Arc<str>>,
    number: u64,
    info: Arc<RoomInfo>,
    open: Option<Open>,
}

/// The options, written out; fewest free seats first; oldest first.
type Open = (Arc<str>, u32, u64, Reverse<RoomCode>);

impl Listings {
    pub(crate) fn new(games: impl Iterator<Item = &'static str>) -> Self {
        Self {
            games: games.map(|game| (game, Mutex::default())).collect(),
            changed: Notify::new(),
            changed_here: Notify::new(),
        }
    }

    /// The games that there are.
    pub(crate) fn games(&self) -> impl Iterator<Item = &'static str> {
        self.games.keys().copied()
    }

    /// Takes note from now on of what other nodes are to hear of.
    pub(crate) fn note_for_other_nodes(&self) {
        for listing in self.games.values() {
            listing.lock().untold = Some(Untold::default());
        }
    }

    /// Shows a room of this node as it is now, or no longer if it is not public.
    pub(crate) fn put(&self, offer: Offer) {
        let Offer { game_type, number, is_public, info } = offer;
        if !is_public {
            self.remove(game_type, info.room_id);
            return;
        }
        let Some(listing) = self.games.get(game_type) else { return };
        let mut listing = listing.lock();
        let code = info.room_id;
        listing.take(code);
        listing.add(None, number, Arc::new(info));
        listing.note(code, &self.changed);
        listing.note_for_other_nodes(code, &self.changed_here);
    }

    /// Shows a room of this node no longer.
    pub(crate) fn remove(&self, game_type: &str, code: RoomCode) {
        let Some(listing) = self.games.get(game_type) else { return };
        let mut listing = listing.lock();
        if listing.take(code).is_some() {
            listing.note(code, &self.changed);
            listing.note_for_other_nodes(code, &self.changed_here);
        }
    }

    /// Shows rooms of another node as it says that they are, up to `rooms_max` of all there are. Rooms of games that
    /// are not known here, and rooms that this node has itself, are left out.
    pub(crate) fn put_of(&self, node: &Arc<str>, changes: Changes, rooms_max: usize) {
        for (number, info) in changes.changed {
            let Some(listing) = self.games.get(&*info.game_type) else { continue };
            let mut listing = listing.lock();
            let code = info.room_id;
            let known = listing.rooms.get(&code);
            let is_new = known.is_none();
            if known.is_some_and(|known| known.node.is_none())
                || (is_new && listing.rooms.len() >= rooms_max)
            {
                continue;
            }
            listing.take(code);
            listing.add(Some(Arc::clone(node)), number, info);
            listing.note(code, &self.changed);
        }
        for code in changes.removed {
            self.drop_where(
                |listed, room| *room == code && listed.node.as_ref() == Some(node),
                Some(code),
            );
        }
    }

    /// Shows no room of this node any longer.
    pub(crate) fn forget_node(&self, node: &str) {
        self.drop_where(|listed, _| listed.node.as_deref() == Some(node), None);
    }

    /// The node that has a public room, if it is another one that is known.
    pub(crate) fn node_of(&self, code: RoomCode) -> Option<Arc<str>> {
        self.games.values().find_map(|listing| listing.lock().rooms.get(&code)?.node.clone())
    }

    /// Resolves when a room of this node has changed that other nodes are to hear of.
    pub(crate) async fn changed_here(&self) {
        self.changed_here.notified().await;
    }

    /// What other nodes are to hear of since the last time.
    pub(crate) fn take_changes(&self) -> Changes {
        let mut changes = Changes::default();
        for listing in self.games.values() {
            let mut listing = listing.lock();
            let Some(untold) = listing.untold.as_mut().map(std::mem::take) else { continue };
            changes.removed.extend(untold.gone);
            let info = |code: &RoomCode| {
                let listed = listing.rooms.get(code)?;
                Some((listed.number, Arc::clone(&listed.info)))
            };
            changes.changed.extend(untold.changed.iter().filter_map(info));
        }
        changes
    }

    /// All public rooms of this node.
    pub(crate) fn of_this_node(&self) -> Vec<(u64, Arc<RoomInfo>)> {
        let mut rooms = Vec::new();
        for listing in self.games.values() {
            let listing = listing.lock();
            let mine =
                |place: &Place| listing.rooms.get(&place.2).filter(|listed| listed.node.is_none());
            rooms.extend(
                listing
                    .by_age
                    .iter()
                    .filter_map(mine)
                    .map(|listed| (listed.number, Arc::clone(&listed.info))),
            );
        }
        rooms
    }

    fn drop_where(&self, goes: impl Fn(&Listed, &RoomCode) -> bool, only: Option<RoomCode>) {
        for listing in self.games.values() {
            let mut listing = listing.lock();
            let gone: Vec<RoomCode> = match only {
                Some(code) => listing
                    .rooms
                    .get(&code)
                    .filter(|listed| goes(listed, &code))
                    .map(|_| code)
                    .into_iter()
                    .collect(),
                None => {
                    let mut gone: Vec<_> = listing
                        .rooms
                        .iter()
                        .filter(|(code, listed)| goes(listed, code))
                        .map(|(code, _)| *code)
                        .collect();
                    gone.sort_unstable();
                    gone
                }
            };
            for code in gone {
                listing.take(code);
                listing.note(code, &self.changed);
            }
        }
    }

    /// Up to `limit` public rooms below a place, newest first.
    ///
    /// Places never change, so a room that is there throughout is on exactly one page.
    pub(crate) fn page(&self, game_type: Option<&str>, limit: usize, below: Option<Place>) -> Page {
        let wanted = |game: &str| game_type.is_none_or(|wanted| wanted == game);
        let mut rooms: Vec<(Place, Arc<RoomInfo>)> = Vec::new();
        for (_, listing) in self.games.iter().filter(|(game, _)| wanted(game)) {
            // One more than a page from each, to know whether there is a next page.
            let listing = listing.lock();
            rooms.extend(listing.newest_of(&listing.by_age, below, limit + 1));
        }
        rooms.sort_unstable_by_key(|(place, _)| Reverse(*place));
        let is_last = rooms.len() <= limit;
        rooms.truncate(limit);
        let next = if is_last { None } else { rooms.last().map(|(place, _)| *place) };
        Page { rooms: rooms.into_iter().map(|(_, info)| info).collect(), next }
    }

    /// Tells `link` of changes from now on, and answers it with up to `limit` joinable rooms, newest
    /// first, and whether there are more.
    ///
    /// Answered under the lock: an update that came first would be undone by an older answer.
    pub(crate) fn subscribe(
        &self,
        game_type: &str,
        connection: u64,
        link: &Link,
        to: Answering,
        limit: usize,
    ) {
        let Some(listing) = self.games.get(game_type) else { return };
        let mut listing = listing.lock();
        listing.subscribers.insert(connection, link.outlet.clone());
        let newest = listing.newest_of(&listing.joinable, None, limit);
        let rooms: Vec<_> = newest.map(|(_, info)| info).collect();
        let more = listing.joinable.len() > rooms.len();
        link.answer(to, &RoomSubscription { rooms, more }).expect("our own data is plain");
    }

    /// Tells the connection no more of this game's rooms.
    pub(crate) fn unsubscribe(&self, game_type: &str, connection: u64) {
        if let Some(listing) = self.games.get(game_type) {
            listing.lock().subscribers.remove(&connection);
        }
    }

    /// The open public room with these options that is nearest to full, but none of `except`.
    pub(crate) fn quick_match(
        &self,
        game_type: &str,
        options: &Object,
        except: &[RoomCode],
    ) -> Option<RoomCode> {
        let options = written_out(options);
        let listing = self.games.get(game_type)?.lock();
        let from = (Arc::clone(&options), 0, 0, Reverse(RoomCode::from_number(u64::MAX)));
        listing
            .open
            .range(from..)
            .take_while(|(other, ..)| *other == options)
            .map(|(_, _, _, Reverse(code))| *code)
            .find(|code| !except.contains(code))
    }

    /// Tells subscribers of changes, at most once in `interval`, for ever.
    pub(crate) async fn run(self: Arc<Self>, interval: Duration) {
        loop {
            self.changed.notified().await;
            // What changes while this waits goes along.
            tokio::time::sleep(interval).await;
            for (game_type, listing) in &self.games {
                let update = listing.lock().take_update(game_type);
                if let Some((update, subscribers)) = update {
                    tell(&update, &subscribers);
                }
                if !listing.lock().dirty.is_empty() {
                    self.changed.notify_one();
                }
            }
        }
    }
}

impl Listing {
    fn add(&mut self, node: Option<Arc<str>>, number: u64, info: Arc<RoomInfo>) {
        let place = place(number, &info);
        // One that nobody is in yet waits for someone who knows it.
        let has_humans = info.player_count > info.bot_count;
        let is_open = info.joinable && !info.has_password && has_humans;
        let open = is_open.then(|| {
            let free = info.max_players.saturating_sub(info.player_count);
            (written_out(&info.options), free, place.0, Reverse(place.2))
        });
        self.open.extend(open.clone());
        self.by_age.insert(place);
        if info.joinable {
            self.joinable.insert(place);
        }
        self.rooms.insert(place.2, Listed { node, number, info, open });
    }

    fn take(&mut self, code: RoomCode) -> Option<Listed> {
        let listed = self.rooms.remove(&code)?;
        let place = place(listed.number, &listed.info);
        self.by_age.remove(&place);
        self.joinable.remove(&place);
        if let Some(open) = &listed.open {
            self.open.remove(open);
        }
        Some(listed)
    }

    /// Remembers that other nodes must hear of a room of this one.
    fn note_for_other_nodes(&mut self, code: RoomCode, changed: &Notify) {
        let is_here = self.rooms.contains_key(&code);
        let Some(untold) = &mut self.untold else { return };
        if is_here {
            untold.gone.remove(&code);
            untold.changed.insert(code);
        } else {
            untold.changed.remove(&code);
            untold.gone.insert(code);
        }
        changed.notify_one();
    }

    /// Remembers that subscribers must hear of a room. Without subscribers nobody must.
    fn note(&mut self, code: RoomCode, changed: &Notify) {
        if self.subscribers.is_empty() {
            return;
        }
        if self.rooms.contains_key(&code) {
            self.gone.remove(&code);
            self.dirty.insert(code);
        } else {
            self.dirty.remove(&code);
            self.gone.insert(code);
        }
        changed.notify_one();
    }

    /// Up to `limit` of these rooms below a place, newest first.
    fn newest_of<'a>(
        &'a self,
        rooms: &'a BTreeSet<Place>,
        below: Option<Place>,
        limit: usize,
    ) -> impl Iterator<Item = (Place, Arc<RoomInfo>)> + use<'a> {
        let newest = rooms.range((Unbounded, below.map_or(Unbounded, Excluded))).rev().take(limit);
        newest.filter_map(|place| Some((*place, Arc::clone(&self.rooms.get(&place.2)?.info))))
    }

    /// What subscribers are to be told now, and who they are.
    fn take_update(&mut self, game_type: &'static str) -> Option<(RoomListUpdate, Vec<Outlet>)> {
        let removed: Vec<RoomCode> = std::mem::take(&mut self.gone).into_iter().collect();
        let mut changed = Vec::new();
        for _ in 0..ROOMS_PER_UPDATE_MAX {
            let after = (self.told_last.map_or(Unbounded, Excluded), Unbounded);
            let next = self.dirty.range(after).next().or_else(|| self.dirty.first());
            let Some(code) = next.copied() else { break };
            self.dirty.remove(&code);
            self.told_last = Some(code);
            changed.extend(self.rooms.get(&code).map(|listed| Arc::clone(&listed.info)));
        }
        if changed.is_empty() && removed.is_empty() {
            return None;
        }
        let update = RoomListUpdate { game_type: game_type.into(), changed, removed };
        Some((update, self.subscribers.values().cloned().collect()))
    }
}

/// Sends an update, encoded once for each codec in use.
fn tell(update: &RoomListUpdate, subscribers: &[Outlet]) {
    for codec in Codec::ALL {
        let mut outlets = subscribers.iter().filter(|outlet| outlet.codec == codec).peekable();
        if outlets.peek().is_none() {
            continue;
        }
        let payload = encode_event(codec, EventType::RoomListUpdate, None, update)
            .expect("our own data is plain");
        for outlet in outlets {
            outlet.push(Arc::clone(&payload), Class::Reliable);
            outlet.outbox.wake();
        }
    }
}

fn place(number: u64, info: &RoomInfo) -> Place {
    (info.created_at, number, info.room_id)
}

/// Options in a form that is the same for equal options: keys are sorted.
fn written_out(options: &Object) -> Arc<str> {
    serde_json::to_string(options).expect("a tree can be written").into()
}

/// Rooms in one `room_list_update`. What more has changed follows in the next.
const ROOMS_PER_UPDATE_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(number: u64, players: u32, options: &str) -> Offer {
        Offer {
            game_type: "game",
            number,
            is_public: true,
            info: RoomInfo {
                room_id: RoomCode::from_number(number),
                game_type: "game".into(),
                player_count: players,
                bot_count: 0,
                max_players: 4,
                spectator_count: 0,
                phase: parlor_protocol::Phase::Lobby,
                has_password: false,
                locked: false,
                joinable: players < 4,
                options: Arc::new(serde_json::from_str(options).unwrap()),
                metadata: Object::new(),
                created_at: 0,
            },
        }
    }

    fn listings() -> Listings {
        Listings::new(["game"].into_iter())
    }

    #[test]
    fn pages_show_each_room_that_stays_exactly_once_while_others_come_and_go() {
        let listings = listings();
        for number in 0..100 {
            listings.put(offer(number, 0, "{}"));
        }
        let (mut seen, mut below) = (Vec::new(), None);
        loop {
            let page = listings.page(Some("game"), 7, below);
            seen.extend(page.rooms.iter().map(|info| info.room_id));
            // One comes, one that was seen changes, one that was not seen goes.
            let n = seen.len() as u64;
            listings.put(offer(1000 + n, 0, "{}"));
            listings.put(offer(99, 1, "{}"));
            listings.remove("game", RoomCode::from_number(n / 10));
            below = page.next;
            if below.is_none() {
                break;
            }
        }
        let stayed: Vec<_> = (20..100).rev().map(RoomCode::from_number).collect();
        let seen_of_those: Vec<_> = seen.iter().filter(|c| stayed.contains(c)).copied().collect();
        assert_eq!(seen_of_those, stayed);
    }

    #[test]
    fn no_room_waits_for_ever_to_be_told_while_others_change_without_end() {
        let mut listing = Listing::default();
        let many = 2 * ROOMS_PER_UPDATE_MAX as u64;
        for number in 0..=many {
            listing.add(None, number, Arc::new(offer(number, 0, "{}").info));
        }
        let waiting = RoomCode::from_number(many);
        listing.dirty.insert(waiting);
        let mut was_told = || {
            listing.dirty.extend((0..many).map(RoomCode::from_number));
            let (update, _) = listing.take_update("game").unwrap();
            assert_eq!(update.changed.len(), ROOMS_PER_UPDATE_MAX);
            update.changed.iter().any(|info| info.room_id == waiting)
        };
        assert!((0..4).any(|_| was_told()));
    }

    #[test]
    fn what_waits_to_be_told_is_bounded_by_the_rooms_there_are() {
        let changed = Notify::new();
        let mut listing = Listing::default();
        let outbox = crate::outbox::Outbox::new(crate::outbox::OutboxLimits::default());
        listing.subscribers.insert(1, Outlet { outbox, codec: Codec::Json, is_relayed: false });
        for number in 0..10_000 {
            let room = Arc::new(offer(number, 0, "{}").info);
            let code = room.room_id;
            listing.add(None, number, room);
            listing.note(code, &changed);
            listing.take(code);
            listing.note(code, &changed);
        }
        assert!(listing.dirty.is_empty());
        let (update, _) = listing.take_update("game").unwrap();
        assert_eq!((update.changed.len(), update.removed.len()), (0, 10_000));
        assert!(listing.gone.is_empty(), "told in one go");
    }

    #[test]
    fn quick_match_takes_the_fullest_open_room_with_equal_options() {
        let listings = listings();
        let want: Object = serde_json::from_str(r#"{"a":1,"b":2}"#).unwrap();
        let find = |except: &[RoomCode]| listings.quick_match("game", &want, except);
        assert_eq!(find(&[]), None);

        listings.put(offer(1, 3, r#"{"a":1,"b":3}"#));
        listings.put(offer(2, 1, r#"{"b":2,"a":1}"#));
        listings.put(offer(3, 2, r#"{"a":1,"b":2}"#));
        listings.put(offer(4, 4, r#"{"a":1,"b":2}"#));
        let [two, three] = [2, 3].map(RoomCode::from_number);
        assert_eq!(find(&[]), Some(three));
        assert_eq!(find(&[three]), Some(two));

        let mut secret = offer(3, 2, r#"{"a":1,"b":2}"#);
        secret.info.has_password = true;
        listings.put(secret);
        assert_eq!(find(&[]), Some(two), "no room with a password");
        let mut private = offer(2, 1, r#"{"a":1,"b":2}"#);
        private.is_public = false;
        listings.put(private);
        assert_eq!(find(&[]), None, "no private room");
    }
}
