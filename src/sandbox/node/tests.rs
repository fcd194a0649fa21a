//! The node with real processes.

#[test]
#[ignore = "not a test: the second stage of containers, which is run by the test below"]
fn stage() {
    if std::env::args().any(|argument| argument == "--nocapture") {
        super::stage::become_container();
    }
}
