use std::{
    sync::atomic::{AtomicUsize, Ordering},
    task::Wake,
};

use super::*;

/// Counts how often it is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// An outbox and its writer.
struct Fixture {
    outbox: Arc<Outbox>,
    wakes: Arc<Wakes>,
    waker: Waker,
    /// Counted by the fixture itself.
    queued: AtomicUsize,
    written: AtomicUsize,
}

impl Fixture {
    fn new(messages_max: usize, bytes_max: usize) -> Self {
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let outbox = Outbox::new(OutboxLimits { messages_max, bytes_max });
        Self { outbox, wakes, waker, queued: AtomicUsize::new(0), written: AtomicUsize::new(0) }
    }

    fn reliable(&self, body: &str) -> Result<Pushed, PushError> {
        self.push(body, Class::Reliable)
    }

    fn state(&self, body: &str) -> Result<Pushed, PushError> {
        self.push(body, Class::State)
    }

    fn push(&self, body: &str, class: Class) -> Result<Pushed, PushError> {
        let pushed = self.outbox.push(message(body, class));
        self.queued.fetch_add(usize::from(pushed.is_ok()), Ordering::Relaxed);
        pushed
    }

    /// What the writer gets, as text.
    fn take(&self, max: usize) -> Poll<Result<Vec<String>, u16>> {
        let mut messages = Vec::new();
        let mut cx = Context::from_waker(&self.waker);
        let taken = self.outbox.poll_take(&mut cx, max, &mut messages);
        self.written.fetch_add(messages.len(), Ordering::Relaxed);
        taken.map(|taken| match taken {
            Taken::Messages { .. } => Ok(messages
                .iter()
                .map(|message| String::from_utf8(message.payload.to_vec()).unwrap())
                .collect()),
            Taken::Close { code, .. } => Err(code),
        })
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }

    #[track_caller]
    fn check_totals(&self) {
        let totals = self.outbox.totals();
        let waiting = self.outbox.len() as u64;
        let counted = |counter: &AtomicUsize| counter.load(Ordering::Relaxed) as u64;
        assert_eq!(totals.queued, counted(&self.queued));
        assert_eq!(totals.written, counted(&self.written));
        assert_eq!(
            totals.queued,
            totals.written + totals.coalesced + totals.unsent + waiting,
            "{totals:?}"
        );
    }
}

fn message(body: &str, class: Class) -> Message {
    Message { payload: Arc::from(body.as_bytes()), class, kind: FrameKind::Text }
}

fn got(bodies: &[&str]) -> Poll<Result<Vec<String>, u16>> {
    Poll::Ready(Ok(bodies.iter().map(|&body| body.to_owned()).collect()))
}

#[test]
fn messages_leave_in_order_and_no_more_than_asked() {
    let fixture = Fixture::new(8, 100);
    for body in ["a", "b", "c"] {
        assert_eq!(fixture.reliable(body), Ok(Pushed::Queued));
    }
    assert_eq!(fixture.take(2), got(&["a", "b"]));
    assert_eq!(fixture.take(2), got(&["c"]));
    assert_eq!(fixture.take(2), Poll::Pending);
    fixture.check_totals();
}

#[test]
fn newer_state_replaces_the_undelivered_one_at_the_tail() {
    let fixture = Fixture::new(8, 100);
    assert_eq!(fixture.state("old"), Ok(Pushed::Queued));
    assert_eq!(fixture.reliable("a"), Ok(Pushed::Queued));
    assert_eq!(fixture.state("new"), Ok(Pushed::Replaced));
    assert_eq!(fixture.reliable("b"), Ok(Pushed::Queued));
    assert_eq!(fixture.take(8), got(&["a", "new", "b"]));
    assert_eq!(fixture.state("later"), Ok(Pushed::Queued), "a delivered state is not replaced");
    assert_eq!(fixture.outbox.totals().coalesced, 1);
    fixture.check_totals();
}

