//! The page of liar's dice in a real browser: a game to its end, and what no window may hold.

use std::path::{Path, PathBuf};

use parlor_testutil::browser::{Browser, Driver, Screen};
use parlor_testutil::process::Server;
use serde_json::{Value, json};

/// Ada at a desk and Ben on a phone play against a bot, each time by pressing buttons, until there is a
/// winner. Before every move both windows are searched for what they must not know.
#[tokio::test]
async fn two_people_and_a_bot_play_liars_dice_to_the_end_and_no_window_holds_anothers_dice() {
    let parlor = Server::start(env!("CARGO_BIN_EXE_parlor"));
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    let ben = Browser::open(&driver, Screen::Phone).await;
    ada.goto(&parlor.url("/")).await;
    ada.press("New table of Liar’s dice").await;
    ada.fill("Your name", "Ada").await;
    ada.choose("Time for a turn", "1 minute").await;
    ada.press("Open the table").await;
    ada.see("Waiting for one more player").await;
    let link = ada.value("Invite with this link").await;
    ben.goto(&link).await;
    ben.fill("Your name", "Ben").await;
    ben.press("Take a seat").await;
    ada.see("Ben is here").await;
    ada.press("Add a bot").await;
    ada.press("Start the game").await;
    ben.see_any(&["Your turn", "’s turn"]).await;

    let mut shown = 0;
    for step in 0..STEPS_MAX {
        let (window, other) = match turn(&ada, &ben).await {
            Turn::Ada => (&ada, &ben),
            Turn::Ben => (&ben, &ada),
            Turn::Over => break,
        };
        shown += check_nothing_leaks(&ada, &ben).await;
        if step == 0 {
            look(&ada, &ben, "begin").await;
        }
        // To challenge each bid that may be challenged ends a round quickly, and shows all dice.
        if window.run(CAN_CHALLENGE).await == json!(true) {
            let before = window.run(ROUND).await;
            window.press("Challenge").await;
            for window in [window, other] {
                window.until(NEXT_ROUND, vec![before.clone()], "the dice to be shown").await;
            }
            if step < 3 {
                look(&ada, &ben, "reveal").await;
            }
        } else {
            let mine = window.run(MY_TURN).await;
            window.press_starting("Bid ").await;
            window.until(TURN_PASSED, vec![mine], "the bid to be made").await;
        }
    }
    ada.see_any(&["You win!", " wins"]).await;
    ben.see_any(&["You win!", " wins"]).await;
    assert!(shown > 0, "the search has found dice that were there to be found");
    look(&ada, &ben, "end").await;
    ada.press("Play again").await;
    ada.see_any(&["Start when everybody is here"]).await;
    ada.finish().await;
    ben.finish().await;
}

#[tokio::test]
async fn a_bid_is_put_together_with_buttons_and_only_a_higher_one_can_be_made() {
    let parlor = Server::start(env!("CARGO_BIN_EXE_parlor"));
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Phone).await;
    ada.goto(&parlor.url("/play/liars_dice")).await;
    ada.fill("Your name", &"W".repeat(32)).await;
    ada.press("Open the table").await;
    ada.see("Waiting for").await;
    fits(&ada, "lobby").await;
    for _ in 0..5 {
        ada.press("Add a bot").await;
    }
    ada.see("bot").await;
    ada.press("Start the game").await;

    ada.see("Your turn").await;
    fits(&ada, "full-table").await;
    // Whatever the bots have bid and the page proposes: the least of this face, and one die more outbids it too.
    ada.press("Fours").await;
    let mut least = ada.run(AMOUNT).await.as_u64().expect("a number");
    while ada.run(IS_LEAST).await != json!("true") {
        ada.press("One die fewer").await;
        least -= 1;
        ada.until(AMOUNT_IS, vec![json!(least)], "one fewer").await;
    }
    ada.press("One die more").await;
    ada.until(AMOUNT_IS, vec![json!(least + 1)], "one more").await;
    ada.press("One die fewer").await;
    ada.until(AMOUNT_IS, vec![json!(least)], "one fewer").await;
    assert_eq!(ada.run(IS_LEAST).await, json!("true"), "less would not outbid");
    ada.press_starting(&format!("Bid {least} four")).await;
    ada.see("You bid").await;
    fits(&ada, "bid").await;
    if ada.see_any(&["challenged", "Your turn"]).await == 1 {
        ada.press("Challenge").await;
        ada.see("challenged").await;
    }
    fits(&ada, "full-reveal").await;
    ada.finish().await;
}

enum Turn {
    Ada,
    Ben,
    Over,
}

