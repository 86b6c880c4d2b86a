//! The measurement of the guide's page on growth and cost still runs: its steps assert what they did.

use std::{env, path::PathBuf, process::Command};

/// Returns the example, which `cargo test` has built beside this test.
fn example() -> PathBuf {
    let own = env::current_exe().expect("this test");
    let folder = own
        .parent()
        .and_then(|deps| deps.parent())
        .expect("a target folder");
    let example = folder.join("examples").join("growth");
    assert!(
        example.exists(),
        "cargo build --package active-learning-cli --example growth"
    );
    example
}

#[test]
fn every_step_is_measured_over_a_history_of_a_hundred_records() {
    let run = Command::new(example())
        .args(["--history", "100", "1"])
        .output()
        .expect("started");

    let (told, failed) = (
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr),
    );
    assert!(run.status.success(), "{failed}");
    for step in [
        "classify, in doubt",
        "sweep",
        "50 texts of the pool are chosen, by text",
    ] {
        assert!(
            told.contains(&format!("@cost {{\"step\":\"{step}\"")),
            "{step}: {failed}"
        );
    }
}
