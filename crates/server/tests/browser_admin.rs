//! The operators' page in a real browser, at a server with a thousand rooms.

use std::path::{Path, PathBuf};

use parlor_client::protocol::{Codec, Secret};
use parlor_client::{new_room, seat_in};
use parlor_games::{TicTacToe, tictactoe};
use parlor_server::{NewRoom, ServerConfig};
use parlor_testutil::browser::{Browser, Driver, Screen};
use parlor_testutil::pages;
use parlor_testutil::seat::{Seat, name};
use parlor_testutil::server::TestServer;

const TOKEN: &str = "correct horse battery staple";
const ROOMS: usize = 1000;

/// A name that would run, if names were ever taken for anything but text.
const HOSTILE: &str = "<img src=x onerror=alert(1)>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_looks_around_sends_someone_away_closes_a_room_and_says_something() {
    let mut config = ServerConfig::default();
    config.admin_token = Some(Secret::new(TOKEN));
    let server = TestServer::with_config(config, |server| server.game(TicTacToe));
    for _ in 1..ROOMS {
        server.gateway().rooms().create(NewRoom::of("tictactoe")).await.unwrap();
    }
    let room = new_room("tictactoe", name(HOSTILE));
    let ada: Seat<tictactoe::View> = Seat::create(&server, Codec::Json, &room).await;
    let mut bob: Seat<tictactoe::View> =
        Seat::join(&server, Codec::MsgPack, &seat_in(ada.room, name("Bob"))).await;
    bob.until(|seat| seat.view.turn.is_some()).await;

    let driver = Driver::start();
    let page = Browser::open(&driver, Screen::Desk).await;
    page.goto(&format!("http://{}/admin", server.address())).await;
    page.fill("Operators' token", "not the token").await;
    page.press("Log in").await;
    page.see("This token is wrong").await;
    page.fill("Operators' token", TOKEN).await;
    page.press("Log in").await;
    page.see("Running for").await;
    let charts = "return document.querySelectorAll('#chart-messages path[d^=M]').length > 0";
    page.until(charts, vec![], "the charts to have something to show").await;
    look(&page, "overview").await;

    page.press("Rooms").await;
    let rows = "return document.querySelectorAll('#rooms tbody tr').length === 50";
    page.until(rows, vec![], "a page of rooms").await;
    page.fill("Search rooms", "bob").await;
    let found = "return document.querySelectorAll('#rooms tbody tr').length === 1";
    page.until(found, vec![], "the room that Bob is in").await;
    look(&page, "rooms").await;
    page.press(ada.room.as_str()).await;
    page.see(HOSTILE).await;
    page.see("\"board\"").await;
    look(&page, "room").await;

    press(&page, &format!("[data-action=kick][data-player='{}']", bob.me.0)).await;
    press(&page, "#confirm button[value=yes]").await;
    let left = "return document.querySelectorAll('#players li').length === 1";
    page.until(left, vec![], "Bob to be gone").await;
    while bob.events.next().await.is_ok() {}

    page.press("Connections").await;
    let rows = "return document.querySelectorAll('#connections tbody tr').length >= 1";
    page.until(rows, vec![], "the connections").await;
    look(&page, "connections").await;

    page.press("Actions").await;
    let write =
        "const text = document.querySelector('#notice textarea'); text.value = 'Back at noon';
        text.dispatchEvent(new Event('input', { bubbles: true }));";
    page.run(write).await;
    page.press("Send").await;
    let mut ada = ada;
    let notice = parlor_client::protocol::EventType::ServerNotice;
    assert_eq!(
        ada.until_event(notice).await.data::<serde_json::Value>().unwrap()["text"],
        "Back at noon"
    );
    look(&page, "actions").await;

    page.goto(&format!("http://{}/admin#room/{}", server.address(), ada.room)).await;
    page.press("Close the room").await;
    press(&page, "#confirm button[value=yes]").await;
    while ada.events.next().await.is_ok() {}
    assert_eq!(server.gateway().room_count(), ROOMS - 1);

    page.press("Log out").await;
    page.see("Operators' token").await;
    // What a browser says of every answer that refuses: of those before the login, and of the room that is gone.
    let refused = ["401", "404"];
    page.finish_despite(|message| refused.iter().any(|status| message.contains(status))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_fits_a_phone() {
    let mut config = ServerConfig::default();
    config.admin_token = Some(Secret::new(TOKEN));
    let server = TestServer::with_config(config, |server| server.game(TicTacToe));
    let room = new_room("tictactoe", name(&"W".repeat(32)));
    let ada: Seat<tictactoe::View> = Seat::create(&server, Codec::Json, &room).await;
    let driver = Driver::start();
    let page = Browser::open(&driver, Screen::Phone).await;
    page.goto(&format!("http://{}/admin", server.address())).await;
    page.fill("Operators' token", TOKEN).await;
    page.press("Log in").await;
    page.see("Running for").await;
    look(&page, "overview-phone").await;
    page.press("Rooms").await;
    page.see(ada.room.as_str()).await;
    look(&page, "rooms-phone").await;
    page.press(ada.room.as_str()).await;
    page.see(&"W".repeat(32)).await;
    look(&page, "room-phone").await;
    page.finish_despite(|message| message.contains("401")).await;
}

async fn press(page: &Browser, selector: &str) {
    let script = "const it = document.querySelector(arguments[0]);
        if (!it || it.disabled || it.offsetParent === null) return false;
        it.click(); return true;";
    page.until(script, vec![selector.into()], &format!("to press {selector}")).await;
}

async fn look(page: &Browser, view: &str) {
    pages::fits(page, &pictures(), &format!("admin-{view}")).await;
}

fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures")
}
