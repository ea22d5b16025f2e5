//! MessagePack frames: a walk over the bytes that checks everything and builds nothing.
//!
//! The walk skips values by their length, so it finds where each begins and ends. It lets through
//! only what JSON could say too: keys are strings, strings are UTF-8, numbers are
//! finite; there are no byte strings and no extension types.

use crate::envelope::Unreadable;
use crate::limits::BATCH_REQUESTS_MAX;
use crate::raw::Raw;

/// The frame's only value, checked.
pub(crate) fn check_one(bytes: &[u8], depth_max: u8) -> Result<(), Unreadable> {
    let mut walk = Walk { rest: bytes };
    walk.skip(depth_max)?;
    walk.end()
}

/// Whether the frame is an array, judged by its first byte.
pub(crate) fn is_array(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x90..=0x9f | 0xdc | 0xdd))
}

/// The requests of a batch, each checked.
pub(crate) fn batch(bytes: &[u8], depth_max: u8) -> Result<Vec<Raw<'_>>, Unreadable> {
    let mut walk = Walk { rest: bytes };
    let Head::Array(count) = walk.head()? else { return Err(Unreadable::Malformed) };
    if count > BATCH_REQUESTS_MAX {
        return Err(Unreadable::BatchTooLong);
    }
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        if is_array(walk.rest) {
            return Err(Unreadable::NestedBatch);
        }
        items.push(Raw::MsgPack(walk.value(depth_max)?));
    }
    walk.end()?;
    Ok(items)
}

/// The values of the fields with these names, in the order of the names. The bytes were checked.
pub(crate) fn fields<'a, const N: usize>(
    bytes: &'a [u8],
    names: [&str; N],
) -> Result<[Option<Raw<'a>>; N], Unreadable> {
    let mut walk = Walk { rest: bytes };
    let Head::Map(count) = walk.head()? else { return Err(Unreadable::Malformed) };
    let mut fields = [None; N];
    for _ in 0..count {
        let key = walk.key()?;
        let value = walk.value(u8::MAX)?;
        let Some(place) = names.iter().position(|name| *name == key) else { continue };
        if fields[place].replace(Raw::MsgPack(value)).is_some() {
            return Err(Unreadable::Malformed);
        }
    }
    Ok(fields)
}

/// What a value's first bytes say about the rest of it.
enum Head {
    /// The value is complete.
    Scalar,
    /// So many bytes of text follow.
    Text(usize),
    /// So many values follow.
    Array(usize),
    /// So many keys and values follow.
    Map(usize),
}

struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    /// Passes one value, and returns its bytes.
    fn value(&mut self, depth_max: u8) -> Result<&'a [u8], Unreadable> {
        let start = self.rest;
        self.skip(depth_max)?;
        Ok(&start[..start.len() - self.rest.len()])
    }

    /// Passes one value with at most `depth_max` levels of arrays and maps.
    fn skip(&mut self, depth_max: u8) -> Result<(), Unreadable> {
        match self.head()? {
            Head::Scalar => {}
            Head::Text(length) => {
                self.text(length)?;
            }
            Head::Array(count) => {
                let inner_max = depth_max.checked_sub(1).ok_or(Unreadable::TooDeep)?;
                self.check_count(count)?;
                for _ in 0..count {
                    self.skip(inner_max)?;
                }
            }
            Head::Map(count) => {
                let inner_max = depth_max.checked_sub(1).ok_or(Unreadable::TooDeep)?;
                self.check_count(count.saturating_mul(2))?;
                for _ in 0..count {
                    self.key()?;
                    self.skip(inner_max)?;
                }
            }
        }
        Ok(())
    }

    fn key(&mut self) -> Result<&'a str, Unreadable> {
        match self.head()? {
            Head::Text(length) => self.text(length),
            Head::Scalar | Head::Array(_) | Head::Map(_) => Err(Unreadable::Malformed),
        }
    }

    fn head(&mut self) -> Result<Head, Unreadable> {
        let [marker] = self.array()?;
        Ok(match marker {
            0x80..=0x8f => Head::Map(usize::from(marker & 0x0f)),
            0x90..=0x9f => Head::Array(usize::from(marker & 0x0f)),
            0xa0..=0xbf => Head::Text(usize::from(marker & 0x1f)),
            0xca => self.finite(f32::from_be_bytes(self.peek()?).into(), 4)?,
            0xcb => self.finite(f64::from_be_bytes(self.peek()?), 8)?,
            // Small integers, nil, false and true are whole in their first byte.
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Head::Scalar,
            0xcc | 0xd0 => self.scalar(1)?,
            0xcd | 0xd1 => self.scalar(2)?,
            0xce | 0xd2 => self.scalar(4)?,
            0xcf | 0xd3 => self.scalar(8)?,
            0xd9 => Head::Text(usize::from(u8::from_be_bytes(self.array()?))),
            0xda => Head::Text(usize::from(u16::from_be_bytes(self.array()?))),
            0xdb => Head::Text(self.length_32()?),
            0xdc => Head::Array(usize::from(u16::from_be_bytes(self.array()?))),
            0xdd => Head::Array(self.length_32()?),
            0xde => Head::Map(usize::from(u16::from_be_bytes(self.array()?))),
            0xdf => Head::Map(self.length_32()?),
            // Never used, byte strings, extensions.
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => return Err(Unreadable::Malformed),
        })
    }

    fn scalar(&mut self, length: usize) -> Result<Head, Unreadable> {
        self.take(length)?;
        Ok(Head::Scalar)
    }

    fn finite(&mut self, number: f64, length: usize) -> Result<Head, Unreadable> {
        if number.is_finite() { self.scalar(length) } else { Err(Unreadable::Malformed) }
    }

    fn length_32(&mut self) -> Result<usize, Unreadable> {
        usize::try_from(u32::from_be_bytes(self.array()?)).map_err(|_| Unreadable::Malformed)
    }

    fn text(&mut self, length: usize) -> Result<&'a str, Unreadable> {
        str::from_utf8(self.take(length)?).map_err(|_| Unreadable::Malformed)
    }

    /// Each value takes a byte at least, so a longer claim is a lie, found before it is walked.
    fn check_count(&self, values: usize) -> Result<(), Unreadable> {
        if values <= self.rest.len() { Ok(()) } else { Err(Unreadable::Malformed) }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Unreadable::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let bytes = self.peek()?;
        self.take(N)?;
        Ok(bytes)
    }

    fn peek<const N: usize>(&self) -> Result<[u8; N], Unreadable> {
        self.rest.first_chunk().copied().ok_or(Unreadable::Malformed)
    }

    fn end(&self) -> Result<(), Unreadable> {
        if self.rest.is_empty() { Ok(()) } else { Err(Unreadable::Malformed) }
    }
}
