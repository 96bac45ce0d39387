//! A journal with one of everything, written as tables and read again by the library's reader and, where it is at hand, by another one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use oddsmith_domain::{
    Action, Address, ConditionId, Event, ExchangeKind, FeeSchedule, Input, InstanceId, IntentId, MarketCard, MarketId,
    MarketSource, Mode, Movement, OrderFields, OrderId, OrderState, OrderType, Outcome, Output, OutputBody, PlaceOrder,
    Price, RunId, Shares, Side, SignatureType, SubAccount, Tick, Time, TokenId, TradeId, Usdc,
};
use oddsmith_journal::{Encoder, Options, RecordHead, Writer};
use oddsmith_tables::{Kind, Table, export, export_records};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

const CONDITION: &str = "0x00000000000000000000000000000000000000000000000000000000000000aa";
const ORDER: OrderId = OrderId([5; 32]);
const WALL_NS: u64 = 1_790_000_000_123_456_789;

struct Book {
    writer: Writer,
    encoder: Encoder,
    outputs: u64,
}

impl Book {
    fn time(&self) -> Time {
        let sequence = self.writer.next_sequence();
        Time { mono_ns: sequence * 10, wall_ns: WALL_NS + sequence }
    }

    fn input(&mut self, input: &Input<'_>) {
        let time = self.time();
        let record = self.encoder.input(input).expect("encodes");
        self.writer.append(&RecordHead { time, kind: record.kind, ids: record.ids }, record.payload).expect("room");
    }

    fn output(&mut self, body: OutputBody) {
        let time = self.time();
        self.outputs += 1;
        let record = self.encoder.output(&Output { seq: self.outputs, body }).expect("encodes");
        self.writer.append(&RecordHead { time, kind: record.kind, ids: record.ids }, record.payload).expect("room");
    }

    fn event(&mut self, event: Event) {
        self.output(OutputBody::Event(event));
    }
}

fn price(units: u16) -> Price {
    Price::from_units(units).expect("in range")
}

fn card() -> MarketCard {
    MarketCard {
        condition: ConditionId::parse(CONDITION).expect("a condition"),
        slug: "a-market".to_owned(),
        question: "Will it?".to_owned(),
        tokens: [TokenId::parse("11").expect("a token"), TokenId::parse("12").expect("a token")],
        outcomes: ["Yes".to_owned(), "No".to_owned()],
        tick: Some(Tick::Cent),
        min_size: Some(Shares::from_whole(5)),
        fee: None::<FeeSchedule>,
        end_wall_s: None,
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    }
}

fn order() -> PlaceOrder {
    PlaceOrder {
        id: ORDER,
        fields: OrderFields {
            salt: 1,
            maker: Address([1; 20]),
            signer: Address([1; 20]),
            token: TokenId::parse("11").expect("a token"),
            maker_amount: 1,
            taker_amount: 1,
            side: Side::Buy,
            signature_type: SignatureType::Eoa,
            timestamp_ms: 1,
            metadata: [0; 32],
            builder: [0; 32],
        },
        exchange: ExchangeKind::Ctf,
        order_type: OrderType::Gtc,
        post_only: true,
        expiration_s: 0,
        asset: MarketId(0).asset(Outcome::Yes),
        price: price(4_725),
        size: Shares::from_micros(12_345_678),
        instance: InstanceId(0),
        intent: IntentId(3),
        deadline_mono_ns: 0,
    }
}

