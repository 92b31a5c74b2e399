//! squall-verdict
