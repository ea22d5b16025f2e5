//! Frames as they leave, however little the socket takes at a time.

use std::task::Waker;

use parlor_gateway::outbox::{Class, OutboxLimits};

use super::*;

/// A socket that takes `step` bytes at a time and is busy in between.
struct Trickle {
    step: usize,
    busy: bool,
    written: Vec<u8>,
}

impl AsyncWrite for Trickle {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.busy = !self.busy;
        if self.busy {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let count = bytes.len().min(self.step);
        self.written.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let joined: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.poll_write(cx, &joined)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What a batch of messages of these lengths looks like on the wire.
fn expected(lengths: &[usize]) -> Vec<u8> {
    let mut expected = Vec::new();
    for (&length, fill) in lengths.iter().zip(b'a'..) {
        expected.push(0x82);
        match length {
            0..126 => expected.push(u8::try_from(length).unwrap()),
            126..65536 => {
                expected.push(126);
                expected.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                expected.push(127);
                expected.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        expected.extend(std::iter::repeat_n(fill, length));
    }
    expected
}

#[track_caller]
fn check(lengths: &[usize], step: usize) {
    let outbox = Outbox::new(OutboxLimits::default());
    for (&length, fill) in lengths.iter().zip(b'a'..) {
        let payload = vec![fill; length].into();
        let message = Message { payload, class: Class::Reliable, kind: FrameKind::Binary };
        outbox.push(message).unwrap();
    }
    let mut cx = Context::from_waker(Waker::noop());
    let mut batch = Batch::borrow();
    assert_eq!(batch.fill(&outbox, &mut cx), Poll::Ready(Taken::Messages { more: false }));

    let mut io = Trickle { step, busy: false, written: Vec::new() };
    let mut polls = 0;
    while batch.poll_write(&mut io, &mut cx).map(Result::unwrap).is_pending() {
        batch.shrink();
        polls += 1;
        assert!(polls < 1_000_000, "no progress");
    }
    batch.give_back();
    assert!(io.written == expected(lengths), "{lengths:?} in steps of {step}");
}

#[test]
fn every_length_is_framed_as_the_rfc_says() {
    check(&[0, 1, 125, 126, 127, 1024, 1025, 65535, 65536], usize::MAX);
}

#[test]
fn partial_writes_go_on_where_they_stopped() {
    for step in [1, 7, 1023, 5000] {
        check(&[3, 2000, 0, 126, 1025, 1025, 4], step);
        check(&[3, 5, 1024], step);
        check(&[70_000], step.max(100));
    }
}

#[test]
fn more_shared_payloads_than_slices_still_all_go_out() {
    check(&[1025; 60], usize::MAX);
}

#[test]
fn returned_batch_comes_back_empty() {
    let mut batch = Batch::borrow();
    append_control(&mut batch.copied, OPCODE_PING, b"x");
    batch.written = 1;
    batch.give_back();
    let batch = Batch::borrow();
    assert!(batch.is_empty() && batch.written == 0);
}

#[test]
fn close_reason_is_cut_at_a_character() {
    let mut frames = Vec::new();
    append_close(&mut frames, 1000, &format!("{}\u{20ac}", "x".repeat(121)));
    assert_eq!(frames[..4], [0x88, 2 + 121, 0x03, 0xe8]);
    assert_eq!(frames.len(), 2 + 2 + 121);
}
