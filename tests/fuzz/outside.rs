//! Whatever comes from outside is survived: `make fuzz`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    etcd_scale::cluster::fuzz(text);
    etcd_scale::gitops::fuzz(text);
    let shown = etcd_scale::report::escape(text);
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "a terminal would obey this");
});
