//! The relayers of a network, each a process with an account of its own.

use super::{Validators, key};
use crate::{
    definition::MOST_RELAYERS,
    process::{Process, binary},
};
use anyhow::{Context, Result};

/// The accounts that pay for relayers, in their order.
const RELAYERS: [usize; MOST_RELAYERS] = [9, 8, 5];

impl Validators {
    /// Starts a relayer of the definition, again on its folder if it ran before. It asks the first node.
    ///
    /// # Errors
    ///
    /// If there is none with this number, or it cannot be started.
    pub fn start_relayer(&mut self, relayer: usize) -> Result<()> {
        let (account, more) = (RELAYERS.get(relayer), self.definition.relayers.get(relayer));
        let (account, more) = (
            account.context("no such account")?,
            more.context("no such relayer")?,
        );
        let name = format!("relayer-{relayer}");
        let folder = self.folder.path();
        let key_file = folder.join(format!("{name}.key"));
        std::fs::write(&key_file, format!("{:#x}\n", key(*account)?.to_bytes()))?;
        let mut arguments = [
            "run",
            "--node",
            &self.node_url(),
            "--ethereum",
            &self.anvil.http(),
            "--router",
            &format!("{:#x}", self.deployment.router),
            "--key-file",
            &key_file.display().to_string(),
            "--data",
            &folder.join(&name).display().to_string(),
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.extend(more.iter().cloned());
        if self.relayers.len() <= relayer {
            self.relayers.resize_with(relayer + 1, || None);
        }
        let place = self.relayers.get_mut(relayer).context("no such relayer")?;
        // One that runs still ends first.
        drop(place.take());
        let binary = binary("gear-exe-relayer")?;
        *place = Some(Process::start(&name, &binary, &arguments, folder)?);
        Ok(())
    }

    /// `SIGKILL` for a relayer.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn kill_relayer(&mut self, relayer: usize) -> Result<()> {
        let place = self.relayers.get_mut(relayer).and_then(Option::as_mut);
        place.context("no such relayer runs")?.kill()
    }
}
