//! A real browser for tests: Chromium, driven through chromedriver.
//!
//! [`Browser`] is one window with a profile of its own, so that two of them are two players. It does what
//! a person does: looks for words, presses what bears a label, fills in a field, types. Whatever is
//! looked for is waited for, up to [`PATIENCE`]; then the test fails with what the page shows
//! instead. [`Browser::finish`] holds every page to having no complaint in its console.
//!
//! The driver and the browser end when their owners are dropped, also by a failing test. Chromium and
//! chromedriver have to be installed (Debian: `chromium` and `chromium-driver`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fantoccini::actions::{
    InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, PointerAction, TouchActions,
};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, interval};
use url::Url;

/// How long a page may take to show what a test looks for: the machine may be slow and have much else to do, and
/// only a test that fails waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Ports that are tried before the driver is given up.
const STARTS_MAX: u32 = 20;
/// Below those that Linux gives out by itself.
const DRIVER_PORT_FIRST: u16 = 20_000;
const DRIVER_PORTS: u32 = 10_000;

/// The tab key, for [`Browser::key`].
pub const TAB: char = '\u{E004}';
/// The enter key.
pub const ENTER: char = '\u{E007}';
/// The arrow keys.
pub const LEFT: char = '\u{E012}';
/// See [`LEFT`].
pub const UP: char = '\u{E013}';
/// See [`LEFT`].
pub const RIGHT: char = '\u{E014}';
/// See [`LEFT`].
pub const DOWN: char = '\u{E015}';

/// The size of a window, in CSS pixels.
#[derive(Clone, Copy, Debug)]
pub enum Screen {
    /// 375 by 800, touched.
    Phone,
    /// 1280 by 800, with a mouse.
    Desk,
}

/// A running chromedriver.
#[derive(Debug)]
pub struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    /// Starts chromedriver on a port that it finds free.
    ///
    /// # Panics
    ///
    /// When it is not installed, or does not say where it listens.
    pub fn start() -> Arc<Self> {
        // Not of those that the system gives out: each that a connection had lately is taken for chromedriver.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let own = std::process::id().wrapping_mul(STARTS_MAX);
        let started = (0..STARTS_MAX).find_map(|_| {
            let next = own.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % DRIVER_PORTS;
            Self::try_start(DRIVER_PORT_FIRST + u16::try_from(next).expect("they are few"))
        });
        Arc::new(started.expect("chromedriver says its port"))
    }

    fn try_start(port: u16) -> Option<Self> {
        let mut process = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromedriver starts (Debian's package is chromium-driver)");
        let output = process.stdout.take().expect("stdout is piped");
        let port = BufReader::new(output).lines().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("successfully on port ")?;
            rest.trim_end_matches('.').parse().ok()
        });
        // Without a port it has ended; it is waited for when it is dropped.
        let driver = Self { process, port: port.unwrap_or_default() };
        port.map(|_| driver)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One window of a browser.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    session: String,
    driver: Arc<Driver>,
    _profile: TempDir,
}

