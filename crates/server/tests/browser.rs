//! The players' pages in a real browser, against the real binary.
//!
//! Each test does what people do and looks at what they would see. At its end every window is closed by
//! `finish`, which holds its console to being quiet: no error, and nothing that the content
//! security policy had to forbid.

use std::path::{Path, PathBuf};

use parlor_testutil::browser::{Browser, DOWN, Driver, ENTER, LEFT, RIGHT, Screen, UP};
use parlor_testutil::pages::{
    LINK, Rolled, fits, in_order_of_turns, keep_and_bank, open_table, roll, say, see_times,
    sit_down,
};
use parlor_testutil::process::Server;

#[tokio::test]
async fn a_human_plays_tic_tac_toe_against_a_bot_to_the_end() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;

    ada.goto(&parlor.url("/")).await;
    ada.see("Tic-tac-toe").await;
    ada.press("New table of Tic-tac-toe").await;
    ada.fill("Your name", "Ada").await;
    ada.press("Open the table").await;
    ada.see("Waiting for one more player").await;
    ada.press("Add a bot").await;

    for _ in 0..SQUARES {
        if ada.see_any(&["Your turn", "You win!", " wins", "A draw"]).await != 0 {
            break;
        }
        let square = free_square(&ada).await;
        ada.press(&square).await;
        taken(&ada, &square).await;
    }
    ada.see("Play again").await;
    ada.press("Play again").await;
    ada.see_any(&["Your turn", "’s turn"]).await;
    ada.finish().await;
}

#[tokio::test]
async fn two_players_meet_by_a_link_and_a_reload_in_mid_game_loses_nothing() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    let ben = Browser::open(&driver, Screen::Phone).await;
    meet(&ada, &ben, &parlor.url("")).await;

    // Markup is only text.
    say(&ada, "good <b>luck</b>").await;
    ben.see("good <b>luck</b>").await;

    let (first, second) = in_order_of_turns(&ada, &ben).await;
    first.press("Row 1, column 1: free").await;
    second.see("Your turn").await;
    second.press("Row 2, column 1: free").await;
    first.see("Your turn").await;

    first.reload().await;
    second.reload().await;

    first.see("Your turn").await;
    ada.see("good <b>luck</b>").await;
    first.press("Row 1, column 2: free").await;
    second.see("Your turn").await;
    second.press("Row 2, column 2: free").await;
    first.see("Your turn").await;
    first.press("Row 1, column 3: free").await;

    first.see("You win!").await;
    second.see(" wins").await;
    ada.finish().await;
    ben.finish().await;
}

#[tokio::test]
async fn a_wrong_password_says_so_and_asks_again() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    let ben = Browser::open(&driver, Screen::Phone).await;
    ada.goto(&parlor.url("/play/tictactoe")).await;
    ada.fill("Your name", "Ada").await;
    ada.fill("Password", "sesame").await;
    ada.press("Open the table").await;
    let link = ada.value(LINK).await;
    let code = link.rsplit('=').next().expect("a link ends with the code");

    // By the code alone, on the front page, and in lower case.
    ben.goto(&parlor.url("/")).await;
    ben.fill("Code or link", &code.to_lowercase()).await;
    ben.press("Go to the table").await;
    ben.fill("Your name", "Ben").await;
    ben.press("Take a seat").await;
    ben.see("This table has a password").await;
    ben.fill("Password", "open").await;
    ben.press("Take a seat").await;
    ben.see("That password is wrong").await;
    ben.fill("Password", "sesame").await;
    ben.press("Take a seat").await;

    ben.see_any(&["Your turn", "’s turn"]).await;
    assert!(ben.address().await.ends_with(code), "the address is the table's own");
    ada.finish().await;
    ben.finish().await;
}

