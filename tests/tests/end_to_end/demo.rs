//! The demo is right in every answer.

use std::process::Command;

#[test]
fn every_answer_is_right() {
    let output = Command::new(env!("CARGO_BIN_EXE_gear-exe-demo"))
        .output()
        .unwrap();
    let story = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{story}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(story.contains("Every answer was right"), "{story}");
}
