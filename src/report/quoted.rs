//! Words for a shell.

/// A word as a shell takes it.
pub fn quoted(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

/// A command line: how the program is called, which may be two words, and what follows it.
pub fn command_line<'a>(program: &str, words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().fold(program.to_owned(), |line, word| line + " " + &quoted(word))
}
