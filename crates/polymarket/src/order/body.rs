//! The bytes of a placement (protocol section 4.2), written without allocating into a buffer that is reused.

use oddsmith_domain::{OrderType, PlaceOrder, TokenId};

use super::sign::OrderSignature;

/// Writes the body of `POST /order` into `out`, replacing what was there. `owner` is the API key's id.
pub fn order_body(order: &PlaceOrder, signature: &OrderSignature, owner: &str, out: &mut Vec<u8>) {
    out.clear();
    write_order(order, signature, owner, out);
}

/// Writes the body of `POST /orders` into `out`, replacing what was there. The venue takes 1 to 15 orders.
pub fn orders_body<'a>(
    orders: impl IntoIterator<Item = (&'a PlaceOrder, &'a OrderSignature)>,
    owner: &str,
    out: &mut Vec<u8>,
) {
    out.clear();
    out.push(b'[');
    for (index, (order, signature)) in orders.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_order(order, signature, owner, out);
    }
    out.push(b']');
}

fn write_order(order: &PlaceOrder, signature: &OrderSignature, owner: &str, out: &mut Vec<u8>) {
    let fields = &order.fields;
    put(out, b"{\"order\":{\"salt\":");
    put_number(out, fields.salt);
    put(out, b",\"maker\":\"");
    put_hex(out, &fields.maker.0);
    put(out, b"\",\"signer\":\"");
    put_hex(out, &fields.signer.0);
    put(out, b"\",\"tokenId\":\"");
    put_token(out, fields.token);
    put(out, b"\",\"makerAmount\":\"");
    put_number(out, fields.maker_amount);
    put(out, b"\",\"takerAmount\":\"");
    put_number(out, fields.taker_amount);
    put(out, b"\",\"side\":\"");
    put(out, fields.side.as_str().as_bytes());
    put(out, b"\",\"expiration\":\"");
    put_number(out, order.expiration_s);
    put(out, b"\",\"signatureType\":");
    put_number(out, u64::from(fields.signature_type as u8));
    put(out, b",\"timestamp\":\"");
    put_number(out, fields.timestamp_ms);
    put(out, b"\",\"metadata\":\"");
    put_hex(out, &fields.metadata);
    put(out, b"\",\"builder\":\"");
    put_hex(out, &fields.builder);
    put(out, b"\",\"signature\":\"");
    put_hex(out, signature.as_bytes());
    put(out, b"\"},\"owner\":");
    put_json_text(out, owner);
    put(out, b",\"orderType\":\"");
    put(out, order.order_type.as_str().as_bytes());
    put(out, b"\",\"deferExec\":false");
    // The venue knows the flag only for orders that can rest.
    match (order.order_type, order.post_only) {
        (OrderType::Gtc | OrderType::Gtd, true) => put(out, b",\"postOnly\":true}"),
        (OrderType::Gtc | OrderType::Gtd, false) => put(out, b",\"postOnly\":false}"),
        (OrderType::Fok | OrderType::Fak, _) => put(out, b"}"),
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
}

fn put_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(b"0x");
    // Digits are made on the stack, so that the vector grows by runs and not by single bytes.
    for chunk in bytes.chunks(32) {
        let mut digits = [0u8; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(chunk) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        out.extend_from_slice(digits.get(..2 * chunk.len()).unwrap_or_default());
    }
}

/// A JSON string. The owner comes from a configuration file, so it is escaped like any text from outside.
fn put_json_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => {
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), HEX[usize::from(byte & 15)]])
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn put_number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0u8; 20];
    let first = fill_digits(&mut digits, value);
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// Writes a number to the end of the buffer and returns where it begins.
fn fill_digits(digits: &mut [u8], mut value: u64) -> usize {
    let mut at = digits.len();
    for (index, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        at = index;
        if value == 0 {
            break;
        }
    }
    at
}