/// A run in which one order was placed and filled in part, and one frame was no text.
fn write(dir: &Path) {
    let options = Options { segment_bytes: 1 << 16, ..Options::default() };
    let writer = Writer::create(dir, RunId([7; 16]), &options).expect("a journal");
    let mut book = Book { writer, encoder: Encoder::default(), outputs: 0 };
    let market = MarketId(0);
    let asset = market.asset(Outcome::Yes);
    book.input(&Input::Card(Box::new(card())));
    book.event(Event::Began { run: RunId([7; 16]), account: Address([1; 20]), instances: vec!["maker".to_owned()] });
    book.event(Event::Numbered { market, card: Box::new(card()) });
    let frame = format!(
        r#"{{"event_type":"book","market":"{CONDITION}","asset_id":"11","timestamp":"1790000000000","hash":"00","bids":[{{"price":"0.47","size":"100.5"}}],"asks":[{{"price":"0.52","size":"50.25"}}]}}"#
    );
    for _ in 0..2 {
        book.input(&Input::Market { source: MarketSource::Shard(2), bytes: frame.as_bytes() });
    }
    book.input(&Input::Market { source: MarketSource::Rest, bytes: &[0xff, 0xfe] });
    book.event(Event::Decision {
        instance: InstanceId(0),
        market,
        intent: IntentId(3),
        mode: Mode::default(),
        keep: vec![ORDER],
        quotes: Vec::new(),
        reasons: Default::default(),
    });
    book.output(OutputBody::Action(Action::Place(Box::new(order()))));
    book.input(&Input::User { bytes: br#"{"event_type":"trade"}"# });
    let filled = Shares::from_micros(2_000_001);
    let (from, to) = (OrderState::PendingNew, OrderState::PartiallyFilled);
    book.event(Event::Order { order: ORDER, from, to, filled });
    book.event(Event::Fill {
        trade: TradeId::parse("a-trade").expect("an id"),
        order: ORDER,
        instance: Some(InstanceId(0)),
        asset,
        side: Side::Buy,
        price: price(4_725),
        size: filled,
        fee: Usdc::from_micros(7),
        taker: false,
        movement: Movement { cash: Usdc::from_micros(-945_001), ..Movement::default() },
        matched_s: 1_790_000_000,
    });
    let account = SubAccount { shares: [filled, Shares::ZERO], ..SubAccount::default() };
    book.event(Event::Ledger { instance: InstanceId(0), market, account });
    book.writer.close().expect("closes");
}

/// The rows of a file, each by its columns' names, with every field as a text.
fn rows(path: &Path) -> Vec<BTreeMap<String, Field>> {
    let reader = SerializedFileReader::new(File::open(path).expect("a file")).expect("a table");
    let rows = reader.get_row_iter(None).expect("rows");
    rows.map(|row| row.expect("a row").get_column_iter().map(|(name, field)| (name.clone(), field.clone())).collect())
        .collect()
}

fn text(field: &Field) -> String {
    match field {
        Field::Str(text) => text.clone(),
        Field::Decimal(_) | Field::TimestampMicros(_) => field.to_string(),
        Field::Long(value) => value.to_string(),
        Field::Bool(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}

fn assert_row(row: &BTreeMap<String, Field>, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(text(&row[*name]), *value, "{name} of {row:#?}");
    }
}

#[test]
fn every_table_is_read_again_as_it_was_meant() {
    let (run, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    write(run.path());
    let written = export(run.path(), out.path()).expect("tables");
    assert_eq!(written.damage, None);
    let counts: Vec<u64> = written.tables.iter().map(|(_, rows)| *rows).collect();
    assert_eq!(counts, [4, 2, 1, 1, 1, 6], "frames, books, orders, fills, decisions, events");
    let table = |table: Table| rows(&out.path().join(format!("{}.parquet", table.name())));
    for (each, (path, count)) in Table::ALL.into_iter().zip(&written.tables) {
        assert_eq!(table(each).len() as u64, *count);
        let reader = SerializedFileReader::new(File::open(path).expect("a file")).expect("a table");
        let metadata = reader.metadata().file_metadata();
        let names: Vec<&str> = metadata.schema().get_fields().iter().map(|field| field.name()).collect();
        assert_eq!(names, each.columns().iter().map(|column| column.name).collect::<Vec<_>>());
        let facts = metadata.key_value_metadata().expect("facts");
        assert!(facts.iter().any(|fact| fact.key == "oddsmith.run_id" && fact.value.is_some()));
    }
    let frames = table(Table::Frames);
    assert_row(&frames[0], &[("sequence", "4"), ("source", "shard"), ("shard", "2"), ("mono_ns", "40")]);
    assert_row(&frames[2], &[("source", "rest"), ("frame_base64", "//4="), ("frame", "Null"), ("shard", "Null")]);
    assert_row(&frames[3], &[("source", "user"), ("frame", r#"{"event_type":"trade"}"#)]);
    let books = table(Table::Books);
    let of = |outcome: &str| books.iter().find(|row| text(&row["outcome"]) == outcome).expect("a row");
    assert_row(
        of("YES"),
        &[
            ("sequence", "4"),
            ("market", "a-market"),
            ("bid_micros", "470000"),
            ("ask_micros", "520000"),
            ("spread_micros", "50000"),
            ("bid_size_micros", "100500000"),
            ("ask_depth_micros", "50250000"),
        ],
    );
    assert_row(of("NO"), &[("bid_micros", "480000"), ("ask_micros", "530000"), ("bid_size_micros", "50250000")]);
    let orders = table(Table::Orders);
    assert_row(
        &orders[0],
        &[
            ("order_id", &ORDER.to_string()),
            ("market", "a-market"),
            ("instance", "maker"),
            ("side", "BUY"),
            ("order_type", "GTC"),
            ("post_only", "true"),
            ("price_micros", "472500"),
            ("size_micros", "12345678"),
            ("filled_micros", "2000001"),
            ("state", "PARTIALLY_FILLED"),
            ("sequence", "8"),
            ("last_sequence", "10"),
            ("refusal", "Null"),
        ],
    );
    let fills = table(Table::Fills);
    assert_row(
        &fills[0],
        &[
            ("trade_id", "a-trade"),
            ("cash_micros", "-945001"),
            ("fee_micros", "7"),
            ("yes_after_micros", "2000001"),
            ("no_after_micros", "0"),
            ("matched_s", "1790000000"),
        ],
    );
    let decisions = table(Table::Decisions);
    assert_row(&decisions[0], &[("intent_id", "3"), ("kept", "1"), ("quotes", "[]"), ("instance", "maker")]);
    let events = table(Table::Events);
    assert_row(&events[5], &[("kind", "event.ledger"), ("market_id", "0"), ("instance_id", "0"), ("order_id", "Null")]);
    assert!(text(&events[4]["payload"]).contains("a-trade"));
    assert_eq!(fs::read_dir(out.path()).expect("a folder").count(), Table::ALL.len(), "nothing beside the tables");
}

#[test]
fn one_file_holds_every_record() {
    let (run, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    write(run.path());
    let file = out.path().join("all.parquet");
    let written = export_records(run.path(), &file).expect("a table");
    assert_eq!((written.tables[0].1, &written.damage), (12, &None));
    let all = rows(&file);
    let sequences: Vec<String> = all.iter().map(|row| text(&row["sequence"])).collect();
    assert_eq!(sequences, (1..=12).map(|n: u32| n.to_string()).collect::<Vec<_>>());
    assert_row(&all[0], &[("kind", "input.card"), ("market_id", "Null")]);
}

#[test]
fn a_damaged_journal_becomes_tables_up_to_its_damage() {
    let (run, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    write(run.path());
    let segment = run.path().join("00000000.segment");
    let whole = fs::read(&segment).expect("a segment");
    fs::write(&segment, &whole[..whole.len() * 3 / 4]).expect("written");
    let written = export(run.path(), out.path()).expect("tables");
    let damage = written.damage.expect("told");
    assert!(damage.contains("segment 0, offset") && damage.contains("where record"), "{damage}");
    assert_eq!(rows(&out.path().join("frames.parquet")).len() as u64, written.tables[0].1);
}

/// Money twice, times, and texts, as another library reads them.
#[test]
fn another_reader_sees_exact_decimals_and_times() {
    const LOOK: &str = r#"
import decimal, sys
import pyarrow.parquet as pq
orders = pq.read_table(sys.argv[1] + "/orders.parquet").to_pylist()
assert len(orders) == 1, orders
row = orders[0]
assert row["size"] == decimal.Decimal("12.345678") and row["size_micros"] == 12345678, row
assert row["price"] == decimal.Decimal("0.4725"), row
schema = pq.read_schema(sys.argv[1] + "/fills.parquet")
assert str(schema.field("wall_ns").type) == "timestamp[ns, tz=UTC]", schema
assert str(schema.field("cash").type) == "decimal128(18, 6)", schema
fills = pq.read_table(sys.argv[1] + "/fills.parquet", columns=["cash", "yes_after"]).to_pylist()
assert fills == [{"cash": decimal.Decimal("-0.945001"), "yes_after": decimal.Decimal("2.000001")}], fills
print("read")
"#;
    let there = std::process::Command::new("python3").args(["-c", "import pyarrow.parquet"]).output();
    if !there.is_ok_and(|out| out.status.success()) {
        eprintln!("not tried: no other reader of these tables is at hand");
        return;
    }
    let (run, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    write(run.path());
    export(run.path(), out.path()).expect("tables");
    let read = std::process::Command::new("python3").args(["-c", LOOK]).arg(out.path()).output().expect("python3");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
}

/// The reference names every table and every column, and no other.
#[test]
fn the_reference_names_every_column() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/tables.md");
    let page = fs::read_to_string(page).expect("the reference");
    for table in Table::ALL.into_iter().chain([Table::Records]) {
        let (_, section) = page.split_once(&format!("## `{}`", table.name())).unwrap_or_else(|| panic!("{table:?}"));
        let section = section.split("\n## ").next().unwrap_or_default();
        if table == Table::Events {
            assert!(section.contains("columns of `records`"));
            continue;
        }
        let stated: Vec<(String, String)> = section
            .lines()
            .filter(|line| line.starts_with("| `"))
            .flat_map(|line| {
                let mut cells = line.trim_matches('|').split('|').map(str::trim);
                let names = cells.next().unwrap_or_default().to_owned();
                let kind = cells.next().unwrap_or_default().to_owned();
                names.split(", ").map(|name| (name.trim_matches('`').to_owned(), kind.clone())).collect::<Vec<_>>()
            })
            .collect();
        let kind = |kind: Kind| match kind {
            Kind::Number => "number",
            Kind::Moment => "moment",
            Kind::Decimal => "decimal",
            Kind::Text => "text",
            Kind::Flag => "flag",
        };
        let columns: Vec<(String, String)> = table
            .columns()
            .iter()
            .map(|column| {
                let kind = kind(column.kind);
                (column.name.to_owned(), if column.optional { format!("{kind}?") } else { kind.to_owned() })
            })
            .collect();
        assert_eq!(stated, columns, "{table:?}");
    }
}