#[tokio::test]
async fn a_spectator_watches_and_the_host_removes_it() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    let eve = Browser::open(&driver, Screen::Phone).await;
    let link = open_table(&ada, &parlor.url("/play/tictactoe")).await;
    ada.press("Add a bot").await;
    ada.see_any(&["Your turn", "’s turn"]).await;

    eve.goto(&link).await;
    eve.fill("Your name", "Eve").await;
    eve.press("Take a seat").await;
    eve.see_any(&["You can watch it", "You can still watch"]).await;
    eve.press("Just watch").await;
    eve.see("Watching").await;
    ada.press("Manage Eve").await;
    ada.press("Remove Eve").await;
    eve.see("You were removed").await;
    ada.finish().await;
    eve.finish().await;
}

#[tokio::test]
async fn host_locks_the_table_bans_a_player_and_hands_the_table_over() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Phone).await;
    let ben = Browser::open(&driver, Screen::Desk).await;
    let link = open_table(&ada, &parlor.url("/play/farkle")).await;

    ada.press("Lock the table").await;
    ada.see("This table is locked").await;
    ada.reload().await;
    ada.see("This table is locked").await;
    sit_down(&ben, &link).await;
    ben.see("The host has locked this table").await;
    ada.press("Unlock the table").await;
    see_times(&ada, 1, "button", "Lock the table").await;
    ben.press("Take a seat").await;

    ada.press("Manage Ben").await;
    fits(&ada, &pictures(), "farkle-manage").await;
    ada.press("Ban Ben").await;
    ben.see("You were removed").await;
    sit_down(&ben, &link).await;
    ben.see("You are not welcome at this table").await;
    ben.fill("Your name", "Cleo").await;
    ben.press("Take a seat").await;

    ada.press("Manage Cleo").await;
    ada.press("Make Cleo the host").await;
    ben.see("Start when everybody is here").await;
    ben.see("Lock the table").await;
    see_times(&ada, 0, "button:not([hidden])", "Lock the table").await;
    ada.finish().await;
    ben.finish().await;
}

#[tokio::test]
async fn open_tables_appear_on_the_front_page_by_themselves() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    let ben = Browser::open(&driver, Screen::Desk).await;
    ben.goto(&parlor.url("/")).await;
    ben.see("No table is waiting").await;

    open_table(&ada, &parlor.url("/play/farkle")).await;

    ben.see("1 of 6 seats taken").await;
    ben.press_starting("Join table").await;
    ben.fill("Your name", "Ben").await;
    ben.press("Take a seat").await;
    ada.see("Ben is here").await;
    ada.finish().await;
    ben.finish().await;
}

#[tokio::test]
async fn link_that_names_the_wrong_game_leads_to_the_right_one() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    let ben = Browser::open(&driver, Screen::Desk).await;
    let link = open_table(&ada, &parlor.url("/play/tictactoe")).await;

    ben.goto(&link.replace("tictactoe", "farkle")).await;
    ben.fill("Your name", "Ben").await;
    ben.press("Take a seat").await;

    ben.see("Tic-tac-toe").await;
    ben.see_any(&["Your turn", "’s turn"]).await;
    assert_eq!(ben.address().await, link);
    ada.finish().await;
    ben.finish().await;
}

#[tokio::test]
async fn farkle_is_rolled_kept_and_banked_with_buttons() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Phone).await;
    ada.goto(&parlor.url("/play/farkle")).await;
    ada.fill("Your name", "Ada").await;
    ada.choose("Play to", "5,000 points").await;
    ada.press("Open the table").await;
    ada.press("Add a bot").await;
    ada.press("Start the game").await;

    for _ in 0..TURNS_MAX {
        ada.see("Your turn").await;
        if roll(&ada).await == Rolled::Farkled {
            continue;
        }
        keep_and_bank(&ada).await;
        ada.finish().await;
        return;
    }
    panic!("{TURNS_MAX} turns in a row were farkled");
}

