use super::*;

/// 16 KiB in all, 8 per source, 4 per credential; whoever waits is refused in the end.
fn budget(patience: Duration) -> BodyBudget {
    BodyBudget::new(Room { all_kib: 16, source_kib: 8, credential_kib: 4, waiting: 2, patience })
}

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(5);

fn sender(host: u8, credential: u8) -> Sender {
    Sender { address: Some([192, 0, 2, host].into()), credential_id: CredentialId::from_bytes([credential; 16]) }
}

/// What is there without waiting.
fn now<'a>(budget: &'a BodyBudget, sender: Sender, bytes: usize) -> Option<Held<'a>> {
    budget.reserve(sender, bytes).now_or_never()?.ok()
}

/// As many reservations of 1 KiB as there is room for.
fn fill(budget: &BodyBudget, sender: Sender) -> Vec<Held<'_>> {
    std::iter::from_fn(|| now(budget, sender, 1024)).take(100).collect()
}

fn is_throttled(result: &Result<Held<'_>, ServiceError>) -> bool {
    matches!(result, Err(ServiceError::Throttled { retry_after_s: RETRY_AFTER_SECONDS, .. }))
}

#[tokio::test]
async fn credentials_sources_and_all_have_their_share() {
    let budget = budget(LONG);
    let first = fill(&budget, sender(1, 1));
    assert_eq!(first.len(), 4, "one credential");
    let second = fill(&budget, sender(1, 2));
    assert_eq!(second.len(), 4, "another of the same source");
    assert_eq!(fill(&budget, sender(1, 3)).len(), 0, "the source has no more");
    let third = fill(&budget, sender(2, 1));
    assert_eq!(third.len(), 4, "the same credential, named by another source");
    let fourth = fill(&budget, sender(3, 9));
    assert_eq!(fourth.len(), 4);
    assert_eq!(fill(&budget, sender(4, 9)).len(), 0, "there is no more at all");
    drop(first);
    assert_eq!(fill(&budget, sender(4, 9)).len(), 4);
}

#[tokio::test]
async fn what_is_dropped_is_free_again_and_nothing_is_kept_of_who_is_gone() {
    let budget = budget(LONG);
    for host in 0..=255 {
        drop(fill(&budget, sender(host, 1)));
    }
    assert_eq!(budget.shares.len(), 0);
    assert_eq!((budget.all.available_permits(), budget.places.available_permits()), (16, 2));
}

#[tokio::test]
async fn bytes_are_rounded_up_and_more_than_a_share_is_a_share() {
    let budget = budget(LONG);
    let taken = |bytes: usize| {
        let _held = now(&budget, sender(1, 1), bytes).unwrap();
        16 - budget.all.available_permits()
    };
    for (bytes, units) in [(0, 1), (1, 1), (1024, 1), (1025, 2), (4096, 4), (4097, 4), (usize::MAX, 4)] {
        assert_eq!(taken(bytes), units, "{bytes}");
    }
}

#[tokio::test]
async fn who_finds_no_room_waits_and_gets_what_is_freed() {
    let budget = budget(LONG);
    let mut held = fill(&budget, sender(1, 1));
    let mut waiting = pin!(budget.reserve(sender(1, 1), 1024));
    assert!(waiting.as_mut().now_or_never().is_none());
    assert_eq!(fill(&budget, sender(1, 2)).len(), 4, "others do not wait behind it");
    held.pop();
    assert!(waiting.await.is_ok());
}

#[tokio::test]
async fn who_waits_too_long_is_refused_and_so_is_one_too_many() {
    let budget = budget(SHORT);
    let _held = fill(&budget, sender(1, 1));
    assert!(is_throttled(&budget.reserve(sender(1, 1), 1).await));
    let budget = self::budget(LONG);
    let _held = fill(&budget, sender(1, 1));
    let (mut one, mut two) = (pin!(budget.reserve(sender(1, 1), 1)), pin!(budget.reserve(sender(1, 1), 1)));
    assert!(one.as_mut().now_or_never().is_none() && two.as_mut().now_or_never().is_none());
    assert!(is_throttled(&budget.reserve(sender(1, 1), 1).await), "there are two places to wait");
    assert!(now(&budget, sender(2, 1), 1).is_some(), "who need not wait needs no place");
}

#[tokio::test]
async fn who_goes_away_while_it_waits_leaves_nothing_behind() {
    let budget = budget(LONG);
    let held = [fill(&budget, sender(1, 1)), fill(&budget, sender(1, 2))];
    {
        // It has its part of the credential's share already, and waits for the source's.
        let mut gone = pin!(budget.reserve(sender(1, 3), 4096));
        assert!(gone.as_mut().now_or_never().is_none());
        assert_eq!(budget.places.available_permits(), 1);
        assert_eq!(budget.shares.len(), 4);
    }
    assert_eq!((budget.places.available_permits(), budget.shares.len()), (2, 3));
    drop(held);
    assert_eq!((budget.all.available_permits(), budget.shares.len()), (16, 0));
    assert_eq!(fill(&budget, sender(1, 3)).len(), 4);
}