impl Browser {
    /// Opens a window with a fresh profile.
    pub async fn open(driver: &Arc<Driver>, screen: Screen) -> Self {
        let profile = tempfile::tempdir().expect("a directory for the profile");
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(screen, profile.path()))
            .connect(&format!("http://127.0.0.1:{}", driver.port))
            .await
            .expect("chromium starts");
        let session =
            client.session_id().await.expect("a session has an id").expect("a session has an id");
        Self { client, session, driver: Arc::clone(driver), _profile: profile }
    }

    /// Goes to a page.
    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url} opens: {error}"));
    }

    /// Loads the page anew.
    pub async fn reload(&self) {
        self.client.refresh().await.expect("the page reloads");
    }

    /// Takes the window's network away: it says so to its pages, and no new connection can be made.
    ///
    /// What is connected already stays connected, as Chromium leaves open WebSockets alone (seen with
    /// version 156: some go on, some stall, none ends). A test that wants the server to notice cuts a
    /// [`Wire`](crate::wire::Wire) as well.
    pub async fn lose_network(&self) {
        self.client
            .issue_cmd(Network { is_off: true })
            .await
            .expect("the network can be taken off");
    }

    /// Gives the network back, and says so to the window's pages.
    pub async fn find_network(&self) {
        self.client.issue_cmd(Network { is_off: false }).await.expect("the network can be put on");
    }

    /// Runs `script` in every page from now on, before anything of the page's own.
    pub async fn before_every_page(&self, script: &str) {
        let parameters = json!({ "source": script });
        let command = DevTools { name: "Page.addScriptToEvaluateOnNewDocument", parameters };
        self.client.issue_cmd(command).await.expect("a script can be put before pages");
    }

    /// Opens the page shown in a second tab, which gets a copy of what the first one's remembers, and
    /// goes there. Both are returned, the first one first.
    pub async fn duplicate(&self) -> [WindowHandle; 2] {
        let first = self.client.window().await.expect("the window is there");
        self.client.execute("open(location.href)", vec![]).await.expect("a tab opens");
        let tabs = self.client.windows().await.expect("there are tabs");
        let second = tabs.into_iter().find(|tab| *tab != first).expect("a second tab");
        self.turn_to(&second).await;
        [first, second]
    }

    /// Goes to a tab of this window.
    pub async fn turn_to(&self, tab: &WindowHandle) {
        self.client.switch_to_window(tab.clone()).await.expect("the tab is there");
    }

    /// The address shown.
    pub async fn address(&self) -> String {
        self.client.current_url().await.expect("the window is there").to_string()
    }

    /// What the page shows, as text.
    pub async fn text(&self) -> String {
        let text = self.client.execute("return document.body.innerText", vec![]).await;
        text.ok().and_then(|text| text.as_str().map(ToOwned::to_owned)).unwrap_or_default()
    }

    /// Waits until the page shows these words.
    pub async fn see(&self, words: &str) {
        self.see_any(&[words]).await;
    }

    /// Waits until the page shows one of these and says which.
    pub async fn see_any(&self, words: &[&str]) -> usize {
        let script =
            "return arguments[0].findIndex((words) => document.body.innerText.includes(words)) + 1";
        let found = self.until(script, vec![json!(words)], &format!("to see {words:?}")).await;
        usize::try_from(found.as_u64().expect("a number")).expect("an index") - 1
    }

    /// Waits until `script` returns something true, and returns that.
    ///
    /// # Panics
    ///
    /// After [`PATIENCE`], with `what` was waited for and what the page shows.
    pub async fn until(&self, script: &str, arguments: Vec<Value>, what: &str) -> Value {
        self.poll(what, async || {
            // A script fails while a page is being replaced by another: then it is asked again.
            let value = self.client.execute(script, arguments.clone()).await.ok()?;
            let empty = matches!(&value, Value::Null | Value::Bool(false))
                || value == json!(0)
                || value == json!("");
            (!empty).then_some(value)
        })
        .await
    }

    /// Runs the body of an async function in the page and returns its result.
    ///
    /// # Panics
    ///
    /// When it throws.
    pub async fn run(&self, body: &str) -> Value {
        let script = format!("return (async () => {{ {body} }})()");
        self.client.execute(&script, vec![]).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Presses the button, or follows the link, of this label, once it is there to be pressed.
    pub async fn press(&self, label: &str) {
        let quoted = xpath_string(label);
        let path = format!(
            "//*[self::button or self::a][normalize-space(.)={quoted} or @aria-label={quoted}]"
        );
        self.press_at(&path, label).await;
    }

    /// As [`press`](Self::press), for a label of which only the beginning is known.
    pub async fn press_starting(&self, label: &str) {
        let quoted = xpath_string(label);
        let path = format!(
            "//*[self::button or self::a][starts-with(normalize-space(.), {quoted}) or starts-with(@aria-label, {quoted})]"
        );
        self.press_at(&path, label).await;
    }

    async fn press_at(&self, path: &str, label: &str) {
        let what = format!("to press {label:?}");
        self.poll(&what, async || {
            for element in self.client.find_all(Locator::XPath(path)).await.ok()? {
                if pressable(&element).await.unwrap_or(false) && element.click().await.is_ok() {
                    return Some(());
                }
            }
            None
        })
        .await;
    }

    /// Writes into the field of this label, in place of what is there.
    pub async fn fill(&self, label: &str, text: &str) {
        let field = self.field(label).await;
        field.clear().await.expect("the field can be emptied");
        field.send_keys(text).await.expect("the field takes text");
    }

    /// Chooses the entry with this text in the list of this label.
    pub async fn choose(&self, label: &str, entry: &str) {
        let list = self.field(label).await;
        list.select_by_label(entry)
            .await
            .unwrap_or_else(|error| panic!("{label} offers {entry}: {error}"));
    }

    /// What stands in the field of this label.
    pub async fn value(&self, label: &str) -> String {
        let field = self.field(label).await;
        field.prop("value").await.expect("the field is there").unwrap_or_default()
    }

    async fn field(&self, label: &str) -> Element {
        let quoted = xpath_string(label);
        let path = format!(
            "//label[span[normalize-space(.)={quoted}]]/*[self::input or self::select] | //input[@aria-label={quoted}]"
        );
        let what = format!("the field {label:?}");
        self.poll(&what, async || {
            for element in self.client.find_all(Locator::XPath(&path)).await.ok()? {
                if element.is_displayed().await.unwrap_or(false) {
                    return Some(element);
                }
            }
            None
        })
        .await
    }

    /// Presses a key on the keyboard, whatever has the focus.
    pub async fn key(&self, key: char) {
        let keys = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value: key })
            .then(KeyAction::Up { value: key });
        self.client.perform_actions(keys).await.expect("the key can be pressed");
    }

    /// Presses a key and holds it until [`release`](Self::release).
    pub async fn hold_key(&self, key: char) {
        let keys = KeyActions::new("keyboard".to_owned()).then(KeyAction::Down { value: key });
        self.client.perform_actions(keys).await.expect("the key can be pressed");
    }

    /// Puts a finger on what bears this label, pulls it so many CSS pixels to the right and down, and holds
    /// it there until [`release`](Self::release).
    pub async fn pull(&self, label: &str, x: f64, y: f64) {
        let path = format!("//*[@aria-label={}]", xpath_string(label));
        let element = self.client.find(Locator::XPath(&path)).await;
        let element = element.unwrap_or_else(|error| panic!("{label:?} is there: {error}"));
        let to_it = PointerAction::MoveToElement { element, duration: None, x: 0.0, y: 0.0 };
        let finger = TouchActions::new("finger".to_owned())
            .then(to_it)
            .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
            .then(PointerAction::MoveBy { duration: None, x, y });
        self.client.perform_actions(finger).await.expect("the finger can be put there");
    }

    /// Lets go of all keys and takes the finger away.
    pub async fn release(&self) {
        self.client.release_actions().await.expect("what is held can be let go of");
    }

    /// Types a text, whatever has the focus.
    pub async fn type_text(&self, text: &str) {
        for key in text.chars() {
            self.key(key).await;
        }
    }

    /// Presses tab until what bears this label has the focus, and can be seen to have it.
    ///
    /// # Panics
    ///
    /// When it is not reached in `TABS_MAX` steps.
    pub async fn tab_to(&self, label: &str) {
        for _ in 0..TABS_MAX {
            self.key(TAB).await;
            let focused = self.client.execute(FOCUSED, vec![]).await.expect("the page has a focus");
            if focused["label"].as_str() == Some(label) {
                assert_eq!(focused["visible"], true, "the focus on {label:?} can be seen");
                return;
            }
        }
        panic!("{label:?} cannot be reached by the tab key");
    }

    /// What bears the focus, by its label.
    pub async fn focused(&self) -> String {
        let focused = self.client.execute(FOCUSED, vec![]).await.expect("the page has a focus");
        focused["label"].as_str().unwrap_or_default().to_owned()
    }

    /// How far the page is wider than its window, in CSS pixels; 0 when it fits.
    pub async fn overflow_px(&self) -> u64 {
        let script = "return Math.max(0, document.documentElement.scrollWidth - innerWidth)";
        self.client
            .execute(script, vec![])
            .await
            .expect("the page has a width")
            .as_u64()
            .expect("a number")
    }

    /// Saves what the window shows as a PNG.
    pub async fn screenshot(&self, file: &Path) {
        let image = self.client.screenshot().await.expect("the window can be photographed");
        std::fs::write(file, image)
            .unwrap_or_else(|error| panic!("{} is written: {error}", file.display()));
    }

    /// Closes the window.
    ///
    /// # Panics
    ///
    /// When any page in it left an error or a warning in the console, a violated content security policy included.
    pub async fn finish(self) {
        self.finish_despite(|_| false).await;
    }

    /// As [`finish`](Self::finish), where the test itself is the cause of some complaints.
    pub async fn finish_despite(self, is_expected: impl Fn(&str) -> bool) {
        let log = self.client.issue_cmd(ConsoleLog).await.expect("the console can be read");
        let complaints: Vec<String> = log
            .as_array()
            .expect("a list of entries")
            .iter()
            .filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")))
            .map(|entry| entry["message"].to_string())
            .filter(|message| !is_expected(message))
            .collect();
        assert!(complaints.is_empty(), "the console is quiet, but for {complaints:#?}");
    }

    /// Asks `attempt` again and again until it has an answer.
    async fn poll<T>(&self, what: &str, attempt: impl AsyncFn() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut pace = interval(PACE);
        while Instant::now() < deadline {
            pace.tick().await;
            if let Some(answer) = attempt().await {
                return answer;
            }
        }
        panic!("waited in vain {what}; the page shows:\n{}", self.text().await);
    }
}