#[tokio::test]
async fn tic_tac_toe_is_played_by_keyboard_alone() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    ada.goto(&parlor.url("/play/tictactoe")).await;
    ada.see("A new table").await;
    ada.tab_to("Your name").await;
    ada.type_text("Ada").await;
    ada.tab_to("Open the table").await;
    ada.key(ENTER).await;
    ada.see("Waiting for one more player").await;
    ada.tab_to("Add a bot").await;
    ada.key(ENTER).await;

    ada.see("Your turn").await;
    let corner =
        ada.until("return document.querySelector('.square').ariaLabel", vec![], "the board").await;
    ada.tab_to(corner.as_str().expect("a label")).await;
    let (mut row, mut column) = (1, 1);
    for _ in 0..SQUARES {
        let free = free_square(&ada).await;
        let (to_row, to_column) = place(&free);
        go(&ada, (row, UP, DOWN), to_row).await;
        go(&ada, (column, LEFT, RIGHT), to_column).await;
        (row, column) = (to_row, to_column);
        assert_eq!(ada.focused().await, free, "the arrow keys lead there");
        ada.key(ENTER).await;
        taken(&ada, &free).await;
        if ada.see_any(&["Your turn", "You win!", " wins", "A draw"]).await != 0 {
            break;
        }
    }
    ada.tab_to("Play again").await;
    ada.finish().await;
}

/// The pictures are for people to look at; what is checked is the width.
#[tokio::test]
async fn every_page_fits_a_phone_without_scrolling_sideways() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Phone).await;
    ada.goto(&parlor.url("/")).await;
    ada.see("Farkle").await;
    fits(&ada, &pictures(), "front").await;

    for (game, full) in [("tictactoe", true), ("farkle", false)] {
        ada.goto(&parlor.url(&format!("/play/{game}"))).await;
        ada.see("A new table").await;
        fits(&ada, &pictures(), &format!("{game}-door")).await;
        // As wide as a name can be.
        ada.fill("Your name", &"W".repeat(32)).await;
        ada.press("Open the table").await;
        ada.see("Waiting for").await;
        fits(&ada, &pictures(), &format!("{game}-lobby")).await;
        ada.press("Add a bot").await;
        if !full {
            ada.press("Start the game").await;
        }
        ada.see_any(&["Your turn", "’s turn"]).await;
        fits(&ada, &pictures(), &format!("{game}-play")).await;
    }
    ada.finish().await;
}

fn parlor() -> Server {
    Server::start(env!("CARGO_BIN_EXE_parlor"))
}

/// Ada opens a table of tic-tac-toe, and Ben sits down by its link.
async fn meet(ada: &Browser, ben: &Browser, base: &str) {
    let link = open_table(ada, &format!("{base}/play/tictactoe")).await;
    sit_down(ben, &link).await;
}

/// The label of some square that is free.
async fn free_square(browser: &Browser) -> String {
    let script = "return document.querySelector('.square[aria-label$=free]')?.ariaLabel";
    let label = browser.until(script, vec![], "a free square").await;
    label.as_str().expect("a label").to_owned()
}

/// Waits until the square that had this label is no longer free. A bot may have answered by then.
async fn taken(browser: &Browser, label: &str) {
    let script = "return !document.querySelector(`[aria-label=\"${arguments[0]}\"]`)";
    browser.until(script, vec![label.into()], "the square to be taken").await;
}

/// Row and column of a square, from its label.
fn place(label: &str) -> (u32, u32) {
    let mut numbers = label.chars().filter_map(|letter| letter.to_digit(10));
    let mut next = || numbers.next().expect("a label names row and column");
    (next(), next())
}

async fn go(browser: &Browser, (from, back, forth): (u32, char, char), to: u32) {
    for _ in 0..from.abs_diff(to) {
        browser.key(if to < from { back } else { forth }).await;
    }
}

fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("phone")
}

const SQUARES: usize = 9;
/// A first roll has no score in 1 of 32: so many in a row do not happen.
const TURNS_MAX: usize = 8;
