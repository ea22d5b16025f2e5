//! A page whose room can be reached at another address, in a real browser, with real sockets, policies and origins.
//!
//! The page comes by a wire, as from a balancer; the server's own port is the node's address. One thing is made
//! up: the page's WebSocket puts that address into the answer to `create_room`.

use std::path::Path;
use std::sync::Arc;

use parlor_testutil::browser::{Browser, Driver, Screen};
use parlor_testutil::http::Ask;
use parlor_testutil::process::Program;
use parlor_testutil::wire::Wire;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server, a wire that leads to it, and a browser at the other end.
struct Stage {
    parlor: Program,
    wire: Wire,
    browser: Browser,
    _driver: Arc<Driver>,
    _settings: TempDir,
}

impl Stage {
    /// With these settings, where `NODE` stands for the server's own sockets and `PAGES` for where pages come from.
    async fn set(settings: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("parlor.toml");
        std::fs::write(&path, "").unwrap();
        let arguments = ["--config", path.to_str().unwrap()];
        let mut parlor = Program::start(env!("CARGO_BIN_EXE_parlor"), &arguments);
        let wire = Wire::to(parlor.address()).await;
        // Only now are the ports known.
        let node = format!("ws://{}", parlor.address());
        let settings = settings.replace("NODE", &node).replace("PAGES", &wire.url(""));
        write_and_reload(&mut parlor, &path, &settings);
        let driver = Driver::start();
        let browser = Browser::open(&driver, Screen::Desk).await;
        browser.goto(&wire.url("/icon.svg")).await;
        Self { parlor, wire, browser, _driver: driver, _settings: directory }
    }

    /// A client at its seat, which says something at every step of the way, until its move is over.
    async fn play(&self) -> Value {
        let node = format!("const NODE = {:?};", self.parlor.socket_url());
        self.browser.run(&format!("{node} {PLAY}")).await
    }
}

fn write_and_reload(parlor: &mut Program, path: &Path, settings: &str) {
    std::fs::write(path, settings).unwrap();
    parlor.signal("-HUP");
    parlor.until_logged("settings were read again");
}

#[tokio::test]
async fn page_goes_to_the_node_of_its_room_and_needs_the_way_it_came_no_more() {
    let stage = Stage::set("other_nodes = ['NODE']\nallowed_origins = ['PAGES']").await;
    let outcome = stage.play().await;
    assert_eq!(outcome["opened"].as_array().unwrap().len(), 2, "{outcome}");
    assert_eq!(outcome["ended"], json!([4001]), "the server has closed the first");
    assert_eq!(outcome["said"], outcome["heard"], "each line once and in order");

    stage.wire.cut();
    let after = stage.browser.run("return await parlorTest.after()").await;
    assert_eq!(after, json!({ "heard": ["after"], "statuses": [], "status": "open" }));
    // The page itself has gone with the wire, and asks for its icon in vain.
    stage.browser.finish_despite(|complaint| complaint.contains("/favicon.ico")).await;
}

/// The operator has not named the node, so the page's policy forbids it.
#[tokio::test]
async fn page_that_may_not_connect_to_the_node_stays_where_it_is() {
    let stage = Stage::set("allowed_origins = ['PAGES']").await;
    let outcome = stage.play().await;
    assert_eq!(outcome["ended"], json!(["failed"]), "the second, which never opened");
    assert_eq!(outcome["said"], outcome["heard"]);
    let after = stage.browser.run("return await parlorTest.after()").await;
    assert_eq!(after, json!({ "heard": ["after"], "statuses": [], "status": "open" }));
    let is_expected = |complaint: &str| {
        complaint.contains("/favicon.ico") || complaint.contains("Content Security Policy")
    };
    stage.browser.finish_despite(is_expected).await;
}

/// The node does not know the pages' origin.
#[tokio::test]
async fn page_that_the_node_turns_away_stays_where_it_is() {
    let stage = Stage::set("other_nodes = ['NODE']").await;
    let outcome = stage.play().await;
    assert_eq!(outcome["ended"][0], "failed", "the second, which was answered with 403");
    assert_eq!(outcome["said"], outcome["heard"]);
    let is_expected =
        |complaint: &str| complaint.contains("/favicon.ico") || complaint.contains("403");
    stage.browser.finish_despite(is_expected).await;
}

#[tokio::test]
async fn policy_of_pages_names_the_nodes_that_are_set() {
    let nodes = "ws://node-2.example:8080,wss://*.games.example";
    let parlor = Program::start(env!("CARGO_BIN_EXE_parlor"), &["--other-nodes", nodes]);
    let page = Ask::get("/play/farkle").of(parlor.address()).await;
    let policy = page.header("content-security-policy").unwrap();
    let (_, connect) = policy.split_once("connect-src ").unwrap();
    let expect = "'self' ws://play.example wss://play.example ws://node-2.example:8080 wss://*.games.example";
    assert_eq!(connect, expect);
}

/// Ends when one of the sockets is closed or fails, which is what a move comes to, whether it succeeds or fails.
const PLAY: &str = "
    const opened = [], ended = [], said = [], heard = [], statuses = [];
    let over;
    const moved = new Promise((resolve) => { over = resolve; });
    globalThis.WebSocket = class extends WebSocket {
        constructor(url, protocols) {
            super(url, protocols);
            opened.push(url);
            this.addEventListener('close', ({ code }) => { ended.push(code); over(); });
            // One that the page's policy forbids never closes.
            this.addEventListener('error', () => { ended.push('failed'); over(); });
        }
        set onmessage(handle) {
            super.onmessage = (event) => {
                const message = JSON.parse(event.data);
                if (message.type === 'create_room_result') message.data.url = NODE;
                handle({ data: JSON.stringify(message) });
            };
        }
        // Left to the server, whose code tells that it was the takeover.
        close(code) { if (code !== undefined) super.close(code); }
    };
    const { connect } = await import('/parlor.js');
    const client = connect();
    client.on('chat_message', ({ text }) => heard.push(text));
    await client.create({ gameType: 'tictactoe', playerName: 'Ada' });
    client.on('status', ({ status }) => statuses.push(status));
    const say = async (text) => { said.push(text); await client.request('chat', { text }); };
    let isOver = false;
    moved.then(() => { isOver = true; });
    // No more than the server takes at once.
    for (let i = 0; i < 100 && !isOver; i += 1) await say(`line ${i}`);
    await moved;
    await say('and one more');
    globalThis.parlorTest = {
        after: async () => {
            heard.length = 0;
            await client.request('chat', { text: 'after' });
            return { heard, statuses, status: client.status };
        },
    };
    return { opened, ended, said, heard };
";
