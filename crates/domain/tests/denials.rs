//! The page of denials says what the list says. `ODDSMITH_WRITE_DOCS=1 cargo test -p oddsmith-domain --test denials` writes it anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use oddsmith_domain::Denial;

#[test]
fn the_page_is_the_list() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/denials.md");
    if std::env::var_os("ODDSMITH_WRITE_DOCS").is_some() {
        fs::write(&path, Denial::reference_page()).expect("the page can be written");
    }
    let page = fs::read_to_string(&path).expect("the page exists");
    assert_eq!(page, Denial::reference_page());
}

#[test]
fn codes_differ_and_are_what_is_serialised() {
    let codes: BTreeSet<_> = Denial::ALL.iter().map(|d| d.code()).collect();
    assert_eq!(codes.len(), Denial::ALL.len());
    for denial in Denial::ALL {
        let json = serde_json::to_string(denial).expect("json");
        assert_eq!(json, format!("\"{}\"", denial.code()));
        assert!(denial.sentence().ends_with('.'));
    }
}
