//! `oddsmith audit` on a real run, and on copies of its journal in which one thing was altered so that no checksum tells.

mod support;

use std::path::Path;

use oddsmith_domain::{Event, Input, Output, OutputBody, Price, Shares, Usdc};
use oddsmith_journal::{Encoder, Options, Reader, RecordHead, Writer, decode_input, decode_output, verify};
use support::live::Live;
use support::{Ran, oddsmith};

/// What becomes of a record in the copy.
enum Fate {
    Kept,
    Gone,
    Twice,
    Input(Input<'static>),
    Output(Output),
}

/// Writes a journal again, each record as `alter` decides, with sequence numbers and checksums that fit.
fn copy(from: &Path, to: &Path, mut alter: impl FnMut(&Record) -> Fate) {
    let mut reader = Reader::open(from).expect("a journal");
    let options = Options { segment_bytes: 8 << 20, ..Options::default() };
    let mut writer = Writer::create(to, reader.run(), &options).expect("a copy");
    let mut encoder = Encoder::default();
    while let Some(record) = reader.next().expect("readable") {
        let head = record.head;
        let decoded = if head.kind.is_input() {
            Record::Input(decode_input(record.payload).expect("an input"))
        } else {
            Record::Output(decode_output(record.payload).expect("an output"))
        };
        let fate = alter(&decoded);
        let mut append = |head: &RecordHead, payload: &[u8]| {
            writer.append(head, payload).expect("appended");
        };
        match fate {
            Fate::Kept => append(&head, record.payload),
            Fate::Gone => {}
            Fate::Twice => (0..2).for_each(|_| append(&head, record.payload)),
            Fate::Input(input) => append(&head, encoder.input(&input).expect("encodes").payload),
            Fate::Output(output) => append(&head, encoder.output(&output).expect("encodes").payload),
        }
    }
    writer.close().expect("closed");
}

enum Record<'a> {
    Input(Input<'a>),
    Output(Output),
}

/// The `n`th output with an event that `which` picks, altered.
fn event(n: usize, mut which: impl FnMut(&mut Event) -> bool) -> impl FnMut(&Record) -> Fate {
    let mut seen = 0;
    move |record| {
        let Record::Output(output) = record else { return Fate::Kept };
        let mut output = output.clone();
        let OutputBody::Event(event) = &mut output.body else { return Fate::Kept };
        if !which(event) {
            return Fate::Kept;
        }
        seen += 1;
        if seen == n { Fate::Output(output) } else { Fate::Kept }
    }
}

/// The `n`th frame of the user channel that holds `find`, with `replace` in its place.
fn frame(n: usize, find: &'static str, replace: impl Fn(&str) -> String) -> impl FnMut(&Record) -> Fate {
    let mut seen = 0;
    move |record| {
        let Record::Input(Input::User { bytes }) = record else { return Fate::Kept };
        let text = String::from_utf8_lossy(bytes).into_owned();
        if !text.contains(find) {
            return Fate::Kept;
        }
        seen += 1;
        let altered = replace(&text);
        if seen != n {
            return Fate::Kept;
        }
        assert_ne!(altered, text, "the frame was altered");
        Fate::Input(Input::User { bytes: altered.into_bytes().leak() })
    }
}

fn audit(data: &Path, run: &Path) -> Ran {
    oddsmith(data, &["audit", &run.to_string_lossy()])
}

#[test]
fn holds_for_a_real_run_and_fails_on_every_altered_fill() {
    let data = support::data();
    let live = Live::start(data.path(), &[]);
    let fills = |said: &str| said.rsplit("fills: ").next().and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    live.wait_for("fill", |said| fills(said) >= Some(4));
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    let run =
        std::fs::read_dir(data.path().join("runs")).expect("runs").next().expect("a run").expect("an entry").path();
    let whole = audit(data.path(), &run);
    assert_eq!(whole.code, 0, "{}{}", whole.out, whole.err);
    assert!(whole.out.ends_with("holds\n"), "{}", whole.out);
    let json = oddsmith(data.path(), &["audit", "latest", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(report["holds"], true);
    assert!(
        report["totals"]["fills"].as_u64() >= Some(4) && report["checks"]["limit"].as_u64() > Some(100),
        "{report}"
    );

    let fill = |event: &mut Event| matches!(event, Event::Fill { .. });
    let mut number = 0;
    let mut fails = |name: &str, rule: &str, alter: &mut dyn FnMut(&Record) -> Fate| {
        number += 1;
        let altered = data.path().join(format!("altered-{number}"));
        copy(&run, &altered, alter);
        assert!(verify(&altered).is_ok(), "{name}: no checksum tells");
        let ran = audit(data.path(), &altered);
        assert_eq!(ran.code, 1, "{name}: {}{}", ran.out, ran.err);
        let told = ran.out.lines().any(|line| line.starts_with("VIOLATION at record ") && line.contains(rule));
        assert!(told, "{name}: {}", ran.out);
    };

    let nothing = data.path().join("unaltered");
    copy(&run, &nothing, |_| Fate::Kept);
    assert_eq!(audit(data.path(), &nothing).code, 0, "a copy is as good");

    // In what the engine counted.
    fails(
        "price",
        "(fill once)",
        &mut event(2, |event| match event {
            Event::Fill { price, .. } => {
                *price = Price::from_units(price.units() ^ 1).expect("in range");
                true
            }
            _ => false,
        }),
    );
    fails(
        "size",
        "(fill once)",
        &mut event(2, |event| match event {
            Event::Fill { size, .. } => {
                *size += Shares::from_micros(1);
                true
            }
            _ => false,
        }),
    );
    fails(
        "fee",
        "(fill once)",
        &mut event(1, |event| match event {
            Event::Fill { fee, .. } => {
                *fee += Usdc::from_micros(10);
                true
            }
            _ => false,
        }),
    );
    fails(
        "cash",
        "(ledger)",
        &mut event(3, |event| match event {
            Event::Ledger { account, .. } => {
                account.cash += Usdc::from_micros(1);
                true
            }
            _ => false,
        }),
    );
    let mut first = true;
    fails("twice", "(fill once)", &mut |record| match record {
        Record::Output(Output { body: OutputBody::Event(event), .. }) if fill(&mut event.clone()) && first => {
            first = false;
            Fate::Twice
        }
        _ => Fate::Kept,
    });
    let mut first = true;
    fails("dropped", "(fill once)", &mut |record| match record {
        Record::Output(Output { body: OutputBody::Event(event), .. }) if fill(&mut event.clone()) && first => {
            first = false;
            Fate::Gone
        }
        _ => Fate::Kept,
    });
    // A forger who drops a fill with everything that followed from it, and numbers what is left anew.
    let (mut seq, mut hidden, mut done) = (0, false, false);
    fails("dropped and hidden", "(fill once)", &mut |record| match record {
        Record::Input(_) => {
            done |= hidden;
            hidden = false;
            Fate::Kept
        }
        Record::Output(output) => {
            if !done && matches!(output.body, OutputBody::Event(Event::Fill { .. })) {
                hidden = true;
            }
            let of_the_fill = matches!(
                output.body,
                OutputBody::Event(
                    Event::Fill { .. } | Event::Order { .. } | Event::Ledger { .. } | Event::Settlement { .. }
                )
            );
            if hidden && of_the_fill {
                return Fate::Gone;
            }
            seq += 1;
            Fate::Output(Output { seq, body: output.body.clone() })
        }
    });

    // In what the venue reported.
    let trade = "\"event_type\":\"trade\"";
    fails("report dropped", "(fill once)", &mut {
        let mut first = true;
        move |record: &Record| match record {
            Record::Input(Input::User { bytes }) if first => {
                // An order that is filled is MATCHED too, and says nothing of the match.
                let said = String::from_utf8_lossy(bytes);
                if !said.contains(trade) || !said.contains("\"MATCHED\"") {
                    return Fate::Kept;
                }
                first = false;
                Fate::Input(Input::User { bytes: b"[]" })
            }
            _ => Fate::Kept,
        }
    });
    fails(
        "reported size",
        "(fill once)",
        &mut frame(1, trade, |text| text.replace("\"matched_amount\":\"", "\"matched_amount\":\"1")),
    );
    fails(
        "reported status",
        "(settlement)",
        &mut frame(1, "\"MINED\"", |text| text.replace("\"MINED\"", "\"RETRYING\"")),
    );

    // And beside the fills: an order in doubt, a result that comes twice, a state that was not.
    let mut first = true;
    fails("result twice", "(one result)", &mut |record| match record {
        Record::Input(Input::Gateway(_)) if first => {
            first = false;
            Fate::Twice
        }
        _ => Fate::Kept,
    });
    let mut first = true;
    fails("placed after a stop", "(stopped)", &mut |record| match record {
        Record::Input(Input::Tick) if first => {
            first = false;
            Fate::Input(Input::Command(oddsmith_domain::Command::Stop))
        }
        _ => Fate::Kept,
    });
    fails("limit", "(limit)", &mut |record| match record {
        Record::Input(Input::Setup(setup)) => {
            let mut setup = setup.clone();
            let mut config: serde_json::Value = serde_json::from_str(&setup.config).expect("JSON");
            config["limits"]["max_order_usdc"] = "0.5".into();
            setup.config = config.to_string();
            Fate::Input(Input::Setup(setup))
        }
        _ => Fate::Kept,
    });
}

#[test]
fn a_journal_without_an_input_proves_nothing() {
    let data = support::data();
    let run = data.path().join("runs").join("00".repeat(16));
    std::fs::create_dir_all(&run).expect("a folder");
    std::fs::write(run.join("00000000.segment"), b"").expect("a file");
    for command in ["audit", "replay"] {
        let ran = support::oddsmith(data.path(), &[command, &run.to_string_lossy()]);
        assert_eq!(ran.code, 1, "{command}: {ran:?}");
        assert!(ran.err.contains("no input"), "{command}: {ran:?}");
    }
}
