//! Every role on every level tries every operation on every kind of resource, over the wire. What is expected are the
//! tables of docs/access.md: they are read from there. This is the proof that the documents are right and that every path
//! asks for the permission that they say; its keys are inactive and protected, so that nothing is done. What allowed use
//! cases do, and what re-encryption needs of its other key, is tried in `service::access`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod calls;
mod table;
mod world;

use crate::support::Home;
use calls::{Call, Outcome};
use futures_util::future::join_all;
use table::{Cell, Table};
use world::{Holder, Level, Target, World};

/// Requests that are under way at the same time.
const TOGETHER: usize = 16;

/// Makes all calls and says which did not end as expected.
async fn differences(calls: Vec<(String, Call, Cell)>) -> Vec<String> {
    let mut wrong = Vec::new();
    for some in calls.chunks(TOGETHER) {
        let outcomes = join_all(some.iter().map(|(_, call, _)| call.outcome())).await;
        for ((name, _, expected), Outcome { cell, text }) in some.iter().zip(outcomes) {
            if cell != *expected {
                wrong.push(format!("{name}: {expected:?} expected, {cell:?} found: {text}"));
            }
        }
    }
    wrong
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} differ from docs/access.md:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whether a role that is bound on a level reaches a key.
const fn reaches(level: Level, target: Target) -> bool {
    match (level, target) {
        (_, Target::Unknown) => false,
        (Level::Service, _) | (_, Target::Own) | (Level::Folder, Target::Other) => true,
        (Level::Folder | Level::Key, Target::Foreign) | (Level::Key, Target::Other) => false,
    }
}

/// Whether an operation on a folder names one of its principals instead.
fn is_about_somebody(operation: &str) -> bool {
    operation.contains("Credential") || ["GetPrincipal", "DeletePrincipal"].contains(&operation)
}

#[tokio::test]
async fn every_role_does_with_keys_what_the_table_says_and_nothing_else() {
    let home = Home::new();
    let world = World::new(home.start().await).await;
    let table = Table::read("### On a key");
    let mut calls = Vec::new();
    for Holder { role, level, rest, .. } in world.holders() {
        for operation in table.operations() {
            for target in Target::ALL {
                let cell = if reaches(*level, target) { table.cell(operation, role) } else { Cell::Hidden };
                let name = format!("{role} on {level:?}, {operation} of {target:?}");
                calls.push((name, world.key_call(rest, operation, target), cell));
            }
        }
    }
    assert!(calls.len() > 2500, "only {} calls", calls.len());
    assert_none(&differences(calls).await);
}

#[tokio::test]
async fn every_role_does_with_folders_and_principals_what_the_table_says_and_nothing_else() {
    let home = Home::new();
    let world = World::new(home.start().await).await;
    let table = Table::read("### On a folder");
    let mut wrong = Vec::new();
    for Holder { role, level, rest, .. } in world.holders().filter(|holder| holder.level != Level::Key) {
        for target in [Target::Own, Target::Foreign, Target::Unknown] {
            // Somebody to be looked at, and at last deleted.
            let somebody = world.somebody(target).await;
            let mut calls = Vec::new();
            for operation in table.operations() {
                let said = table.cell(operation, role);
                // Who has a role on the service is told what it may not do to any folder, whether there is this one or not.
                let of_no_folder = *level == Level::Service && said == Cell::Denied && !is_about_somebody(operation);
                let cell = if reaches(*level, target) || of_no_folder { said } else { Cell::Hidden };
                let name = format!("{role} on {level:?}, {operation} of {target:?}");
                calls.push((name, world.folder_call(rest, operation, target, &somebody), cell));
            }
            // One after the other: the order of the table ends with what cannot be taken back.
            for call in calls {
                wrong.extend(differences(vec![call]).await);
            }
        }
    }
    assert_none(&wrong);
}

#[tokio::test]
async fn every_role_does_with_the_service_what_the_table_says_and_nothing_else() {
    let home = Home::new();
    let world = World::new(home.start().await).await;
    let table = Table::read("### On the service");
    let mut calls = Vec::new();
    for Holder { role, level, rest, .. } in world.holders() {
        for operation in table.operations() {
            let cell = if *level == Level::Service { table.cell(operation, role) } else { Cell::Denied };
            let name = format!("{role} on {level:?}, {operation}");
            calls.push((name, world.service_call(rest, operation), cell));
        }
    }
    assert_none(&differences(calls).await);
}

/// The medians of many requests, taken in turns so that whatever else this machine does concerns both alike. What the two
/// cost in database reads is counted elsewhere, to the number; this finds what does not show in such counts.
#[tokio::test]
async fn a_hidden_key_and_an_unknown_one_take_about_as_long() {
    const TURNS: usize = 300;
    let home = Home::new();
    let world = World::new(home.start().await).await;
    let stranger = world.stranger().await;
    let mut micros: [Vec<u128>; 2] = Default::default();
    for _ in 0..TURNS {
        for (target, micros) in [Target::Own, Target::Unknown].into_iter().zip(&mut micros) {
            let call = world.key_call(&stranger, "Get", target);
            let watch = claviger::telemetry::Stopwatch::start();
            assert_eq!(call.answer().await.status, 404);
            micros.push(watch.elapsed().as_micros());
        }
    }
    let [hidden, unknown] = micros.map(|mut all| {
        all.sort_unstable();
        all[TURNS / 2]
    });
    assert!(hidden < unknown * 3 / 2 && unknown < hidden * 3 / 2, "hidden {hidden} us, unknown {unknown} us");
}

#[tokio::test]
async fn a_hidden_key_and_an_unknown_one_are_answered_alike_to_the_letter() {
    let home = Home::new();
    let world = World::new(home.start().await).await;
    let table = Table::read("### On a key");
    let stranger = world.stranger().await;
    for operation in table.operations() {
        let said = async |target| {
            let call = world.key_call(&stranger, operation, target);
            let answer = call.answer().await;
            let text = answer.text.replace(&world.id(operation, target), "ID");
            let mut body: serde_json::Value = serde_json::from_str(&text).unwrap();
            body["details"] = serde_json::Value::Null;
            (answer.status, body)
        };
        let unknown = said(Target::Unknown).await;
        assert_eq!(unknown.0, 404);
        for target in [Target::Own, Target::Foreign] {
            assert_eq!(said(target).await, unknown, "{operation}");
        }
    }
}
