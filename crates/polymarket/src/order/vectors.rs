//! The vectors of protocol sections 5.3 and 5.4, which official packages agree on.

use oddsmith_domain::{Address, ExchangeKind, OrderFields, Side, SignatureType, TokenId};

use super::*;

const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

fn signer() -> Signer {
    Signer::from_hex(KEY).expect("a key")
}

fn fields(timestamp_ms: u64, side: Side) -> OrderFields {
    let account = signer().address();
    OrderFields {
        salt: 479_249_096_354,
        maker: account,
        signer: account,
        token: TokenId::parse("1234").expect("a token"),
        maker_amount: 100_000_000,
        taker_amount: 50_000_000,
        side,
        signature_type: SignatureType::Eoa,
        timestamp_ms,
        metadata: [0; 32],
        builder: [0; 32],
    }
}

fn hex32(bytes: &[u8; 32]) -> String {
    format!("0x{}", hex::encode(bytes))
}

#[test]
fn the_key_and_the_types() {
    assert_eq!(checksum_address(signer().address()).as_str(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    assert_eq!(ORDER_TYPE.len(), 186);
    assert_eq!(
        hex32(&keccak(ORDER_TYPE.as_bytes())),
        "0xbb86318a2138f5fa8ae32fbe8e659f8fcf13cc6ae4014a707893055433818589"
    );
    let hasher = OrderHasher::new(AMOY).expect("a known chain");
    assert_eq!(
        hex32(&hasher.struct_hash(&fields(1_710_000_000_000, Side::Buy))),
        "0xf6bf4212bfca4d6679afc2c54a54d814a91a6c7905de5ed193fe44f329c239f0"
    );
}

#[test]
fn domain_separators() {
    for (chain, kind, separator) in [
        (AMOY, ExchangeKind::Ctf, "0xa440cbd865bc0c6243d7a8df9a8bf48a8827b0a4abbb61c30e96d305423af148"),
        (POLYGON, ExchangeKind::Ctf, "0x3264e159346253e26a64e00b69032db0e7d32f94628de3e6eecb50304d7af3d2"),
        (POLYGON, ExchangeKind::NegRisk, "0x9b858f53327b0bd13af8ec14cfb35234fb9eb7b0504d1a4e61f433840d30e81a"),
    ] {
        let hasher = OrderHasher::new(chain).expect("a known chain");
        assert_eq!(hex32(hasher.domain_separator(kind)), separator);
    }
}

#[test]
fn orders_of_type_0() {
    let now = 1_710_000_000_000;
    for (chain, kind, timestamp, side, digest, signature) in [
        (
            AMOY,
            ExchangeKind::Ctf,
            now,
            Side::Buy,
            "0x962c97b18bea292cc94b9479272aa74fb59a905e84a621a40eb339131e9fb6ba",
            "0x518472f1b081f6bd713d638bb11d1bf0720ed577e93c52eb00ec9f5f325f7d510c65cbfdfe9130de2602185f4a500863d777d8b838cb28abc75ecc1b5330315d1c",
        ),
        (
            POLYGON,
            ExchangeKind::Ctf,
            now,
            Side::Buy,
            "0x10124949f84e9f7438c88d02bfd546ceb27ed6eb1fdb0175137af535b6e2513d",
            "0x42c7b4857d51e344045fcfde17b37cf1290d784471ffe618c22aa56ea5ddcf0009015b87ffb299813f5597e86d4ad56f40d634558d915edb719e6fc71dbc0d891c",
        ),
        (
            POLYGON,
            ExchangeKind::NegRisk,
            now,
            Side::Buy,
            "0x9c2976657c4b229cc8e467a32ce9e3281ef40a70aee31cdc4619ebf51e4a7274",
            "0x79d82a92bd020329c6b9afad40b742c8cfaebdd992219b57e4282b6cfd53a66f2c97471d3297fa001f3eac2ead5f709c6e266893f19cef37633511420542a63b1b",
        ),
        (
            POLYGON,
            ExchangeKind::NegRisk,
            now,
            Side::Sell,
            "0xa3f0de2ec0f54a31b73451481458a7bae1691602e749fd199443e283be9570bb",
            "0x0877be51b52c8c56180a011e5b724c71d99464bce7c46c47f5676b14dc5dc9e52890207a046d74474a267f9fdac463d7d835dd079420e9e636178149d98457481c",
        ),
        (
            AMOY,
            ExchangeKind::Position,
            1_780_449_126_930,
            Side::Buy,
            "0x13ae673adc0d1a53518b508ef0ce7365aaf85756fb4f42b9f153aa3b0ecb45de",
            "0x269ebcd7fa5d21746e298256216ed725baa8d8fad3f5a51a8d27bb0d0a744e604199067fffc8e359869fcca14ff2ada20d212740c4690091b595725dfa5ea4651c",
        ),
        (
            POLYGON,
            ExchangeKind::Position,
            now,
            Side::Buy,
            "0x0d34966f6a42e3b8bec3d0d0dcca74d762695a3bd4cdf1d6a1fc2201bf9daa87",
            "0x22a4e68028c7984ff9b19217dee3a8491614e97a84ca42d53fe73e7a50745fd66706b966fa16ce911a3217958a5471343c47f2fd56ea9392522a4c1c156eac701c",
        ),
    ] {
        let hasher = OrderHasher::new(chain).expect("a known chain");
        let fields = fields(timestamp, side);
        assert_eq!(hasher.digest(kind, &fields).to_string(), digest);
        let signed = signer().sign_fields(&hasher, kind, &fields);
        assert_eq!(signed.to_string(), signature, "{chain} {kind:?} {side:?}");
        let read = OrderSignature::parse(signature).expect("a signature");
        assert_eq!(verify_order(&Recoverer::new(), &hasher, kind, &fields, &read), Ok(signer().address()));
    }
}

fn wallet_fields() -> OrderFields {
    let wallet = Address([0x11; 20]);
    OrderFields {
        maker: wallet,
        signer: wallet,
        signature_type: SignatureType::Poly1271,
        ..fields(1_710_000_000_000, Side::Buy)
    }
}

#[test]
fn an_order_of_type_3() {
    let hasher = OrderHasher::new(AMOY).expect("a known chain");
    let fields = wallet_fields();
    assert_eq!(
        hex32(&hasher.wallet_digest(ExchangeKind::Ctf, &fields)),
        "0xc31d535831b64decf4687570628e5765c218fc3c4a7b582c7bd3105525f76a8c"
    );
    let expected = [
        "0xa3a093c83b6c20c83355c16ce94c92e6e9fcbdeb840618cc74f6c57a42ad145b2b98db73d2c73cbf1f2b6af288566ae81960ddbc3a13921027358a8bff3be6ff1c",
        "a440cbd865bc0c6243d7a8df9a8bf48a8827b0a4abbb61c30e96d305423af148",
        "d23d42d3ad94e65d78258cecaf8dcbaddac0f73dc085040f2c12bb595dd83804",
        &hex::encode(ORDER_TYPE),
        "00ba",
    ]
    .concat();
    let signed = signer().sign_fields(&hasher, ExchangeKind::Ctf, &fields);
    assert_eq!(signed.to_string(), expected);
    let by = verify_order(&Recoverer::new(), &hasher, ExchangeKind::Ctf, &fields, &signed);
    assert_eq!(by, Ok(signer().address()));
}

#[test]
fn a_signature_is_good_for_one_order_only() {
    let hasher = OrderHasher::new(POLYGON).expect("a known chain");
    let check = |kind, fields: &OrderFields, signature: &OrderSignature| {
        verify_order(&Recoverer::new(), &hasher, kind, fields, signature)
    };
    let fields = fields(1_710_000_000_000, Side::Buy);
    let signed = signer().sign_fields(&hasher, ExchangeKind::Ctf, &fields);
    // another contract, another amount: somebody else seems to have signed
    assert!(matches!(check(ExchangeKind::NegRisk, &fields, &signed), Err(SignatureFault::Signer(_))));
    let more = OrderFields { maker_amount: fields.maker_amount + 1, ..fields };
    assert!(matches!(check(ExchangeKind::Ctf, &more, &signed), Err(SignatureFault::Signer(_))));
    // the signer may pay from his own account only, or from the wallet that is his
    let other = OrderFields { maker: Address([1; 20]), ..fields };
    let by_other = signer().sign_fields(&hasher, ExchangeKind::Ctf, &other);
    assert_eq!(check(ExchangeKind::Ctf, &other, &by_other), Err(SignatureFault::Maker));
    for (signature_type, wallet) in [
        (SignatureType::Proxy, proxy_wallet(POLYGON, signer().address())),
        (SignatureType::Safe, safe_wallet(POLYGON, signer().address())),
    ] {
        let own = OrderFields { maker: wallet.expect("a known chain"), signature_type, ..fields };
        let signed = signer().sign_fields(&hasher, ExchangeKind::Ctf, &own);
        assert_eq!(check(ExchangeKind::Ctf, &own, &signed), Ok(signer().address()));
        let mixed = OrderFields { maker: fields.maker, ..own };
        let signed = signer().sign_fields(&hasher, ExchangeKind::Ctf, &mixed);
        assert_eq!(check(ExchangeKind::Ctf, &mixed, &signed), Err(SignatureFault::Maker));
    }
    // the wrapping belongs to one order under one contract
    let wallet = wallet_fields();
    let wrapped = signer().sign_fields(&hasher, ExchangeKind::Ctf, &wallet);
    assert_eq!(check(ExchangeKind::NegRisk, &wallet, &wrapped), Err(SignatureFault::Wrapping));
    assert_eq!(check(ExchangeKind::Ctf, &wallet, &signed), Err(SignatureFault::Length));
    assert_eq!(check(ExchangeKind::Ctf, &fields, &wrapped), Err(SignatureFault::Length));
}

#[test]
fn hostile_signatures_are_of_nobody() {
    let hasher = OrderHasher::new(POLYGON).expect("a known chain");
    let fields = fields(1_710_000_000_000, Side::Buy);
    let good = *signer().sign_fields(&hasher, ExchangeKind::Ctf, &fields).as_plain().expect("a plain one");
    let check = |bytes: [u8; 65]| {
        let signature = OrderSignature::plain(bytes);
        verify_order(&Recoverer::new(), &hasher, ExchangeKind::Ctf, &fields, &signature)
    };
    for bytes in [[0; 65], [0xff; 65]] {
        assert_eq!(check(bytes), Err(SignatureFault::Nobody));
    }
    for v in [2, 26, 29, 255] {
        let mut bytes = good;
        bytes[64] = v;
        assert_eq!(check(bytes), Err(SignatureFault::Nobody), "v {v}");
    }
    let mut old_style = good;
    old_style[64] -= 27;
    assert_eq!(check(old_style), Ok(signer().address()));
    // the same signature with s in the upper half: n - s, and the other v
    let mut high = good;
    let order = hex::decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141").expect("digits");
    let mut borrow = 0i32;
    for at in (0..32).rev() {
        let digit = i32::from(order[at]) - i32::from(good[32 + at]) - borrow;
        borrow = i32::from(digit < 0);
        high[32 + at] = (digit + 256 * borrow) as u8;
    }
    high[64] = 27 + 28 - good[64];
    assert_eq!(check(high), Err(SignatureFault::Nobody));
}

#[test]
fn positions_are_told_from_tokens() {
    let token = "96032845026589264419652263767853273417682663975879399135125885387803393541415";
    assert!(!is_position_id(TokenId::parse(token).expect("a token")));
    let mut position = [0xa5u8; 32];
    position[19..27].fill(0);
    assert!(is_position_id(TokenId::from_be_bytes(position)));
    assert!(is_position_id(TokenId::parse("1234").expect("a token")));
}
