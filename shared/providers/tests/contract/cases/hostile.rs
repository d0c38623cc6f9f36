//! Answers with more, with less, and with worse in them than the reference promises.

use serde_json::json;

use crate::fixtures::Fixture;
use crate::for_each;
use crate::listing::squeezed;
use crate::provider::Connected;

/// A full listing and a text are the same under a fault.
async fn unmoved_by(fixture: &'static Fixture, fault: &str) {
    let connected = Connected::new(fixture).await;
    for number in 0..3 {
        connected.create(&format!("Note {number}"), &format!("This is text {number}.")).await;
    }
    let before = connected.everything().await;
    connected.sandbox.spoil("", json!({ "kind": fault }), None).await;
    let after = connected.everything().await;
    assert_eq!(before.resources.keys().collect::<Vec<_>>(), after.resources.keys().collect::<Vec<_>>());
    for (id, (was, _)) in &before.resources {
        let (is, text) = connected.text(id, None).await.expect("it is fetched");
        assert_eq!((&is.name, &is.revision), (&was.name, &was.revision));
        assert!(squeezed(&text).contains("This is text"), "{text:?}");
    }
    let cursor = connected.start_cursor().await;
    connected.changes(&cursor).await;
    connected.provider().test_connection(&connected.access()).await.expect("the connection works");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_nobody_knows_are_ignored() {
    for_each(async |fixture: &'static Fixture| unmoved_by(fixture, "extraFields").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn optional_fields_may_be_missing() {
    for_each(async |fixture: &'static Fixture| unmoved_by(fixture, "leanFields").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_titles_and_texts_come_through() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::new(fixture).await;
        let odd = "<script>alert(1)</script> & \"quotes\" 'n' back\\slashes, ünïcödé 日本語 🪻 and \u{202e}backwards\u{202c}.";
        let made = connected.external_id(&connected.create("A title: <b>bold</b> / \\ ? % # & 日本語", odd).await);
        let whole = connected.everything().await;
        let text = connected.text_of(&whole.resources[&made]).await;
        for piece in ["alert(1)", "\"quotes\"", "back\\slashes", "ünïcödé 日本語 🪻"] {
            assert!(text.contains(piece), "{piece:?} is not in {text:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_comes_whole_or_is_said_to_be_too_large() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::new(fixture).await;
        let words: String = (0..fixture.long_text_words).map(|number| format!("word{number} ")).collect();
        let made = connected.external_id(&connected.create("Long", &words).await);
        let whole = connected.everything().await;
        let text = connected.text_of(&whole.resources[&made]).await;
        let last = format!("word{}", fixture.long_text_words - 1);
        assert!(text.contains("word0 ") && text.contains(&last), "{} bytes came", text.len());
    })
    .await;
}
