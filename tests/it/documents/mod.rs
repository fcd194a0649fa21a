//! The documents: that what they show came from a run, and what they name is there.

mod facts;
mod pictures;
mod story;
mod text;
mod transcripts;
