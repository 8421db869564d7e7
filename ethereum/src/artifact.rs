//! Compiled contracts: ABI and creation code, as `contracts/scripts/artifacts.mjs` and Foundry write them.

use alloy::{json_abi::ContractObject, json_abi::JsonAbi, primitives::Bytes};

/// Why a text is no artifact.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// Not the JSON of an artifact.
    #[error("not a contract artifact (JSON with `abi` and `bytecode`): {0}")]
    Malformed(String),
    /// It has no code to deploy.
    #[error("the artifact has no bytecode: an interface cannot be deployed")]
    NoBytecode,
}

/// A compiled contract.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Its interface.
    pub abi: JsonAbi,
    /// Its creation code, without constructor arguments.
    pub bytecode: Bytes,
}

/// The texts of the artifacts that are built in.
pub(crate) mod text {
    macro_rules! artifact {
        ($name:literal) => {
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../contracts/artifacts/",
                $name,
                ".json"
            ))
        };
    }
    pub(crate) const ROUTER: &str = artifact!("Router");
    pub(crate) const MIRROR: &str = artifact!("Mirror");
    pub(crate) const MIRROR_PROXY_SMALL: &str = artifact!("MirrorProxySmall");
    pub(crate) const MIDDLEWARE: &str = artifact!("Middleware");
    pub(crate) const WRAPPED_VARA: &str = artifact!("WrappedVara");
    pub(crate) const ERC1967_PROXY: &str = artifact!("ERC1967Proxy");
    pub(crate) const COUNTER_CALLER: &str = artifact!("CounterCaller");
}

impl Artifact {
    /// Reads an artifact: an object with `abi` and `bytecode`, the latter as text or, as Foundry writes it, as an
    /// object with `object`.
    ///
    /// # Errors
    ///
    /// [`ArtifactError`] says what is wrong with the text.
    pub fn from_json(text: &str) -> Result<Self, ArtifactError> {
        let object: ContractObject = serde_json::from_str(text)
            .map_err(|error| ArtifactError::Malformed(error.to_string()))?;
        let abi = object
            .abi
            .ok_or_else(|| ArtifactError::Malformed("no `abi`".into()))?;
        let bytecode = object
            .bytecode
            .filter(|code| !code.is_empty())
            .ok_or(ArtifactError::NoBytecode)?;
        Ok(Self { abi, bytecode })
    }

    /// The Router's code.
    ///
    /// # Errors
    ///
    /// [`ArtifactError`] if the built-in text is damaged; a test makes sure that it is not. So for all below.
    pub fn router() -> Result<Self, ArtifactError> {
        Self::from_json(text::ROUTER)
    }

    /// The Mirror's code.
    ///
    /// # Errors
    ///
    /// See [`Artifact::router`].
    pub fn mirror() -> Result<Self, ArtifactError> {
        Self::from_json(text::MIRROR)
    }

    /// The code of the proxy that Mirrors without a typed ABI have.
    ///
    /// # Errors
    ///
    /// See [`Artifact::router`].
    pub fn mirror_proxy_small() -> Result<Self, ArtifactError> {
        Self::from_json(text::MIRROR_PROXY_SMALL)
    }

    /// The Middleware's code, with that of its part inside.
    ///
    /// # Errors
    ///
    /// See [`Artifact::router`].
    pub fn middleware() -> Result<Self, ArtifactError> {
        Self::from_json(text::MIDDLEWARE)
    }

    /// The wVARA token's code.
    ///
    /// # Errors
    ///
    /// See [`Artifact::router`].
    pub fn wrapped_vara() -> Result<Self, ArtifactError> {
        Self::from_json(text::WRAPPED_VARA)
    }

    /// The proxy that stands before Router and token.
    ///
    /// # Errors
    ///
    /// See [`Artifact::router`].
    pub fn erc1967_proxy() -> Result<Self, ArtifactError> {
        Self::from_json(text::ERC1967_PROXY)
    }

    /// The example of a dApp contract that calls a program.
    ///
    /// # Errors
    ///
    /// See [`Artifact::router`].
    pub fn counter_caller() -> Result<Self, ArtifactError> {
        Self::from_json(text::COUNTER_CALLER)
    }

    /// Creation code followed by encoded constructor arguments (empty for none).
    pub fn creation_code(&self, arguments: &[u8]) -> Bytes {
        [&self.bytecode[..], arguments].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_artifacts_read() {
        for artifact in [
            Artifact::router(),
            Artifact::mirror(),
            Artifact::middleware(),
            Artifact::wrapped_vara(),
            Artifact::erc1967_proxy(),
            Artifact::counter_caller(),
        ] {
            assert!(artifact.unwrap().bytecode.len() > 100);
        }
    }

    #[test]
    fn foundry_and_plain_forms() {
        let foundry = r#"{"abi":[],"bytecode":{"object":"0x6001"}}"#;
        assert_eq!(
            Artifact::from_json(foundry).unwrap().bytecode[..],
            [0x60, 1]
        );
        let plain = r#"{"abi":[],"bytecode":"0x6001"}"#;
        let artifact = Artifact::from_json(plain).unwrap();
        assert_eq!(artifact.creation_code(&[7])[..], [0x60, 1, 7]);
        assert!(matches!(
            Artifact::from_json(r#"{"abi":[],"bytecode":"0x"}"#),
            Err(ArtifactError::NoBytecode)
        ));
        assert!(matches!(
            Artifact::from_json("nonsense"),
            Err(ArtifactError::Malformed(_))
        ));
    }
}
