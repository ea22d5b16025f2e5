//! Many clients on one thread: connects them, and hands out what each is sent.
//!
//! One thread and one poll, without tasks: a generator on one core has to keep up with a server on another.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};
use parlor_protocol::Codec;

use super::socket::{Socket, SocketError};

/// Clients by number.
pub(super) struct Fleet {
    poll: Poll,
    events: Events,
    sockets: Vec<Option<Socket>>,
    scratch: Box<[u8]>,
    /// Why sockets were lost, the first few.
    pub(super) losses: Vec<String>,
    /// Sockets lost so far that nobody [closed](Self::close).
    pub(super) lost: u64,
    /// Bytes read so far.
    pub(super) bytes_read: u64,
}

/// What has happened to a client.
pub(super) enum Happening<'a> {
    /// It may send.
    Open,
    /// It was sent this.
    Message(&'a [u8]),
    /// Its socket is gone.
    Lost,
}

impl Fleet {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_PER_TURN),
            sockets: Vec::new(),
            scratch: vec![0; SCRATCH_BYTES].into_boxed_slice(),
            losses: Vec::new(),
            lost: 0,
            bytes_read: 0,
        })
    }

    /// Begins to connect one more client. Gives its number.
    pub(super) fn connect(
        &mut self,
        server: SocketAddr,
        path: &str,
        codec: Codec,
    ) -> io::Result<usize> {
        let number = self.sockets.len();
        self.sockets.push(None);
        self.connect_again(number, server, path, codec)?;
        Ok(number)
    }

    /// Connects a client whose socket is gone.
    pub(super) fn connect_again(
        &mut self,
        number: usize,
        server: SocketAddr,
        path: &str,
        codec: Codec,
    ) -> io::Result<()> {
        let mut socket = Socket::connect(server, path, codec)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(socket.stream(), Token(number), interest)?;
        self.sockets[number] = Some(socket);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// How many have a socket.
    pub(super) fn open(&self) -> usize {
        self.sockets.iter().flatten().count()
    }

    /// Sends a message. Nothing happens when the client's socket is gone.
    pub(super) fn send(&mut self, number: usize, message: &[u8]) {
        if let Some(socket) = &mut self.sockets[number]
            && let Err(error) = socket.send(message)
        {
            self.lose(number, &error);
        }
    }

    /// Drops a client's connection without a word, as a network does.
    pub(super) fn close(&mut self, number: usize) {
        self.sockets[number] = None;
    }

    /// Waits up to `timeout` for something to happen, and says all that has.
    pub(super) fn turn(
        &mut self,
        timeout: Duration,
        mut on: impl FnMut(usize, Happening<'_>),
    ) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let Token(number) = event.token();
            let Some(socket) = &mut self.sockets[number] else { continue };
            let written = if event.is_writable() { socket.flush() } else { Ok(()) };
            let read = written.and_then(|()| {
                if !event.is_readable() {
                    return Ok((0, false));
                }
                socket.read(&mut self.scratch, |payload| on(number, Happening::Message(payload)))
            });
            match read {
                Ok((bytes, is_new)) => {
                    self.bytes_read += bytes as u64;
                    if is_new {
                        on(number, Happening::Open);
                    }
                }
                Err(error) => {
                    self.lose(number, &error);
                    on(number, Happening::Lost);
                }
            }
        }
        self.events = events;
        Ok(())
    }

    fn lose(&mut self, number: usize, error: &SocketError) {
        self.sockets[number] = None;
        self.lost += 1;
        if self.losses.len() < LOSSES_TOLD {
            self.losses.push(error.to_string());
        }
    }
}

const EVENTS_PER_TURN: usize = 1024;
const SCRATCH_BYTES: usize = 64 * 1024;
const LOSSES_TOLD: usize = 5;
