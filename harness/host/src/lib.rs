//! squall-host