#[test]
fn patch_is_refused_while_what_it_builds_on_waits_and_the_whole_state_takes_its_place() {
    let fixture = Fixture::new(8, 100);
    let patch = |body| fixture.push(body, Class::Patch);
    assert_eq!(patch("1 to 2"), Ok(Pushed::Queued));
    assert_eq!(fixture.reliable("a"), Ok(Pushed::Queued));
    assert_eq!(patch("2 to 3"), Err(PushError::BaseWaits));
    assert_eq!(fixture.state("3"), Ok(Pushed::Replaced));
    assert_eq!(patch("3 to 4"), Err(PushError::BaseWaits));
    assert_eq!(fixture.take(8), got(&["a", "3"]));
    assert_eq!(patch("3 to 4"), Ok(Pushed::Queued), "what was taken is as good as seen");
    fixture.check_totals();
}

#[test]
fn states_alone_never_fill_the_outbox() {
    let fixture = Fixture::new(1, 4);
    for _ in 0..100 {
        fixture.state("four").unwrap();
    }
    assert_eq!(fixture.take(8), got(&["four"]));
    assert_eq!(fixture.outbox.totals().coalesced, 99);
    fixture.check_totals();
}

#[test]
fn message_bound_holds_to_the_message_and_closes_as_slow() {
    let fixture = Fixture::new(2, 100);
    fixture.reliable("a").unwrap();
    fixture.reliable("b").unwrap();
    assert_eq!(fixture.outbox.len(), 2);
    assert_eq!(fixture.reliable("c"), Err(PushError::Full));
    assert_eq!(fixture.take(8), Poll::Ready(Err(4002)), "what waited is dropped");
    assert_eq!(fixture.reliable("d"), Err(PushError::Closed));
    assert_eq!(
        fixture.outbox.totals(),
        OutboxTotals { queued: 2, written: 0, coalesced: 0, unsent: 2 }
    );
}

#[test]
fn byte_bound_holds_to_the_byte_behind_the_head() {
    let fixture = Fixture::new(8, 4);
    fixture.reliable("head").unwrap();
    fixture.reliable("four").unwrap();
    assert_eq!(fixture.reliable("+"), Err(PushError::Full));

    let fixture = Fixture::new(8, 4);
    fixture.reliable("head").unwrap();
    assert_eq!(fixture.reliable("fives"), Err(PushError::Full));
}

#[test]
fn message_over_the_byte_bound_gets_through_with_others_behind_it() {
    let fixture = Fixture::new(8, 4);
    fixture.reliable("a whole state, larger than the bound").unwrap();
    fixture.reliable("next").unwrap();
    assert_eq!(fixture.take(8), got(&["a whole state, larger than the bound", "next"]));
    fixture.check_totals();
}

#[test]
fn greeting_waits_beside_the_bounds_and_gives_its_room_back_as_it_is_taken() {
    let fixture = Fixture::new(2, 4);
    fixture.outbox.expect_greeting(3, 12);
    for _ in 0..3 {
        fixture.reliable("four").unwrap();
    }
    fixture.reliable("ab").unwrap();
    fixture.reliable("cd").unwrap();
    assert_eq!(fixture.take(3), got(&["four", "four", "four"]));
    assert_eq!(fixture.reliable("e"), Err(PushError::Full), "two wait, as ever");

    let fixture = Fixture::new(8, 4);
    for _ in 0..9 {
        fixture.outbox.expect_greeting(1, 4);
    }
    fixture.reliable("head").unwrap();
    fixture.reliable("four").unwrap();
    fixture.reliable("four").unwrap();
    assert_eq!(fixture.reliable("+"), Err(PushError::Full));
}

#[test]
fn replaced_state_gives_its_bytes_back() {
    let fixture = Fixture::new(8, 4);
    fixture.reliable("head").unwrap();
    fixture.state("four").unwrap();
    fixture.state("five").unwrap();
    assert_eq!(fixture.take(8), got(&["head", "five"]));
}

#[test]
fn push_wakes_nobody_and_wake_wakes_an_armed_writer_once() {
    let fixture = Fixture::new(8, 100);
    fixture.outbox.wake();
    assert_eq!(fixture.take(8), Poll::Pending);
    fixture.reliable("a").unwrap();
    assert_eq!(fixture.wakes(), 0, "a push wakes nobody");
    fixture.outbox.wake();
    fixture.outbox.wake();
    assert_eq!(fixture.wakes(), 1, "a woken writer is not armed");
    assert_eq!(fixture.take(8), got(&["a"]));
    fixture.reliable("b").unwrap();
    fixture.outbox.wake();
    assert_eq!(fixture.wakes(), 2, "a writer that took all there was is armed");
    fixture.reliable("c").unwrap();
    assert_eq!(fixture.take(1), got(&["b"]));
    fixture.outbox.wake();
    assert_eq!(fixture.wakes(), 2, "one that has more to take is not");
}

