//! The players' pages while the network goes and comes, and what they say about their connection.
//!
//! Two things are done to a player: the browser is told that it has no network, and the wire to the
//! server is cut. The first alone would leave an open WebSocket alive, as Chromium lets those be; the
//! second alone would leave the browser believing in its network, and a reload working.

use std::path::Path;
use std::sync::Arc;

use parlor_testutil::browser::{Browser, Driver, Screen};
use parlor_testutil::pages::{
    Rolled, fits, keep_and_bank, open_table, open_table_here, roll, rolled, say, see_times,
    sit_down,
};
use parlor_testutil::process::Server;
use parlor_testutil::wire::Wire;
use serde_json::Value;

#[tokio::test]
async fn tic_tac_toe_goes_on_to_its_end_after_the_network_was_away_and_after_a_reload_without_it() {
    let parlor = parlor();
    let driver = Driver::start();
    let (ada, ben) = pair(&parlor, &driver, Screen::Desk).await;
    ben.sits_down(&open_table(&ada.page, &ada.url("/play/tictactoe")).await).await;
    let (away, other) = in_order_of_turns(&ada, &ben).await;
    away.page.press("Row 1, column 1: free").await;
    other.page.see("Your turn").await;
    other.page.press("Row 2, column 1: free").await;
    away.page.see("Your turn").await;

    // Nothing but the browser's word can tell the page, or bring it back.
    away.page.run("globalThis.setTimeout = () => 0").await;
    away.page.lose_network().await;
    says_that_it_is_away(&away.page).await;
    away.wire.cut();
    see_times(&other.page, 1, ".players .away", away.name).await;
    away.page.press("Row 1, column 2: free").await;
    away.page.see("This is sent as soon as the connection is back").await;
    fits(&away.page, Path::new(PICTURES), "away-desk").await;
    say(&away.page, "I am still here").await;
    say(&other.page, "where are you?").await;
    away.finds_network().await;

    other.page.see("Your turn").await;
    see_times(&other.page, 0, ".players .away", "").await;
    away.page.see("Connected").await;
    see_times(&away.page, 0, ".note", "lost the connection").await;
    for page in [&away.page, &other.page] {
        see_times(page, 3, TAKEN, "").await;
        see_times(page, 1, CHAT_LINE, "I am still here").await;
        see_times(page, 1, CHAT_LINE, "where are you?").await;
    }

    away.loses_network().await;
    away.page.reload().await;
    away.page.see("ERR_INTERNET_DISCONNECTED").await;
    other.page.press("Row 2, column 2: free").await;
    say(&other.page, "gone again?").await;
    away.finds_network().await;
    away.page.reload().await;

    away.page.see("Your turn").await;
    see_times(&away.page, 4, TAKEN, "").await;
    for line in ["I am still here", "where are you?", "gone again?"] {
        see_times(&away.page, 1, CHAT_LINE, line).await;
    }
    // Were its requests numbered from the beginning again, the server would take the second for an old one.
    say(&away.page, "here again").await;
    away.page.press("Row 1, column 3: free").await;
    away.page.see("You win!").await;
    other.page.see(&format!("{} wins", away.name)).await;
    ada.finish().await;
    ben.finish().await;
}

