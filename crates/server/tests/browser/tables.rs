//! What the tests in a browser share: tables, who sits down at them, and what is to be seen there.

use std::path::{Path, PathBuf};

use parlor_testutil::browser::Browser;
use parlor_testutil::process::Server;

pub(crate) fn parlor() -> Server {
    Server::start(env!("CARGO_BIN_EXE_parlor"))
}

/// Opens a table and says its link.
pub(crate) async fn open_table(host: &Browser, page: &str) -> String {
    host.goto(page).await;
    host.fill("Your name", "Ada").await;
    host.press("Open the table").await;
    host.see("Waiting for one more player").await;
    host.value(LINK).await
}

/// Ada opens a table of tic-tac-toe, and Ben sits down by its link.
pub(crate) async fn meet(ada: &Browser, ben: &Browser, base: &str) {
    meet_at(ada, ben, &format!("{base}/play/tictactoe")).await;
}

/// Ada opens a table of this page's game, and Ben sits down by its link.
pub(crate) async fn meet_at(ada: &Browser, ben: &Browser, page: &str) {
    let link = open_table(ada, page).await;
    ben.goto(&link).await;
    ben.fill("Your name", "Ben").await;
    ben.press("Take a seat").await;
}

pub(crate) async fn in_order_of_turns<'a>(
    ada: &'a Browser,
    ben: &'a Browser,
) -> (&'a Browser, &'a Browser) {
    if ada.see_any(&["Your turn", "Ben’s turn"]).await == 0 { (ada, ben) } else { (ben, ada) }
}

pub(crate) fn is_lost_connection(complaint: &str) -> bool {
    complaint.contains("WebSocket connection to")
}

/// Saves a picture of the page, for people to look at, and checks that it is as wide as its window.
pub(crate) async fn fits(browser: &Browser, name: &str) {
    browser.screenshot(&pictures().join(format!("{name}.png"))).await;
    assert_eq!(browser.overflow_px().await, 0, "{name} is as wide as its window");
}

fn pictures() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("phone");
    std::fs::create_dir_all(&directory).expect("the directory can be made");
    directory
}

pub(crate) const LINK: &str = "Invite with this link";
/// Either some dice score, or the turn has passed.
pub(crate) const ROLL_OUTCOME: &str = "
    if (document.querySelector('.counts')) return 'scores';
    return document.querySelector('.headline').innerText.startsWith('Your turn') ? '' : 'farkled';
";
/// A single one or five is enough; without, all that score belong together.
pub(crate) const SCORING_DICE: &str = "
    const labels = [...document.querySelectorAll('.counts')].map((die) => die.ariaLabel);
    const single = labels.find((label) => /one|five/.test(label));
    return single ? [single] : labels;
";
