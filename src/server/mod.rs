//! Listeners, TLS, health, and the place where all parts are put together.