#[tokio::test]
async fn farkle_goes_on_after_a_turn_missed_without_network_a_roll_made_without_it_and_a_reload() {
    let parlor = parlor();
    let driver = Driver::start();
    let (ada, ben) = pair(&parlor, &driver, Screen::Phone).await;
    ada.page.goto(&ada.url("/play/farkle")).await;
    ada.page.choose("Time for a turn", "2 minutes").await;
    ben.sits_down(&open_table_here(&ada.page).await).await;
    ada.page.press("Start the game").await;
    let (other, away) = in_order_of_turns(&ada, &ben).await;

    away.loses_network().await;
    see_times(&other.page, 1, ".players .away", away.name).await;
    say(&away.page, "back in a minute").await;
    fits(&away.page, Path::new(PICTURES), "away-phone").await;
    say(&other.page, "take your time").await;
    let missed = roll(&other.page).await;
    if missed == Rolled::Scores {
        keep_and_bank(&other.page).await;
    }
    other.page.see(&format!("{}’s turn", away.name)).await;
    away.finds_network().await;

    away.page.see("Your turn").await;
    see_times(&other.page, 0, ".players .away", "").await;
    for page in [&away.page, &other.page] {
        see_times(page, 1, CHAT_LINE, "back in a minute").await;
        see_times(page, 1, CHAT_LINE, "take your time").await;
    }
    let (banked, farkled) = if missed == Rolled::Scores { (1, 0) } else { (0, 1) };
    see_times(&away.page, 1, ".story-rolled", other.name).await;
    see_times(&away.page, banked, ".story-banked", other.name).await;
    see_times(&away.page, farkled, ".story-busted", other.name).await;
    assert_eq!(scores(&away.page).await, scores(&other.page).await);

    away.loses_network().await;
    away.page.press_starting("Roll").await;
    away.finds_network().await;
    let came_to = rolled(&away.page).await;
    see_times(&away.page, 1, ".story-rolled", "You").await;
    see_times(&other.page, 1, ".story-rolled", away.name).await;
    let before = dice(&away.page).await;

    // Right after, so that the page is left in the midst of coming back.
    away.loses_network().await;
    away.finds_network().await;
    away.page.reload().await;
    for line in ["back in a minute", "take your time"] {
        see_times(&away.page, 1, CHAT_LINE, line).await;
    }
    say(&away.page, "here again").await;
    see_times(&other.page, 1, CHAT_LINE, "here again").await;
    assert_eq!(scores(&away.page).await, scores(&other.page).await);
    if came_to == Rolled::Scores {
        away.page.see("Your turn").await;
        assert_eq!(dice(&away.page).await, before);
        keep_and_bank(&away.page).await;
    }
    other.page.see("Your turn").await;
    roll(&other.page).await;
    see_times(&away.page, 1, ".story-rolled", other.name).await;
    ada.finish().await;
    ben.finish().await;
}

#[tokio::test]
async fn seat_opened_in_a_second_tab_is_played_there_until_it_is_taken_back() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    open_table(&ada, &parlor.url("/play/tictactoe")).await;

    let [first, second] = ada.duplicate().await;
    ada.see("Waiting for one more player").await;
    ada.turn_to(&first).await;
    ada.see("You play in another window").await;
    ada.see("Not connected").await;
    ada.press("Play here instead").await;
    ada.see("Waiting for one more player").await;
    ada.turn_to(&second).await;
    ada.see("You play in another window").await;
    ada.finish().await;
}

/// Whoever watches does not keep a table open.
#[tokio::test]
async fn who_still_watches_when_the_table_closes_is_told_so() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    let eve = Browser::open(&driver, Screen::Phone).await;
    let link = open_table(&ada, &parlor.url("/play/tictactoe")).await;
    eve.goto(&link).await;
    eve.fill("Your name", "Eve").await;
    eve.press("Just watch").await;
    ada.see("Eve is here").await;

    ada.press("Leave").await;
    eve.see("This table has closed").await;
    eve.see("Not connected").await;
    ada.finish().await;
    eve.finish().await;
}

/// The page has a seat, and a socket that says what the test wants.
#[tokio::test]
async fn page_says_in_words_how_its_connection_is_and_why_it_ended() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Phone).await;
    ada.before_every_page(HELD_SOCKET).await;
    let table = parlor.url("/play/tictactoe?room=K7PMW2QX");

    ada.goto(&table).await;
    ada.see("Connecting …").await;
    ada.run("greet(); welcomeBack();").await;
    ada.see("Connected").await;
    ada.see("Waiting for one more player").await;
    ada.run("held.onclose({ code: 1006 })").await;
    says_that_it_is_away(&ada).await;
    fits(&ada, Path::new(PICTURES), "away-lobby-phone").await;

    let refused = |code: &str| {
        format!(
            "greet(); say({{ type: 'reconnect_result', success: false, error: {{ code: '{code}', message: 'no' }} }})"
        )
    };
    let closed = |code: u16| format!("greet(); welcomeBack(); held.onclose({{ code: {code} }})");
    for (end, words) in [
        (closed(1000), "Still there?"),
        (closed(1002), "the server could not follow this client"),
        (closed(4001), "You play in another window"),
        (closed(4003), "You were removed"),
        (closed(4004), "This table has closed"),
        (refused("SESSION_INVALID"), "Your seat is gone"),
        (refused("ROOM_CLOSED"), "This table has closed"),
        (refused("STALE_REQUEST"), "You play in another window"),
    ] {
        ada.goto(&table).await;
        ada.run(&end).await;
        ada.see("Not connected").await;
        ada.see(words).await;
    }
    ada.finish().await;
}

