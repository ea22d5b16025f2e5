//! The arena in real browsers, against the real binary: whether everybody sees the same, and whether one
//! can play it with keys and with fingers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use parlor_testutil::browser::{Browser, Driver, LEFT, RIGHT, Screen};
use parlor_testutil::process::Server;
use parlor_testutil::wire::Wire;
use serde_json::Value;

/// Ada, Ben and a bot. Whoever of the two is it runs to the other; a bot that is it comes by itself.
#[tokio::test]
async fn two_people_and_a_bot_play_a_round_and_see_the_same() {
    let parlor = Server::start(env!("CARGO_BIN_EXE_parlor"));
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    let ben = Browser::open(&driver, Screen::Desk).await;
    // Long enough for a machine that has much else to do.
    let link = open_table(&ada, &parlor.url(""), "1 minute").await;
    ben.goto(&link).await;
    ben.fill("Your name", "Ben").await;
    ben.press("Take a seat").await;
    ada.see("Ben is here").await;
    ada.choose("Or play against a bot", "Sprinter").await;
    ada.press("Add a bot").await;
    ada.see("bot").await;
    ada.press("Start the game").await;
    for page in [&ada, &ben] {
        page.until(
            "return document.querySelector('.clock')?.innerText.startsWith('0:')",
            vec![],
            "the clock",
        )
        .await;
    }

    // Along the rows where spots are, nothing is in the way.
    for (runner, id, other) in [(&ada, ADA, &ben), (&ben, BEN, &ada)] {
        let (x, _) = place(other, id).await;
        runner.hold_key(if x < 600.0 { RIGHT } else { LEFT }).await;
        moved(other, id, x).await;
        runner.release().await;
        let trail = samples(&ada).await;
        let seen = samples(&ben).await;
        let both: Vec<&u64> = trail.keys().filter(|version| seen.contains_key(version)).collect();
        assert!(both.len() >= 3, "they know the same versions: {both:?}");
        for version in both {
            assert_eq!(trail[version], seen[version], "at version {version}");
        }
        drawn_near(&ada, &ben).await;
        drawn_near(&ben, &ada).await;
    }

    for (page, me, other) in [(&ada, ADA, BEN), (&ben, BEN, ADA)] {
        page.run(&RUN_WHEN_IT.replace("ME", me).replace("OTHER", other)).await;
    }
    ada.see(" tagged ").await;
    ben.see(" tagged ").await;
    picture(&ada, "desk-play").await;

    let ranking = ranking(&ada, "Ada").await;
    assert_eq!(ranking, self::ranking(&ben, "Ben").await);
    assert_eq!(ranking.len(), 3);
    picture(&ada, "desk-end").await;
    ada.press("Play again").await;
    ada.see("Start the game").await;
    ada.finish().await;
    ben.finish().await;
}

#[tokio::test]
async fn on_a_phone_one_runs_with_a_stick_and_dashes_with_a_button() {
    let parlor = Server::start(env!("CARGO_BIN_EXE_parlor"));
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Phone).await;
    open_table(&ada, &parlor.url(""), "30 seconds").await;
    for _ in 0..5 {
        ada.press("Add a bot").await;
    }
    ada.until("return document.querySelectorAll('.players li').length === 6", vec![], "five bots")
        .await;
    ada.press("Start the game").await;
    ada.see("Dash").await;
    assert_eq!(ada.overflow_px().await, 0, "the page is as wide as its window");

    let (x, _) = place(&ada, ADA).await;
    let side = if x < 600.0 { 1.0 } else { -1.0 };
    ada.pull(STICK, side * 50.0, 0.0).await;
    let there = moved(&ada, ADA, x).await;
    assert!((there - x) * side > 0.0, "it ran where the stick was pulled: from {x} to {there}");
    ada.until(
        "return document.querySelector('.stick-knob').style.transform.includes('px')",
        vec![],
        "the knob",
    )
    .await;
    picture(&ada, "phone-play").await;
    ada.release().await;

    // Right after another direction and as short as can be, and not lost for that.
    let dash = "
        const dash = document.querySelector('.dash');
        document.body.dispatchEvent(new KeyboardEvent('keydown', { code: 'KeyW', bubbles: true }));
        for (const type of ['pointerdown', 'pointerup']) {
          dash.dispatchEvent(new PointerEvent(type, { pointerId: 7, pointerType: 'touch', bubbles: true }));
        }
        return true;
    ";
    ada.run(dash).await;
    let resting = "return document.querySelector('.dash.resting') !== null";
    ada.until(resting, vec![], "the dash to rest").await;

    near_the_end(&ada).await;
    ada.see("in first").await;
    picture(&ada, "phone-end").await;
    assert_eq!(ada.overflow_px().await, 0, "the page is as wide as its window");
    ada.finish().await;
}

