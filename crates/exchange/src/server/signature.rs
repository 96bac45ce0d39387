//! Checking signatures: of wallets that ask for API keys, and of orders.

use std::sync::LazyLock;

use oddsmith_domain::{Address, ExchangeKind, OrderFields, OrderId};
use oddsmith_polymarket::auth::ClobAuth;
use oddsmith_polymarket::order::{OrderHasher, OrderSignature, POLYGON, Recoverer, SignatureFault, verify_order};

/// The chain that everything is signed for.
pub(super) const CHAIN: u64 = POLYGON;

static RECOVERER: LazyLock<Recoverer> = LazyLock::new(Recoverer::new);
static HASHER: LazyLock<OrderHasher> =
    LazyLock::new(|| OrderHasher::new(CHAIN).expect("the venue has contracts on the chain that the server is for"));

/// Whether a wallet signed the statement that API keys are given for (protocol section 3.1).
pub(super) fn attested_by(timestamp: &str, nonce: u64, address: Address, signature: &str) -> bool {
    ClobAuth { chain_id: CHAIN, address, timestamp, nonce }.verify(&RECOVERER, signature).is_ok()
}

/// The id of an order under a contract.
pub(super) fn order_id(kind: ExchangeKind, fields: &OrderFields) -> OrderId {
    HASHER.digest(kind, fields)
}

/// The key that signed an order.
///
/// # Errors
/// [`SignatureFault`].
pub(super) fn signed_by(
    kind: ExchangeKind,
    fields: &OrderFields,
    signature: &OrderSignature,
) -> Result<Address, SignatureFault> {
    verify_order(&RECOVERER, &HASHER, kind, fields, signature)
}

/// Whether an order is signed rightly, but for another of the venue's contracts than its token's.
pub(super) fn is_for_another_contract(kind: ExchangeKind, fields: &OrderFields, signature: &OrderSignature) -> bool {
    [ExchangeKind::Ctf, ExchangeKind::NegRisk, ExchangeKind::Position]
        .into_iter()
        .any(|other| other != kind && signed_by(other, fields, signature).is_ok())
}