impl Drop for Browser {
    /// Ends the browser, which would outlive the driver.
    fn drop(&mut self) {
        let request = format!(
            "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
            self.session
        );
        let ended = TcpStream::connect(("127.0.0.1", self.driver.port)).and_then(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(request.as_bytes())?;
            // The first bytes of the answer come when the browser has ended.
            stream.read(&mut [0; 64])
        });
        if let Err(error) = ended {
            eprintln!("a browser may still be running: {error}");
        }
    }
}

/// Whether a person could press it: seen, and not said to be of no use just now.
async fn pressable(element: &Element) -> Result<bool, CmdError> {
    Ok(element.is_displayed().await?
        && element.is_enabled().await?
        && element.attr("aria-disabled").await?.as_deref() != Some("true"))
}

fn capabilities(screen: Screen, profile: &Path) -> Capabilities {
    let mut options = json!({
        "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1280,800",
            format!("--user-data-dir={}", profile.display()),
        ],
    });
    if matches!(screen, Screen::Phone) {
        let metrics =
            json!({ "width": 375, "height": 800, "pixelRatio": 2, "touch": true, "mobile": true });
        options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
    }
    let Value::Object(capabilities) = json!({
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
        "unhandledPromptBehavior": "accept",
    }) else {
        unreachable!("an object was written");
    };
    capabilities
}

