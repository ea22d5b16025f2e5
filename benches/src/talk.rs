//! Rooms without sockets in which someone talks, to see what a room's memory of it costs.

use std::io;

use parlor_gateway::Connection;
use parlor_protocol::Codec;
use serde_json::{Value, json};

use crate::{Marker, drain, joined_room, run, unhurried};

/// The bytes of this process that a room's history takes when so many lines were said in it, by rooms of one
/// player for each codec. Must be called within a tokio runtime.
pub fn memory_of_histories(rooms: usize, lines: usize, codecs: &[Codec]) -> io::Result<usize> {
    let gateway = unhurried().game(Marker).start();
    let mut tables = Vec::new();
    for _ in 0..rooms {
        let mut players: Vec<Connection> = Vec::new();
        let mut room = Value::Null;
        for codec in codecs {
            let mut player = gateway.connect(*codec);
            let data = match room.as_str() {
                None => json!({"gameType": "marker", "playerName": "Ada", "maxPlayers": 10}),
                Some(code) => json!({"roomId": code, "playerName": "Bob"}),
            };
            let kind = if room.is_null() { "create_room" } else { "join_room" };
            ask(&mut player, &json!({"type": kind, "data": data}));
            if room.is_null() {
                room = joined_room(&player);
            }
            players.push(player);
        }
        tables.push(players);
    }
    // The first line of each, so that what is made on first use is not counted.
    let mut taken = Vec::new();
    let mut say = |lines: usize| {
        for players in &mut tables {
            for _ in 0..lines {
                ask(&mut players[0], &json!({"type": "chat", "data": {"text": LINE}}));
                drain(players, &mut taken);
            }
        }
    };
    say(1);
    let before = resident_bytes()?;
    say(lines);
    Ok(resident_bytes()?.saturating_sub(before) / rooms)
}

fn ask(player: &mut Connection, request: &Value) {
    let codec = player.codec();
    let bytes = codec.encode(request).expect("a tree can be encoded");
    run(player, &bytes);
}

fn resident_bytes() -> io::Result<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    // The size of a page on every machine that Linux runs such servers on.
    pages.map(|pages| pages * 4096).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// With what stands around it, an event of about 100 bytes.
const LINE: &str = "it is your turn";
