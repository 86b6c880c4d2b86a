//! Events that wait for their next try, in the order of its time: a look costs what is due, whatever else waits.

use redb::{ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::deliveries::Delivery;
use crate::alive::{self, Notes};

/// By the time of the next try, then by the order in which they came.
const WAITING: TableDefinition<Place, &[u8]> = TableDefinition::new("eventbridge-waiting");
/// The number of the next event. Numbers are not used twice.
const NEXT: TableDefinition<(), u64> = TableDefinition::new("eventbridge-waiting-next");
/// When the service was seen to run last.
const ALIVE: Notes = TableDefinition::new("eventbridge-alive");
/// As a version before kept them: by the order in which they came alone.
const BEFORE: TableDefinition<u64, &[u8]> = TableDefinition::new("eventbridge-deliveries");

/// Where an event waits: the time of its next try in milliseconds since the epoch, and its number.
pub(super) type Place = (u64, u64);

/// Makes the tables, and takes over what a version before has left.
pub(super) fn open(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(WAITING)?;
    let mut before = Vec::new();
    {
        let mut table = transaction.open_table(BEFORE)?;
        while let Some((_, json)) = table.pop_first()? {
            before.push(json.value().to_vec());
        }
    }
    for json in before {
        match super::read(&json) {
            Ok(delivery) => put(transaction, &delivery)?,
            Err(error) => tracing::error!(%error, "an event for an API destination is given up"),
        }
    }
    Ok(())
}

/// Adds an event.
pub(super) fn put(transaction: &WriteTransaction, delivery: &Delivery) -> Result<(), redb::Error> {
    let mut next = transaction.open_table(NEXT)?;
    let number = next.get(())?.map_or(0, |number| number.value());
    next.insert((), number + 1)?;
    insert(transaction, number, delivery)
}

fn insert(transaction: &WriteTransaction, number: u64, delivery: &Delivery) -> Result<(), redb::Error> {
    let json = serde_json::to_vec(delivery).expect("a delivery has only string keys");
    let place = (delivery.not_before_ms, number);
    transaction.open_table(WAITING)?.insert(place, json.as_slice())?;
    Ok(())
}

/// Returns what is due, the earliest first and so many at most, and when there is more to do.
pub(super) fn due(
    index: &redb::Database,
    now_ms: u64,
    most: usize,
) -> Result<(Vec<(Place, Delivery)>, u64), redb::Error> {
    let table = index.begin_read()?.open_table(WAITING)?;
    let entries = table.range(..=(now_ms, u64::MAX))?.take(most);
    let due: Result<Vec<_>, redb::Error> = entries
        .map(|entry| {
            let (place, json) = entry?;
            Ok((place.value(), super::read(json.value())?))
        })
        .collect();
    let due = due?;
    // What fails now is due before the longest sleep is over.
    let next_ms = match (due.is_empty(), table.first()?) {
        (true, Some((place, _))) => place.value().0,
        (true, None) => u64::MAX,
        (false, _) => now_ms,
    };
    Ok((due, next_ms))
}

/// Keeps what came of a try: the event for its next one, or nothing.
pub(super) fn settle(
    index: &redb::Database,
    place: Place,
    kept: Option<&Delivery>,
) -> Result<(), redb::Error> {
    let transaction = index.begin_write()?;
    let accepted_ms = {
        let mut waiting = transaction.open_table(WAITING)?;
        let stored = take(&mut waiting, place)?;
        stored.and_then(|json| Some(super::read::<Delivery>(&json).ok()?.accepted_ms))
    };
    if let Some(delivery) = kept {
        let mut delivery = delivery.clone();
        // It may have become younger meanwhile.
        delivery.accepted_ms = delivery.accepted_ms.max(accepted_ms.unwrap_or_default());
        insert(&transaction, place.1, &delivery)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Takes out what waits at a place; it has another time where the clock was put back while it was tried.
fn take(waiting: &mut Table<'_, Place, &'static [u8]>, place: Place) -> Result<Option<Vec<u8>>, redb::Error> {
    let stored = waiting.remove(place)?.map(|json| json.value().to_vec());
    if stored.is_some() {
        return Ok(stored);
    }
    let mut moved = None;
    for entry in waiting.iter()? {
        let found = entry?.0.value();
        if found.1 == place.1 {
            moved = Some(found);
            break;
        }
    }
    match moved {
        Some(place) => Ok(waiting.remove(place)?.map(|json| json.value().to_vec())),
        None => Ok(None),
    }
}

/// Notes that the service runs, and makes what waits younger by the time that it stood still since it was noted before.
pub(super) fn note_alive(index: &redb::Database, now_ms: u64) -> Result<(), redb::Error> {
    let transaction = index.begin_write()?;
    let before = alive::note(&transaction, ALIVE, now_ms)?;
    let stood_still = alive::stood_still(before, now_ms);
    if stood_still > 0 {
        tracing::info!(
            milliseconds = stood_still,
            "the age of events for API destinations stood still"
        );
        keep_young(&transaction, stood_still, now_ms)?;
    }
    let put_back = alive::put_back(before, now_ms);
    if put_back > 0 {
        tracing::info!(
            milliseconds = put_back,
            "the clock was put back: events for API destinations are sent again as much earlier"
        );
        send_earlier(&transaction, put_back, now_ms)?;
    }
    transaction.commit()?;
    Ok(())
}

fn keep_young(transaction: &WriteTransaction, by_ms: u64, now_ms: u64) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(WAITING)?;
    let mut waiting: Vec<(Place, Delivery)> = Vec::new();
    for entry in table.iter()? {
        let (place, json) = entry?;
        match super::read(json.value()) {
            Ok(delivery) => waiting.push((place.value(), delivery)),
            Err(error) => {
                tracing::error!(%error, "the age of an event for an API destination stays as it is")
            }
        }
    }
    for (place, mut delivery) in waiting {
        delivery.accepted_ms = (delivery.accepted_ms + by_ms).min(now_ms);
        let json = serde_json::to_vec(&delivery).expect("a delivery has only string keys");
        table.insert(place, json.as_slice())?;
    }
    Ok(())
}

/// Puts the time of the next try of each event that waits back, as the clock was.
fn send_earlier(transaction: &WriteTransaction, by_ms: u64, now_ms: u64) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(WAITING)?;
    let places = table.iter()?.map(|entry| Ok(entry?.0.value()));
    let places: Vec<Place> = places.collect::<Result<_, redb::Error>>()?;
    for place in places {
        let stored = table.remove(place)?.map(|json| json.value().to_vec());
        let Some(json) = stored else { continue };
        let (not_before_ms, number) = place;
        let earlier = (not_before_ms.saturating_sub(by_ms), number);
        let json = match super::read::<Delivery>(&json) {
            Ok(mut delivery) => {
                delivery.not_before_ms = earlier.0;
                delivery.accepted_ms = delivery.accepted_ms.min(now_ms);
                serde_json::to_vec(&delivery).expect("a delivery has only string keys")
            }
            // It says so itself when it is due.
            Err(_) => json,
        };
        table.insert(earlier, json.as_slice())?;
    }
    Ok(())
}

/// Returns when an event that waits was accepted, as that counts by now; `None` if it is gone.
pub(super) fn accepted_ms(index: &redb::Database, place: Place) -> Result<Option<u64>, redb::Error> {
    let table = index.begin_read()?.open_table(WAITING)?;
    let json = table.get(place)?;
    let delivery: Option<Delivery> = json.map(|json| super::read(json.value())).transpose()?;
    Ok(delivery.map(|delivery| delivery.accepted_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{eventbridge::EventBridge, invocation_queue::InvocationQueue, store::Store};

    fn delivery(event_id: &str, not_before_ms: u64) -> Delivery {
        Delivery {
            destination_arn: "arn:aws:events:us-east-1:000000000000:api-destination/a/1".to_owned(),
            rule_arn: "arn".to_owned(),
            event_id: event_id.to_owned(),
            role_arn: None,
            payload: "{}".to_owned(),
            http: Default::default(),
            retry: Default::default(),
            accepted_ms: 1,
            attempts: 0,
            not_before_ms,
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a free folder");
        (folder, store)
    }

    fn ids(due: &[(Place, Delivery)]) -> Vec<&str> {
        due.iter()
            .map(|(_, delivery)| delivery.event_id.as_str())
            .collect()
    }

    #[test]
    fn a_look_reads_what_is_due_in_the_order_of_its_time_and_nothing_else() {
        let (_folder, store) = store();
        let transaction = store.index.begin_write().expect("a transaction");
        open(&transaction).expect("opened");
        for (id, at) in [("third", 30), ("first", 10), ("second", 10), ("later", 50)] {
            put(&transaction, &delivery(id, at)).expect("kept");
        }
        {
            let mut table = transaction.open_table(WAITING).expect("a table");
            // Who read it would fail.
            table.insert((60, 9), b"damaged".as_slice()).expect("kept");
        }
        transaction.commit().expect("kept");

        let (two, soon) = due(&store.index, 40, 2).expect("read");
        let (all, _) = due(&store.index, 40, 16).expect("read");
        let (none, next_ms) = due(&store.index, 9, 16).expect("read");

        assert_eq!((ids(&two), soon), (vec!["first", "second"], 40));
        assert_eq!(ids(&all), ["first", "second", "third"]);
        assert_eq!((none.len(), next_ms), (0, 10));
    }

    #[test]
    fn what_is_tried_again_waits_for_its_time_and_what_is_settled_is_gone() {
        let (_folder, store) = store();
        let transaction = store.index.begin_write().expect("a transaction");
        open(&transaction).expect("opened");
        put(&transaction, &delivery("a", 10)).expect("kept");
        put(&transaction, &delivery("b", 10)).expect("kept");
        transaction.commit().expect("kept");
        let (found, _) = due(&store.index, 10, 16).expect("read");

        settle(&store.index, found[0].0, Some(&delivery("a", 70))).expect("kept");
        settle(&store.index, found[1].0, None).expect("kept");

        assert_eq!(due(&store.index, 69, 16).expect("read").1, 70);
        let (again, _) = due(&store.index, 70, 16).expect("read");
        assert_eq!((ids(&again), again[0].0), (vec!["a"], (70, 0)));
    }

    #[test]
    fn an_event_is_tried_again_after_a_stop_longer_than_its_age() {
        const DAY: u64 = 24 * 60 * 60 * 1000;
        let (_folder, store) = store();
        let evening = 20_000 * DAY;
        let sent = Delivery {
            accepted_ms: evening,
            ..delivery("a", evening)
        };
        let transaction = store.index.begin_write().expect("a transaction");
        open(&transaction).expect("opened");
        put(&transaction, &sent).expect("kept");
        transaction.commit().expect("kept");
        note_alive(&store.index, evening + 1_000).expect("kept");

        let later = evening + 1_000 + 2 * DAY;
        let before = due(&store.index, later, 1).expect("read").0.remove(0);
        note_alive(&store.index, later).expect("kept");
        let by_now = accepted_ms(&store.index, before.0).expect("read");
        // A try that began before the stop has failed.
        settle(&store.index, before.0, Some(&before.1)).expect("kept");
        let after = due(&store.index, later, 1).expect("read").0.remove(0);

        assert!(before.1.is_over(later), "it would be given up");
        assert_eq!(by_now, Some(evening + 2 * DAY));
        assert_eq!(after.1.accepted_ms, evening + 2 * DAY);
        assert!(!after.1.is_over(later));
    }

    #[test]
    fn an_event_whose_next_try_a_clock_that_was_ahead_has_set_is_tried_when_it_would_have_been() {
        const DAY: u64 = 24 * 60 * 60 * 1000;
        let (_folder, store) = store();
        let (ahead, right) = (20_001 * DAY, 20_000 * DAY);
        let transaction = store.index.begin_write().expect("a transaction");
        open(&transaction).expect("opened");
        for id in ["a", "b"] {
            let sent = Delivery {
                accepted_ms: ahead,
                ..delivery(id, ahead + 60_000)
            };
            put(&transaction, &sent).expect("kept");
        }
        transaction.commit().expect("kept");
        note_alive(&store.index, ahead).expect("kept");
        let tried = due(&store.index, ahead + 60_000, 1).expect("read").0.remove(0);

        note_alive(&store.index, right).expect("kept");
        // A try that began before has come to its end.
        settle(&store.index, tried.0, None).expect("kept");

        let (none, next_ms) = due(&store.index, right, 16).expect("read");
        assert_eq!((ids(&none), next_ms), (vec![], right + 60_000));
        let (found, _) = due(&store.index, right + 60_000, 16).expect("read");
        assert_eq!(ids(&found), ["b"]);
        assert_eq!(found[0].1.accepted_ms, right);
    }

    #[test]
    fn an_event_that_cannot_be_read_does_not_keep_others_young() {
        const DAY: u64 = 24 * 60 * 60 * 1000;
        let (_folder, store) = store();
        let evening = 20_000 * DAY;
        let sent = Delivery {
            accepted_ms: evening,
            ..delivery("a", evening)
        };
        let transaction = store.index.begin_write().expect("a transaction");
        open(&transaction).expect("opened");
        put(&transaction, &sent).expect("kept");
        {
            let mut table = transaction.open_table(WAITING).expect("a table");
            table.insert((0, 9), b"damaged".as_slice()).expect("kept");
        }
        transaction.commit().expect("kept");
        note_alive(&store.index, evening).expect("kept");

        note_alive(&store.index, evening + 2 * DAY).expect("the damaged one is skipped");

        let young = accepted_ms(&store.index, (evening, 0)).expect("read");
        assert_eq!(young, Some(evening + 2 * DAY));
    }

    #[test]
    fn what_a_version_before_has_left_waits_on() {
        let (_folder, store) = store();
        let transaction = store.index.begin_write().expect("a transaction");
        {
            let mut table = transaction.open_table(BEFORE).expect("a table");
            for (key, id, at) in [(3, "late", 20), (4, "early", 10)] {
                let json = serde_json::to_vec(&delivery(id, at)).expect("JSON");
                table.insert(key, json.as_slice()).expect("kept");
            }
        }
        transaction.commit().expect("kept");
        let store = std::sync::Arc::new(store);
        let open = || {
            let queue = InvocationQueue::new(store.clone());
            EventBridge::new(store.clone(), Default::default(), queue, "us-east-1".to_owned())
        };

        open().expect("readable");
        open().expect("readable again");

        let (found, _) = due(&store.index, 20, 16).expect("read");
        assert_eq!(ids(&found), ["early", "late"]);
    }
}