/// Waits until one of the two has to act, in both windows' eyes where it is the end.
async fn turn(ada: &Browser, ben: &Browser) -> Turn {
    let deadline = tokio::time::Instant::now() + parlor_testutil::browser::PATIENCE;
    loop {
        for (window, whose) in [(ada, Turn::Ada), (ben, Turn::Ben)] {
            match window.run(HEADLINE).await.as_str() {
                Some("Your turn") => return whose,
                Some(words) if words.contains("win") => return Turn::Over,
                _ => {}
            }
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "it is nobody's turn: {}",
            ada.text().await
        );
        tokio::task::yield_now().await;
    }
}

/// Neither window has the other's dice anywhere in its document, beside those that a challenge has shown, and
/// no faces are drawn but its own dice, those bid on and those shown. Returns in how many windows
/// the search found the own dice, which it must.
async fn check_nothing_leaks(ada: &Browser, ben: &Browser) -> usize {
    let mut found = 0;
    // Both see the same round, so that no dice of the last one are taken for those of this.
    let round = ada.run(FACTS).await;
    ben.until(
        "return document.querySelector('.facts').innerText === arguments[0]",
        vec![round],
        "the same round",
    )
    .await;
    let (of_ada, of_ben) = (ada.run(OWN_DICE).await, ben.run(OWN_DICE).await);
    for (window, own, others) in [(ada, &of_ada, &of_ben), (ben, &of_ben, &of_ada)] {
        let held = window.run(HELD).await;
        assert_eq!(held["strayFaces"], json!(0), "a die is drawn where none should be: {held}");
        let text = held["text"].as_str().expect("markup");
        let (Some(own), Some(others)) = (in_words(own), in_words(others)) else { continue };
        found += usize::from(text.contains(own));
        // The own dice may well have the other's among them: "two, three, four" and "three, four".
        let rest = if own.contains(others) { text.replace(own, "") } else { text.to_owned() };
        assert!(!rest.contains(others), "a window holds {others}: {rest}");
    }
    found
}

/// At least two dice: one alone is a word that a page may hold for many reasons.
fn in_words(dice: &Value) -> Option<&str> {
    dice.as_str().filter(|dice| dice.contains(','))
}

/// The pictures are for people to look at; what is checked is the width.
async fn look(ada: &Browser, ben: &Browser, name: &str) {
    for (window, screen) in [(ada, "desk"), (ben, "phone")] {
        fits(window, &format!("{screen}-{name}")).await;
    }
}

async fn fits(window: &Browser, name: &str) {
    window.screenshot(&pictures().join(format!("{name}.png"))).await;
    assert_eq!(window.overflow_px().await, 0, "{name} is as wide as its window");
}

fn pictures() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("liars_dice");
    std::fs::create_dir_all(&directory).expect("the directory can be made");
    directory
}

/// Fifteen dice, of which fourteen are lost; each round is a bid and a challenge by either of them or the bot.
const STEPS_MAX: usize = 14 * 12;

const HEADLINE: &str = "return document.querySelector('.headline').innerText";
const FACTS: &str = "return document.querySelector('.facts').innerText";
const ROUND: &str = "return document.querySelector('.facts').innerText.split('·')[0].trim()";
const CAN_CHALLENGE: &str = "
    const button = [...document.querySelectorAll('button')].find((one) => one.innerText === 'Challenge');
    return button.ariaDisabled === 'false';
";
/// The next round has begun, or the game is over.
const NEXT_ROUND: &str = "
    const round = document.querySelector('.facts').innerText.split('·')[0].trim();
    return round !== arguments[0] || document.querySelector('.headline').innerText.includes('win');
";
/// What is true of a turn and of no other: the bid to beat and the round.
const MY_TURN: &str = "
    return document.querySelector('.facts').innerText + document.querySelector('.bids').innerText;
";
const TURN_PASSED: &str = "
    return document.querySelector('.facts').innerText + document.querySelector('.bids').innerText !== arguments[0];
";
/// Whether fewer dice would not outbid.
const IS_LEAST: &str =
    "return document.querySelector('[aria-label=\"One die fewer\"]').ariaDisabled";
const AMOUNT: &str = "return parseInt(document.querySelector('.amount').innerText)";
const AMOUNT_IS: &str =
    "return parseInt(document.querySelector('.amount').innerText) === arguments[0]";
/// The own dice in words, as in "two, three, three"; nothing for one who is out.
const OWN_DICE: &str = "
    const own = document.querySelector('.own');
    return own.hidden ? '' : own.ariaLabel.replace('Your dice: ', '');
";
/// All that the window holds beside what challenges have shown, and how many faces are drawn out of place.
const HELD: &str = "
    const copy = document.documentElement.cloneNode(true);
    for (const shown of copy.querySelectorAll('.reveal, .last-reveal')) shown.remove();
    const text = copy.outerHTML;
    for (const known of copy.querySelectorAll('.own, .spoken, .faces')) known.remove();
    return { text, strayFaces: copy.querySelectorAll('.die').length };
";
