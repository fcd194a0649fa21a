//! Text from a cluster is not trusted with a terminal: control characters are shown, not obeyed.

use std::borrow::Cow;

/// The text with control and bidirectional characters escaped; line feeds stay.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

fn is_harmful(c: char) -> bool {
    let bidirectional = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\n') || bidirectional
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_terminal_is_not_taken_over() {
        assert_eq!(escape("a\u{1b}[2Jb\rc\u{202e}"), "a\\u{1b}[2Jb\\rc\\u{202e}");
        assert_eq!(escape("plain\nlines"), "plain\nlines");
    }

    proptest! {
        #[test]
        fn nothing_harmful_is_left(text in "\\PC*|.*") {
            prop_assert!(!escape(&text).chars().any(is_harmful));
        }
    }
}
