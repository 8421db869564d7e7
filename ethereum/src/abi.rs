//! Bindings of the contracts, generated from the committed artifacts: what the Solidity sources say is what is called.
//!
//! Only node, relayer and clients need them; what the chain itself must encode is in `gear_exe_primitives::abi`.

#![allow(missing_docs, clippy::too_many_arguments)]

mod router {
    alloy::sol!(
        #[derive(Debug, PartialEq, Eq)]
        Router,
        "../contracts/artifacts/Router.json"
    );
}

mod mirror {
    alloy::sol!(
        #[derive(Debug, PartialEq, Eq)]
        Mirror,
        "../contracts/artifacts/Mirror.json"
    );
}

mod middleware {
    alloy::sol!(
        #[derive(Debug, PartialEq, Eq)]
        Middleware,
        "../contracts/artifacts/Middleware.json"
    );
}

mod token {
    alloy::sol!(
        #[derive(Debug, PartialEq, Eq)]
        WrappedVara,
        "../contracts/artifacts/WrappedVara.json"
    );
}

mod proxy {
    alloy::sol!(
        #[derive(Debug, PartialEq, Eq)]
        ERC1967Proxy,
        "../contracts/artifacts/ERC1967Proxy.json"
    );
}

pub use middleware::{IMiddlewareTypes, Middleware};
pub use mirror::Mirror;
pub use proxy::ERC1967Proxy;
pub use router::{Gear, Router};
pub use token::WrappedVara;
