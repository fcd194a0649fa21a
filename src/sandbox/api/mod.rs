//! The API server.

mod access;
mod streams;
