//! What an idle player costs a server: resident memory with many of them sitting in rooms.
//!
//! ```sh
//! cargo build --release -p parlor-server
//! cargo run --release -p parlor-bench --bin idle-memory -- target/release/parlor 5000
//! ```
//!
//! Starts the server, reads its memory, lets players sit down in lobbies of farkle, six to a room, and
//! reads it again when every one of them has its seat.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments.next().unwrap_or_else(|| "target/release/parlor".to_owned());
    let players: usize = arguments.next().map_or(Ok(5000), |n| n.parse())?;

    let server = Server::start(&server)?;
    // One player first, so that what is made on first use is not counted.
    let first = Player::connect(&server.address)?;
    let before = server.resident_bytes()?;

    let mut seated = vec![first];
    let mut room = Value::Null;
    for number in 0..players {
        let mut player = Player::connect(&server.address)?;
        let name = format!("Player {number}");
        if number % SEATS == 0 {
            let joined =
                player.ask(&json!({"type": "create_room", "id": 1, "data": {"gameType": "farkle", "playerName": name}}))?;
            room = joined["data"]["roomId"].clone();
        } else {
            player.ask(&json!({"type": "join_room", "id": 1, "data": {"roomId": room, "playerName": name}}))?;
        }
        seated.push(player);
    }

    let after = server.resident_bytes()?;
    let each = after.saturating_sub(before) as f64 / players as f64;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{players} players in rooms of {SEATS}: {:.1} MiB before, {:.1} MiB after, {:.2} KiB each",
        before as f64 / 1048576.0,
        after as f64 / 1048576.0,
        each / 1024.0,
    )?;
    drop(seated);
    Ok(())
}

/// The server as a process of its own, ended when this is dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(path: &str) -> Result<Self, Box<dyn Error>> {
        let mut process =
            Command::new(path).args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn()?;
        let stdout = process.stdout.take().ok_or("the server has an output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .ok_or("the server says where it listens")?
            .to_owned();
        Ok(Self { process, address })
    }

    fn resident_bytes(&self) -> Result<u64, Box<dyn Error>> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kibibytes: u64 = line.split_whitespace().nth(1).ok_or("no figure")?.parse()?;
        Ok(kibibytes * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A socket that speaks just enough WebSocket, so that thousands of them fit beside the server.
struct Player(TcpStream);

impl Player {
    fn connect(address: &str) -> Result<Self, Box<dyn Error>> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(
            format!(
                "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            .as_bytes(),
        )?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        if !head.starts_with(b"HTTP/1.1 101") {
            return Err(String::from_utf8_lossy(&head).into());
        }
        Ok(Self(stream))
    }

    /// Sends a request and reads up to its response, which must be a success.
    fn ask(&mut self, request: &Value) -> Result<Value, Box<dyn Error>> {
        let text = request.to_string();
        // Masked with zeros, which changes nothing.
        let mut frame = vec![0x80 | TEXT];
        match u8::try_from(text.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | length),
            Ok(_) | Err(_) => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(text.len())?.to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.0.write_all(&frame)?;
        loop {
            let (opcode, payload) = self.read_frame()?;
            if opcode != TEXT {
                continue;
            }
            let message: Value = serde_json::from_slice(&payload)?;
            if message["id"] == request["id"] {
                return if message["success"] == true {
                    Ok(message)
                } else {
                    Err(message.to_string().into())
                };
            }
        }
    }

    fn read_frame(&mut self) -> Result<(u8, Vec<u8>), Box<dyn Error>> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        let length = match head[1] & 0x7f {
            126 => {
                let mut long = [0; 2];
                self.0.read_exact(&mut long)?;
                usize::from(u16::from_be_bytes(long))
            }
            127 => return Err("a message of more than 64 KiB".into()),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload)?;
        Ok((head[0] & 0x0f, payload))
    }
}

/// The opcode of a frame of text.
const TEXT: u8 = 1;

/// Players in a room.
const SEATS: usize = 6;