/// The server lets one who is away stand still and forgets where it ran.
#[tokio::test]
async fn who_holds_a_key_through_a_lost_connection_runs_on_when_it_is_back() {
    let parlor = Server::start(env!("CARGO_BIN_EXE_parlor"));
    let wire = Wire::to(parlor.address()).await;
    let driver = Driver::start();
    let ada = Browser::open(&driver, Screen::Desk).await;
    open_table(&ada, &wire.url(""), "1 minute").await;
    ada.press("Add a bot").await;
    ada.press("Start the game").await;
    let (x, _) = place(&ada, ADA).await;
    let there = if x < 600.0 { RIGHT } else { LEFT };
    ada.hold_key(there).await;
    moved(&ada, ADA, x).await;

    wire.cut();
    ada.see("Connection lost").await;
    let (x, _) = place(&ada, ADA).await;
    wire.mend();

    ada.see("Connected").await;
    let now = moved(&ada, ADA, x).await;
    assert!((now > x) == (there == RIGHT), "from {x} to {now}");
    ada.release().await;
    ada.finish_despite(|complaint| complaint.contains("WebSocket connection to")).await;
}

/// Drawn 75 ms in the past; each line is a time and where the first player is then.
#[tokio::test]
async fn players_are_drawn_between_the_last_updates_and_run_on_a_little() {
    let parlor = Server::start(env!("CARGO_BIN_EXE_parlor"));
    let driver = Driver::start();
    let page = Browser::open(&driver, Screen::Desk).await;
    page.goto(&parlor.url("/play/arena")).await;
    let body = "
        const { Motion } = await import('/play/arena-motion.js');
        const motion = new Motion();
        const seen = (...times) => times.map((time) => Math.round(motion.at(time)[1]?.[0]));
        const nobody = seen(900);
        motion.add(1, { 1: [0, 0] }, 1000);
        const alone = seen(1000, 2000);
        motion.add(2, { 1: [50, 0] }, 1050);
        const moving = seen(1060, 1100, 1125, 1150);
        const late = seen(1185, 5000);
        // Everybody stood still until now, and one has come in.
        motion.add(3, { 1: [60, 0], 2: [7, 7] }, 2050);
        const again = seen(2074, 2100, 2125);
        return [nobody, alone, moving, late, again, motion.at(2100)[2], motion.isSettled(2124), motion.isSettled(2125)];
    ";
    let expect = serde_json::json!([
        [null],
        [0, 0],
        [0, 25, 50, 75],
        [110, 110],
        [50, 55, 60],
        [7, 7],
        false,
        true
    ]);
    assert_eq!(page.run(body).await, expect);
    page.finish().await;
}

/// Opens a table for a round of so long, as the page calls it, and says its link.
async fn open_table(host: &Browser, base: &str, round: &str) -> String {
    host.goto(&format!("{base}/play/arena")).await;
    host.fill("Your name", "Ada").await;
    host.choose("A round takes", round).await;
    host.press("Open the table").await;
    host.see("Waiting for one more player").await;
    host.value("Invite with this link").await
}

/// Waits for the last seconds of the round, which is longer than one waits for a thing.
async fn near_the_end(page: &Browser) {
    let script = "return document.querySelector('.clock').matches('.hurry, [hidden]')";
    page.until(script, vec![], "the last seconds").await;
}

/// Where a page has a player by its last update.
async fn place(page: &Browser, id: &str) -> (f64, f64) {
    let script = "return import('/play/arena.js').then(({ motion }) => motion.samples.at(-1)?.places[arguments[0]])";
    let script = script.replace("arguments[0]", &format!("'{id}'"));
    let place = page.until(&script, vec![], "a place").await;
    (place[0].as_f64().expect("a number"), place[1].as_f64().expect("a number"))
}

/// Waits until a page has a player far from `x`, and says where.
async fn moved(page: &Browser, id: &str, x: f64) -> f64 {
    let script = format!(
        "return import('/play/arena.js').then(({{ motion }}) => {{
            const [x] = motion.samples.at(-1)?.places['{id}'] ?? [arguments_x];
            return Math.abs(x - arguments_x) >= 60 && [x];
        }})"
    );
    let script = script.replace("arguments_x", &x.to_string());
    let there = page.until(&script, vec![], &format!("{id} to move")).await;
    there[0].as_f64().expect("a number")
}

/// What a page was told of where everybody is, by version.
async fn samples(page: &Browser) -> BTreeMap<u64, Value> {
    let body = "
        const { motion } = await import('/play/arena.js');
        return motion.samples.map(({ version, places }) => [version, places]);
    ";
    let samples = page.run(body).await;
    let samples = samples.as_array().expect("a list of samples").clone();
    samples
        .into_iter()
        .map(|sample| (sample[0].as_u64().expect("a version"), sample[1].clone()))
        .collect()
}