/// A player: a window, and a wire of its own to the server.
struct Seat {
    name: &'static str,
    page: Browser,
    wire: Wire,
}

impl Seat {
    async fn open(
        name: &'static str,
        parlor: &Server,
        driver: &Arc<Driver>,
        screen: Screen,
    ) -> Self {
        Self {
            name,
            page: Browser::open(driver, screen).await,
            wire: Wire::to(parlor.address()).await,
        }
    }

    fn url(&self, path: &str) -> String {
        self.wire.url(path)
    }

    /// Sits down by a link that came from another's wire.
    async fn sits_down(&self, link: &str) {
        let path = link.splitn(4, '/').nth(3).expect("a link has a path");
        sit_down(&self.page, &self.url(&format!("/{path}"))).await;
    }

    async fn loses_network(&self) {
        self.page.lose_network().await;
        self.wire.cut();
        says_that_it_is_away(&self.page).await;
    }

    async fn finds_network(&self) {
        self.wire.mend();
        self.page.find_network().await;
    }

    async fn finish(self) {
        self.page
            .finish_despite(|complaint| {
                complaint.contains("WebSocket connection to")
                    || complaint.contains("ERR_INTERNET_DISCONNECTED")
            })
            .await;
    }
}

async fn pair(parlor: &Server, driver: &Arc<Driver>, screen: Screen) -> (Seat, Seat) {
    (
        Seat::open("Ada", parlor, driver, screen).await,
        Seat::open("Ben", parlor, driver, screen).await,
    )
}

/// The one whose turn it is, then the other.
async fn in_order_of_turns<'a>(ada: &'a Seat, ben: &'a Seat) -> (&'a Seat, &'a Seat) {
    if ada.page.see_any(&["Your turn", "Ben’s turn"]).await == 0 {
        (ada, ben)
    } else {
        (ben, ada)
    }
}

/// Waits until the page says that it has lost the connection, where the player cannot but see it.
async fn says_that_it_is_away(page: &Browser) {
    page.see("Connection lost, trying again …").await;
    for place in ["0", "document.documentElement.scrollHeight"] {
        page.run(&format!("scrollTo(0, {place})")).await;
        page.until(CONNECTION_IS_IN_VIEW, vec![], "the connection to be in view").await;
    }
    page.run("scrollTo(0, 0)").await;
}

/// Everybody's score as the page shows it, in the order of turns.
async fn scores(page: &Browser) -> Value {
    page.run("return [...document.querySelectorAll('.scores strong')].map((it) => it.innerText)")
        .await
}

/// The dice on the table, by their labels.
async fn dice(page: &Browser) -> Value {
    page.run("return [...document.querySelectorAll('.die-button')].map((it) => it.ariaLabel)").await
}

fn parlor() -> Server {
    Server::start(env!("CARGO_BIN_EXE_parlor"))
}

const PICTURES: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/network");
const CHAT_LINE: &str = ".chat li:not(.note)";
const TAKEN: &str = ".square:not([aria-label$=free])";
const CONNECTION_IS_IN_VIEW: &str = "
    const { top, bottom, left, right } = document.querySelector('.connection').getBoundingClientRect();
    return top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth;
";

/// A socket in the hands of the test, and a seat to go back to.
const HELD_SOCKET: &str = "
    globalThis.WebSocket = class {
        constructor() { globalThis.held ??= this; }
        send() {}
        close() {}
    };
    sessionStorage.setItem('parlor.session.K7PMW2QX', JSON.stringify({
        token: 'secret', roomId: 'K7PMW2QX', gameType: 'tictactoe', playerId: 1, attempt: 0,
    }));
    globalThis.say = (message) => held.onmessage({ data: JSON.stringify(message) });
    globalThis.greet = () => say({
        type: 'welcome',
        data: { heartbeatMs: 20000, serverTime: Date.now(), limits: { maxMessageBytes: 16384 } },
    });
    globalThis.welcomeBack = () => say({
        type: 'reconnect_result',
        success: true,
        data: {
            roomId: 'K7PMW2QX', gameType: 'tictactoe', playerId: 1, epoch: 'e', seq: 10, lastId: 7, version: 3,
            phase: 'lobby', host: 1, state: {}, chat: [], resumed: 'snapshot',
            players: [{ playerId: 1, name: 'Ada', kind: 'human', connected: true, ready: false }],
        },
    });
";
