//! squall-proxy
