//! A way to a server that can be cut and mended.
//!
//! [`Wire`] carries bytes of TCP connections and knows nothing of what they say. It ends with the runtime
//! it was made on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A port that leads to a server, as long as it is whole.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    whole: AtomicBool,
    cut: Notify,
}

impl Wire {
    /// Listens on a free port, and carries what comes there to `server` and back.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(State { whole: AtomicBool::new(true), cut: Notify::new() });
        tokio::spawn(listen(listener, server, Arc::clone(&state)));
        Self { address, state }
    }

    /// The URL of a path of the server, by way of the wire.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Ends every connection; further ones end as they come.
    pub fn cut(&self) {
        self.state.whole.store(false, Ordering::SeqCst);
        self.state.cut.notify_waiters();
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.state.whole.store(true, Ordering::SeqCst);
    }
}

async fn listen(listener: TcpListener, server: SocketAddr, state: Arc<State>) {
    while let Ok((near, _)) = listener.accept().await {
        tokio::spawn(carry(near, server, Arc::clone(&state)));
    }
}

async fn carry(mut near: TcpStream, server: SocketAddr, state: Arc<State>) {
    // Taken before looking, so that a cut in between is not missed.
    let cut = state.cut.notified();
    if !state.whole.load(Ordering::SeqCst) {
        return;
    }
    let Ok(mut far) = TcpStream::connect(server).await else { return };
    // Whichever ends first, both sockets are dropped: to lose bytes is what a cut is for.
    tokio::select! {
        () = cut => {}
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
    }
}
