//! What a container's command line says: its words, scripts included, and the flags of etcd among them.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Container;

/// Which list of the container a word of its command line stands in.
#[derive(Debug, Clone, Copy, Hash, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandPart {
    /// `command`
    Command,
    /// `args`
    Args,
}

impl CommandPart {
    /// The field's name.
    pub fn field(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Args => "args",
        }
    }
}

/// The value of a flag, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagValue {
    /// In which list.
    pub part: CommandPart,
    /// In which of its texts.
    pub index: usize,
    /// Where in that text.
    pub place: Range<usize>,
    /// The value.
    pub value: String,
}

impl Container {
    /// Everything the container runs, entry point first.
    pub fn command_line(&self) -> impl Iterator<Item = &str> {
        self.command.iter().chain(&self.args).map(String::as_str)
    }

    /// One of the two lists of the command line.
    pub fn list(&self, part: CommandPart) -> &Vec<String> {
        match part {
            CommandPart::Command => &self.command,
            CommandPart::Args => &self.args,
        }
    }

    /// The value of etcd's flag `--name value` or `--name=value` where the command line shows it, scripts included.
    /// The last one wins, as in Go's flag package.
    pub fn flag(&self, name: &str) -> Option<String> {
        self.flags(name).pop().map(|flag| flag.value)
    }

    /// Every place in the command line where a flag of etcd is given, and what it is given. A list that goes on after a
    /// comma and white space is one value.
    pub fn flags(&self, name: &str) -> Vec<FlagValue> {
        let parts = [(CommandPart::Command, &self.command), (CommandPart::Args, &self.args)];
        let texts = parts.into_iter().flat_map(|(part, texts)| texts.iter().enumerate().map(move |at| (part, at)));
        let mut found: Vec<FlagValue> = Vec::new();
        let mut next_is_value = false;
        for (part, (index, text)) in texts {
            for (place, word) in shell_words(text) {
                let value =
                    |place: Range<usize>| FlagValue { part, index, value: text[place.clone()].to_owned(), place };
                if next_is_value {
                    found.push(value(place));
                    next_is_value = false;
                    continue;
                }
                if let Some(last) = found.last_mut().filter(|last| (last.part, last.index) == (part, index))
                    && text[last.place.end..place.start].chars().all(char::is_whitespace)
                    && (last.value.ends_with(',') || word.starts_with(','))
                {
                    *last = value(last.place.start..place.end);
                    continue;
                }
                let bare = word.trim_start_matches('-');
                if bare.len() == word.len() {
                    continue;
                }
                match bare.split_once('=') {
                    Some((flag, given)) if flag == name => {
                        let quotes = given.len() - given.trim_start_matches(['"', '\'']).len();
                        found.push(value(place.end - given.len() + quotes..place.end));
                    }
                    None if bare == name => next_is_value = true,
                    _ => {}
                }
            }
        }
        found
    }
}

/// The variable that a text consists of, as in `$STATE`, `${STATE}` or `$(STATE)`.
pub(in crate::model) fn variable_in(text: &str) -> Option<String> {
    let inner = text.strip_prefix('$')?.trim_matches(|c| matches!(c, '{' | '}' | '(' | ')'));
    let name: String = inner.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// Splits a command line or script into words well enough to find flags and programs in it, each with its place.
pub(in crate::model) fn shell_words(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    text.split(|c: char| c.is_whitespace() || matches!(c, ';' | '|' | '&' | '`'))
        .map(|word| word.trim_matches(|c| matches!(c, '"' | '\'' | '(' | ')')))
        .filter(|word| !word.is_empty() && *word != "\\")
        .map(|word| {
            // A part of the text, so that its place is how far it lies from the text's beginning.
            let from = word.as_ptr() as usize - text.as_ptr() as usize;
            (from..from + word.len(), word)
        })
}
