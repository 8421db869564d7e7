//! What a runtime upgrade changes in the storage.
//!
//! Each pallet of ours says the version of its storage's layout (`STORAGE_VERSION`, 1 for all so far), and the chain keeps the
//! version that its storage has. Whoever changes how something is stored
//!
//! 1. raises the pallet's `STORAGE_VERSION`, say to 2;
//! 2. writes how to get there, in a `migrations.rs` of the pallet, with the checks `pre_upgrade` and `post_upgrade`:
//!    ```ignore
//!    /// From version 1 to 2: views carry the Router's nonce.
//!    pub type ToV2<T> =
//!        VersionedMigration<1, 2, RouterNonces<T>, crate::Pallet<T>, <T as frame_system::Config>::DbWeight>;
//!    ```
//! 3. appends it to [`Migrations`], as `pallet_execution::migrations::ToV2<crate::Runtime>`;
//! 4. raises `spec_version`, and shows in `runtime/tests/versions.rs` that storage of version 1 comes out right.
//!
//! It then runs once, in the first block of the new runtime, and only on storage of version 1; it stays in the list until no
//! network has that any more. What would not fit into a block is not for this list: it needs `pallet-migrations`.

/// The upgrades that a chain may still have to make, oldest first. None so far.
pub type Migrations = ();
