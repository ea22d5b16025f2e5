//! The network goes away and comes back in the middle of a game, and a page is loaded anew.
//!
//! Chromium's own emulation tells the page that it is offline and lets no connection through.

use parlor_testutil::browser::{Browser, Driver, Screen};
use parlor_testutil::wire::Wire;

use crate::tables::{
    ROLL_OUTCOME, SCORING_DICE, fits, in_order_of_turns, is_lost_connection, meet, meet_at, parlor,
};

#[tokio::test]
async fn a_move_made_while_the_connection_is_lost_is_played_once_it_is_back() {
    let parlor = parlor();
    let wire = Wire::to(parlor.address()).await;
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    let ben = Browser::open(&driver, Screen::Desk).await;
    meet(&ada, &ben, &wire.url("")).await;
    let (first, second) = in_order_of_turns(&ada, &ben).await;

    wire.cut();
    first.see("Connection lost").await;
    first.press("Row 2, column 2: free").await;
    wire.mend();

    second.see("Your turn").await;
    second.press("Row 1, column 1: free").await;
    first.see("Your turn").await;
    ada.finish_despite(is_lost_connection).await;
    ben.finish_despite(is_lost_connection).await;
}

#[tokio::test]
async fn tic_tac_toe_goes_on_after_the_network_was_off_and_a_reload_in_mid_game() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    let ben = Browser::open(&driver, Screen::Phone).await;
    meet(&ada, &ben, &parlor.url("")).await;
    let (first, second) = in_order_of_turns(&ada, &ben).await;
    first.press("Row 1, column 1: free").await;
    second.see("Your turn").await;

    // The page says so, and so does the other one. Both go on with what they can do.
    second.set_online(false).await;
    second.see(OFFLINE).await;
    fits(second, "tictactoe-offline").await;
    first.see("away").await;
    first.fill("Your message", "are you there?").await;
    first.press("Send").await;
    second.press("Row 2, column 1: free").await;
    second.set_online(true).await;

    // What was missed is there, and what was done meanwhile has arrived: each once.
    second.see("are you there?").await;
    first.see("Your turn").await;
    second.until(NOT_OFFLINE, vec![], "the page to be back").await;
    assert_eq!(count(second, "are you there?").await, 1);
    assert_eq!(squares_taken(first).await, 2);

    first.press("Row 1, column 2: free").await;
    second.see("Your turn").await;
    second.reload().await;
    second.see("are you there?").await;
    second.press("Row 2, column 2: free").await;
    first.see("Your turn").await;
    first.press("Row 1, column 3: free").await;
    first.see("You win!").await;
    second.see(" wins").await;
    ada.finish_despite(is_lost_connection).await;
    ben.finish_despite(is_lost_connection).await;
}

#[tokio::test]
async fn farkle_goes_on_after_the_network_was_off_and_a_reload_in_mid_turn() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    let ben = Browser::open(&driver, Screen::Phone).await;
    meet_at(&ada, &ben, &parlor.url("/play/farkle")).await;
    ada.see("Ben is here").await;
    ada.press("Start the game").await;

    // Whoever rolls something to keep loses the network with the dice on the table.
    let (player, other) = until_a_roll_scores(&ada, &ben).await;
    player.set_online(false).await;
    player.see(OFFLINE).await;
    fits(player, "farkle-offline").await;
    other.see("away").await;
    other.fill("Your message", "take your time").await;
    other.press("Send").await;
    let scoring = player.until(SCORING_DICE, vec![], "dice that score").await;
    for die in scoring.as_array().expect("a list of labels") {
        player.press(die.as_str().expect("a label")).await;
    }
    player.press_starting("Keep +").await;
    player.set_online(true).await;

    // The dice that were kept offline are kept, once; the other sees it.
    player.see("take your time").await;
    let kept = other.until(KEPT, vec![], "the dice that were kept").await;
    assert_eq!(count(player, "take your time").await, 1);

    // Loaded anew in mid-turn: the same dice, and the turn goes on to its end.
    player.reload().await;
    player.see("take your time").await;
    assert_eq!(player.until(KEPT, vec![], "the dice that were kept").await, kept);
    player.press_starting("Bank ").await;
    player.see("You banked").await;
    other.see("Your turn").await;
    ada.finish_despite(is_lost_connection).await;
    ben.finish_despite(is_lost_connection).await;
}

#[tokio::test]
async fn second_window_with_the_same_seat_takes_it_over_and_the_first_says_so() {
    let parlor = parlor();
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    let ben = Browser::open(&driver, Screen::Desk).await;
    meet(&ada, &ben, &parlor.url("")).await;
    ada.see_any(&["Your turn", "Ben’s turn"]).await;

    // As by a copy of the tab, which a browser gives the same storage.
    ada.run(
        "
        const room = new URL(location.href).searchParams.get('room');
        const { connect } = await import('/parlor.js');
        globalThis.second = connect({ room });
        await new Promise((done) => globalThis.second.on('snapshot', done));
    ",
    )
    .await;
    ada.see("You play in another window").await;
    ada.press("Play here instead").await;
    ada.see_any(&["Your turn", "Ben’s turn"]).await;
    ada.finish().await;
    ben.finish().await;
}

/// Rolls for whoever's turn it is until something can be kept. Gives who rolled it and the other.
async fn until_a_roll_scores<'a>(ada: &'a Browser, ben: &'a Browser) -> (&'a Browser, &'a Browser) {
    for _ in 0..ROLLS_MAX {
        let (player, other) = in_order_of_turns(ada, ben).await;
        player.press_starting("Roll").await;
        if player.until(ROLL_OUTCOME, vec![], "the outcome of a roll").await != "farkled" {
            return (player, other);
        }
    }
    panic!("{ROLLS_MAX} rolls in a row were farkled");
}

/// How often these words stand in the chat.
async fn count(browser: &Browser, words: &str) -> usize {
    browser.text().await.matches(words).count()
}

async fn squares_taken(browser: &Browser) -> usize {
    let script = "return 1 + document.querySelectorAll('.square:not([aria-label$=free])').length";
    let count = browser.until(script, vec![], "the board").await;
    usize::try_from(count.as_u64().expect("a number")).expect("few") - 1
}

const OFFLINE: &str = "Connection lost";
const NOT_OFFLINE: &str = "return !document.body.innerText.includes('Connection lost')";
/// The dice that are kept, in words.
const KEPT: &str = "return document.querySelector('.kept:has(.die)')?.ariaLabel";
/// A first roll has no score in 1 of 32.
const ROLLS_MAX: usize = 8;