/// Writes a 256-bit number in decimal: five groups of 19 digits, the most that a `u64` holds.
fn put_token(out: &mut Vec<u8>, token: TokenId) {
    const GROUP: u128 = 10_000_000_000_000_000_000;
    let bytes = token.to_be_bytes();
    let mut limbs = [0u64; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
        *limb = chunk.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    }
    let mut groups = [0u64; 5];
    for group in groups.iter_mut().rev() {
        let mut rest = 0u128;
        for limb in &mut limbs {
            let value = rest << 64 | u128::from(*limb);
            let quotient = value / GROUP;
            rest = value - quotient * GROUP;
            *limb = quotient as u64;
        }
        *group = rest as u64;
    }
    let mut written = false;
    for (index, group) in groups.into_iter().enumerate() {
        if written {
            let mut digits = [b'0'; 19];
            fill_digits(&mut digits, group);
            out.extend_from_slice(&digits);
        } else if group != 0 || index == 4 {
            put_number(out, group);
            written = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{Address, OrderFields};
    use oddsmith_domain::{AssetId, ExchangeKind, InstanceId, IntentId, OrderId, Price, Shares, Side, SignatureType};
    use proptest::prelude::*;

    use super::*;
    use crate::wire::PostOrder;

    fn order(order_type: OrderType, post_only: bool, token: TokenId) -> PlaceOrder {
        PlaceOrder {
            id: OrderId([9; 32]),
            fields: OrderFields {
                salt: (1 << 53) - 1,
                maker: Address([0xab; 20]),
                signer: Address([0xcd; 20]),
                token,
                maker_amount: 5_700_000,
                taker_amount: u64::MAX,
                side: Side::Sell,
                signature_type: SignatureType::Safe,
                timestamp_ms: 1_710_000_000_000,
                metadata: [1; 32],
                builder: [2; 32],
            },
            exchange: ExchangeKind::Ctf,
            order_type,
            post_only,
            expiration_s: if order_type == OrderType::Gtd { 1_800_000_000 } else { 0 },
            asset: AssetId(0),
            price: Price::ZERO,
            size: Shares::ZERO,
            instance: InstanceId(0),
            intent: IntentId(0),
            deadline_mono_ns: 0,
        }
    }

    #[test]
    fn the_body_says_what_the_order_says() {
        let signature = OrderSignature::plain([0x1b; 65]);
        let token = TokenId::parse("71321045679252212594626385532706912750332728571942532289631379312455583992563");
        let token = token.expect("a token");
        let mut out = b"left over".to_vec();
        for order_type in [OrderType::Gtc, OrderType::Gtd, OrderType::Fok, OrderType::Fak] {
            for post_only in [false, true] {
                let order = order(order_type, post_only, token);
                order_body(&order, &signature, "f8f7370d-52b6-b764-0776-48aa65b6ec0a", &mut out);
                let read: PostOrder = serde_json::from_slice(&out).expect("JSON");
                assert_eq!(read.order.fields(), order.fields);
                assert_eq!(read.order.expiration, order.expiration_s);
                assert_eq!(read.order.signature, signature.to_string());
                assert_eq!(read.owner, "f8f7370d-52b6-b764-0776-48aa65b6ec0a");
                assert_eq!((read.order_type, read.defer_exec), (order_type, Some(false)));
                assert_eq!(read.post_only, order_type.rests().then_some(post_only));
            }
        }
    }

    #[test]
    fn the_first_bytes_are_those_of_the_protocol_file() {
        let mut out = Vec::new();
        let order = order(OrderType::Gtc, false, TokenId::from_be_bytes([0; 32]));
        order_body(&order, &OrderSignature::plain([0; 65]), "k", &mut out);
        let text = String::from_utf8(out).expect("text");
        assert!(text.starts_with("{\"order\":{\"salt\":9007199254740991,\"maker\":\"0xabab"), "{text}");
        assert!(text.contains("\"tokenId\":\"0\",\"makerAmount\":\"5700000\""), "{text}");
        assert!(text.ends_with("\"},\"owner\":\"k\",\"orderType\":\"GTC\",\"deferExec\":false,\"postOnly\":false}"));
    }

    #[test]
    fn a_hostile_owner_stays_a_text() {
        let mut out = Vec::new();
        let order = order(OrderType::Gtc, false, TokenId::from_be_bytes([0; 32]));
        let owner = "a\"b\\c\n\u{1}\u{1f}é";
        order_body(&order, &OrderSignature::plain([0; 65]), owner, &mut out);
        assert_eq!(serde_json::from_slice::<PostOrder>(&out).expect("JSON").owner, owner);
    }

    #[test]
    fn a_batch_is_an_array_of_the_same_objects() {
        let signature = OrderSignature::plain([3; 65]);
        let orders = [OrderType::Gtc, OrderType::Fok].map(|t| order(t, false, TokenId::from_be_bytes([255; 32])));
        let mut batch = Vec::new();
        orders_body(orders.iter().map(|order| (order, &signature)), "k", &mut batch);
        let read: Vec<PostOrder> = serde_json::from_slice(&batch).expect("JSON");
        assert_eq!(read.iter().map(|o| o.order_type).collect::<Vec<_>>(), [OrderType::Gtc, OrderType::Fok]);
        let mut single = Vec::new();
        order_body(&orders[1], &signature, "k", &mut single);
        assert!(batch.windows(single.len()).any(|window| window == single));
    }

    proptest! {
        #[test]
        fn tokens_are_written_in_decimal(bytes: [u8; 32], zeros in 0usize..=32) {
            let mut bytes = bytes;
            bytes[..zeros].fill(0);
            let token = TokenId::from_be_bytes(bytes);
            let mut out = Vec::new();
            put_token(&mut out, token);
            prop_assert_eq!(String::from_utf8(out).expect("digits"), token.to_string());
        }

        #[test]
        fn numbers_are_written_in_decimal(value: u64, shift in 0u32..64) {
            let mut out = Vec::new();
            put_number(&mut out, value >> shift);
            prop_assert_eq!(String::from_utf8(out).expect("digits"), (value >> shift).to_string());
        }
    }
}