/// Checks that everybody is drawn within a step of where another page was told that they were. What is
/// drawn first and told later is looked at again, for either page may be the slower one.
async fn drawn_near(page: &Browser, other: &Browser) {
    let mut far = None;
    for _ in 0..LOOKS_MAX {
        let drawn = page.run("return (await import('/play/arena.js')).drawn").await;
        let drawn = drawn.as_object().expect("places by player").clone();
        assert_eq!(drawn.len(), 3);
        let samples = samples(other).await;
        let is_near = |id: &str, at: &Value| {
            samples.values().any(|places| {
                let off = |axis: usize| {
                    at[axis].as_f64().unwrap() - places[id][axis].as_f64().unwrap_or(f64::MAX)
                };
                off(0).hypot(off(1)) <= STEP_UNITS
            })
        };
        far = drawn.into_iter().find(|(id, at)| !is_near(id, at));
        if far.is_none() {
            return;
        }
    }
    panic!("{far:?} is drawn where the other page was never told that it was");
}

/// The ranking as a page shows it together with the words that it is one: names and times.
async fn ranking(page: &Browser, me: &str) -> Vec<(String, String)> {
    near_the_end(page).await;
    let script = "
        const text = (row, column) => row.children[column].innerText;
        return document.querySelector('.headline').innerText.includes('in first') &&
          [document.querySelector('.ranking h2').innerText,
           [...document.querySelectorAll('.standings li')].map((row) => [text(row, 1), text(row, 2)])];
    ";
    let ranking = page.until(script, vec![], "the ranking").await;
    assert_eq!(ranking[0], "The ranking", "both at once");
    let rows = &ranking[1];
    let text = |value: &Value| value.as_str().expect("a text").replace("You", me);
    let rows = rows.as_array().expect("rows").iter();
    rows.map(|row| (text(&row[0]), text(&row[1]))).collect()
}

/// For people to look at.
async fn picture(page: &Browser, name: &str) {
    let directory: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("arena");
    std::fs::create_dir_all(&directory).expect("the directory can be made");
    page.screenshot(&directory.join(format!("{name}.png"))).await;
}

/// Ids in the order of sitting down.
const ADA: &str = "1";
const BEN: &str = "2";
const STICK: &str = "Stick: pull it where you run";
/// Looks at two pages until what one draws has been told to the other.
const LOOKS_MAX: usize = 20;
/// What the fastest covers in a step, and what rounding adds.
const STEP_UNITS: f64 = 24.0;
/// Runs to the other whenever this page's player is it, from within the page: a test that looks and presses keys
/// from outside is as slow as the machine is busy, and runs past. The way is where nothing stands: along the
/// row to a column of spots, along that to the other's row, and along the row.
///
/// What the page knows is late as well, by as much as the machine is busy: so the ways are as wide as walls leave them,
/// and the last bit to one is gone in short steps. Else one runs past it and back for ever. Along the edges of the field
/// nothing is free but what is as near to the edge as the spots are.
const RUN_WHEN_IT: &str = "
    const { motion } = await import('/play/arena.js');
    const [width, height] = [1200, 800];
    const edge = 40;
    const near = 34;
    const close = 120;
    const columns = [edge, 300, 600, 900, width - edge];
    let looks = 0;
    const isOn = (at, way, size) => {
      if (way <= edge) return at <= edge;
      if (way >= size - edge) return at >= size - edge;
      return Math.abs(at - way) <= near;
    };
    const along = (by, [less, more]) => (Math.abs(by) < close && looks % 12 >= 4 ? null : by < 0 ? less : more);
    const way = ([x, y], [toX, toY]) => {
      if (isOn(y, toY, height)) return toX < x ? 'ArrowLeft' : 'ArrowRight';
      const distance = (column) => Math.abs(x - column);
      const column = columns.reduce((one, two) => (distance(one) <= distance(two) ? one : two));
      if (!isOn(x, column, width)) return along(column - x, ['ArrowLeft', 'ArrowRight']);
      return along(toY - y, ['ArrowUp', 'ArrowDown']);
    };
    let held = null;
    const hold = (code) => {
      if (code === held) return;
      const key = (type, code) => document.body.dispatchEvent(new KeyboardEvent(type, { code, bubbles: true }));
      if (held) key('keyup', held);
      if (code) key('keydown', code);
      held = code;
    };
    setInterval(() => {
      looks += 1;
      const isIt = document.querySelector('.headline').innerText.startsWith('You are it');
      const places = motion.samples.at(-1)?.places;
      hold(isIt && places ? way(places['ME'], places['OTHER']) : null);
    }, 20);
    return true;
";
