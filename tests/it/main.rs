//! All tests from outside, in one binary: the layout of the code, the command line, and the end-to-end suite.

mod architecture;
