//! Who signs native messages.

use crate::Error;
use gear_exe_primitives::{
    H160, MessageId,
    batch::RouterDomain,
    native::{NativeTransaction, SignedNative, SigningForm},
    signature::{CompactSignature, address_of_secret},
};
use std::fmt;

/// An Ethereum key, and the Router in whose domain it signs.
#[derive(Clone)]
pub struct Signer {
    secret: [u8; 32],
    address: H160,
    domain: RouterDomain,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key is nobody's business.
        f.debug_struct("Signer")
            .field("address", &self.address)
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// The owner of a secret key.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] if it is none.
    pub fn new(secret: [u8; 32], domain: RouterDomain) -> Result<Self, Error> {
        Ok(Self {
            address: address_of_secret(&secret).map_err(Error::Key)?,
            secret,
            domain,
        })
    }

    /// Its Ethereum address: the sender of what it signs.
    pub const fn address(&self) -> H160 {
        self.address
    }

    /// Where programs are.
    pub const fn domain(&self) -> &RouterDomain {
        &self.domain
    }

    /// Signs a message. [`SigningForm::Typed`] is what to use; the others are those of older clients.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] cannot happen for a key that [`Signer::new`] took.
    pub fn sign(
        &self,
        transaction: NativeTransaction,
        form: SigningForm,
    ) -> Result<SignedNative, Error> {
        let digest = transaction.digest(form, &self.domain);
        Ok(SignedNative {
            signature: CompactSignature::sign(&self.secret, digest).map_err(Error::Key)?,
            source: self.address,
            transaction,
            form,
        })
    }

    /// The id of a message that was signed in this domain: by it the message is watched.
    pub fn id(&self, signed: &SignedNative) -> MessageId {
        signed.id(&self.domain)
    }
}
