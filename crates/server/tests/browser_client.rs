//! `parlor.js` and what it is made of, in a real browser against a socket that says what a test wants.
//!
//! A page of the server lends its origin; its `WebSocket`, its clock and its timers are replaced, so that
//! nothing here waits. What a client does with a real server is shown in `browser.rs`.

use parlor_testutil::browser::{Browser, Driver, Screen};
use parlor_testutil::process::Server;
use serde_json::{Value, json};

#[tokio::test]
async fn patch_is_applied_on_its_base_and_any_other_brings_the_whole_state() {
    let outcome = run("
        const { client, socket } = await seated();
        socket.say({ type: 'room_patch', seq: 11, data: { base: 3, version: 4, ops: [{ op: 'add', path: '/n', value: 1 }] } });
        const patched = client.room.state;
        socket.say({ type: 'room_patch', seq: 12, data: { base: 5, version: 6, ops: [{ op: 'replace', path: '/n', value: 2 }] } });
        const kept = client.room.state;
        socket.say({ type: 'room_patch', seq: 13, data: { base: 6, version: 7, ops: [] } });
        const asked = socket.sent.filter(({ type }) => type === 'get_state');
        await socket.answer('get_state', { seq: 13, version: 7, phase: 'playing', state: { n: 3 } });
        socket.say({ type: 'room_patch', seq: 14, data: { base: 6, version: 7, ops: [{ op: 'replace', path: '/n', value: 2 }] } });
        const late = client.room.state;
        socket.say({ type: 'room_patch', seq: 15, data: { base: 7, version: 8, ops: [{ op: 'replace', path: '/n', value: 4 }] } });
        const again = socket.sent.filter(({ type }) => type === 'get_state').length;
        return { patched, kept, asked: asked.length, late, again, whole: client.room.state, version: client.room.version };
    ")
    .await;
    let expect = json!({ "patched": { "n": 1 }, "kept": { "n": 1 }, "asked": 1, "late": { "n": 3 }, "again": 1,
        "whole": { "n": 4 }, "version": 8 });
    assert_eq!(outcome, expect);
}

#[tokio::test]
async fn what_was_not_answered_is_sent_again_under_its_id_after_coming_back() {
    let outcome = run("
        const { client, socket } = await seated();
        const first = client.act({ n: 1 });
        const second = client.act({ n: 2 });
        await socket.answer('game_action', { seq: 10 });
        socket.say({ type: 'chat_message', seq: 12, data: { playerId: 2, name: 'Ben', text: 'hi', at: 1 } });
        socket.lose(4002);
        client.act({ n: 3 });
        const again = await nextSocket();
        const beforeGreeting = again.sent.length;
        again.greet();
        const [reconnect] = again.sent.splice(0);
        again.say({ type: 'reconnect_result', success: true, data: { ...joined, seq: 12, resumed: 'replayed' } });
        const { attempt, ...rest } = reconnect.data;
        return { beforeGreeting, reconnect: rest, later: attempt > 0, sent: again.sent, status: client.status };
    ")
    .await;
    let act = |id: u32, n: u32| json!({ "type": "game_action", "id": id, "data": { "n": n } });
    let expect = json!({
        "beforeGreeting": 0,
        "reconnect": { "sessionToken": "secret", "epoch": "e", "lastSeq": 12 },
        "later": true,
        // The first id is above 7, the last that the seat had handled.
        "sent": [act(9, 2), act(10, 3)],
        "status": "open",
    });
    assert_eq!(outcome, expect);
}

#[tokio::test]
async fn each_try_to_come_back_counts_higher_and_a_reload_asks_for_a_snapshot() {
    let outcome = run("
        const { socket } = await seated();
        const attempts = [];
        let last = socket;
        for (let i = 0; i < 3; i += 1) {
            last.lose(1006);
            last = await nextSocket();
            last.greet();
            attempts.push(last.sent[0].data.attempt);
        }
        const reloaded = connect({ room: 'k7pmw2qx' });
        const fresh = sockets.at(-1);
        fresh.greet();
        const { attempt, ...data } = fresh.sent[0].data;
        fresh.say({ type: 'reconnect_result', success: true, data: { ...joined, sessionToken: undefined, resumed: 'snapshot' } });
        attempts.push(attempt);
        return { rising: attempts.every((n, i) => i === 0 || n > attempts[i - 1]), data, me: reloaded.room.me.name };
    ")
    .await;
    let expect = json!({ "rising": true, "data": { "sessionToken": "secret" }, "me": "Ada" });
    assert_eq!(outcome, expect);
}

#[tokio::test]
async fn event_seen_twice_happens_once_and_an_unknown_one_is_passed_on() {
    let outcome = run("
        const { client, socket } = await seated();
        const heard = [];
        client.on('chat_message', ({ text }) => heard.push(text));
        client.on('weather', ({ sky }) => heard.push(sky));
        const line = { type: 'chat_message', seq: 12, data: { playerId: 2, name: 'Ben', text: 'hi', at: 1 } };
        socket.say(line);
        socket.say(line);
        socket.say({ type: 'weather', seq: 13, data: { sky: 'blue' } });
        return { heard, lines: client.room.chat.length, seq: client.room.seq };
    ")
    .await;
    assert_eq!(outcome, json!({ "heard": ["hi", "blue"], "lines": 1, "seq": 13 }));
}

#[tokio::test]
async fn close_code_decides_whether_and_when_to_connect_again() {
    let outcome = run("
        const outcome = {};
        for (const code of [1000, 1001, 1002, 1003, 1006, 1007, 1009, 1011, 4001, 4002, 4003, 4004, 4005, 4006, 4400, 4429]) {
            const { client, socket } = await seated();
            timers.length = 0;
            socket.lose(code);
            const delay = Math.max(0, ...timers.map((timer) => timer.delay));
            outcome[code] = client.status === 'closed' ? client.reason.code : delay >= 10000 ? 'after a wait' : delay <= 250 && 'soon';
        }
        return outcome;
    ")
    .await;
    let expect = json!({
        "1000": "CLOSED", "1001": "soon", "1002": "PROTOCOL", "1003": "PROTOCOL", "1006": "soon",
        "1007": "PROTOCOL", "1009": "soon", "1011": "soon", "4001": "TAKEN_OVER", "4002": "soon",
        "4003": "KICKED", "4004": "ROOM_CLOSED", "4005": "soon", "4006": "soon",
        "4400": "after a wait", "4429": "after a wait",
    });
    assert_eq!(outcome, expect);
}

#[tokio::test]
async fn refused_return_ends_for_good_unless_it_may_succeed_later() {
    let outcome = run("
        const outcome = {};
        for (const [code, retryable] of [['SESSION_INVALID', false], ['ROOM_CLOSED', false], ['STALE_REQUEST', false], ['ROOM_UNAVAILABLE', true]]) {
            const { client, socket } = await seated();
            const pending = client.act({}).catch((error) => error.code);
            socket.lose(1006);
            const again = await nextSocket();
            again.greet();
            again.say({ type: 'reconnect_result', success: false, error: { code, message: 'no', retryable } });
            const seat = sessionStorage.getItem('parlor.session.K7PMW2QX') !== null;
            outcome[code] = [client.status, client.reason?.code ?? null, seat, client.status === 'closed' ? await pending : 'pending'];
        }
        return outcome;
    ")
    .await;
    let expect = json!({
        "SESSION_INVALID": ["closed", "SESSION_INVALID", false, "CLOSED"],
        "ROOM_CLOSED": ["closed", "ROOM_CLOSED", false, "CLOSED"],
        "STALE_REQUEST": ["closed", "TAKEN_OVER", true, "CLOSED"],
        "ROOM_UNAVAILABLE": ["resuming", null, true, "pending"],
    });
    assert_eq!(outcome, expect);
}

/// The seat is gone because it was left; the client stays open and may join another room.
#[tokio::test]
async fn leaving_whose_answer_was_lost_has_succeeded_when_the_seat_is_found_gone() {
    let outcome = run("
        const outcome = {};
        for (const code of ['SESSION_INVALID', 'ROOM_CLOSED']) {
            const { client, socket } = await seated();
            const left = client.leave().then(() => 'left', (error) => error.code);
            socket.lose(1006);
            const again = await nextSocket();
            again.greet();
            again.say({ type: 'reconnect_result', success: false, error: { code, message: 'no', retryable: false } });
            const seat = sessionStorage.getItem('parlor.session.K7PMW2QX') !== null;
            outcome[code] = [await left, client.status, client.room, seat, again.sent.map(({ type }) => type)];
        }
        return outcome;
    ")
    .await;
    let expect = json!(["left", "open", null, false, ["reconnect"]]);
    assert_eq!(outcome, json!({ "SESSION_INVALID": expect, "ROOM_CLOSED": expect }));
}

#[tokio::test]
async fn silence_is_answered_with_a_ping_and_a_silent_server_is_left() {
    let outcome = run("
        const { client, socket } = await seated();
        const pings = () => socket.sent.filter(({ type }) => type === 'ping').length;
        pass(19999);
        const early = pings();
        pass(1);
        const due = pings();
        socket.say({ type: 'ping_result', success: true, data: { serverTime: now } });
        pass(5000);
        const answered = client.status;
        pass(20000);
        pass(4999);
        const waiting = client.status;
        pass(1);
        return { early, due, answered, waiting, left: client.status };
    ")
    .await;
    let expect =
        json!({ "early": 0, "due": 1, "answered": "open", "waiting": "open", "left": "resuming" });
    assert_eq!(outcome, expect);
}

#[tokio::test]
async fn network_gone_is_believed_at_once_and_network_back_is_tried_at_once() {
    let outcome = run("
        const { client, socket } = await seated();
        const hear = (name) => dispatchEvent(new Event(name));
        hear('offline');
        const gone = [client.status, socket.closed];
        // Without a network the tries go on; this one hangs.
        const hanging = await nextSocket();
        hear('offline');
        const late = await nextSocket();
        const before = sockets.length;
        hear('online');
        const back = sockets.at(-1);
        const tries = [sockets.length - before, hanging.closed, late.closed];
        late.lose(1006);
        back.greet();
        back.say({ type: 'reconnect_result', success: true, data: { ...joined, seq: 10, resumed: 'replayed' } });
        hear('online');
        return { gone, tries, status: client.status, more: sockets.length - before };
    ")
    .await;
    let expect = json!({ "gone": ["resuming", true], "tries": [1, true, true], "status": "open", "more": 1 });
    assert_eq!(outcome, expect);
}

#[tokio::test]
async fn wait_that_the_server_asks_for_is_not_cut_short_by_the_network() {
    let outcome = run("
        const { client, socket } = await seated();
        socket.lose(4429);
        const before = sockets.length;
        dispatchEvent(new Event('offline'));
        dispatchEvent(new Event('online'));
        const atOnce = sockets.length - before;
        await nextSocket();
        return { atOnce, status: client.status };
    ")
    .await;
    assert_eq!(outcome, json!({ "atOnce": 0, "status": "resuming" }));
}

#[tokio::test]
async fn client_moves_to_the_node_of_its_room_and_nobody_notices() {
    let outcome = run("
        const { client, socket } = await sentTo(NODE);
        const heard = [];
        client.on('status', ({ status }) => heard.push(status));
        client.on('chat_message', ({ text }) => heard.push(text));
        const line = (seq) => ({ type: 'chat_message', seq, data: { playerId: 2, name: 'Ben', text: `${seq}`, at: 1 } });
        const node = sockets.at(-1);
        socket.say(line(11));
        node.greet();
        const { attempt, ...asked } = node.sent[0].data;
        // Told by both, since it happens before the node has answered.
        socket.say(line(12));
        const act = client.act({ n: 1 }).then(({ seq }) => seq);
        // As it may be when the two go different ways.
        socket.lose(4001);
        node.say({ type: 'reconnect_result', success: true, data: { ...joined, seq: 11, resumed: 'replayed' } });
        node.say(line(12));
        node.say(line(13));
        socket.say(line(14));
        await node.answer('game_action', { seq: 13 });
        pass(19999);
        return {
            to: node.url, asked, later: attempt > 0, heard, status: client.status, left: socket.closed, stays: node.closed,
            again: node.sent[1], act: await act, sockets: sockets.length,
        };
    ")
    .await;
    let expect = json!({
        "to": "wss://node-2.example/ws",
        "asked": { "sessionToken": "secret", "epoch": "e", "lastSeq": 11 },
        "later": true, "heard": ["11", "12", "13"], "status": "open", "left": true, "stays": false,
        "again": { "type": "game_action", "id": 8, "data": { "n": 1 }, "answered": true },
        "act": 13, "sockets": 2,
    });
    assert_eq!(outcome, expect);
}

#[tokio::test]
async fn node_that_shows_the_whole_room_replaces_it_and_one_that_sends_on_is_not_followed() {
    let outcome = run("
        const { client } = await sentTo(NODE);
        let rooms = 0;
        client.on('snapshot', () => { rooms += 1; });
        const node = sockets.at(-1);
        node.greet();
        const data = { ...joined, sessionToken: undefined, seq: 50, resumed: 'snapshot', url: 'wss://node-3.example/ws' };
        node.say({ type: 'reconnect_result', success: true, data });
        return { rooms, seq: client.room.seq, status: client.status, sockets: sockets.length };
    ")
    .await;
    assert_eq!(outcome, json!({ "rooms": 1, "seq": 50, "status": "open", "sockets": 2 }));
}

/// In every way in which that can fail.
#[tokio::test]
async fn client_that_cannot_move_stays_and_does_not_try_that_address_again() {
    let outcome = run("
        const ways = {
            closed: (node) => node.lose(1006),
            hangs: () => pass(5000),
            silent: (node) => { node.greet(); pass(3000); },
            refused: (node) => {
                node.greet();
                node.say({ type: 'reconnect_result', success: false, error: { code: 'SESSION_INVALID', message: 'no', retryable: false } });
            },
        };
        const outcome = {};
        for (const [name, fail] of Object.entries(ways)) {
            const { client, socket } = await sentTo(NODE);
            const node = sockets.at(-1);
            fail(node);
            socket.say({ type: 'chat_message', seq: 11, data: { playerId: 2, name: 'Ben', text: 'hi', at: 1 } });
            const here = [client.status, client.room.seq, socket.closed, node.closed];
            socket.lose(1006);
            const back = await nextSocket();
            const before = sockets.length;
            back.greet();
            back.say({ type: 'reconnect_result', success: true, data: { ...joined, seq: 11, resumed: 'replayed', url: NODE } });
            outcome[name] = [...here, back.url === node.url, sockets.length - before, client.status];
            client.close();
        }
        return outcome;
    ")
    .await;
    let stays = json!(["open", 11, false, true, false, 0, "open"]);
    let expect = json!({ "closed": stays, "hangs": stays, "silent": stays, "refused": stays });
    assert_eq!(outcome, expect);
}

#[tokio::test]
async fn takeover_is_the_clients_own_only_where_a_move_was_not_answered() {
    let outcome = run("
        const outcome = {};
        for (const name of ['during', 'after', 'refused', 'none']) {
            const { client, socket } = await sentTo(name === 'none' ? undefined : NODE);
            const node = sockets.at(-1);
            if (name !== 'none') node.greet();
            if (name === 'during') socket.lose(4001);
            if (name === 'during' || name === 'after') pass(3000);
            if (name === 'refused') {
                node.say({ type: 'reconnect_result', success: false, error: { code: 'STALE_REQUEST', message: 'no', retryable: false } });
            }
            if (name !== 'during') socket.lose(4001);
            outcome[name] = client.reason?.code ?? client.status;
            client.close();
        }
        return outcome;
    ")
    .await;
    let expect = json!({ "during": "resuming", "after": "resuming", "refused": "TAKEN_OVER", "none": "TAKEN_OVER" });
    assert_eq!(outcome, expect);
}

#[tokio::test]
async fn lost_client_tries_where_it_last_was_and_where_it_first_came_to_by_turns() {
    let outcome = run("
        const { client } = await sentTo(NODE);
        const node = sockets.at(-1);
        node.greet();
        node.say({ type: 'reconnect_result', success: true, data: { ...joined, seq: 10, resumed: 'replayed' } });
        const gone = [];
        let last = node;
        for (let i = 0; i < 4; i += 1) {
            last.lose(1006);
            last = await nextSocket();
            gone.push(last.url === NODE ? 'node' : 'home');
        }
        last.greet();
        last.say({ type: 'reconnect_result', success: true, data: { ...joined, seq: 10, resumed: 'replayed' } });
        last.lose(1006);
        const after = await nextSocket();
        gone.push(after.url === NODE ? 'node' : 'home');
        return { gone, status: client.status };
    ")
    .await;
    let expect = json!({ "gone": ["node", "home", "node", "home", "home"], "status": "resuming" });
    assert_eq!(outcome, expect);
}

#[tokio::test]
async fn node_that_no_longer_knows_the_seat_has_not_the_last_word() {
    let outcome = run("
        const { client } = await sentTo(NODE);
        const node = sockets.at(-1);
        node.greet();
        node.say({ type: 'reconnect_result', success: true, data: { ...joined, seq: 10, resumed: 'replayed' } });
        node.lose(1006);
        const refuse = (socket) => {
            socket.greet();
            socket.say({ type: 'reconnect_result', success: false, error: { code: 'ROOM_CLOSED', message: 'no', retryable: false } });
        };
        const again = await nextSocket();
        refuse(again);
        const then = client.status;
        const home = await nextSocket();
        refuse(home);
        return [again.url === NODE, then, home.url === NODE, client.reason.code];
    ")
    .await;
    assert_eq!(outcome, json!([true, "resuming", false, "ROOM_CLOSED"]));
}

#[tokio::test]
async fn address_that_is_none_or_would_show_the_token_is_not_gone_to() {
    let outcome = run("
        const gone = [];
        const { Places } = await import('/parlor/places.js');
        const urls = [`wss://node-2.example/${'w'.repeat(200)}`, 'https://node-2.example/ws', 'javascript:alert(1)', 'file:///etc/passwd',
            '/ws', 'wss://', '', 7, null, { href: NODE }, new URL('/ws', location.href).href.replace('http', 'ws')];
        for (const url of urls) {
            const before = sockets.length;
            const { client } = await sentTo(url);
            if (sockets.length > before + 1) gone.push(url);
            client.close();
        }
        const secure = new Places('wss://games.example/ws');
        return { gone, clear: secure.follow('ws://node-2.example/ws'), secure: secure.follow(NODE) };
    ")
    .await;
    assert_eq!(outcome, json!({ "gone": [], "clear": null, "secure": "wss://node-2.example/ws" }));
}

/// Listings are told to a socket and not to a seat.
#[tokio::test]
async fn client_that_is_told_listings_stays_where_it_is_told_them() {
    let outcome = run("
        const client = connect();
        const socket = sockets.at(-1);
        socket.greet();
        client.request('subscribe_rooms', { gameType: 'test' });
        await socket.answer('subscribe_rooms', { rooms: [], more: false });
        client.join({ roomId: 'k7pmw2qx', playerName: 'Ada' });
        await socket.answer('join_room', { ...joined, url: NODE });
        return { status: client.status, sockets: sockets.length };
    ")
    .await;
    assert_eq!(outcome, json!({ "status": "open", "sockets": 1 }));
}

#[tokio::test]
async fn no_more_than_32_requests_are_unanswered_and_64_wait() {
    let outcome = run("
        const { client, socket } = await seated();
        const before = socket.sent.length;
        let refused = [];
        for (let i = 0; i < 97; i += 1) client.act({ i }).catch((error) => refused.push(error.code));
        await Promise.resolve();
        await Promise.resolve();
        const atOnce = socket.sent.length - before;
        await socket.answer('game_action', { seq: 10 });
        return { atOnce, then: socket.sent.length - before, refused };
    ")
    .await;
    assert_eq!(outcome, json!({ "atOnce": 32, "then": 33, "refused": ["CLIENT_BUSY"] }));
}

#[tokio::test]
async fn patches_do_what_rfc_6902_says_and_leave_the_original_alone() {
    let outcome = run(r#"
        const { applyPatch } = await import('/parlor/patch.js');
        const original = { a: [1, 2, 3], b: { c: 1 }, 'x/y': 1, 'm~n': 2 };
        const copy = structuredClone(original);
        const result = (...ops) => { try { return applyPatch(original, ops); } catch (error) { return error.name; } };
        const wrong = [
            { op: 'remove', path: '/none' }, { op: 'replace', path: '/a/3', value: 0 }, { op: 'add', path: '/a/4', value: 0 },
            { op: 'replace', path: '/a/-', value: 0 }, { op: 'add', path: '/none/x', value: 0 }, { op: 'remove', path: '/a/01' },
            { op: 'remove', path: '' }, { op: 'remove', path: 'a' },
        ];
        return {
            array: result({ op: 'add', path: '/a/1', value: 9 }, { op: 'add', path: '/a/-', value: 7 }, { op: 'remove', path: '/a/0' }).a,
            deep: result({ op: 'replace', path: '/b/c', value: { d: 2 } }, { op: 'add', path: '/b/c/e', value: null }).b,
            escaped: result({ op: 'replace', path: '/x~1y', value: 3 }, { op: 'remove', path: '/m~0n' }),
            whole: result({ op: 'replace', path: '', value: 4 }),
            refused: wrong.filter((op) => result(op) === 'RangeError').length,
            proto: result({ op: 'add', path: '/__proto__', value: { evil: 1 } }).evil ?? null,
            untouched: JSON.stringify(original) === JSON.stringify(copy),
        };
    "#)
    .await;
    let expect = json!({
        "array": [9, 2, 3, 7],
        "deep": { "c": { "d": 2, "e": null } },
        "escaped": { "a": [1, 2, 3], "b": { "c": 1 }, "x/y": 3 },
        "whole": 4,
        "refused": 8,
        "proto": null,
        "untouched": true,
    });
    assert_eq!(outcome, expect);
}

/// The same cases as in the game's own tests.
#[tokio::test]
async fn dice_on_the_page_are_worth_what_the_game_says() {
    let outcome = run("
        const { worth } = await import('/play/farkle-score.js');
        return [[1, 5], [1, 1, 1, 1], [1, 2, 3, 4, 5, 1], [2, 3, 4, 5, 6, 5], [2, 2, 2, 3, 3, 3], [2, 2], [1, 4, 5], [1, 2, 3, 4, 5, 3]].map(worth);
    ")
    .await;
    assert_eq!(outcome, json!([150, 2000, 600, 800, 500, 0, 0, 0]));
}

/// Runs `body` in a page that has nothing of its own going on.
async fn run(body: &str) -> Value {
    let parlor = Server::start(env!("CARGO_BIN_EXE_parlor"));
    let driver = Driver::start();
    let browser = Browser::open(&driver, Screen::Desk).await;
    browser.goto(&parlor.url("/icon.svg")).await;
    let outcome = browser.run(&format!("{STAGE} {body}")).await;
    // Which every browser asks for where a page does not name its icon; a picture names none.
    browser.finish_despite(|complaint| complaint.contains("/favicon.ico")).await;
    outcome
}

/// A socket, a clock and timers in the hands of the test, and a client with a seat.
const STAGE: &str = "
    let now = 1000000;
    Date.now = () => now;
    const timers = [];
    let nextTimer = 1;
    globalThis.setTimeout = (call, delay) => (timers.push({ id: nextTimer, call, delay, at: now + delay }), nextTimer++);
    globalThis.clearTimeout = (id) => { const i = timers.findIndex((timer) => timer.id === id); if (i >= 0) timers.splice(i, 1); };
    const pass = (time) => {
        now += time;
        for (const timer of timers.filter(({ at }) => at <= now)) { clearTimeout(timer.id); timer.call(); }
    };

    const sockets = [];
    globalThis.WebSocket = class {
        sent = [];
        constructor(url) { this.url = url; sockets.push(this); }
        send(text) { this.sent.push(JSON.parse(text)); }
        closed = false;
        close() { this.closed = true; }
        say(message) { this.onmessage({ data: JSON.stringify(message) }); }
        lose(code) { this.onclose({ code }); }
        greet() {
            const data = { heartbeatMs: 20000, serverTime: now, limits: { maxMessageBytes: 16384 } };
            this.say({ type: 'welcome', data });
        }
        /** Answers the oldest request of a type, and lets its promise be heard. */
        async answer(type, data) {
            const { id } = this.sent.find((request) => request.type === type && !request.answered);
            this.sent.find((request) => request.id === id).answered = true;
            this.say({ type: `${type}_result`, id, success: true, data });
            await Promise.resolve();
            await Promise.resolve();
        }
    };
    /** Lets the time pass until the client has tried again. */
    const nextSocket = async () => {
        const count = sockets.length;
        pass(10000);
        if (sockets.length !== count + 1) throw new Error('no other try was made');
        return sockets.at(-1);
    };

    const { connect } = await import('/parlor.js');
    const player = (playerId, name) => ({ playerId, name, kind: 'human', connected: true, ready: false });
    const joined = {
        roomId: 'K7PMW2QX', gameType: 'test', playerId: 1, sessionToken: 'secret', epoch: 'e', seq: 10, lastId: 7,
        version: 3, phase: 'playing', host: 1, players: [player(1, 'Ada'), player(2, 'Ben')], state: {}, chat: [],
    };
    const NODE = 'wss://node-2.example/ws';
    const seated = () => sentTo(undefined);
    /** A client that is told, as it sits down, that its room is at another node. */
    const sentTo = async (url) => {
        const client = connect();
        const socket = sockets.at(-1);
        socket.greet();
        const joining = client.join({ roomId: 'k7pmw2qx', playerName: 'Ada' });
        await socket.answer('join_room', { ...joined, url });
        await joining;
        return { client, socket };
    };
";