#[test]
fn close_comes_after_what_is_queued_and_the_first_one_wins() {
    let fixture = Fixture::new(8, 100);
    fixture.reliable("last words").unwrap();
    fixture.outbox.close(4001, "taken over");
    fixture.outbox.close(1001, "going away");
    assert_eq!(fixture.reliable("too late"), Err(PushError::Closed));
    assert_eq!(fixture.take(8), got(&["last words"]));
    assert_eq!(fixture.take(8), Poll::Ready(Err(4001)));
    assert_eq!(fixture.take(8), Poll::Ready(Err(4001)), "and again to whoever asks again");
    fixture.check_totals();
}

#[test]
fn close_wakes_a_writer_that_waits_for_messages_or_for_its_socket() {
    let fixture = Fixture::new(8, 100);
    assert_eq!(fixture.take(8), Poll::Pending);
    fixture.outbox.close(1001, "");
    assert_eq!(fixture.wakes(), 1);

    let fixture = Fixture::new(1, 100);
    let mut cx = Context::from_waker(&fixture.waker);
    assert_eq!(fixture.outbox.poll_closed(&mut cx), Poll::Pending);
    fixture.reliable("a").unwrap();
    fixture.outbox.wake();
    assert_eq!(fixture.wakes(), 0, "a blocked writer has no use for another message");
    assert_eq!(fixture.reliable("b"), Err(PushError::Full));
    fixture.outbox.wake();
    assert_eq!(fixture.wakes(), 1, "but must learn that it is too slow");
    assert_eq!(fixture.outbox.poll_closed(&mut cx), Poll::Ready(()));
}

#[test]
fn abandoned_outbox_holds_nothing_and_counts_it_as_unsent() {
    let fixture = Fixture::new(8, 100);
    assert_eq!(fixture.take(8), Poll::Pending);
    fixture.reliable("a").unwrap();
    fixture.outbox.abandon();
    assert!(fixture.outbox.is_empty());
    assert_eq!(fixture.reliable("b"), Err(PushError::Closed));
    assert_eq!(fixture.outbox.totals().unsent, 1);
    assert_eq!(Arc::strong_count(&fixture.wakes), 2, "the waker is gone too");
    fixture.check_totals();
}

#[test]
fn outbox_at_rest_is_small() {
    let bytes = size_of::<Outbox>() + 2 * size_of::<usize>();
    assert!(bytes <= 128, "{bytes} bytes with the counts of its Arc");
}

#[test]
fn memory_of_a_burst_is_given_back() {
    let fixture = Fixture::new(256, 1000);
    for _ in 0..256 {
        fixture.reliable("a").unwrap();
    }
    while fixture.take(64).is_ready() {}
    assert!(fixture.outbox.state.lock().queue.capacity() <= CAPACITY_AT_REST);
}

#[test]
fn logs_never_show_a_payload() {
    let fixture = Fixture::new(8, 100);
    fixture.reliable("secret").unwrap();
    let shown = format!("{:?} {:?}", fixture.outbox, message("secret", Class::State));
    assert!(!shown.contains("secret") && !shown.contains("115"), "{shown}");
}

#[test]
fn outbox_is_filling_from_a_quarter_of_either_bound() {
    let by_messages = Fixture::new(8, 1000);
    by_messages.reliable("a").unwrap();
    assert!(!by_messages.outbox.is_filling());
    by_messages.reliable("b").unwrap();
    assert!(by_messages.outbox.is_filling());
    assert!(by_messages.take(1).is_ready());
    assert!(!by_messages.outbox.is_filling(), "what is taken waits no more");

    let by_bytes = Fixture::new(100, 40);
    by_bytes.reliable("nine char").unwrap();
    assert!(!by_bytes.outbox.is_filling());
    by_bytes.reliable("x").unwrap();
    assert!(by_bytes.outbox.is_filling());
}
