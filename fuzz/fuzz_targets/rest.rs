#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oddsmith_fuzz::rest(data));
