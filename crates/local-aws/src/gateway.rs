//! The one port: which service a request is for.
