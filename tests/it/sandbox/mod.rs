//! What only the sandbox can do: trouble on demand, and coming and going without a trace. Run inside one, by `make test`.

mod crashes;
mod faults;
mod life;
mod role;
