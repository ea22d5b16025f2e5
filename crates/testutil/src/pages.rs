//! What people do on the players' pages, in so far as more than one test does it.
//!
//! Each step ends when the page shows that it is done.

use std::path::Path;

use serde_json::Value;

use crate::browser::Browser;

/// The label of the link that invites to a table.
pub const LINK: &str = "Invite with this link";

/// Ada opens a table of the game that has this page, and says the link that invites to it.
pub async fn open_table(host: &Browser, page: &str) -> String {
    host.goto(page).await;
    open_table_here(host).await
}

/// As [`open_table`], where the page is shown already.
pub async fn open_table_here(host: &Browser) -> String {
    host.fill("Your name", "Ada").await;
    host.press("Open the table").await;
    host.see("Waiting for one more player").await;
    host.value(LINK).await
}

/// Ben sits down by a link.
pub async fn sit_down(guest: &Browser, link: &str) {
    guest.goto(link).await;
    guest.fill("Your name", "Ben").await;
    guest.press("Take a seat").await;
}

/// The one whose turn it is, then the other.
pub async fn in_order_of_turns<'a>(
    ada: &'a Browser,
    ben: &'a Browser,
) -> (&'a Browser, &'a Browser) {
    if ada.see_any(&["Your turn", "Ben’s turn"]).await == 0 { (ada, ben) } else { (ben, ada) }
}

/// What a roll of the dice came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rolled {
    /// Some of the dice can be kept.
    Scores,
    /// None can, and the turn has passed.
    Farkled,
}

/// Rolls, in farkle.
pub async fn roll(player: &Browser) -> Rolled {
    player.press_starting("Roll").await;
    rolled(player).await
}

/// Waits for what a roll in farkle comes to.
pub async fn rolled(player: &Browser) -> Rolled {
    match player.until(ROLL_OUTCOME, vec![], "the outcome of a roll").await.as_str() {
        Some("scores") => Rolled::Scores,
        _ => Rolled::Farkled,
    }
}

/// Keeps some of the dice that score, and banks what they are worth.
pub async fn keep_and_bank(player: &Browser) {
    let scoring = player.until(SCORING_DICE, vec![], "dice that score").await;
    for die in scoring.as_array().expect("a list of labels") {
        player.press(die.as_str().expect("a label")).await;
    }
    player.press_starting("Keep +").await;
    player.press_starting("Bank ").await;
    player.see("You banked").await;
}

/// Says something in the chat.
pub async fn say(player: &Browser, words: &str) {
    player.fill("Your message", words).await;
    player.press("Send").await;
}

/// Waits until exactly `count` elements that `selector` picks bear these words.
pub async fn see_times(browser: &Browser, count: usize, selector: &str, words: &str) {
    let what = format!("to see {words:?} {count} times as {selector:?}");
    let arguments = vec![Value::from(count), selector.into(), words.into()];
    browser.until(TIMES, arguments, &what).await;
}

/// Photographs a page for people to look at, and checks that it is as wide as its window.
pub async fn fits(browser: &Browser, directory: &Path, name: &str) {
    std::fs::create_dir_all(directory).expect("the directory can be made");
    browser.screenshot(&directory.join(format!("{name}.png"))).await;
    assert_eq!(browser.overflow_px().await, 0, "{name} is as wide as its window");
}

/// Either some dice score, or the turn has passed.
const ROLL_OUTCOME: &str = "
    if (document.querySelector('.counts')) return 'scores';
    return document.querySelector('.headline').innerText.startsWith('Your turn') ? '' : 'farkled';
";
/// A single one or five is enough; without, all that score belong together.
const SCORING_DICE: &str = "
    const labels = [...document.querySelectorAll('.counts')].map((die) => die.ariaLabel);
    const single = labels.find((label) => /one|five/.test(label));
    return single ? [single] : labels;
";
const TIMES: &str = "
    const [count, selector, words] = arguments;
    return [...document.querySelectorAll(selector)].filter((it) => it.innerText.includes(words)).length === count;
";
