//! API keys: made, derived, listed, deleted; readonly and builder keys.

use super::CLOB;
use crate::report::{Report, same};
use crate::venue::{Venue, refusal, signer};

pub async fn run(venue: &Venue, report: &mut Report) {
    report
        .check("keys: create, create again, derive", CLOB, async {
            let (client, signer) = (venue.reader()?, signer(9)?);
            let made = client.create_api_key(&signer, Some(7)).await?;
            let again = refusal(client.create_api_key(&signer, Some(7)).await.map_err(Into::into))?;
            anyhow::ensure!(again.contains("Could not create api key"), "{again}");
            let derived = client.derive_api_key(&signer, Some(7)).await?;
            same("the derived key", derived.key(), made.key())?;
            let none = refusal(client.derive_api_key(&signer, Some(8)).await.map_err(Into::into))?;
            anyhow::ensure!(none.contains("Could not derive api key!"), "{none}");
            let either = client.create_or_derive_api_key(&signer, Some(7)).await?;
            same("the key of create_or_derive", either.key(), made.key())
        })
        .await;
    report
        .check("keys: list, closed-only flag, delete", CLOB, async {
            let (client, signer) = (venue.reader()?, signer(9)?);
            let credentials = client.create_api_key(&signer, Some(11)).await?;
            let builder = client.authentication_builder(&signer).credentials(credentials.clone());
            // The builder needs the only reference to its client.
            drop(builder);
            let client =
                venue.reader()?.authentication_builder(&signer).credentials(credentials).authenticate().await?;
            let listed = format!("{:?}", client.api_keys().await?);
            anyhow::ensure!(listed.contains(&client.credentials().key().to_string()), "{listed}");
            same("closed-only", client.closed_only_mode().await?.closed_only, false)?;
            same("the answer", client.delete_api_key().await?, serde_json::json!("OK"))?;
            let gone = refusal(client.api_keys().await.map_err(Into::into))?;
            anyhow::ensure!(gone.contains("Unauthorized/Invalid api key"), "{gone}");
            Ok(())
        })
        .await;
    report
        .check("keys: readonly keys", CLOB, async {
            let trader = venue.trader(9).await?;
            let key = trader.client.create_readonly_api_key().await?.api_key;
            same("the list", trader.client.readonly_api_keys().await?, vec![key.clone()])?;
            trader.client.delete_readonly_api_key(&key).await?;
            same("the list", trader.client.readonly_api_keys().await?, Vec::new())
        })
        .await;
    report
        .check("keys: builder keys", CLOB, async {
            let trader = venue.trader(9).await?;
            let made = trader.client.create_builder_api_key().await?;
            let listed = trader.client.builder_api_keys().await?;
            anyhow::ensure!(listed.iter().any(|key| key.key == made.key()), "{listed:?}");
            Ok(())
        })
        .await;
}
