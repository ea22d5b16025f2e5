//! The PROXY protocol, version 2: what a proxy says of a connection before anything else.
//!
//! As in HAProxy's `doc/proxy-protocol.txt`: 12 bytes that nothing else begins with, a command, an address family,
//! a length, and the addresses.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use ppp::v2::{Addresses, Command, Header};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Reads the header, and says for whom the proxy connects: `None` when it does so for itself, to see whether
/// there is someone.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut header = vec![0; FIXED_BYTES];
    stream.read_exact(&mut header).await?;
    if !header.starts_with(ppp::v2::PROTOCOL_PREFIX) {
        return Err(broken("the proxy did not begin by the PROXY protocol, version 2"));
    }
    let length = usize::from(u16::from_be_bytes([header[14], header[15]]));
    if length > ADDRESS_BYTES_MAX {
        return Err(broken("the proxy says too much"));
    }
    header.resize(FIXED_BYTES + length, 0);
    stream.read_exact(&mut header[FIXED_BYTES..]).await?;

    let header = Header::try_from(header.as_slice()).map_err(|error| broken(&error.to_string()))?;
    if header.command == Command::Local {
        return Ok(None);
    }
    let source: (IpAddr, u16) = match header.addresses {
        Addresses::IPv4(addresses) => (addresses.source_address.into(), addresses.source_port),
        Addresses::IPv6(addresses) => (addresses.source_address.into(), addresses.source_port),
        Addresses::Unspecified | Addresses::Unix(_) => return Ok(None),
    };
    Ok(Some(source.into()))
}

const FIXED_BYTES: usize = 16;
/// Addresses, and what proxies add to them: names, checksums, certificates' subjects.
const ADDRESS_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

    async fn of(parts: &[&[u8]]) -> io::Result<Option<SocketAddr>> {
        read(&mut parts.concat().as_slice()).await
    }

    #[tokio::test]
    async fn a_proxy_says_for_whom_it_connects() {
        let ipv4 = b"\xcb\x00\x71\x07\x0a\x00\x00\x01\x12\x34\x00\x50";
        let source = of(&[PREFIX, b"\x21\x11\x00\x0c", ipv4]).await.unwrap();
        assert_eq!(source, Some("203.0.113.7:4660".parse().unwrap()));

        let ipv6 =
            [&[0x20, 1, 0xd, 0xb8], [0; 11].as_slice(), &[7], &[0; 16], &[0x12, 0x34, 0, 80]]
                .concat();
        let source = of(&[PREFIX, b"\x21\x21\x00\x24", &ipv6]).await.unwrap();
        assert_eq!(source, Some("[2001:db8::7]:4660".parse().unwrap()));

        let and_more = [ipv4.as_slice(), b"\x04\x00\x01\x00"].concat();
        let source = of(&[PREFIX, b"\x21\x11\x00\x10", &and_more]).await.unwrap();
        assert_eq!(source, Some("203.0.113.7:4660".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_proxy_that_only_looks_connects_for_itself() {
        assert_eq!(of(&[PREFIX, b"\x20\x00\x00\x00"]).await.unwrap(), None);
        assert_eq!(of(&[PREFIX, b"\x21\x00\x00\x00"]).await.unwrap(), None);
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        for parts in [
            &[b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".as_slice()][..],
            &[b"PROXY TCP4 203.0.113.7 10.0.0.1 4660 80\r\n"],
            &[PREFIX],
            &[PREFIX, b"\x21\x11\x00\x0c", b"\xcb\x00"],
            &[PREFIX, b"\x31\x11\x00\x00"],
            &[PREFIX, b"\x21\x11\xff\xff", &[0; 4]],
        ] {
            assert!(of(parts).await.is_err(), "{parts:?}");
        }
    }
}