/// A text as XPath writes it. XPath knows no escapes; no label here has both kinds of quotes.
fn xpath_string(text: &str) -> String {
    if text.contains('"') { format!("'{text}'") } else { format!("\"{text}\"") }
}

/// What was written into the console since it was last asked for.
#[derive(Debug)]
struct ConsoleLog;

impl WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}

/// Puts the network on or off, in chromedriver's own way, which makes Chromium apply it to connections too.
#[derive(Debug)]
struct Network {
    is_off: bool,
}

impl WebDriverCompatibleCommand for Network {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/chromium/network_conditions", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        let conditions = json!({
            "offline": self.is_off, "latency": 0, "download_throughput": -1, "upload_throughput": -1,
        });
        (http::Method::POST, Some(json!({ "network_conditions": conditions }).to_string()))
    }
}

/// One command of Chromium's DevTools protocol.
#[derive(Debug)]
struct DevTools {
    name: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        let body = json!({ "cmd": self.name, "params": self.parameters });
        (http::Method::POST, Some(body.to_string()))
    }
}

/// Between two looks at a page.
const PACE: Duration = Duration::from_millis(50);
/// More than any of our pages has things to stop at.
const TABS_MAX: usize = 40;
/// The label of what has the focus, and whether something around it shows that.
const FOCUSED: &str = r#"
    const it = document.activeElement;
    const label = it.ariaLabel ?? it.labels?.[0]?.querySelector("span")?.innerText ?? it.innerText;
    const style = getComputedStyle(it);
    return { label: label.trim(), visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 };
"#;
