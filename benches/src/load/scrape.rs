//! What the server says of itself at `/metrics`, where it has that: how many messages wait in its outboxes.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::report::Queue;

/// Looks again and again, on a thread of its own, until it is asked what it saw.
#[derive(Debug)]
pub(super) struct Watch {
    is_over: Arc<AtomicBool>,
    /// The most that was seen. `None` when the server does not say.
    thread: JoinHandle<Option<Queue>>,
}

impl Watch {
    pub(super) fn begin(server: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut most: Option<Queue> = None;
            while !until.load(Ordering::Relaxed) {
                let queue = read(&scrape(server).ok()?)?;
                let so_far = most.get_or_insert(queue);
                so_far.messages = so_far.messages.max(queue.messages);
                so_far.deepest = so_far.deepest.max(queue.deepest);
                thread::park_timeout(PACE);
            }
            most
        });
        Self { is_over, thread }
    }

    pub(super) fn end(self) -> Option<Queue> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().ok().flatten()
    }
}

fn scrape(server: SocketAddr) -> io::Result<String> {
    let mut socket = TcpStream::connect_timeout(&server, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes())?;
    let mut answer = String::new();
    socket.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

fn read(answer: &str) -> Option<Queue> {
    let value = |name: &str| {
        let mut lines = answer.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    };
    Some(Queue {
        messages: value("parlor_outbox_messages")?,
        deepest: value("parlor_outbox_messages_max")?,
    })
}

const PACE: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_is_read_from_a_scrape_and_from_nothing_else() {
        let answer = "HTTP/1.1 200 OK\r\n\r\n# HELP parlor_outbox_messages Those that wait.\n\
            parlor_outbox_messages 12\nparlor_outbox_messages_max 7\n# EOF\n";
        assert_eq!(read(answer), Some(Queue { messages: 12, deepest: 7 }));
        assert_eq!(read("HTTP/1.1 404 Not Found\r\n\r\n"), None);
    }
}
